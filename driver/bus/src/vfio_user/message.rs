//! The messages of vfio-user that a host sends, octet by octet. vfio-user protocol 0.1.
//!
//! All integers are little-endian on the machines this runs on, as the protocol asks for the host's order.

/// Octets of the header every message begins with.
pub(super) const HEADER_OCTETS: usize = 16;
/// Octets of the longest message this side sends.
pub(super) const MESSAGE_OCTETS_MAX: usize = 512;
/// Octets a message of the other side may claim. Longer ones end the connection.
pub(super) const CLAIMED_OCTETS_MAX: usize = 1 << 16;

/// What a message asks for. Protocol, "Commands".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Version = 1,
    DmaMap = 2,
    DmaUnmap = 3,
    DeviceInfo = 4,
    RegionInfo = 5,
    IrqInfo = 7,
    SetIrqs = 8,
    RegionRead = 9,
    RegionWrite = 10,
    Reset = 13,
}

/// Flags of the header: the kind in the low four bits.
const KIND: u32 = 0xF;
/// The kind of an answer; 0 is a command.
const REPLY: u32 = 1;
/// The sender of a command wants no answer.
const NO_REPLY: u32 = 1 << 4;
/// The answer is a refusal, and the header's last word says why.
const ERROR: u32 = 1 << 5;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) command: u16,
    /// Octets with the header.
    pub(super) octets: u32,
    flags: u32,
    /// An error number of the system, when [`Header::is_error`].
    pub(super) error: u32,
}

impl Header {
    pub(super) const fn command(id: u16, command: Command, octets: u32, answered: bool) -> Self {
        let flags = if answered { 0 } else { NO_REPLY };
        Self { id, command: command as u16, octets, flags, error: 0 }
    }
    /// The refusal of a command of the other side.
    pub(super) const fn refusal(of: Self, error: u32) -> Self {
        Self { octets: HEADER_OCTETS as u32, flags: REPLY | ERROR, error, ..of }
    }
    pub(super) const fn is_reply(&self) -> bool {
        self.flags & KIND == REPLY
    }
    pub(super) const fn is_error(&self) -> bool {
        self.flags & ERROR != 0
    }
    pub(super) const fn wants_reply(&self) -> bool {
        self.flags & NO_REPLY == 0
    }
    pub(super) fn to_octets(self) -> [u8; HEADER_OCTETS] {
        let mut octets = [0; HEADER_OCTETS];
        let mut writer = Writer::new(&mut octets);
        writer.u16(self.id).u16(self.command).u32(self.octets).u32(self.flags).u32(self.error);
        octets
    }
    pub(super) fn from_octets(octets: &[u8; HEADER_OCTETS]) -> Self {
        let mut reader = Reader::new(octets);
        Self {
            id: reader.u16(),
            command: reader.u16(),
            octets: reader.u32(),
            flags: reader.u32(),
            error: reader.u32(),
        }
    }
}

/// Puts integers one behind the other; what finds no room is dropped, which no message here lets happen.
pub(super) struct Writer<'a> {
    into: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(into: &'a mut [u8]) -> Self {
        Self { into, at: 0 }
    }
    pub(super) fn octets(&mut self, octets: &[u8]) -> &mut Self {
        let end = self.at.saturating_add(octets.len());
        if let Some(place) = self.into.get_mut(self.at..end) {
            place.copy_from_slice(octets);
            self.at = end;
        }
        self
    }
    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.octets(&value.to_ne_bytes())
    }
    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.octets(&value.to_ne_bytes())
    }
    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.octets(&value.to_ne_bytes())
    }
    /// Octets written.
    pub(super) const fn len(&self) -> usize {
        self.at
    }
}

/// Takes integers one behind the other; behind the end there are zeros.
pub(super) struct Reader<'a> {
    from: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(from: &'a [u8]) -> Self {
        Self { from }
    }
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((octets, rest)) = self.from.split_first_chunk::<N>() else {
            self.from = &[];
            return [0; N];
        };
        self.from = rest;
        *octets
    }
    pub(super) fn u16(&mut self) -> u16 {
        u16::from_ne_bytes(self.take())
    }
    pub(super) fn u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.take())
    }
    pub(super) fn u64(&mut self) -> u64 {
        u64::from_ne_bytes(self.take())
    }
}

/// What a device says about itself. VFIO_DEVICE_GET_INFO.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceInfo {
    pub(super) is_pci: bool,
    pub(super) can_reset: bool,
    pub(super) regions: u32,
    pub(super) irqs: u32,
}

impl DeviceInfo {
    pub(super) const OCTETS: usize = 16;
    pub(super) fn of(octets: &[u8]) -> Self {
        let mut reader = Reader::new(octets);
        let (_argsz, flags) = (reader.u32(), reader.u32());
        Self {
            can_reset: flags & 1 != 0,
            is_pci: flags & 2 != 0,
            regions: reader.u32(),
            irqs: reader.u32(),
        }
    }
}

/// What a region is. VFIO_DEVICE_GET_REGION_INFO.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegionInfo {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) octets: u64,
}

impl RegionInfo {
    pub(super) const OCTETS: usize = 32;
    pub(super) fn of(octets: &[u8]) -> Self {
        let mut reader = Reader::new(octets);
        let (_argsz, flags, _index, _capabilities) =
            (reader.u32(), reader.u32(), reader.u32(), reader.u32());
        Self { readable: flags & 1 != 0, writable: flags & 2 != 0, octets: reader.u64() }
    }
}

/// What an interrupt can do. VFIO_DEVICE_GET_IRQ_INFO.
#[derive(Clone, Copy, Debug)]
pub(super) struct IrqInfo {
    pub(super) by_eventfd: bool,
    pub(super) maskable: bool,
    pub(super) count: u32,
}

impl IrqInfo {
    pub(super) const OCTETS: usize = 16;
    pub(super) fn of(octets: &[u8]) -> Self {
        let mut reader = Reader::new(octets);
        let (_argsz, flags, _index) = (reader.u32(), reader.u32(), reader.u32());
        Self { by_eventfd: flags & 1 != 0, maskable: flags & 2 != 0, count: reader.u32() }
    }
}

/// What is done to interrupts. VFIO_DEVICE_SET_IRQS.
#[derive(Clone, Copy, Debug)]
pub(super) enum IrqAction {
    Mask = 1 << 3,
    Unmask = 1 << 4,
    /// With one event descriptor beside the message.
    Trigger = 1 << 5,
}

impl IrqAction {
    pub(super) const OCTETS: usize = 20;
    /// For the only INTx.
    pub(super) fn to_octets(self) -> [u8; Self::OCTETS] {
        const NO_DATA: u32 = 1 << 0;
        const EVENTFD: u32 = 1 << 2;
        let data = if matches!(self, Self::Trigger) { EVENTFD } else { NO_DATA };
        let mut octets = [0; Self::OCTETS];
        Writer::new(&mut octets)
            .u32(Self::OCTETS as u32)
            .u32(data | self as u32)
            .u32(INTX_INDEX)
            .u32(0)
            .u32(1);
        octets
    }
}

/// The interrupt index of INTx. VFIO_PCI_INTX_IRQ_INDEX.
pub(super) const INTX_INDEX: u32 = 0;
/// The region of BAR 0. VFIO_PCI_BAR0_REGION_INDEX.
pub(super) const BAR0_REGION: u32 = 0;
/// The region of configuration space. VFIO_PCI_CONFIG_REGION_INDEX.
pub(super) const CONFIG_REGION: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::Rng;

    #[test]
    fn a_header_comes_back_as_it_was_and_its_fields_are_where_the_protocol_has_them() {
        let header = Header::command(0x1234, Command::RegionRead, 32, true);
        let expected = [0x34, 0x12, 9, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(header.to_octets(), expected);
        assert_eq!(Header::from_octets(&expected), header);
        let refusal = Header::refusal(header, 22);
        assert!(refusal.is_reply() && refusal.is_error() && refusal.error == 22);
        assert!(!Header::command(1, Command::Reset, 16, false).wants_reply());
    }

    #[test]
    fn arbitrary_octets_are_some_header_and_short_ones_read_as_zeros() {
        let mut rng = Rng::from_seed(9);
        for _ in 0..100_000 {
            let mut octets = [0; HEADER_OCTETS];
            octets.fill_with(|| rng.next_u64() as u8);
            assert_eq!(Header::from_octets(&octets).to_octets(), octets);
            let short = &octets[..rng.below(17) as usize];
            let (_, _, _) = (DeviceInfo::of(short), RegionInfo::of(short), IrqInfo::of(short));
        }
        assert_eq!(DeviceInfo::of(&[]).regions, 0);
    }
}
