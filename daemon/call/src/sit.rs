//! What special information tones say of a call, where they carry a code.

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// Which special information tones they are. E.180, §7, and the North American codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SitCode {
    /// E.180's own, or those of no code: the number or the network, an announcement says which.
    International,
    /// The number was changed or is out of service.
    Intercept,
    /// There is no such number.
    VacantCode,
    /// Congestion within the local area.
    ReorderLocal,
    /// Congestion on the way.
    ReorderLongDistance,
    /// All circuits of the local area are busy.
    NoCircuitLocal,
    /// All circuits on the way are busy.
    NoCircuitLongDistance,
    /// It cannot be completed as it was dialled, or for another reason.
    Ineffective,
}

impl SitCode {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::International,
        Self::Intercept,
        Self::VacantCode,
        Self::ReorderLocal,
        Self::ReorderLongDistance,
        Self::NoCircuitLocal,
        Self::NoCircuitLongDistance,
        Self::Ineffective,
    ];

    /// The word for it, the same everywhere.
    pub const fn word(self) -> &'static str {
        match self {
            Self::International => "international",
            Self::Intercept => "intercept",
            Self::VacantCode => "vacant_code",
            Self::ReorderLocal => "reorder_local",
            Self::ReorderLongDistance => "reorder_long_distance",
            Self::NoCircuitLocal => "no_circuit_local",
            Self::NoCircuitLongDistance => "no_circuit_long_distance",
            Self::Ineffective => "ineffective",
        }
    }

    /// What becomes of a call that ends with it. The international tones mostly stand before "no such number".
    /// What is *ineffective* may be a digit too few or a fault: the number may be good.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::International | Self::Intercept | Self::VacantCode => Outcome::Vacant,
            Self::ReorderLocal
            | Self::ReorderLongDistance
            | Self::NoCircuitLocal
            | Self::NoCircuitLongDistance => Outcome::Congestion,
            Self::Ineffective => Outcome::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_are_sent() {
        for code in SitCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
        }
    }
}
