//! Why a call ended. Q.850.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A cause value of Q.850, 1 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cause(pub u8);

#[allow(missing_docs)]
impl Cause {
    pub const UNALLOCATED_NUMBER: Self = Self(1);
    pub const NO_ROUTE: Self = Self(3);
    pub const CHANNEL_UNACCEPTABLE: Self = Self(6);
    pub const NORMAL_CLEARING: Self = Self(16);
    pub const USER_BUSY: Self = Self(17);
    pub const NO_USER_RESPONDING: Self = Self(18);
    pub const NO_ANSWER: Self = Self(19);
    pub const SUBSCRIBER_ABSENT: Self = Self(20);
    pub const CALL_REJECTED: Self = Self(21);
    pub const DESTINATION_OUT_OF_ORDER: Self = Self(27);
    pub const INVALID_NUMBER: Self = Self(28);
    pub const STATUS_ENQUIRY_RESPONSE: Self = Self(30);
    pub const NORMAL_UNSPECIFIED: Self = Self(31);
    pub const NO_CIRCUIT: Self = Self(34);
    pub const NETWORK_OUT_OF_ORDER: Self = Self(38);
    pub const TEMPORARY_FAILURE: Self = Self(41);
    pub const SWITCH_CONGESTION: Self = Self(42);
    pub const CHANNEL_NOT_AVAILABLE: Self = Self(44);
    pub const INCOMPATIBLE_DESTINATION: Self = Self(88);
    pub const INVALID_CALL_REFERENCE: Self = Self(81);
    pub const CHANNEL_DOES_NOT_EXIST: Self = Self(82);
    pub const MANDATORY_ELEMENT_MISSING: Self = Self(96);
    pub const UNKNOWN_MESSAGE: Self = Self(97);
    pub const MESSAGE_NOT_COMPATIBLE: Self = Self(98);
    pub const UNKNOWN_ELEMENT: Self = Self(99);
    pub const INVALID_ELEMENT: Self = Self(100);
    pub const MESSAGE_NOT_COMPATIBLE_STATE: Self = Self(101);
    pub const TIMER_EXPIRY: Self = Self(102);
    pub const INTERWORKING: Self = Self(127);
}

impl Cause {
    /// Whether a far end that refuses a call with it finds fault with what we send: our number format, a service we
    /// have not got there, or a message it cannot read. Dialling again gets the same; a person must look. Q.850.
    pub const fn is_our_configuration(self) -> bool {
        matches!(
            self.0,
            5 | 8..=11 | 29 | 49 | 50 | 52 | 53 | 57 | 58 | 62 | 63 | 65 | 66 | 69 | 70 | 79 | 81..=86 | 91..=101 | 103..=111
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who named the cause. Q.850, table 2 (location, four bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// 0.
    #[default]
    User,
    /// 1: private network serving the local user.
    PrivateLocal,
    /// 2: public network serving the local user.
    PublicLocal,
    /// 3.
    Transit,
    /// 4: public network serving the remote user.
    PublicRemote,
    /// 5: private network serving the remote user.
    PrivateRemote,
    /// 7.
    International,
    /// 10: beyond an interworking point.
    Beyond,
}

impl Location {
    /// From the four bits; what the table leaves open counts as beyond interworking.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 0x0F {
            0 => Self::User,
            1 => Self::PrivateLocal,
            2 => Self::PublicLocal,
            3 => Self::Transit,
            4 => Self::PublicRemote,
            5 => Self::PrivateRemote,
            7 => Self::International,
            _ => Self::Beyond,
        }
    }
    /// The four bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::User => 0,
            Self::PrivateLocal => 1,
            Self::PublicLocal => 2,
            Self::Transit => 3,
            Self::PublicRemote => 4,
            Self::PrivateRemote => 5,
            Self::International => 7,
            Self::Beyond => 10,
        }
    }
}
