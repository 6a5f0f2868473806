//! What all simulated parties share: the scene they act in and what they may wish for.

use std::collections::BTreeMap;
use std::sync::Arc;

use call::Cause;
use dsp::generate::ToneSpec;
use dsp::zones::Zone;
use tdm::Rng;

use crate::caller::Caller;
use crate::ear::Ear;
use crate::ledger::Ledger;
use crate::mouth::{Mouth, Piece};
use crate::pilot::Pilot;
use crate::scenario::{Scenario, Times};
use crate::subscriber::Subscriber;
use crate::telephone::Telephone;
use crate::voices::Voices;

/// What a party wants the network to do with its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// CALL PROCEEDING.
    Proceed,
    /// ALERTING; with something to hear.
    Alert { in_band: bool },
    /// PROGRESS with something to hear.
    Progress,
    /// CONNECT.
    Connect,
    /// Clear; with something to hear first.
    Clear { cause: Cause, in_band: bool },
}

/// What the signalling tells a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The call is somewhere on its way: it reached the far side.
    Proceeding,
    /// CONNECT.
    Connected,
    /// The call is being cleared, by whomever: say nothing more.
    Clearing,
}

/// Tones of the scenario's country.
#[derive(Clone, Copy, Debug)]
pub struct Tones {
    pub ringback: ToneSpec,
    pub busy: ToneSpec,
    pub congestion: ToneSpec,
    pub vacant: ToneSpec,
}

impl Tones {
    /// The zone's tones; where it has none, the one every zone must have had: its busy tone.
    pub fn of(zone: &Zone) -> Option<Self> {
        let busy = zone.tone("busy")?;
        Some(Self {
            ringback: zone.tone("ringback")?,
            busy,
            congestion: zone.tone("congestion").unwrap_or(busy),
            vacant: zone.tone("unobtainable").or_else(|| zone.tone("congestion")).unwrap_or(busy),
        })
    }
}

/// What all spans of an exchange have in common.
pub struct Shared {
    pub scenario: Arc<Scenario>,
    pub seed: u64,
    pub voices: Voices,
    pub tones: Tones,
    pub rng: Rng,
    pub ledger: Ledger,
    /// Telephones that ring now, by the number of the caller for whom they do.
    pub ringing: BTreeMap<String, u32>,
    /// Extensions in a call.
    pub engaged: BTreeMap<String, u32>,
}

impl Shared {
    /// How long things take.
    pub fn times(&self) -> &Times {
        self.scenario.times()
    }
    /// Whether a telephone rings for this caller.
    pub fn rings_for(&self, caller: &str) -> bool {
        self.ringing.contains_key(caller)
    }
    /// Chance, in percent.
    pub fn percent(&mut self, percent: u8) -> bool {
        self.rng.below(100) < u64::from(percent)
    }
}

/// One more of what `key` counts.
pub fn count_up(counts: &mut BTreeMap<String, u32>, key: &str) {
    *counts.entry(key.to_owned()).or_default() += 1;
}

/// One less; what nobody counts any more is forgotten.
pub fn count_down(counts: &mut BTreeMap<String, u32>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// One call in one millisecond, as its party sees it.
pub struct Scene<'a> {
    pub now_millis: u64,
    pub ear: &'a mut Ear,
    pub mouth: &'a mut Mouth,
    pub shared: &'a mut Shared,
    /// The call in the ledger.
    pub record: usize,
    pub wishes: &'a mut Vec<Wish>,
}

impl Scene<'_> {
    /// Wishes something of the network.
    pub fn wish(&mut self, wish: Wish) {
        if wish == Wish::Connect {
            let now = self.now_millis;
            self.shared.ledger.with(self.record, |call| call.answered_millis = Some(now));
        }
        if let Wish::Clear { cause, .. } = wish {
            self.shared.ledger.sent(self.record, cause);
            self.mouth.pilot(None);
        }
        self.wishes.push(wish);
    }
    /// Hangs up the ordinary way.
    pub fn hang_up(&mut self) {
        self.mouth.hush();
        self.wish(Wish::Clear { cause: Cause::NORMAL_CLEARING, in_band: false });
    }
    /// Begins a conversation: chatters and lets itself be known.
    pub fn converse(&mut self, pilot: Pilot) {
        self.mouth.hush();
        self.mouth.pilot(Some(pilot));
        if let Some(talk) = crate::voices::pick(&self.shared.voices.talks, &mut self.shared.rng) {
            self.mouth.chat(talk, &mut self.shared.rng);
        }
    }
    /// Notes that the other party was there.
    pub fn note_heard(&mut self) {
        self.shared.ledger.with(self.record, |call| call.talked = true);
    }
    /// Within a conversation: notes that the other party was there, and for how long it has not been heard.
    pub fn note_talk(&mut self) {
        let missed = self.ear.pilot_missed_millis();
        self.note_heard();
        self.shared.ledger.with(self.record, |call| {
            call.longest_gap_millis = call.longest_gap_millis.max(missed);
        });
    }
    /// Says a tone for at most so long.
    pub fn tone(&mut self, spec: ToneSpec, millis: u32) {
        self.mouth.say(Piece::Tone { spec, millis });
    }
}

/// Somebody on a channel.
pub enum Party {
    /// Calls us.
    Caller(Caller),
    /// Is called by us.
    Subscriber(Subscriber),
    /// An agent's telephone.
    Telephone(Telephone),
}

impl Party {
    /// One millisecond, after the ear has heard it and before the mouth speaks.
    pub fn tick(&mut self, scene: &mut Scene<'_>) {
        match self {
            Self::Caller(caller) => caller.tick(scene),
            Self::Subscriber(subscriber) => subscriber.tick(scene),
            Self::Telephone(telephone) => telephone.tick(scene),
        }
    }
    /// One millisecond while the call is being cleared.
    pub fn linger(&self, scene: &mut Scene<'_>) {
        if let Self::Caller(caller) = self {
            caller.linger(scene);
        }
    }
    /// Something came by signalling.
    pub fn signal(&mut self, signal: Signal, scene: &mut Scene<'_>) {
        match self {
            Self::Caller(caller) => caller.signal(signal, scene),
            Self::Subscriber(subscriber) => subscriber.signal(signal, scene),
            Self::Telephone(telephone) => telephone.signal(signal, scene),
        }
    }
    /// Which pilot it waits for.
    pub const fn listens_for(&self) -> Pilot {
        match self {
            Self::Caller(_) | Self::Subscriber(_) => Pilot::Agent,
            Self::Telephone(_) => Pilot::Caller,
        }
    }
}
