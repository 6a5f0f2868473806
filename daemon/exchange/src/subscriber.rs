//! A subscriber of the public network whom we call: a person, a machine, or a reason why neither answers.

use call::Cause;
use tdm::Rng;

use crate::announcement;
use crate::mouth::Piece;
use crate::party::{Scene, Shared, Signal, Wish};
use crate::pilot::Pilot;
use crate::scenario::{Announcement, Range, SubscriberKind};
use crate::voices::{Voice, beep, pick};

/// A tone that ends only when the call does.
const FOR_EVER_MILLIS: u32 = u32::MAX / 8;
/// Between greeting and beep, and the beep itself.
const BEEP_AFTER: Range = Range([200, 900]);
const BEEP: Range = Range([250, 600]);

/// Turns of an announcement in a DISCONNECT, after which nobody speaks any more.
const TURNS_IN_DISCONNECT: u32 = 3;

/// How it rings for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ringback {
    Told,
    Tone,
    Music,
}

/// How it ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    AtOnce,
    Tone,
    ToneFirst,
}

/// What will happen, drawn at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Rings, then this many milliseconds later somebody is there.
    Answers { rings_millis: u64 },
    /// Rings until the network gives up.
    Rings { rings_millis: u64 },
    /// Nobody responds, without ringing.
    NotResponding,
    /// The network says no.
    Refused { cause: Cause, how: Refusal },
    /// The network speaks instead of an answer.
    Announced { rings_millis: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The network looks for the number until then.
    Routing {
        until: u64,
    },
    Ringing {
        until: u64,
    },
    /// A tone before the end.
    ToneFirst {
        until: u64,
    },
    NotResponding {
        until: u64,
    },
    /// The network speaks, the so-many-th time from 1.
    Announcing {
        turn: u32,
    },
    /// A person, alone: says the word again at `again`, leaves at `until`.
    Alone {
        again: u64,
        until: u64,
    },
    /// A person, with an agent.
    Talking {
        until: u64,
    },
    /// A machine speaks or beeps.
    Greeting,
    Recording {
        until: u64,
    },
    Gone,
}

/// A subscriber during one call.
#[derive(Clone, Debug)]
pub struct Subscriber {
    kind: SubscriberKind,
    voice: Option<Voice>,
    /// A row of the scenario that says what is heard here.
    announcement: Option<Announcement>,
    ringback: Ringback,
    fate: Fate,
    /// Choices of this subscriber: the same at every attempt.
    rng: Rng,
    state: State,
}

impl Subscriber {
    /// The subscriber of a number, called now.
    pub fn new(number: &str, now_millis: u64, shared: &mut Shared) -> Self {
        let kind = shared.scenario.subscriber(number, shared.seed);
        let mut rng = Rng::from_seed(shared.seed ^ hash(number));
        let proceeding = shared.times().proceeding.draw(&mut rng);
        let voice = voice_of(kind, shared, &mut rng);
        let ringback = ringback_of(shared, &mut rng);
        let announcement = shared.scenario.announcement(number).cloned();
        let named = announcement.as_ref().and_then(|a| shared.voices.named(&a.recording));
        let voice = named.cloned().or(voice);
        let fate = match &announcement {
            Some(a) if !matches!(kind, SubscriberKind::Person | SubscriberKind::Machine) => {
                Fate::Announced { rings_millis: u64::from(a.rings_millis) }
            }
            _ => fate_of(kind, shared, &mut rng),
        };
        // What refuses at once does so before anything else was said.
        let at_once = matches!(fate, Fate::Refused { how: Refusal::AtOnce, .. });
        let until = now_millis + if at_once { 0 } else { proceeding };
        Self { kind, voice, announcement, ringback, fate, rng, state: State::Routing { until } }
    }

    /// What it is.
    pub const fn kind(&self) -> SubscriberKind {
        self.kind
    }
    /// The recording it speaks with.
    pub fn voice_name(&self) -> Option<&str> {
        self.voice.as_ref().map(|voice| voice.name.as_str())
    }

    /// Something came by signalling.
    pub fn signal(&mut self, signal: Signal, scene: &mut Scene<'_>) {
        if signal == Signal::Clearing {
            scene.mouth.hush();
            scene.mouth.pilot(None);
            self.state = State::Gone;
        }
    }

    /// One millisecond.
    pub fn tick(&mut self, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        match self.state {
            State::Routing { until } if now >= until => self.route(scene),
            State::Ringing { until } if now >= until => match self.fate {
                Fate::Answers { .. } => self.answer(scene),
                Fate::Announced { .. } => self.announce(scene),
                _ => self.clear(Cause::NO_ANSWER, scene),
            },
            State::NotResponding { until } if now >= until => {
                self.clear(Cause::NO_USER_RESPONDING, scene);
            }
            State::ToneFirst { until } if now >= until => {
                if let Fate::Refused { cause, .. } = self.fate {
                    self.clear(cause, scene);
                }
            }
            State::Announcing { turn } if scene.mouth.is_done() => self.announced(turn, scene),
            State::Alone { again, until } => self.alone(again, until, scene),
            State::Talking { until } => {
                scene.note_talk();
                if now >= until {
                    scene.hang_up();
                    self.state = State::Gone;
                }
            }
            State::Greeting if scene.mouth.is_done() => {
                let until = now + u64::from(scene.shared.times().message);
                self.state = State::Recording { until };
            }
            State::Recording { until } if now >= until => {
                scene.hang_up();
                self.state = State::Gone;
            }
            _ => {}
        }
    }

    fn route(&mut self, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        match self.fate {
            Fate::Refused { cause, how: Refusal::AtOnce } => {
                scene.wish(Wish::Clear { cause, in_band: false });
                self.state = State::Gone;
            }
            Fate::Refused { cause, how: Refusal::Tone } => {
                scene.wish(Wish::Proceed);
                self.say_why(scene);
                scene.wish(Wish::Clear { cause, in_band: true });
                self.state = State::Gone;
            }
            Fate::Refused { how: Refusal::ToneFirst, .. } => {
                scene.wish(Wish::Proceed);
                scene.wish(Wish::Progress);
                self.say_why(scene);
                let until = now + u64::from(scene.shared.times().tone_first);
                self.state = State::ToneFirst { until };
            }
            Fate::NotResponding => {
                scene.wish(Wish::Proceed);
                let until = now + u64::from(scene.shared.times().no_responding);
                self.state = State::NotResponding { until };
            }
            Fate::Announced { rings_millis: 0 } => {
                scene.wish(Wish::Proceed);
                self.announce(scene);
            }
            Fate::Answers { rings_millis }
            | Fate::Rings { rings_millis }
            | Fate::Announced { rings_millis } => {
                scene.wish(Wish::Proceed);
                scene.wish(Wish::Alert { in_band: self.ringback != Ringback::Told });
                self.ring(scene);
                self.state = State::Ringing { until: now + rings_millis };
            }
        }
    }

    fn ring(&mut self, scene: &mut Scene<'_>) {
        match self.ringback {
            Ringback::Told => {}
            Ringback::Tone => {
                let ringback = scene.shared.tones.ringback;
                scene.tone(ringback, FOR_EVER_MILLIS);
            }
            Ringback::Music => {
                if let Some(music) = pick(&scene.shared.voices.musics, &mut self.rng) {
                    let music = music.clone();
                    scene.mouth.chat(&music, &mut self.rng);
                }
            }
        }
    }

    fn say_why(&self, scene: &mut Scene<'_>) {
        let tones = scene.shared.tones;
        let tone = match self.kind {
            SubscriberKind::Vacant => tones.vacant,
            SubscriberKind::Congestion => tones.congestion,
            _ => tones.busy,
        };
        scene.tone(tone, FOR_EVER_MILLIS);
    }

    /// The network begins to speak: before it clears, or as it does.
    fn announce(&mut self, scene: &mut Scene<'_>) {
        scene.mouth.hush();
        let Some(Announcement { in_disconnect, cause, .. }) = self.announcement else { return };
        if in_disconnect {
            (0..TURNS_IN_DISCONNECT).for_each(|_| self.say_turn(scene));
            scene.wish(Wish::Clear { cause: Cause(cause), in_band: true });
            self.state = State::Gone;
        } else {
            scene.wish(Wish::Progress);
            self.say_turn(scene);
            self.state = State::Announcing { turn: 1 };
        }
    }

    /// A turn is over: the next one, or the end.
    fn announced(&mut self, turn: u32, scene: &mut Scene<'_>) {
        let Some(Announcement { turns, cause, .. }) = self.announcement else { return };
        if turns.is_some_and(|turns| turn >= turns) {
            return self.clear(Cause(cause), scene);
        }
        self.say_turn(scene);
        self.state = State::Announcing { turn: turn.saturating_add(1) };
    }

    fn say_turn(&self, scene: &mut Scene<'_>) {
        if let (Some(announcement), Some(voice)) = (&self.announcement, &self.voice) {
            let pieces = announcement::turn(announcement, voice);
            pieces.into_iter().for_each(|piece| scene.mouth.say(piece));
        }
    }

    fn answer(&mut self, scene: &mut Scene<'_>) {
        let times = *scene.shared.times();
        scene.mouth.hush();
        scene.ear.forget();
        scene.wish(Wish::Connect);
        let after = times.hello_after.draw(&mut self.rng) as u32;
        scene.mouth.say(Piece::Pause { millis: after });
        let Some(voice) = self.voice.clone() else { return };
        let millis = u64::from(after) + u64::from(voice.millis());
        scene.mouth.say(Piece::Voice(voice));
        self.state = if self.kind == SubscriberKind::Machine {
            let pause = BEEP_AFTER.draw(&mut self.rng) as u32;
            scene.mouth.say(Piece::Pause { millis: pause });
            let spec = beep(&mut self.rng);
            scene.tone(spec, BEEP.draw(&mut self.rng) as u32);
            State::Greeting
        } else {
            let spoken = scene.now_millis + millis;
            State::Alone {
                again: spoken + u64::from(times.hello_again),
                until: spoken + times.person_waits.draw(&mut self.rng),
            }
        };
    }

    fn alone(&mut self, again: u64, until: u64, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        if scene.ear.hears_pilot() {
            scene.converse(Pilot::Caller);
            scene.note_talk();
            let talk = scene.shared.times().talk.draw(&mut self.rng);
            self.state = State::Talking { until: now + talk };
        } else if now >= until && !scene.ear.suspects_pilot() {
            scene.hang_up();
            self.state = State::Gone;
        } else if now >= again {
            if let Some(voice) = self.voice.clone() {
                scene.mouth.say(Piece::Voice(voice));
            }
            let next = now + u64::from(scene.shared.times().hello_again);
            self.state = State::Alone { again: next, until };
        }
    }

    fn clear(&mut self, cause: Cause, scene: &mut Scene<'_>) {
        scene.mouth.hush();
        scene.wish(Wish::Clear { cause, in_band: false });
        self.state = State::Gone;
    }
}

fn voice_of(kind: SubscriberKind, shared: &Shared, rng: &mut Rng) -> Option<Voice> {
    let voices = &shared.voices;
    let is_business = rng.below(100) < u64::from(shared.scenario.subscribers.business_percent);
    let from = match kind {
        SubscriberKind::Person if is_business => &voices.businesses,
        SubscriberKind::Person => &voices.hellos,
        SubscriberKind::Machine => &voices.greetings,
        _ => return None,
    };
    pick(from, rng).cloned()
}

fn ringback_of(shared: &Shared, rng: &mut Rng) -> Ringback {
    let shares = shared.scenario.subscribers.ringback;
    match rng.below(100) {
        die if die < u64::from(shares.told) => Ringback::Told,
        die if die < u64::from(shares.told) + u64::from(shares.tone) => Ringback::Tone,
        _ => Ringback::Music,
    }
}

fn fate_of(kind: SubscriberKind, shared: &Shared, rng: &mut Rng) -> Fate {
    let subscribers = &shared.scenario.subscribers;
    let times = shared.times();
    let one_of = |causes: &[u8], rng: &mut Rng| {
        let at = rng.below(causes.len() as u64) as usize;
        causes.get(at).map_or(Cause::NORMAL_UNSPECIFIED, |&cause| Cause(cause))
    };
    let cause = match kind {
        SubscriberKind::Person | SubscriberKind::Machine => {
            return Fate::Answers { rings_millis: times.ring.draw(rng) };
        }
        SubscriberKind::NoAnswer => return unanswered(shared, rng),
        SubscriberKind::Busy => Cause::USER_BUSY,
        SubscriberKind::Vacant => Cause::UNALLOCATED_NUMBER,
        SubscriberKind::Congestion => one_of(&subscribers.congestion_causes, rng),
        SubscriberKind::Other => one_of(&subscribers.other_causes, rng),
    };
    let style = subscribers.refusal;
    let how = match rng.below(100) {
        // Rejected, out of order, absent: no tone stands for those.
        _ if kind == SubscriberKind::Other => Refusal::AtOnce,
        die if die < u64::from(style.at_once) => Refusal::AtOnce,
        die if die < u64::from(style.at_once) + u64::from(style.tone) => Refusal::Tone,
        _ => Refusal::ToneFirst,
    };
    Fate::Refused { cause, how }
}

fn unanswered(shared: &Shared, rng: &mut Rng) -> Fate {
    let style = shared.scenario.subscribers.no_answer;
    let times = shared.times();
    match rng.below(100) {
        die if die < u64::from(style.rings) => {
            Fate::Rings { rings_millis: u64::from(times.network_no_answer) }
        }
        die if die < u64::from(style.rings) + u64::from(style.cause_18) => Fate::NotResponding,
        _ => Fate::Rings { rings_millis: u64::from(times.ring.0[1]) },
    }
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
