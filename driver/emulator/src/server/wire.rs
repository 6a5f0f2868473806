//! The messages of vfio-user: a header of 16 octets and a body, little-endian as the hosts this runs on.
//! vfio-user protocol 0.1.

/// Octets of a header.
pub(crate) const HEADER_OCTETS: usize = 16;
/// The longest message that is read: what a client may send in one piece, and its header.
pub(crate) const MESSAGE_OCTETS_MAX: usize = (1 << 20) + 64;

const FLAG_KIND: u32 = 0xF;
const FLAG_REPLY: u32 = 1;
const FLAG_NO_REPLY: u32 = 1 << 4;
const FLAG_ERROR: u32 = 1 << 5;

/// What a client may ask.
pub(crate) mod command {
    pub(crate) const VERSION: u16 = 1;
    pub(crate) const DMA_MAP: u16 = 2;
    pub(crate) const DMA_UNMAP: u16 = 3;
    pub(crate) const DEVICE_GET_INFO: u16 = 4;
    pub(crate) const DEVICE_GET_REGION_INFO: u16 = 5;
    pub(crate) const DEVICE_GET_IRQ_INFO: u16 = 7;
    pub(crate) const DEVICE_SET_IRQS: u16 = 8;
    pub(crate) const REGION_READ: u16 = 9;
    pub(crate) const REGION_WRITE: u16 = 10;
    pub(crate) const DEVICE_RESET: u16 = 13;
}

/// The first octets of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub id: u16,
    pub command: u16,
    /// Of the whole message.
    pub octets: usize,
    flags: u32,
}

impl Header {
    /// Reads a header; `None` when no message can begin so: the stream is lost.
    pub(crate) fn parse(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields(octets.get(..HEADER_OCTETS)?);
        let (id, command) = (fields.u16()?, fields.u16()?);
        let (octets, flags) = (fields.u32()? as usize, fields.u32()?);
        let possible = (HEADER_OCTETS..=MESSAGE_OCTETS_MAX).contains(&octets);
        (possible && flags & FLAG_KIND == 0).then_some(Self { id, command, octets, flags })
    }
    /// Nobody waits for the answer.
    pub(crate) fn no_reply(self) -> bool {
        self.flags & FLAG_NO_REPLY != 0
    }
    /// The answer: `body`, or the reason why not as an errno.
    pub(crate) fn reply(self, body: Result<&[u8], i32>, out: &mut Vec<u8>) {
        let (body, flags, error) = match body {
            Ok(body) => (body, FLAG_REPLY, 0),
            Err(errno) => (&[][..], FLAG_REPLY | FLAG_ERROR, errno),
        };
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.command.to_le_bytes());
        out.extend_from_slice(&((HEADER_OCTETS + body.len()) as u32).to_le_bytes());
        out.extend_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(&error.to_le_bytes());
        out.extend_from_slice(body);
    }
}

/// Reads fields one after the other; `None` when the body is too short.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_carries_the_number_and_the_length() {
        let mut octets = Vec::new();
        let ask = Header { id: 7, command: command::REGION_READ, octets: 32, flags: 0 };
        ask.reply(Ok(b"abc"), &mut octets);
        assert_eq!(octets, b"\x07\0\x09\0\x13\0\0\0\x01\0\0\0\0\0\0\0abc");
        octets.clear();
        ask.reply(Err(libc::EINVAL), &mut octets);
        assert_eq!(octets, b"\x07\0\x09\0\x10\0\0\0\x21\0\0\0\x16\0\0\0");
    }

    #[test]
    fn lengths_no_message_has_are_refused() {
        let header = |octets: u32, flags: u32| {
            let fields = [7, octets, flags, 0];
            Header::parse(&fields.map(u32::to_le_bytes).concat())
        };
        assert!(header(16, 0).is_some());
        assert!(header(15, 0).is_none());
        assert!(header(MESSAGE_OCTETS_MAX as u32 + 1, 0).is_none());
        assert!(header(16, FLAG_REPLY).is_none(), "a client that answers");
        assert!(Header::parse(&[0; 15]).is_none());
    }
}
