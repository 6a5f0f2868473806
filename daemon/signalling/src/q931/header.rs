//! The header of a message: discriminator, call reference, type. Q.931, §4.2 to §4.4.

/// Protocol discriminator of call control. Q.931, §4.2.
pub const DISCRIMINATOR: u8 = 0x08;

/// A call reference as it crosses the line. Q.931, §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallReference {
    /// 15 bits; 0 is the global reference.
    pub value: u16,
    /// The flag: the message goes to the side that chose the value.
    pub to_originator: bool,
}

impl CallReference {
    /// Whether it names no call but the interface. Q.931, §4.3, note 2.
    pub const fn is_global(self) -> bool {
        self.value == 0
    }
}

macro_rules! message_types {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// The messages of call control. Q.931, table 4-2.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum MessageType {
            $($(#[$doc])* $name = $code,)*
        }

        impl MessageType {
            /// The message of this code, when there is one.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
            /// Its code.
            pub const fn code(self) -> u8 {
                self as u8
            }
        }
    };
}

message_types! {
    Alerting = 0x01,
    CallProceeding = 0x02,
    Progress = 0x03,
    Setup = 0x05,
    Connect = 0x07,
    SetupAcknowledge = 0x0D,
    ConnectAcknowledge = 0x0F,
    UserInformation = 0x20,
    SuspendReject = 0x21,
    ResumeReject = 0x22,
    Hold = 0x24,
    Suspend = 0x25,
    Resume = 0x26,
    HoldAcknowledge = 0x28,
    SuspendAcknowledge = 0x2D,
    ResumeAcknowledge = 0x2E,
    HoldReject = 0x30,
    Retrieve = 0x31,
    RetrieveAcknowledge = 0x33,
    RetrieveReject = 0x37,
    Disconnect = 0x45,
    Restart = 0x46,
    Release = 0x4D,
    RestartAcknowledge = 0x4E,
    ReleaseComplete = 0x5A,
    Segment = 0x60,
    Facility = 0x62,
    Register = 0x64,
    Notify = 0x6E,
    StatusEnquiry = 0x75,
    CongestionControl = 0x79,
    Information = 0x7B,
    Status = 0x7D,
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which call.
    pub call: CallReference,
    /// The code of the message: [`MessageType::from_code`].
    pub code: u8,
}

/// Why octets are no message of call control. All are ignored and counted. Q.931, §5.8.1 to §5.8.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Shorter than a header. §5.8.2.
    Truncated,
    /// Another protocol. §5.8.1.
    NotCallControl {
        /// Its discriminator.
        discriminator: u8,
    },
    /// A call reference that is not two octets long. §5.8.3.1.
    ReferenceLength {
        /// The octet that says so.
        octet: u8,
    },
}

impl Header {
    /// The header of `message` and the information elements behind it.
    ///
    /// # Errors
    /// One variant for each way a peer can get it wrong.
    pub const fn parse(message: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        match message {
            [DISCRIMINATOR, 2, high, low, code, elements @ ..] => {
                let reference = u16::from_be_bytes([*high, *low]);
                let call = CallReference {
                    value: reference & 0x7FFF,
                    to_originator: reference >> 15 == 1,
                };
                Ok((Self { call, code: *code }, elements))
            }
            [] | [DISCRIMINATOR] | [DISCRIMINATOR, 2, ..] => Err(ParseError::Truncated),
            [DISCRIMINATOR, octet, ..] => Err(ParseError::ReferenceLength { octet: *octet }),
            [other, ..] => Err(ParseError::NotCallControl { discriminator: *other }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_header_is_truncated_and_nothing_else() {
        let message = [0x08, 2, 0x80, 7, 0x45, 0x08, 2];
        for len in 0..5 {
            let prefix = message.get(..len).unwrap_or_default();
            assert_eq!(Header::parse(prefix), Err(ParseError::Truncated));
        }
        let call = CallReference { value: 7, to_originator: true };
        let expected = (Header { call, code: 0x45 }, [0x08, 2].as_slice());
        assert_eq!(Header::parse(&message), Ok(expected));
    }

    #[test]
    fn other_protocols_and_odd_references_are_told_apart() {
        let other = ParseError::NotCallControl { discriminator: 3 };
        assert_eq!(Header::parse(&[3, 2, 0, 0, 0x0F]), Err(other));
        let dummy = ParseError::ReferenceLength { octet: 0 };
        assert_eq!(Header::parse(&[8, 0, 0x62]), Err(dummy));
    }
}
