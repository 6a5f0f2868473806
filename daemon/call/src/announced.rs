//! What announcements of networks say of a call.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// What an announcement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// The number does not exist, or has changed.
    Vacant,
    /// The telephone is switched off.
    Off,
    /// The line is suspended or barred.
    Suspended,
    /// Out of reach, or it does not respond.
    Unreachable,
    /// Busy.
    Busy,
    /// The network takes no more calls now, or no more of us.
    Limit,
    /// A voicemail's greeting, the same for all of its subscribers.
    Voicemail,
}

impl Meaning {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Vacant,
        Self::Off,
        Self::Suspended,
        Self::Unreachable,
        Self::Busy,
        Self::Limit,
        Self::Voicemail,
    ];

    /// The word for it, the same everywhere.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vacant => "vacant",
            Self::Off => "off",
            Self::Suspended => "suspended",
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Limit => "limit",
            Self::Voicemail => "voicemail",
        }
    }

    /// What becomes of a call that ends with it unanswered. A suspended line is as good as none; a telephone that is
    /// off, out of reach or sent on to a voicemail did not answer. After an answer each of them is a machine.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Vacant | Self::Suspended => Outcome::Vacant,
            Self::Off | Self::Unreachable | Self::Voicemail => Outcome::NoAnswer,
            Self::Busy => Outcome::Busy,
            Self::Limit => Outcome::Congestion,
        }
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// It is none of the meanings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMeaning {
    /// As given.
    pub word: String,
}

impl fmt::Display for UnknownMeaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Meaning::ALL.map(Meaning::word).join(", ");
        write!(f, "`{}` is nothing an announcement means; one of {all}", self.word)
    }
}

impl core::error::Error for UnknownMeaning {}

impl FromStr for Meaning {
    type Err = UnknownMeaning;

    fn from_str(word: &str) -> Result<Self, UnknownMeaning> {
        let found = Self::ALL.into_iter().find(|meaning| meaning.word() == word);
        found.ok_or_else(|| UnknownMeaning { word: word.to_owned() })
    }
}
