//! An HDLC frame of fixed capacity: what crosses a ring without touching the heap.

/// Octets a frame may have between its flags without the FCS. Covers LAPD (264) and MTP2 (276).
pub const FRAME_OCTETS_MAX: usize = 280;

/// Octets between two flags, without FCS, first on the line first.
#[derive(Clone, Copy)]
pub struct Frame {
    len: u16,
    octets: [u8; FRAME_OCTETS_MAX],
}

impl Frame {
    /// No octets.
    pub const EMPTY: Self = Self { len: 0, octets: [0; FRAME_OCTETS_MAX] };

    /// A frame of these octets; `None` when they are too many.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut frame =
            Self { len: u16::try_from(octets.len()).ok()?, octets: [0; FRAME_OCTETS_MAX] };
        frame.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(frame)
    }
    /// The octets.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({:02X?})", self.octets())
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.octets() == other.octets()
    }
}
impl Eq for Frame {}
