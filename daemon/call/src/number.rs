//! A telephone number with what Q.931 says about it (§4.5.8, §4.5.10).

use serde::{Deserialize, Serialize};

/// Type of number. Q.931, table 4-9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberType {
    /// 0: the sender does not say.
    #[default]
    Unknown,
    /// 1: with country code.
    International,
    /// 2: with area code.
    National,
    /// 3: of the network itself.
    NetworkSpecific,
    /// 4: local.
    Subscriber,
    /// 6: short number.
    Abbreviated,
}

/// Numbering plan. Q.931, table 4-9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 0.
    Unknown,
    /// 1: E.164.
    #[default]
    E164,
    /// 8: national.
    National,
    /// 9: private.
    Private,
}

/// Whether a number may be shown. Q.931, table 4-11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presentation {
    /// May be shown.
    #[default]
    Allowed,
    /// Known, kept for tracing, never shown.
    Restricted,
    /// Lost on the way (interworking).
    NotAvailable,
}

/// Who vouches for a number. Q.931, table 4-11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Screening {
    /// 0: user-provided, not screened.
    #[default]
    UserNotScreened,
    /// 1: user-provided, verified and passed.
    UserPassed,
    /// 2: user-provided, verified and failed.
    UserFailed,
    /// 3: network-provided.
    Network,
}

/// A number: digits (`0-9`, `*`, `#`) and their meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// As sent; never longer than 32.
    pub digits: String,
    /// Type of number.
    #[serde(default, rename = "type")]
    pub kind: NumberType,
    /// Numbering plan.
    #[serde(default)]
    pub plan: Plan,
    /// Whether it may be shown.
    #[serde(default)]
    pub presentation: Presentation,
    /// Who vouches for it.
    #[serde(default)]
    pub screening: Screening,
}

impl Number {
    /// A number of which only the digits are known.
    pub fn unknown(digits: impl Into<String>) -> Self {
        Self { digits: digits.into(), ..Self::default() }
    }
    /// The digits when they may be shown to a person.
    pub fn shown(&self) -> Option<&str> {
        (self.presentation == Presentation::Allowed && !self.digits.is_empty())
            .then_some(self.digits.as_str())
    }
}
