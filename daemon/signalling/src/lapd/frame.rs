//! The frame of LAPD: address, control, information. Q.921, §2 and §3.

use super::sequence::Sequence;
use crate::Side;

/// Which supervisory frame. Q.921, table 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Supervisory {
    ReceiverReady,
    ReceiverNotReady,
    Reject,
}

/// The control field with its poll or final bit. Q.921, table 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Control {
    Information { ns: Sequence, nr: Sequence, poll: bool },
    Supervisory { kind: Supervisory, nr: Sequence, poll: bool },
    SetBalancedMode { poll: bool },
    Disconnect { poll: bool },
    UnnumberedAck { last: bool },
    DisconnectedMode { last: bool },
    FrameReject,
    UnnumberedInformation,
    ExchangeIdentification,
}

/// A frame, borrowed from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Service access point; 0 call control, 63 management.
    pub sapi: u8,
    /// Terminal; 0 on a primary rate access, 127 to all.
    pub tei: u8,
    /// A command, not a response.
    pub command: bool,
    /// The control field.
    pub control: Control,
    /// What is behind it.
    pub information: &'a [u8],
}

/// Why octets are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Too few octets for address and control.
    Truncated,
    /// The extension bits of the address are wrong (Q.921, §3.2), or it is of another service or terminal, and the
    /// rest makes no sense either: none of our business (§2.9).
    Address,
    /// The control field is none of table 5.
    Control {
        /// Its first octet.
        octet: u8,
    },
}

impl<'a> Frame<'a> {
    /// The frame in `octets` (without FCS), sent by `sender`.
    ///
    /// # Errors
    /// One variant for each way a peer can get it wrong.
    pub fn parse(octets: &'a [u8], sender: Side) -> Result<Self, FrameError> {
        let (address, first, rest) = match octets {
            [high, low, control, rest @ ..] => ([*high, *low], *control, rest),
            _ => return Err(FrameError::Truncated),
        };
        let [high, low] = address;
        if high & 1 != 0 || low & 1 != 1 {
            return Err(FrameError::Address);
        }
        let is_ours = high >> 2 == 0 && low >> 1 == 0;
        let parsed = Control::parse(first, rest);
        let (control, information) =
            if is_ours { parsed? } else { parsed.map_err(|_| FrameError::Address)? };
        // §3.3.2: set in commands of the network and in responses of the user.
        let command = (high >> 1 & 1 == 1) == (sender == Side::Network);
        Ok(Self { sapi: high >> 2, tei: low >> 1, command, control, information })
    }
}

impl Control {
    fn parse(first: u8, rest: &[u8]) -> Result<(Self, &[u8]), FrameError> {
        let poll = first & 0x10 != 0;
        Ok(match first {
            _ if first & 1 == 0 => {
                let (&second, rest) = rest.split_first().ok_or(FrameError::Truncated)?;
                let (ns, nr) = (Sequence::new(first >> 1), Sequence::new(second >> 1));
                (Self::Information { ns, nr, poll: second & 1 == 1 }, rest)
            }
            0x01 | 0x05 | 0x09 => {
                let (&second, rest) = rest.split_first().ok_or(FrameError::Truncated)?;
                let kind = match first {
                    0x01 => Supervisory::ReceiverReady,
                    0x05 => Supervisory::ReceiverNotReady,
                    _ => Supervisory::Reject,
                };
                let nr = Sequence::new(second >> 1);
                (Self::Supervisory { kind, nr, poll: second & 1 == 1 }, rest)
            }
            0x6F | 0x7F => (Self::SetBalancedMode { poll }, rest),
            0x43 | 0x53 => (Self::Disconnect { poll }, rest),
            0x63 | 0x73 => (Self::UnnumberedAck { last: poll }, rest),
            0x0F | 0x1F => (Self::DisconnectedMode { last: poll }, rest),
            0x87 | 0x97 => (Self::FrameReject, rest),
            0x03 | 0x13 => (Self::UnnumberedInformation, rest),
            0xAF | 0xBF => (Self::ExchangeIdentification, rest),
            octet => return Err(FrameError::Control { octet }),
        })
    }
    /// The control octets: one or two of them.
    fn octets(self) -> ([u8; 2], usize) {
        let bit = |on: bool| u8::from(on) << 4;
        match self {
            Self::Information { ns, nr, poll } => {
                ([ns.value() << 1, nr.value() << 1 | u8::from(poll)], 2)
            }
            Self::Supervisory { kind, nr, poll } => {
                let first = match kind {
                    Supervisory::ReceiverReady => 0x01,
                    Supervisory::ReceiverNotReady => 0x05,
                    Supervisory::Reject => 0x09,
                };
                ([first, nr.value() << 1 | u8::from(poll)], 2)
            }
            Self::SetBalancedMode { poll } => ([0x6F | bit(poll), 0], 1),
            Self::Disconnect { poll } => ([0x43 | bit(poll), 0], 1),
            Self::UnnumberedAck { last } => ([0x63 | bit(last), 0], 1),
            Self::DisconnectedMode { last } => ([0x0F | bit(last), 0], 1),
            Self::FrameReject => ([0x87, 0], 1),
            Self::UnnumberedInformation => ([0x03, 0], 1),
            Self::ExchangeIdentification => ([0xAF, 0], 1),
        }
    }
    /// A frame of call control (SAPI 0, TEI 0) from `sender`; `None` when `information` is too long for one.
    pub fn frame(self, command: bool, sender: Side, information: &[u8]) -> Option<tdm::Frame> {
        let mut octets = [0; tdm::FRAME_OCTETS_MAX];
        let (control, len) = self.octets();
        let direction = command == (sender == Side::Network);
        let header = [u8::from(direction) << 1, 1];
        let parts = [&header, control.get(..len)?, information];
        let mut at = 0;
        for part in parts {
            octets.get_mut(at..at + part.len())?.copy_from_slice(part);
            at += part.len();
        }
        tdm::Frame::new(octets.get(..at)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::Rng;

    #[test]
    fn every_control_field_survives_its_own_octets_in_both_directions() {
        let (ns, nr) = (Sequence::new(127), Sequence::new(5));
        let kinds =
            [Supervisory::ReceiverReady, Supervisory::ReceiverNotReady, Supervisory::Reject];
        for poll in [false, true] {
            let mut controls = vec![
                Control::Information { ns, nr, poll },
                Control::SetBalancedMode { poll },
                Control::Disconnect { poll },
                Control::UnnumberedAck { last: poll },
                Control::DisconnectedMode { last: poll },
            ];
            controls.extend(kinds.map(|kind| Control::Supervisory { kind, nr, poll }));
            for (control, side) in controls.iter().zip([Side::User, Side::Network].iter().cycle()) {
                for command in [false, true] {
                    let frame = control.frame(command, *side, b"x").expect("fits");
                    let parsed = Frame::parse(frame.octets(), *side);
                    let expected = Frame {
                        sapi: 0,
                        tei: 0,
                        command,
                        control: *control,
                        information: b"x".as_slice(),
                    };
                    assert_eq!(parsed, Ok(expected));
                }
            }
        }
    }

    #[test]
    fn command_of_the_network_has_the_bit_set_and_of_the_user_not() {
        let sabme = Control::SetBalancedMode { poll: true };
        let of = |side| sabme.frame(true, side, &[]).expect("fits").octets().to_vec();
        assert_eq!(of(Side::Network), [0x02, 0x01, 0x7F]);
        assert_eq!(of(Side::User), [0x00, 0x01, 0x7F]);
    }

    #[test]
    fn every_prefix_of_a_frame_is_a_frame_or_an_error() {
        let nr = Sequence::new(1);
        let info = Control::Information { ns: nr, nr, poll: false };
        let frame = info.frame(true, Side::User, b"hello").expect("fits");
        for len in 0..frame.octets().len() {
            let prefix = frame.octets().get(..len).unwrap_or_default();
            assert_eq!(Frame::parse(prefix, Side::User).is_ok(), len >= 4);
        }
    }

    #[test]
    fn million_arbitrary_octets_are_parsed_or_refused() {
        let mut rng = Rng::from_seed(1);
        let mut parsed = 0;
        for _ in 0..1_000_000 {
            let octets = (rng.next_u64() & 0xFFFF_FFFF_FFFF_01FC | 0x100).to_le_bytes();
            let len = rng.below(9) as usize;
            let octets = octets.get(..len).unwrap_or_default();
            parsed += u32::from(Frame::parse(octets, Side::User).is_ok());
        }
        assert!(parsed > 100_000);
    }
}
