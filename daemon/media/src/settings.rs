//! What the call server is told once, at its start; checked as a whole before anything runs.

use std::collections::BTreeSet;

use call::{Meaning, Number};
use dsp::pipeline::{RECORDERS_MAX, ToneId};
use signalling::{PriSettings, Side, Timeslots};
use tdm::{Law, SpanId, Timeslot};

use crate::names::Names;
use crate::rewrite::Rewrite;

/// Everything the call server is told at its start.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// The spans that carry calls, each once.
    pub spans: Vec<SpanSettings>,
    /// The trunk groups; a span belongs to one at most.
    pub groups: Vec<GroupSettings>,
    /// Prompts by name; the index is the pipeline's `PromptId`.
    pub prompts: Vec<String>,
    /// Tones of the host's zone by name. `ringback` must be among them; `beep` too, or among the prompts.
    pub tones: Vec<(String, ToneId)>,
    /// The prompt of a digit is this prefix and the digit (`star` and `pound` for `*` and `#`); a play that reads
    /// a digit without a prompt is refused.
    pub digit_prefix: String,
    /// The prompt or, when no prompt has this name, the tone a held party hears again and again.
    pub music: Option<String>,
    /// The prompt of [`Orphan::Announce`], and of callers without a fallback of their own.
    pub announcement: Option<String>,
    /// What an answered person hears within 2 s when no controller is there.
    pub safe_harbour: Option<String>,
    /// The announcements of networks that the ears know, by name; the index is the number of their print.
    pub announcements: Vec<(String, Meaning)>,
    /// What becomes of ringing inbound calls without a controller.
    pub orphan: Orphan,
    /// What must not be exceeded.
    pub limits: Limits,
    /// How long things may take.
    pub timing: Timing,
}

impl MediaSettings {
    /// Settings without spans, groups and prompts; everything else has its default.
    pub fn new(tones: Vec<(String, ToneId)>) -> Self {
        Self {
            spans: Vec::new(),
            groups: Vec::new(),
            prompts: Vec::new(),
            tones,
            digit_prefix: String::new(),
            music: None,
            announcement: None,
            safe_harbour: None,
            announcements: Vec::new(),
            orphan: Orphan::default(),
            limits: Limits::default(),
            timing: Timing::default(),
        }
    }
}

/// One span with calls.
#[derive(Clone, Debug)]
pub struct SpanSettings {
    /// Which.
    pub span: SpanId,
    /// The engine on its D-channel.
    pub signalling: Signalling,
    /// How speech is coded.
    pub law: Law,
}

impl SpanSettings {
    /// An E1 with A-law, 30 B-channels and EuroISDN defaults.
    pub fn e1(span: SpanId, side: Side) -> Self {
        Self { span, signalling: Signalling::Pri(PriSettings::e1(side)), law: Law::A }
    }
    /// Which side of it we are; decides the direction of hunting, too.
    pub const fn side(&self) -> Side {
        match &self.signalling {
            Signalling::Pri(pri) => pri.side,
        }
    }
    /// Whether the channels are restarted when the link is up for the first time.
    pub const fn restarts(&self) -> bool {
        match &self.signalling {
            Signalling::Pri(pri) => pri.restart_at_start,
        }
    }
    /// The B-channels.
    pub const fn channels(&self) -> Timeslots {
        match &self.signalling {
            Signalling::Pri(pri) => pri.channels,
        }
    }
}

/// A signalling system with what it wants to know.
#[derive(Clone, Debug)]
pub enum Signalling {
    /// ISDN primary rate: side, dialect, B-channels, timers.
    Pri(PriSettings),
}

/// A trunk group: spans, or some of their channels, that lead to the same place.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// Its name.
    pub name: String,
    /// Its spans, but for the channels that other groups name.
    pub spans: Vec<SpanId>,
    /// Channels of spans that it has to itself.
    pub channels: Vec<(SpanId, Timeslots)>,
    /// Calls at a time, both directions; the number of channels when absent.
    pub capacity: Option<u16>,
    /// Calls a second, both directions; no limit when absent.
    pub rate: Option<CallRate>,
    /// Who calls, when a dial does not say.
    pub number: Option<Number>,
    /// That number is shown whatever a dial says: the exchange rejects others.
    pub number_always: bool,
    /// In which order channels are tried.
    pub hunt: Hunt,
    /// What becomes of numbers on their way out and in.
    pub numbers: Numbers,
    /// Where a call goes that finds no channel here, or this group out of service, full or too fast.
    pub overflow: Option<String>,
    /// No call of ours rings longer here, whatever a dial says.
    pub no_answer_millis: Option<u32>,
}

impl GroupSettings {
    /// A group over these whole spans, without limits of its own.
    pub fn new(name: impl Into<String>, spans: Vec<SpanId>) -> Self {
        Self {
            name: name.into(),
            spans,
            channels: Vec::new(),
            capacity: None,
            rate: None,
            number: None,
            number_always: false,
            hunt: Hunt::default(),
            numbers: Numbers::default(),
            overflow: None,
            no_answer_millis: None,
        }
    }
}

/// In which order the channels of a group are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hunt {
    /// From the edge opposite to the far end's: a network upwards, a user downwards; within the nearer half the
    /// one that rested longest first. The two ends seldom meet.
    #[default]
    Opposite,
    /// From the lowest.
    Up,
    /// From the highest.
    Down,
    /// The one that rested longest, wherever it is.
    LongestIdle,
}

/// What a group makes of numbers: see [`Rewrite`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Whom we call.
    pub called_out: Rewrite,
    /// Who we say calls.
    pub calling_out: Rewrite,
    /// Whom the far end wants.
    pub called_in: Rewrite,
    /// Who calls us.
    pub calling_in: Rewrite,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRate {
    /// Calls a second in the long run, from 1.
    pub per_second: u32,
    /// Calls at once after a quiet time, from 1.
    pub burst: u32,
}

/// What becomes of a ringing inbound call when no controller is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphan {
    /// It rings on.
    Ring,
    /// Cleared with cause 42 at once.
    Reject,
    /// Hears the announcement unanswered; cleared with cause 42 after [`Timing::orphan_millis`].
    #[default]
    Announce,
}

/// What must not be exceeded; whatever reaches one is refused with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Legs at a time.
    pub legs: u32,
    /// Recordings at a time; recorder ids are below it.
    pub recorders: u16,
    /// Digits typed ahead that are kept for a leg; the oldest is forgotten first.
    pub typed_ahead: u8,
    /// Digits a collect may ask for.
    pub collect_digits: u8,
    /// The longest a single timer of a command may be.
    pub timer_millis: u32,
    /// How often a call is tried on another channel after a collision.
    pub glare_retries: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            legs: 2048,
            recorders: 1024,
            typed_ahead: 32,
            collect_digits: 32,
            timer_millis: 3_600_000,
            glare_retries: 4,
        }
    }
}

/// How long things may take, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A released channel rests so long before we take it again: the far end may still hold it.
    pub guard_millis: u32,
    /// A DISCONNECT with something to hear is listened to so long at most.
    pub disconnect_listen_millis: u32,
    /// The signalling queue may be so old before new SETUPs are refused with 42.
    pub queue_age_millis: u32,
    /// Without a controller for so long, fallbacks are taken.
    pub lease_millis: u32,
    /// A person gets the safe-harbour prompt so long after the answer, or after the controller was lost;
    /// below 2 s.
    pub safe_harbour_millis: u32,
    /// An orphaned ringing call is cleared after this.
    pub orphan_millis: u32,
    /// The longest music of a fallback.
    pub fallback_hold_millis: u32,
    /// The far end of a transfer may ring so long.
    pub transfer_ring_millis: u32,
    /// Stuck-call watch: an inbound leg may stay unanswered so long.
    pub stuck_offered_millis: u32,
    /// Stuck-call watch: an outbound leg may stay without any sign of the far end so long.
    pub stuck_dialling_millis: u32,
    /// Stuck-call watch: a CONNECT may go unconfirmed so long.
    pub stuck_answering_millis: u32,
    /// Stuck-call watch: a leg may take so long to end; above T305 + 2 × T308.
    pub stuck_ending_millis: u32,
    /// The beep before a conversation.
    pub beep_millis: u32,
    /// A `time` event is due this often.
    pub time_event_millis: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            guard_millis: 100,
            disconnect_listen_millis: 15_000,
            queue_age_millis: 200,
            lease_millis: 3_000,
            safe_harbour_millis: 1_500,
            orphan_millis: 30_000,
            fallback_hold_millis: 120_000,
            transfer_ring_millis: 60_000,
            stuck_offered_millis: 200_000,
            stuck_dialling_millis: 60_000,
            stuck_answering_millis: 15_000,
            stuck_ending_millis: 60_000,
            beep_millis: 200,
            time_event_millis: 100,
        }
    }
}

/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SettingsError {
    #[error("span {span} is described twice")]
    SpanTwice { span: SpanId },
    #[error("span {span} has no B-channel")]
    NoChannels { span: SpanId },
    #[error("timeslot {timeslot} of span {span} cannot be a B-channel")]
    BadTimeslot { span: SpanId, timeslot: Timeslot },
    #[error("group {group}: there is no span {span}")]
    NoSuchSpan { group: String, span: SpanId },
    #[error("span {span} is in two groups, {group} and {other}")]
    SpanInTwoGroups { span: SpanId, group: String, other: String },
    #[error("there are two groups named {group}")]
    GroupTwice { group: String },
    #[error("group {group} has no channel")]
    EmptyGroup { group: String },
    #[error("group {group}: span {span} has no B-channel {timeslot}")]
    NoSuchChannel { group: String, span: SpanId, timeslot: Timeslot },
    #[error("channel {timeslot} of span {span} is in two groups, {group} and {other}")]
    ChannelInTwoGroups { span: SpanId, timeslot: Timeslot, group: String, other: String },
    #[error("group {group}: capacity and call rate must be at least 1")]
    NoCapacity { group: String },
    #[error("group {group} overflows into {overflow}, which does not exist")]
    NoSuchOverflow { group: String, overflow: String },
    #[error("group {group} overflows into itself by way of others")]
    OverflowLoop { group: String },
    #[error("prompt {prompt} is named twice")]
    PromptTwice { prompt: String },
    #[error("more than 65,535 prompts")]
    TooManyPrompts,
    #[error("{field}: there is no prompt named {prompt}")]
    NoSuchPrompt { field: &'static str, prompt: String },
    #[error("the zone has no tone named {tone}")]
    NoSuchTone { tone: &'static str },
    #[error("{field} must be between {low} and {high}")]
    OutOfRange { field: &'static str, low: u64, high: u64 },
}

impl MediaSettings {
    /// Whether these settings can be used.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.check_spans()?;
        self.check_groups()?;
        self.check_overflow()?;
        self.check_names()?;
        self.check_numbers()?;
        Names::new(self).map(drop)
    }

    fn check_spans(&self) -> Result<(), SettingsError> {
        let mut seen = BTreeSet::new();
        for s in &self.spans {
            if !seen.insert(s.span) {
                return Err(SettingsError::SpanTwice { span: s.span });
            }
            if s.channels().is_empty() {
                return Err(SettingsError::NoChannels { span: s.span });
            }
            if let Some(timeslot) = s.channels().iter().find(|t| t.index() == 0) {
                return Err(SettingsError::BadTimeslot { span: s.span, timeslot });
            }
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), SettingsError> {
        for (n, g) in self.groups.iter().enumerate() {
            let group = || g.name.clone();
            let earlier = self.groups.get(..n).unwrap_or_default();
            if earlier.iter().any(|e| e.name == g.name) {
                return Err(SettingsError::GroupTwice { group: group() });
            }
            self.check_channels(n, g)?;
            if self.channels_of(n).next().is_none() {
                return Err(SettingsError::EmptyGroup { group: group() });
            }
            if g.capacity == Some(0) || g.rate.is_some_and(|r| r.per_second == 0 || r.burst == 0) {
                return Err(SettingsError::NoCapacity { group: group() });
            }
            for &span in &g.spans {
                if !self.spans.iter().any(|s| s.span == span) {
                    return Err(SettingsError::NoSuchSpan { group: group(), span });
                }
                if let Some(other) = earlier.iter().find(|e| e.spans.contains(&span)) {
                    let other = other.name.clone();
                    return Err(SettingsError::SpanInTwoGroups { span, group: group(), other });
                }
                if g.spans.iter().filter(|&&s| s == span).count() > 1 {
                    return Err(SettingsError::SpanInTwoGroups {
                        span,
                        group: group(),
                        other: group(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The channels a group names are there, and no other group names them.
    fn check_channels(&self, index: usize, g: &GroupSettings) -> Result<(), SettingsError> {
        for (n, &(span, timeslots)) in g.channels.iter().enumerate() {
            let group = || g.name.clone();
            let there = self.spans.iter().find(|s| s.span == span).map(SpanSettings::channels);
            let there = there.ok_or(SettingsError::NoSuchSpan { group: group(), span })?;
            let earlier = self.groups.get(..index).unwrap_or_default().iter();
            let named = earlier.flat_map(|e| e.channels.iter().map(|c| (c, e.name.as_str())));
            let before = g.channels.get(..n).unwrap_or_default().iter();
            let named: Vec<_> = named.chain(before.map(|c| (c, g.name.as_str()))).collect();
            for timeslot in timeslots.iter() {
                if !there.has(timeslot) {
                    return Err(SettingsError::NoSuchChannel { group: group(), span, timeslot });
                }
                let other =
                    named.iter().find(|((s, others), _)| *s == span && others.has(timeslot));
                if let Some((_, other)) = other {
                    let (group, other) = (group(), (*other).to_owned());
                    return Err(SettingsError::ChannelInTwoGroups { span, timeslot, group, other });
                }
            }
        }
        Ok(())
    }

    /// The group of a channel: the one that names it, else the one that has its span.
    pub fn group_of(&self, span: SpanId, timeslot: Timeslot) -> Option<usize> {
        let names = |g: &GroupSettings| {
            g.channels.iter().any(|(s, timeslots)| *s == span && timeslots.has(timeslot))
        };
        let by_channel = self.groups.iter().position(names);
        by_channel.or_else(|| self.groups.iter().position(|g| g.spans.contains(&span)))
    }
    /// The channels of the group with this index, as indices into the spans and timeslots.
    pub(crate) fn channels_of(&self, group: usize) -> impl Iterator<Item = (usize, Timeslot)> {
        self.spans.iter().enumerate().flat_map(move |(index, s)| {
            let ours = move |t: &Timeslot| self.group_of(s.span, *t) == Some(group);
            s.channels().iter().filter(ours).map(move |t| (index, t))
        })
    }

    /// Every overflow leads somewhere, and none comes back.
    fn check_overflow(&self) -> Result<(), SettingsError> {
        for first in &self.groups {
            let mut at = first;
            // As many steps as there are groups: one more, and a group was met twice.
            for step in 0..=self.groups.len() {
                let Some(overflow) = &at.overflow else { break };
                let next = self.groups.iter().find(|group| group.name == *overflow);
                let (group, overflow) = (at.name.clone(), overflow.clone());
                at = next.ok_or(SettingsError::NoSuchOverflow { group, overflow })?;
                if step == self.groups.len() {
                    return Err(SettingsError::OverflowLoop { group: first.name.clone() });
                }
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), SettingsError> {
        if self.prompts.len() > usize::from(u16::MAX) {
            return Err(SettingsError::TooManyPrompts);
        }
        let mut seen = BTreeSet::new();
        if let Some(prompt) = self.prompts.iter().find(|&p| !seen.insert(p)) {
            return Err(SettingsError::PromptTwice { prompt: prompt.clone() });
        }
        let tone = |name: &String| self.tones.iter().any(|(tone, _)| tone == name);
        for (field, prompt, tone_will_do) in [
            ("music", &self.music, true),
            ("announcement", &self.announcement, false),
            ("safe_harbour", &self.safe_harbour, false),
        ] {
            if let Some(prompt) = prompt
                && !seen.contains(prompt)
                && !(tone_will_do && tone(prompt))
            {
                return Err(SettingsError::NoSuchPrompt { field, prompt: prompt.clone() });
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), SettingsError> {
        let (l, t) = (&self.limits, &self.timing);
        for (field, value, low, high) in [
            ("limits.legs", u64::from(l.legs), 1, tdm::CHANNELS_MAX as u64),
            ("limits.recorders", u64::from(l.recorders), 0, RECORDERS_MAX as u64),
            ("limits.collect_digits", u64::from(l.collect_digits), 1, 128),
            ("limits.typed_ahead", u64::from(l.typed_ahead), 1, 128),
            ("timing.time_event_millis", u64::from(t.time_event_millis), 10, 100),
            ("timing.safe_harbour_millis", u64::from(t.safe_harbour_millis), 0, 1_999),
            ("timing.fallback_hold_millis", u64::from(t.fallback_hold_millis), 0, 120_000),
            ("timing.disconnect_listen_millis", u64::from(t.disconnect_listen_millis), 0, 15_000),
        ] {
            if !(low..=high).contains(&value) {
                return Err(SettingsError::OutOfRange { field, low, high });
            }
        }
        Ok(())
    }
}
