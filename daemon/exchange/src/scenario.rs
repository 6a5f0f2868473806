//! What the far side does: spans, subscribers, callers, telephones, and their times.

use serde::{Deserialize, Serialize};

/// A scenario file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    spans: u8,
}

impl Scenario {
    /// The scenario of `trunkline demo`: three public spans and a PBX.
    pub fn demo() -> Self {
        Self { spans: 4 }
    }
    /// Spans it has far ends for.
    pub fn spans(&self) -> usize {
        usize::from(self.spans)
    }
}
