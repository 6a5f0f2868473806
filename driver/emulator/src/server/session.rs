//! One client of a served board: what it asks, what it mapped, how it is interrupted. No socket, no clock.

use std::os::fd::OwnedFd;

use bus::{Device, Space};
use firmware_headers::pci;

use super::memory::ClientMemory;
use super::wire::{Fields, Header, command};

/// Regions of a PCI function: six BARs, ROM, configuration space, VGA.
const REGIONS: u32 = 9;
const REGION_BAR0: u32 = 0;
const REGION_CONFIG: u32 = 7;
const REGION_READ: u32 = 1;
const REGION_WRITE: u32 = 2;
/// Interrupts of a PCI function: INTx, MSI, MSI-X, error, request.
const IRQS: u32 = 5;
const IRQ_INTX: u32 = 0;
const IRQ_EVENTFD: u32 = 1;
const IRQ_MASKABLE: u32 = 2;
const IRQ_AUTOMASKED: u32 = 4;
const DEVICE_RESETTABLE: u32 = 1;
const DEVICE_PCI: u32 = 2;
const UNMAP_ALL: u32 = 1 << 1;
/// What this server can take, as the protocol's JSON.
const CAPABILITIES: &str = "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576}}";

/// What the client asks of an interrupt, bit by bit.
mod irq_set {
    pub(super) const NONE: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const EVENTFD: u32 = 4;
    pub(super) const DATA: u32 = 7;
    pub(super) const MASK: u32 = 8;
    pub(super) const UNMASK: u32 = 16;
    pub(super) const TRIGGER: u32 = 32;
    pub(super) const ACTION: u32 = 56;
}

/// INTx as the client has it.
#[derive(Default)]
struct Intx {
    trigger: Option<OwnedFd>,
    masked: bool,
}

impl Intx {
    fn fire(&self) {
        if let Some(trigger) = &self.trigger {
            // A counter that is full has been signalled often enough.
            let _ = nix::unistd::write(trigger, &1_u64.to_ne_bytes());
        }
    }
}

/// A client's state, from its first message to its last.
#[derive(Default)]
pub(crate) struct Session {
    pub memory: ClientMemory,
    intx: Intx,
    greeted: bool,
}

/// An answer's body, or an errno.
type Answer = Result<(), i32>;

fn push(body: &mut Vec<u8>, fields: &[u32]) {
    for field in fields {
        body.extend_from_slice(&field.to_le_bytes());
    }
}

impl Session {
    /// Signals INTx when the board asserts it and the client lets it.
    pub(crate) fn interrupt(&mut self, board: &impl Device) {
        if !self.intx.masked && self.intx.trigger.is_some() && board.interrupt() {
            self.intx.fire();
            self.intx.masked = true;
        }
    }

    /// Does what one message asks and writes the answer, if one is wanted. `false`: it was refused.
    pub(crate) fn handle(
        &mut self,
        board: &mut impl Device,
        header: Header,
        body: &[u8],
        files: &mut Vec<OwnedFd>,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut answer = Vec::with_capacity(64);
        let result = match header.command {
            command::VERSION => self.version(body, &mut answer),
            // Nobody talks before both know which protocol.
            _ if !self.greeted => Err(libc::EINVAL),
            command::DMA_MAP => self.map(body, files),
            command::DMA_UNMAP => self.unmap(body, &mut answer),
            command::DEVICE_GET_INFO => device_info(body, &mut answer),
            command::DEVICE_GET_REGION_INFO => region_info(board, body, &mut answer),
            command::DEVICE_GET_IRQ_INFO => irq_info(body, &mut answer),
            command::DEVICE_SET_IRQS => self.set_irqs(body, files),
            command::REGION_READ => read(board, body, &mut answer),
            command::REGION_WRITE => write(board, body, &mut answer),
            command::DEVICE_RESET => {
                board.reset();
                Ok(())
            }
            _ => Err(libc::ENOTSUP),
        };
        // Descriptors nobody asked for are closed, not kept.
        files.clear();
        self.interrupt(board);
        if !header.no_reply() {
            header.reply(result.as_ref().map(|()| &answer[..]).map_err(|&errno| errno), out);
        }
        result.is_ok()
    }

    fn version(&mut self, body: &[u8], answer: &mut Vec<u8>) -> Answer {
        let mut fields = Fields(body);
        let (Some(0), Some(minor)) = (fields.u16(), fields.u16()) else {
            return Err(libc::EINVAL);
        };
        self.greeted = true;
        answer.extend_from_slice(&0_u16.to_le_bytes());
        answer.extend_from_slice(&minor.min(1).to_le_bytes());
        answer.extend_from_slice(CAPABILITIES.as_bytes());
        answer.push(0);
        Ok(())
    }

    fn map(&mut self, body: &[u8], files: &mut Vec<OwnedFd>) -> Answer {
        let mut fields = Fields(body);
        let mut parse = || {
            let (_, flags) = (fields.u32()?, fields.u32()?);
            Some((flags, fields.u64()?, (fields.u64()?, fields.u64()?)))
        };
        let (flags, offset, range) = parse().ok_or(libc::EINVAL)?;
        if files.len() > 1 {
            return Err(libc::EINVAL);
        }
        self.memory.map(flags, offset, range, files.pop())
    }

    fn unmap(&mut self, body: &[u8], answer: &mut Vec<u8>) -> Answer {
        let mut fields = Fields(body);
        let mut parse = || Some((fields.u32()?, fields.u32()?, fields.u64()?, fields.u64()?));
        let (_, flags, start, octets) = parse().ok_or(libc::EINVAL)?;
        match flags {
            0 => self.memory.unmap(start, octets),
            UNMAP_ALL => self.memory.unmap_all(),
            // Dirty pages are of migrations, which a board with a line does not know.
            _ => return Err(libc::ENOTSUP),
        }
        answer.extend_from_slice(body.get(..24).unwrap_or_default());
        Ok(())
    }

    fn set_irqs(&mut self, body: &[u8], files: &mut Vec<OwnedFd>) -> Answer {
        let mut fields = Fields(body);
        let mut parse = || {
            let (_, flags, index) = (fields.u32()?, fields.u32()?, fields.u32()?);
            Some((flags, index, fields.u32()?, fields.u32()?))
        };
        let (flags, index, start, count) = parse().ok_or(libc::EINVAL)?;
        if index >= IRQS {
            return Err(libc::EINVAL);
        }
        let (action, data) = (flags & irq_set::ACTION, flags & irq_set::DATA);
        if index != IRQ_INTX || count == 0 {
            // Nothing to set; of INTx it means "take it down".
            let none = start == 0 && count == 0;
            if none && index == IRQ_INTX && action == irq_set::TRIGGER {
                self.intx = Intx::default();
            }
            return if none { Ok(()) } else { Err(libc::EINVAL) };
        }
        if (start, count) != (0, 1) {
            return Err(libc::EINVAL);
        }
        let asked = match data {
            irq_set::NONE => true,
            irq_set::BOOL => *fields.rest().first().ok_or(libc::EINVAL)? != 0,
            irq_set::EVENTFD if action == irq_set::TRIGGER && files.len() <= 1 => {
                self.intx = Intx { trigger: files.pop(), masked: false };
                return Ok(());
            }
            _ => return Err(libc::EINVAL),
        };
        match action {
            irq_set::TRIGGER if asked => self.intx.fire(),
            irq_set::MASK if asked => self.intx.masked = true,
            irq_set::UNMASK if asked => self.intx.masked = false,
            irq_set::TRIGGER | irq_set::MASK | irq_set::UNMASK => {}
            _ => return Err(libc::EINVAL),
        }
        Ok(())
    }
}

fn device_info(body: &[u8], answer: &mut Vec<u8>) -> Answer {
    Fields(body).u32().ok_or(libc::EINVAL)?;
    push(answer, &[16, DEVICE_PCI | DEVICE_RESETTABLE, REGIONS, IRQS]);
    Ok(())
}

fn region_info(board: &impl Device, body: &[u8], answer: &mut Vec<u8>) -> Answer {
    let mut fields = Fields(body);
    let index = fields.u64().and(fields.u32()).filter(|&index| index < REGIONS);
    let index = index.ok_or(libc::EINVAL)?;
    let octets = region_octets(board, index);
    let flags = if octets > 0 { REGION_READ | REGION_WRITE } else { 0 };
    push(answer, &[32, flags, index, 0]);
    answer.extend_from_slice(&u64::from(octets).to_le_bytes());
    answer.extend_from_slice(&0_u64.to_le_bytes());
    Ok(())
}

fn region_octets(board: &impl Device, index: u32) -> u32 {
    match index {
        REGION_BAR0 => board.bar0_octets(),
        REGION_CONFIG => pci::CONFIG_OCTETS,
        _ => 0,
    }
}

fn irq_info(body: &[u8], answer: &mut Vec<u8>) -> Answer {
    let mut fields = Fields(body);
    let index = fields.u64().and(fields.u32()).filter(|&index| index < IRQS);
    let index = index.ok_or(libc::EINVAL)?;
    let intx = index == IRQ_INTX;
    let flags = if intx { IRQ_EVENTFD | IRQ_MASKABLE | IRQ_AUTOMASKED } else { 0 };
    push(answer, &[16, flags, index, u32::from(intx)]);
    Ok(())
}

/// An access that is inside its region, and which space that is.
fn access(board: &impl Device, fields: &mut Fields<'_>) -> Option<(Space, u32, usize)> {
    let (offset, region, count) = (fields.u64()?, fields.u32()?, fields.u32()?);
    let end = offset.checked_add(u64::from(count))?;
    let inside = end <= u64::from(region_octets(board, region));
    let space = if region == REGION_CONFIG { Space::Config } else { Space::Bar0 };
    // Registers are reached one at a time; configuration space is also read in bulk.
    let whole = space == Space::Config || matches!(count, 1 | 2 | 4);
    (inside && whole).then_some((space, offset as u32, count as usize))
}

fn read(board: &mut impl Device, body: &[u8], answer: &mut Vec<u8>) -> Answer {
    let mut fields = Fields(body);
    let (space, offset, count) = access(board, &mut fields).ok_or(libc::EINVAL)?;
    answer.extend_from_slice(body.get(..16).unwrap_or_default());
    let step = if matches!(count, 1 | 2 | 4) { count } else { 1 };
    for at in (0..count).step_by(step) {
        let value = board.read(space, offset + at as u32, step as u8);
        answer.extend_from_slice(value.to_le_bytes().get(..step).unwrap_or_default());
    }
    Ok(())
}

fn write(board: &mut impl Device, body: &[u8], answer: &mut Vec<u8>) -> Answer {
    let mut fields = Fields(body);
    let (space, offset, count) = access(board, &mut fields).ok_or(libc::EINVAL)?;
    let data = fields.rest().get(..count).ok_or(libc::EINVAL)?;
    let step = if matches!(count, 1 | 2 | 4) { count } else { 1 };
    for (n, part) in data.chunks(step).enumerate() {
        let mut value = [0; 4];
        value.iter_mut().zip(part).for_each(|(to, &from)| *to = from);
        board.write(space, offset + (n * step) as u32, step as u8, u32::from_le_bytes(value));
    }
    answer.extend_from_slice(body.get(..16).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
