//! What the far side does: spans, subscribers, callers, telephones, and how long everything takes.

mod check;

use call::SitCode;
use serde::{Deserialize, Serialize};
use signalling::{Carrier, Dialect, Side};
use tdm::{Law, Rng};

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Which table of [`Scenario::times`] counts.
    pub scale: Scale,
    /// Whose tones are heard.
    pub zone: String,
    /// What callers dial.
    pub our_number: String,
    /// How long callers come.
    pub offering_millis: u64,
    /// Callers come at the latest so long after the start, although a span is down.
    pub wait_for_spans_millis: u64,
    /// Pause between the spans being in service and the first caller.
    #[serde(default)]
    pub settle_millis: u64,
    /// The spans, in the order of the board's ports.
    #[serde(rename = "span")]
    pub spans: Vec<Span>,
    /// People who call us.
    pub callers: Callers,
    /// People whom we call.
    pub subscribers: Subscribers,
    /// Telephones of agents.
    #[serde(default)]
    pub pbx: Pbx,
    /// How long everything takes.
    pub times: BothTimes,
}

/// Short for demonstrations, real for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Scale {
    Short,
    Real,
}

/// What is behind a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// Subscribers and callers.
    Network,
    /// Telephones.
    Pbx,
}

/// Which side of Q.931 the far end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Role {
    User,
    Network,
}

impl From<Role> for Side {
    fn from(role: Role) -> Self {
        match role {
            Role::User => Self::User,
            Role::Network => Self::Network,
        }
    }
}

/// The law of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum LineLaw {
    A,
    Mu,
}

impl From<LineLaw> for Law {
    fn from(law: LineLaw) -> Self {
        match law {
            LineLaw::A => Self::A,
            LineLaw::Mu => Self::Mu,
        }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Line {
    E1,
    T1,
}

impl From<Line> for Carrier {
    fn from(line: Line) -> Self {
        match line {
            Line::E1 => Self::E1,
            Line::T1 => Self::T1,
        }
    }
}

/// A dialect of Q.931, written by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spoken(pub Dialect);

impl TryFrom<String> for Spoken {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let known = || Dialect::ALL.map(|dialect| dialect.name).join(", ");
        let found = Dialect::by_name(&name).map(Self);
        found.ok_or_else(|| format!("no dialect `{name}`: {}", known()))
    }
}

impl From<Spoken> for String {
    fn from(spoken: Spoken) -> Self {
        spoken.0.name.to_owned()
    }
}

/// One span of the far side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// What is behind it.
    pub kind: SpanKind,
    /// Which side the far end is.
    pub side: Role,
    /// How Q.931 is spoken on it; EuroISDN when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Spoken>,
    /// What the line is; what the dialect is usually spoken on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    /// How it is companded; the line's usual law when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law: Option<LineLaw>,
}

impl Span {
    /// How Q.931 is spoken on it.
    pub fn spoken(&self) -> Dialect {
        self.dialect.map_or(Dialect::EURO_ISDN, |spoken| spoken.0)
    }
    /// What the line is.
    pub fn carrier(&self) -> Carrier {
        self.line.map_or(self.spoken().carrier, Carrier::from)
    }
    /// How it is companded.
    pub fn companding(&self) -> Law {
        self.law.map_or(self.carrier().law(), Law::from)
    }
}

/// How calls come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Independent of each other: exponential gaps.
    Poisson,
    /// Equal gaps.
    Regular,
}

/// Many calls at once, beside the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// After the beginning of the offering.
    pub at_millis: u64,
    /// How many.
    pub calls: u32,
    /// Spread evenly over this.
    pub within_millis: u64,
}

/// People who call us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callers {
    /// Mean rate.
    pub per_second: f64,
    /// In which order.
    pub arrivals: Arrivals,
    /// Pressed by those who want an agent.
    pub agent_key: char,
    /// Pressed by those who want the information.
    pub information_key: char,
    /// Leave before they press anything.
    #[serde(default)]
    pub leave_in_ivr_percent: u8,
    /// Want the information.
    #[serde(default)]
    pub information_percent: u8,
    /// Press nothing and wait.
    #[serde(default)]
    pub silent_percent: u8,
    /// Press before the prompt is over.
    #[serde(default)]
    pub barge_in_percent: u8,
    /// Leave soon after a telephone begins to ring for them.
    #[serde(default)]
    pub leave_at_ring_percent: u8,
    /// Do not show their number.
    #[serde(default)]
    pub restricted_percent: u8,
    /// Bursts.
    #[serde(default, rename = "burst")]
    pub bursts: Vec<Burst>,
}

/// What a subscriber is, in the words of the outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SubscriberKind {
    Person,
    Machine,
    Busy,
    NoAnswer,
    Vacant,
    Congestion,
    Other,
}

/// Of a hundred numbers, so many are …
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Mix {
    #[serde(default)]
    pub person: u8,
    #[serde(default)]
    pub machine: u8,
    #[serde(default)]
    pub busy: u8,
    #[serde(default)]
    pub no_answer: u8,
    #[serde(default)]
    pub vacant: u8,
    #[serde(default)]
    pub congestion: u8,
    #[serde(default)]
    pub other: u8,
}

impl Mix {
    const fn shares(&self) -> [(SubscriberKind, u8); 7] {
        [
            (SubscriberKind::Person, self.person),
            (SubscriberKind::Machine, self.machine),
            (SubscriberKind::Busy, self.busy),
            (SubscriberKind::NoAnswer, self.no_answer),
            (SubscriberKind::Vacant, self.vacant),
            (SubscriberKind::Congestion, self.congestion),
            (SubscriberKind::Other, self.other),
        ]
    }
    /// What stands at `place`, 0.0 to 1.0.
    fn at(&self, place: f64) -> SubscriberKind {
        let mut left = place * 100.0;
        for (kind, share) in self.shares() {
            left -= f64::from(share);
            if left < 0.0 {
                return kind;
            }
        }
        SubscriberKind::Other
    }
}

/// Numbers that are something for certain. Compared by length, then digit by digit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The first.
    pub from: String,
    /// The last.
    pub to: String,
    /// What they are.
    pub is: SubscriberKind,
}

/// A row of numbers behind which a recording speaks: an announcement of the network instead of an answer; or, where it is
/// a person or a machine, what is said after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// The first.
    pub from: String,
    /// The last.
    pub to: String,
    /// What they are.
    pub is: SubscriberKind,
    /// What is said: a file, 8 kHz A-law WAV (`….wav`), or the name of a recording that is built in (`greeting/…`).
    pub recording: String,
    /// Special information tones before the words, at every turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sit: Option<SitCode>,
    /// It rings so long before, as the scenario has it: told, with a tone, with music.
    #[serde(default)]
    pub rings_millis: u32,
    /// After so many turns the network clears; never, when absent: the caller has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// With this cause.
    #[serde(default = "normal_unspecified")]
    pub cause: u8,
    /// The words come with the DISCONNECT, not before it: three turns of them.
    #[serde(default)]
    pub in_disconnect: bool,
}

const fn normal_unspecified() -> u8 {
    31
}

/// How a ringing telephone sounds to its caller, in shares of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ringback {
    /// ALERTING alone.
    pub told: u8,
    /// The network's tone.
    pub tone: u8,
    /// Music instead of it.
    pub music: u8,
}

/// How a call is refused, in shares of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalStyle {
    /// RELEASE COMPLETE.
    pub at_once: u8,
    /// DISCONNECT with the tone in band.
    pub tone: u8,
    /// PROGRESS with the tone in band, then DISCONNECT.
    pub tone_first: u8,
}

/// What happens to an unanswered call, in shares of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoAnswerStyle {
    /// It rings until the caller or, much later, the network gives up.
    pub rings: u8,
    /// Nobody responds: 18 without ringing.
    pub cause_18: u8,
    /// The network ends it with 19 after the longest ring of a person.
    pub cause_19: u8,
}

/// People whom we call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribers {
    /// Persons with a long greeting.
    #[serde(default)]
    pub business_percent: u8,
    /// How it rings.
    pub ringback: Ringback,
    /// How it is refused.
    pub refusal: RefusalStyle,
    /// Causes of congestion, one of which is taken.
    pub congestion_causes: Vec<u8>,
    /// Causes of the others, one of which is taken.
    pub other_causes: Vec<u8>,
    /// How it is not answered.
    pub no_answer: NoAnswerStyle,
    /// What a number is that is not named.
    pub mix: Mix,
    /// Numbers that are something for certain; the first that fits counts.
    #[serde(default)]
    pub numbers: Vec<Numbers>,
    /// Numbers behind which a recording is; they come before all others, and the first that fits counts.
    #[serde(default, rename = "announcement", skip_serializing_if = "Vec::is_empty")]
    pub announcements: Vec<Announcement>,
}

/// What a telephone of the PBX does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelephoneKind {
    /// Answers at once, stays up, ends only when told.
    Nailed,
    /// Rings, answers after a while, or never.
    Rung,
}

/// A row of extensions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telephones {
    /// The first.
    pub from: String,
    /// The last.
    pub to: String,
    /// What they do.
    pub kind: TelephoneKind,
}

/// The PBX.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pbx {
    /// A rung telephone is not answered so often, of a hundred.
    #[serde(default)]
    pub never_answers_percent: u8,
    /// The extensions; the first row that fits counts.
    #[serde(default)]
    pub telephones: Vec<Telephones>,
}

/// Least and most, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Range(pub [u32; 2]);

impl Range {
    /// Some value in it.
    pub fn draw(self, rng: &mut Rng) -> u64 {
        let [least, most] = self.0;
        rng.between(u64::from(least), u64::from(most))
    }
}

/// How long everything takes, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// SETUP to the first answer of the network.
    pub proceeding: Range,
    /// A telephone rings before it is answered.
    pub ring: Range,
    /// The network gives up ringing with 19.
    pub network_no_answer: u32,
    /// The network gives up with 18 where nobody responds.
    pub no_responding: u32,
    /// A tone before DISCONNECT.
    pub tone_first: u32,
    /// CONNECT to the first word, of people and machines.
    pub hello_after: Range,
    /// A person who hears nobody says the word again after this.
    pub hello_again: u32,
    /// A person who hears nobody hangs up after this.
    pub person_waits: Range,
    /// A machine records for so long after its beep.
    pub message: u32,
    /// A caller waits for an agent from the key on.
    pub patience: Range,
    /// A caller waits for an answer.
    pub unanswered_patience: u32,
    /// A caller who leaves in the IVR stays so long.
    pub ivr_patience: Range,
    /// A caller who wants the information stays at most so long.
    pub information_patience: u32,
    /// A conversation.
    pub talk: Range,
    /// A rung telephone is picked up.
    pub telephone_answers: Range,
    /// A rung telephone at which nobody is, or nobody is any more, is put down.
    pub lonely_telephone: u32,
}

/// Both scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BothTimes {
    pub short: Times,
    pub real: Times,
}

/// Why a scenario cannot be played.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// Not the form: what and where, as TOML's reader says it.
    #[error("{0}")]
    Form(String),
    /// A value that makes no sense.
    #[error("{key}: {value} {why}")]
    Value {
        /// Where.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What would be right.
        why: &'static str,
    },
}

impl Scenario {
    /// The scenario of `trunkline demo`: three public spans and a PBX.
    ///
    /// # Panics
    /// When the file that was built in is no scenario; a test reads it.
    pub fn demo() -> Self {
        Self::from_toml(include_str!("../scenarios/demo.toml")).expect("the demo is a scenario")
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Names the line, or the key and its value.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| ScenarioError::Form(error.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The times of the chosen scale.
    pub const fn times(&self) -> &Times {
        match self.scale {
            Scale::Short => &self.times.short,
            Scale::Real => &self.times.real,
        }
    }

    /// What is behind `number`, whatever it is dialled for: the same at every attempt.
    pub fn subscriber(&self, number: &str, seed: u64) -> SubscriberKind {
        if let Some(announcement) = self.announcement(number) {
            return announcement.is;
        }
        let named = self.subscribers.numbers.iter().find(|row| within(number, &row.from, &row.to));
        named.map_or_else(|| self.subscribers.mix.at(place_of(number, seed)), |row| row.is)
    }

    /// The recording behind `number`, if there is one.
    pub fn announcement(&self, number: &str) -> Option<&Announcement> {
        let rows = &self.subscribers.announcements;
        rows.iter().find(|row| within(number, &row.from, &row.to))
    }

    /// What kind of telephone has this extension.
    pub fn telephone(&self, extension: &str) -> Option<TelephoneKind> {
        let row = self.pbx.telephones.iter().find(|row| within(extension, &row.from, &row.to));
        row.map(|row| row.kind)
    }
}

fn within(number: &str, from: &str, to: &str) -> bool {
    number.len() == from.len() && number.len() == to.len() && (from..=to).contains(&number)
}

/// A number's place between 0 and 1: steps of the golden ratio, so that neighbours are far apart and every
/// stretch of n neighbours covers the whole with gaps of at most 1.9 / n (three-gap theorem).
fn place_of(number: &str, seed: u64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let value = number
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_u64, |value, digit| (value * 10 + u64::from(digit - b'0')) % 1_000_000_007);
    let start = Rng::from_seed(seed).unit();
    (value as f64 * GOLDEN + start).fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_stretch_of_a_hundred_numbers_has_the_mix_and_a_number_keeps_its_kind() {
        let scenario = Scenario::demo();
        for start in [13_800_000_000_u64, 13_912_345_678, 2_188_880_001] {
            let mut count: BTreeMap<SubscriberKind, u32> = BTreeMap::new();
            for number in start..start + 100 {
                let number = number.to_string();
                let kind = scenario.subscriber(&number, 7);
                assert_eq!(kind, scenario.subscriber(&number, 7));
                *count.entry(kind).or_default() += 1;
            }
            assert_eq!(count.len(), 7);
            assert!(count[&SubscriberKind::Person].abs_diff(30) <= 3, "{count:?}");
            assert!(count[&SubscriberKind::Machine].abs_diff(25) <= 3, "{count:?}");
            assert!(count[&SubscriberKind::Other] >= 3, "{count:?}");
        }
    }

    #[test]
    fn named_numbers_are_what_their_row_says() {
        let mut scenario = Scenario::demo();
        let row = |from: &str, to: &str, is| Numbers { from: from.into(), to: to.into(), is };
        scenario.subscribers.numbers = vec![row("100", "199", SubscriberKind::Busy)];
        assert_eq!(scenario.subscriber("150", 1), SubscriberKind::Busy);
        assert_eq!(scenario.telephone("8024"), Some(TelephoneKind::Nailed));
        assert_eq!(scenario.telephone("8025"), Some(TelephoneKind::Rung));
        assert_eq!(scenario.telephone("8029"), None);
    }

    #[test]
    fn a_scenario_survives_being_written_and_read() {
        let mut scenario = Scenario::demo();
        scenario.offering_millis = 1234;
        scenario.subscribers.numbers =
            vec![Numbers { from: "1".into(), to: "9".into(), is: SubscriberKind::Vacant }];
        let text = toml::to_string(&scenario).expect("TOML");
        assert_eq!(Scenario::from_toml(&text), Ok(scenario));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let text = include_str!("../scenarios/demo.toml");
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Scenario::from_toml(&text.replacen(from, to, 1)).expect_err(to).to_string()
        };
        assert!(refused("person = 30", "person = 31").contains("subscribers.mix: 101"));
        assert!(refused("[34, 42]", "[34, 17]").contains("congestion_causes: 17"));
        assert!(refused("\"cn\"", "\"xx\"").contains("zone: xx"));
        assert!(refused("\"4008001234\"", "\"call me\"").contains("our_number"));
        assert!(refused("per_second = 1.5", "per_second = -1.5").contains("per_second"));
        assert!(refused("settle_millis", "setle_millis").contains("line 13,"));
        assert!(refused("to = \"8024\"", "to = \"80245\"").contains("pbx.telephones"));
    }
}
