//! A call that somebody sent on: from where, and why.

use serde::{Deserialize, Serialize};

use crate::Number;

/// Why a call was sent on. Q.931, octet 3b of the redirecting number; ETS 300 207-1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiversionReason {
    /// 0, and whatever this list does not name.
    #[default]
    Unknown,
    /// 1: whom the caller wanted is talking.
    Busy,
    /// 2: nobody answered there.
    NoReply,
    /// 4: sent on while it rang.
    Deflected,
    /// 9: the telephone there is out of order.
    OutOfOrder,
    /// 10: the called telephone does so by itself.
    ByTelephone,
    /// 15: every call is sent on.
    Always,
}

impl DiversionReason {
    /// Of the value on the line.
    pub const fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::Busy,
            2 => Self::NoReply,
            4 => Self::Deflected,
            9 => Self::OutOfOrder,
            10 => Self::ByTelephone,
            15 => Self::Always,
            _ => Self::Unknown,
        }
    }
    /// The value on the line.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Busy => 1,
            Self::NoReply => 2,
            Self::Deflected => 4,
            Self::OutOfOrder => 9,
            Self::ByTelephone => 10,
            Self::Always => 15,
        }
    }
    /// In a word, as sockets and records have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Busy => "busy",
            Self::NoReply => "no_reply",
            Self::Deflected => "deflected",
            Self::OutOfOrder => "out_of_order",
            Self::ByTelephone => "by_telephone",
            Self::Always => "always",
        }
    }
}

/// From where and why a call was sent on to us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diversion {
    /// Whom the caller had wanted. Kept for tracing and never shown when it is restricted.
    pub from: Number,
    /// Why it was sent on.
    pub reason: DiversionReason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_written_as_its_word() {
        for bits in 0..=15 {
            let reason = DiversionReason::from_bits(bits);
            let written = serde_json::to_value(reason).unwrap();
            assert_eq!(written, reason.word());
            assert_eq!(DiversionReason::from_bits(reason.bits()), reason);
        }
        assert_eq!(DiversionReason::from_bits(15), DiversionReason::Always);
        assert_eq!(DiversionReason::from_bits(3), DiversionReason::Unknown);
    }
}
