//! Recordings of decisions: what is heard of whoever answered, so that people can say whether the ear was right.
//!
//! Off unless a campaign wants it. A share of its answered calls is recorded from CONNECT on, for some seconds, and
//! never longer than until a conversation begins: the call server sees to that, within the block that joins the two,
//! whether a call centre is there or not. What is kept is thrown away after some days, and when there is too much.

use call::{CallId, KeepDecision};
use serde::{Deserialize, Serialize};
use tdm::Rng;

use crate::agents::recording_name;
use crate::settings::Problem;

/// How long one may be. More of an answer is a conversation, or tells nothing new.
const SECONDS: core::ops::RangeInclusive<u8> = 2..=30;
/// For how many days they may be kept.
const DAYS: core::ops::RangeInclusive<u16> = 1..=366;
/// How many may be kept: 12 s are 96 kB.
const MOST: core::ops::RangeInclusive<u32> = 1..=100_000;
/// What every name of one begins with, so that none is taken for the recording of a conversation.
const PREFIX: &str = KeepDecision::PREFIX;

/// What a campaign keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepSettings {
    /// Of so many in a hundred answered calls, drawn by chance.
    pub share_percent: u8,
    /// From CONNECT on, at most.
    #[serde(default = "seconds")]
    pub seconds: u8,
}

/// For how long, and how many, of all campaigns together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionsSettings {
    /// Older ones are removed.
    #[serde(default = "days")]
    pub days: u16,
    /// Beyond so many the oldest are removed.
    #[serde(default = "most")]
    pub most: u32,
}

impl Default for DecisionsSettings {
    fn default() -> Self {
        Self { days: days(), most: most() }
    }
}

/// As long as a campaign's `judge_millis`: whatever the ear decides, the whole of what it heard is there.
const fn seconds() -> u8 {
    12
}
const fn days() -> u16 {
    30
}
const fn most() -> u32 {
    5000
}

impl KeepSettings {
    /// What the call server is told when a call is dialled; nothing when it is not of the share. The same for the same
    /// `nonce` and `attempt`, whatever was dialled before.
    pub(crate) fn draw(self, campaign: &str, nonce: u64, attempt: u64) -> Option<KeepDecision> {
        let chance = Rng::from_seed(nonce.wrapping_add(attempt)).below(100);
        (chance < u64::from(self.share_percent))
            .then(|| KeepDecision { of: begins(campaign), millis: u32::from(self.seconds) * 1000 })
    }

    pub(crate) fn problems(self, place: &str, found: &mut Vec<Problem>) {
        let mut problem = |message: String| {
            found.push(Problem { place: place.into(), key: "keep_decisions".into(), message });
        };
        if !(1..=100).contains(&self.share_percent) {
            problem(format!("share_percent: {} is not between 1 and 100", self.share_percent));
        }
        if !SECONDS.contains(&self.seconds) {
            let (least, most) = (SECONDS.start(), SECONDS.end());
            problem(format!("seconds: {} is not between {least} and {most}", self.seconds));
        }
    }
}

impl DecisionsSettings {
    pub(crate) fn problems(self, found: &mut Vec<Problem>) {
        let mut problem = |message: String| {
            found.push(Problem { place: "acd".into(), key: "decisions".into(), message });
        };
        if !DAYS.contains(&self.days) {
            let (least, most) = (DAYS.start(), DAYS.end());
            problem(format!("days: {} is not between {least} and {most}", self.days));
        }
        if !MOST.contains(&self.most) {
            let (least, most) = (MOST.start(), MOST.end());
            problem(format!("most: {} is not between {least} and {most}", self.most));
        }
    }
}

/// Whether a recording the call server has finished is the one of this call's decision.
pub(crate) fn is_of(name: &str, campaign: &str, call: CallId) -> bool {
    name.strip_prefix(PREFIX) == Some(recording_name(campaign, call).as_str())
}

/// What the names of a campaign's begin with; `-` and the call follow.
fn begins(campaign: &str) -> String {
    let nobody = CallId::new(0, 0);
    let name = recording_name(campaign, nobody);
    let end = name.len() - format!("-{nobody}").len();
    format!("{PREFIX}{}", name.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_calls_is_kept_and_always_the_same() {
        let keep = KeepSettings { share_percent: 30, seconds: 8 };
        let drawn = |nonce| (0..10_000).filter(move |n| keep.draw("autumn", nonce, *n).is_some());
        let count = drawn(7).count();
        // 30 % of 10,000 within four standard deviations.
        assert!((2817..=3183).contains(&count), "{count}");
        assert!(drawn(7).eq(drawn(7)) && drawn(7).ne(drawn(8)));
        let all = KeepSettings { share_percent: 100, ..keep };
        assert!((0..1000).all(|n| all.draw("autumn", 1, n).is_some()));
    }

    #[test]
    fn the_call_server_names_it_as_the_call_centre_knows_it() {
        let call = CallId::new(3, 14);
        for campaign in ["autumn", "销售 ../2", "", &"long".repeat(40)] {
            let name = format!("{}-{call}", begins(campaign));
            assert!(is_of(&name, campaign, call), "{name}");
            assert!(!is_of(&name, campaign, CallId::new(3, 15)));
            assert!(!is_of(&recording_name(campaign, call), campaign, call));
            assert!(name.len() <= 64, "{name}");
        }
    }
}
