//! Whether it makes sense to dial a number again that was not reached, and when.

use serde::{Deserialize, Serialize};

use crate::{Cause, Outcome};

/// Advice to who dials from a list. Never an order: what a campaign may do stands in its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialAgain {
    /// The number, or who has it, will not be reached like this.
    Never,
    /// Not before a person has looked: the far end finds fault with what we send.
    AfterMending,
    /// At once, on another channel: both sides took the same one.
    OtherChannel,
    /// In minutes, over another trunk group where there is one.
    Soon,
    /// In hours.
    Later,
    /// Nothing speaks for it or against it.
    Open,
}

impl DialAgain {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Never, Self::AfterMending, Self::OtherChannel, Self::Soon, Self::Later, Self::Open];

    /// The word for it, the same everywhere.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::AfterMending => "after_mending",
            Self::OtherChannel => "other_channel",
            Self::Soon => "soon",
            Self::Later => "later",
            Self::Open => "open",
        }
    }
    /// What a signalled cause says before an answer. Q.850, table 1.
    pub const fn of_cause(cause: Cause) -> Self {
        if cause.is_our_configuration() {
            return Self::AfterMending;
        }
        match cause.0 {
            1..=4 | 22 | 26 | 28 | 54 | 55 | 87 | 88 => Self::Never,
            6 | 44 => Self::OtherChannel,
            17 | 33..=35 | 37 | 38 | 41..=43 | 45..=47 => Self::Soon,
            18..=20 | 27 | 102 => Self::Later,
            _ => Self::Open,
        }
    }
    /// What to make of a call that ended so: the cause where it decided, else what was heard.
    pub const fn of_call(outcome: Outcome, cause: Cause) -> Self {
        match (Outcome::of_cause(cause), outcome) {
            (Some(by_cause), _) if by_cause as u8 == outcome as u8 => Self::of_cause(cause),
            (_, Outcome::Busy | Outcome::Congestion) => Self::Soon,
            (_, Outcome::NoAnswer) => Self::Later,
            (_, Outcome::Vacant) => Self::Never,
            (_, Outcome::Person | Outcome::Machine | Outcome::Fax | Outcome::Other) => Self::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the table in `docs/signalling.md`: cause by cause.
    fn documented() -> Vec<(u8, String)> {
        let page = include_str!("../../../docs/signalling.md");
        let table = page.split("| cause | means | dial again |").nth(1).expect("the table");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let mut all = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let word = cells[3].trim_matches('`').to_owned();
            for part in cells[1].split(", ") {
                let (first, last) = part.split_once(" to ").unwrap_or((part, part));
                let number = |text: &str| text.parse::<u8>().expect("a cause");
                all.extend((number(first)..=number(last)).map(|cause| (cause, word.clone())));
            }
        }
        all
    }

    #[test]
    fn what_a_cause_means_to_a_dialler_is_what_the_table_says() {
        let documented = documented();
        assert!(documented.len() > 60, "{documented:?}");
        for (cause, word) in &documented {
            assert_eq!(DialAgain::of_cause(Cause(*cause)).word(), word, "cause {cause}");
        }
        for cause in 1..=127 {
            let named = documented.iter().filter(|(named, _)| *named == cause).count();
            let open = DialAgain::of_cause(Cause(cause)) == DialAgain::Open;
            assert!(named == 1 || (named == 0 && open), "cause {cause} is named {named} times");
        }
    }

    #[test]
    fn what_was_heard_decides_where_the_cause_says_nothing() {
        let of = |outcome, cause| DialAgain::of_call(outcome, Cause(cause));
        assert_eq!(of(Outcome::Vacant, 31), DialAgain::Never);
        assert_eq!(of(Outcome::Busy, 16), DialAgain::Soon);
        assert_eq!(of(Outcome::Congestion, 44), DialAgain::OtherChannel);
        assert_eq!(of(Outcome::Vacant, 21), DialAgain::Never, "an announcement behind `rejected`");
        assert_eq!(of(Outcome::Other, 57), DialAgain::AfterMending);
        assert_eq!(of(Outcome::Other, 16), DialAgain::Open);
    }

    #[test]
    fn the_words_are_those_that_are_sent() {
        for it in DialAgain::ALL {
            assert_eq!(serde_json::to_value(it).unwrap(), it.word());
        }
    }
}
