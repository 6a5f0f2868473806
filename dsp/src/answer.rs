//! Who answered: a person, a machine, a fax, nobody; by what is said after the answer.
//!
//! Every look at the lane goes into [`rhythm`], which keeps what was said in numbers. Some times a second two
//! models ([`forest`]) judge these numbers: whether anybody speaks, and whether who speaks is a machine. A verdict
//! falls when the probability has passed the limit of the campaign; until then time itself is evidence: who waits is
//! a person, who speaks on is a machine. A beep after words is a machine, fax tones are a fax; tones and quiet are
//! silence; a sound that is neither speech nor tone leaves the question open.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

pub mod forest;
mod phrases;
pub mod rhythm;
pub mod tends;

use std::sync::OnceLock;

use crate::ears::{Answerer, Fax};
use crate::frame::Frame;
use crate::tones::Tone;
use crate::voice::{Activity, Voice};
use forest::Forest;
use rhythm::{FEATURES, Look, Rhythm};

/// The weights, as `tests/answer/train.py` writes them.
const WEIGHTS: &str = include_str!("answer/weights.txt");

/// The two models of all judges of a host.
#[derive(Debug)]
pub struct Models {
    machine: Forest,
    nobody: Forest,
}

impl Models {
    /// The models, read once. Allocates: called when ears are built, never by a tick.
    pub fn shared() -> &'static Self {
        static MODELS: OnceLock<Models> = OnceLock::new();
        MODELS.get_or_init(|| {
            let read = |name| Forest::parse(WEIGHTS, name).unwrap_or_default();
            Self { machine: read("machine"), nobody: read("nobody") }
        })
    }
}

/// Looks between two judgements: 120 ms, while somebody speaks 240 ms; and when a verdict has fallen, that another may
/// change, or that it was no speech, is asked: 480 ms.
const EPOCH_LOOKS: u32 = 15;
const SPEAKING_LOOKS: u32 = 30;
const LATER_LOOKS: u32 = 60;
const _: () =
    assert!(LATER_LOOKS.is_multiple_of(SPEAKING_LOOKS) && LATER_LOOKS.is_multiple_of(EPOCH_LOOKS));
/// From this probability on, when nothing more is to come, it is a machine, unless the campaign says otherwise.
const MACHINE: f32 = 0.7;
const PERCENT_MIN: u8 = 20;
/// While it speaks, more is to come that may tell: what may still be a person must then be so many times less probable.
const SPEAKING: f32 = 10.0;
/// Below this probability of a machine a pause is a person's who waits.
const PERSON: f32 = 0.05;
/// From this probability on nobody speaks; and from this one on it is not sure that it was a person who did.
const NOBODY: f32 = 0.5;
const UNSURE: f32 = 0.3;
/// Who answers speaks up before: what begins later is looked at as closely as what follows a noise.
const LATE_MILLIS: u32 = 2500;
/// What sounds in the first moment was there before anybody could speak up, and is looked at as closely.
const EARLY_MILLIS: u32 = 96;
/// Who speaks into the telephone is so much louder than what is around him, in dB: the middle of six voices is not.
const STANDS_OUT_DB: f32 = 10.5;
/// From this one on nobody at all: no machine either.
const NOBODY_AT_ALL: f32 = 0.97;
/// And already from this one on no person, when there were sounds before that were neither speech nor tone.
const NOBODY_IN_NOISE: f32 = 0.05;
/// Less speech than this is no machine's, while it goes on.
const SPOKE_MIN_MILLIS: u32 = 1500;
/// Looks wait here until it is sure that no tone began in them: what a tone takes to be known as one.
const DELAY: usize = 12;
/// Nobody is taken for a person before it was quiet for so long, nor after a tone that may become a beep, which is
/// heard to its end, up to so long in all.
const WAITS_MIN_MILLIS: u32 = 560;
const HOLD_MILLIS: u32 = 4000;
/// What lies far below the voice is quiet as well, and this much later it is counted as such.
const FAR_BELOW_MILLIS: u32 = 200;
/// After more speech than a hello somebody may take a breath.
const HELLO_MAX_MILLIS: u32 = 1400;
const BREATH_MILLIS: u32 = 1200;
/// Quiet after which a sound that was no speech is forgotten.
const FORGETS_MILLIS: u32 = 1300;
/// Quiet after which somebody must be there for a person: two seconds are what one may be left in silence.
const PERSON_WAITS_MILLIS: u32 = 1900;
/// That is a person whose probability of a machine is below this share of the limit.
const PERSON_SHARE: f32 = 0.3;
/// Quiet after which nothing more is waited for: a person who hears nothing says hello again before, or hangs up; a
/// machine does neither.
const WAITS_MAX_MILLIS: u32 = 3300;
/// After so long a verdict falls: who still speaks is a machine, unless that is improbable.
const JUDGES_WITHIN_MILLIS: u32 = 9000;
/// Less voiced sound than this is a click, a breath or a noise.
const VOICED_MIN_MILLIS: u32 = 40;
/// Share of an utterance within tones, if it is speech, and within tones if its level moves by this much (a standard
/// deviation in dB): a word of one vowel. And share at an unchanged frequency, if its level does not.
const TONE_SHARE_MAX: f32 = 0.6;
const MOVING_TONE_SHARE_MAX: f32 = 0.8;
const STILL_SHARE_MAX: f32 = 0.7;
const STILL_MOVES_DB: f32 = 5.0;
/// A frequency that has not changed since the last look, in Hz.
const STILL_HZ: f32 = 4.0;
/// A tone among sounds: its share of the power, how far it moves, how long it lasts. Vowels move on.
const TONE_POWER_SHARE: f32 = 0.85;
const TONE_DRIFT_HZ: f32 = 12.0;
const TONE_MILLIS: u32 = 64;
/// Of a sound that is no speech, so much within tones, or so much at an unchanged frequency, makes it one
/// of the network's.
const NETWORK_TONE_SHARE: f32 = 0.3;
const NETWORK_STILL_SHARE: f32 = 0.5;
/// What somebody must say for a machine to become a person: its own silence, however long, is none.
const TALKS_BACK_MILLIS: u32 = 160;
/// What a machine has said before its beep, at least.
const VOICED_BEFORE_BEEP_MILLIS: u32 = 200;
/// When what was no speech by then is judged.
const NOBODY_MILLIS: u32 = 5000;
/// Sound of unknown kind in that time that leaves the question open.
const UNKNOWN_MILLIS: u32 = 150;

/// A verdict: the final one, or a change of it when who was judged turns out to be somebody else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Who.
    pub who: Answerer,
    /// The probability of a machine.
    pub machine: f32,
    /// A verdict had fallen before.
    pub is_revised: bool,
}

/// The answer judge of one lane.
#[derive(Clone, Debug)]
pub struct Answer {
    models: &'static Models,
    /// The probability from which it is a machine when nothing more is to come; above 1 nothing is judged.
    machine_from: f32,
    rhythm: Rhythm,
    /// The latest look with sound, whatever it becomes.
    sounded_millis: u32,
    /// Sound that was neither speech nor tone.
    unknown_millis: u32,
    /// The frequency of the look before.
    hz: f32,
    looks: u32,
    /// What the machine's model said last.
    machine: f32,
    /// How much voice there was when a machine was said, or beeped.
    judged_voice_millis: u32,
    verdict: Option<Answerer>,
    latest: [Look; DELAY],
    /// Where the oldest of them is.
    oldest: usize,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            models: Models::shared(),
            machine_from: MACHINE,
            rhythm: Rhythm::default(),
            sounded_millis: 0,
            unknown_millis: 0,
            hz: 0.0,
            looks: 0,
            machine: 0.5,
            judged_voice_millis: 0,
            verdict: None,
            latest: [Look::default(); DELAY],
            oldest: 0,
        }
    }
}

impl Answer {
    /// A judge to whom a machine is what has this probability, in percent; 0 is the default, 100 and more only listens.
    pub fn new(machine_from_percent: u8) -> Self {
        let machine_from = match machine_from_percent {
            0 => MACHINE,
            100.. => f32::MAX,
            percent => f32::from(percent.max(PERCENT_MIN)) / 100.0,
        };
        Self { machine_from, ..Self::default() }
    }

    /// Takes a look: the frame, what the voice detector says of it, the tone that sounds in it, and whether it may become
    /// a beep.
    pub fn take(
        &mut self,
        at_millis: u32,
        frame: &Frame,
        (activity, voice): (Activity, &Voice),
        (tone, is_beep_coming): (Option<&Tone>, bool),
    ) -> Option<Judged> {
        let is_still = (frame.first_hz - self.hz).abs() < STILL_HZ;
        self.hz = frame.first_hz;
        let is_steady = tone.is_some_and(Tone::is_steady);
        let newest = if is_steady {
            // What seemed to be a voice just now was the tone's beginning.
            self.latest = [Look::default(); DELAY];
            self.sounded_millis = self.rhythm.last_millis;
            Look::default()
        } else {
            Look {
                at_millis,
                activity,
                power: frame.power,
                floor: voice.floor(),
                hz: frame.first_hz,
                peak_share: frame.first_share,
                low_share: frame.low_share,
                is_tone: tone.is_some_and(is_tone),
                is_still,
            }
        };
        if newest.activity.is_active {
            self.sounded_millis = at_millis;
        }
        if let Some(slot) = self.latest.get_mut(self.oldest) {
            self.rhythm.take(&core::mem::replace(slot, newest));
        }
        self.oldest = self.oldest.wrapping_add(1) % DELAY;
        self.looks = self.looks.wrapping_add(1);
        self.judge(at_millis, is_steady || is_beep_coming)
    }

    fn judge(&mut self, at_millis: u32, may_beep: bool) -> Option<Judged> {
        if self.machine_from > 1.0 {
            return None;
        }
        let is_late = at_millis >= NOBODY_MILLIS;
        if self.rhythm.first_millis.is_none() {
            return if is_late { self.nobody() } else { None };
        }
        let quiet = self.waited_millis(at_millis);
        let may_talk_back = self.may_talk_back();
        let every = match self.verdict {
            Some(Answerer::Machine) if may_talk_back && quiet >= WAITS_MIN_MILLIS => EPOCH_LOOKS,
            Some(_) => LATER_LOOKS,
            None if quiet < WAITS_MIN_MILLIS => SPEAKING_LOOKS,
            None => EPOCH_LOOKS,
        };
        if !self.looks.is_multiple_of(every) {
            return None;
        }
        let spoke = self.rhythm.span_millis().min(self.rhythm.phrases.span_millis());
        if quiet < WAITS_MIN_MILLIS && spoke < SPOKE_MIN_MILLIS {
            return None;
        }
        let features = self.rhythm.features(at_millis, self.quiet_millis(at_millis));
        self.machine = self.models.machine.probability(&features);
        let is_held = may_beep && quiet < HOLD_MILLIS;
        let since = at_millis.saturating_sub(self.rhythm.first_millis.unwrap_or(at_millis));
        let is_out_of_time = since >= JUDGES_WITHIN_MILLIS;
        let speaks_on = is_out_of_time && quiet < WAITS_MIN_MILLIS && self.machine >= 0.5;
        let is_over = quiet >= WAITS_MAX_MILLIS || is_out_of_time && quiet >= WAITS_MIN_MILLIS;
        // What was a machine's is only a person's when somebody speaks who sounds like one: not because it stopped.
        let has_waited = is_over && !is_held && self.verdict != Some(Answerer::Machine);
        let is_machine = self.machine >= self.limit(has_waited) || speaks_on;
        let wait = if spoke <= HELLO_MAX_MILLIS { WAITS_MIN_MILLIS } else { BREATH_MILLIS };
        let below = |limit| may_talk_back && !is_held && self.machine < limit;
        let is_owed = quiet >= PERSON_WAITS_MILLIS && self.verdict.is_none();
        let is_person =
            quiet >= wait && below(PERSON) || is_owed && below(PERSON_SHARE * self.machine_from);
        let who = match (is_machine, is_person, has_waited) {
            (true, _, _) => Answerer::Machine,
            (_, true, _) | (_, _, true) => Answerer::Human,
            _ if is_late && self.verdict.is_none() && self.looks.is_multiple_of(LATER_LOOKS) => {
                return self.still_no_speech(&features);
            }
            _ => return None,
        };
        if self.verdict == Some(who) {
            self.judged_voice_millis = self.rhythm.voiced_millis();
            return None;
        }
        match self.sure(&features, who) {
            Some(Answerer::NotSure) if !has_waited && !is_owed => return None,
            Some(who) => return self.say(who, self.machine),
            None => {}
        }
        if quiet >= FORGETS_MILLIS && !is_held {
            self.was_no_speech();
        }
        if is_late { self.nobody() } else { None }
    }

    /// The probability from which it is a machine, when nothing more is to come or while it speaks.
    fn limit(&self, is_over: bool) -> f32 {
        if is_over { self.machine_from } else { 1.0 - (1.0 - self.machine_from) / SPEAKING }
    }

    /// Something sounds on when a verdict is due: no speech, or else more is waited for.
    fn still_no_speech(&mut self, features: &[f32; FEATURES]) -> Option<Judged> {
        if self.sure(features, Answerer::Machine).is_some() {
            return None;
        }
        self.was_no_speech();
        self.nobody()
    }

    /// What is left of a verdict when it is asked whether that was speech at all: the verdict, that it is not sure, or
    /// nothing. Music that is called a machine harms nobody.
    fn sure(&self, features: &[f32; FEATURES], who: Answerer) -> Option<Answerer> {
        if !self.is_speech() {
            return None;
        }
        let is_late = self.rhythm.first_millis.is_some_and(|first| first >= LATE_MILLIS);
        let is_early = self.rhythm.first_millis.is_some_and(|first| first < EARLY_MILLIS);
        let is_noisy = is_late || is_early || self.unknown_millis >= UNKNOWN_MILLIS;
        let unsure_from = if is_noisy { NOBODY_IN_NOISE } else { UNSURE };
        let nobody = self.models.nobody.probability(features);
        match who {
            Answerer::Human if nobody >= NOBODY => None,
            Answerer::Human if nobody >= unsure_from || !self.is_voice_of_one() => {
                Some(Answerer::NotSure)
            }
            _ if nobody >= NOBODY_AT_ALL => None,
            who => Some(who),
        }
    }

    /// The call is over: who it was, if somebody spoke and no verdict has fallen yet. Who hangs up on a quiet line
    /// after a word was a person; who hangs up in the middle of one, nobody knows.
    pub fn ends(&mut self, at_millis: u32) -> Option<Judged> {
        if self.machine_from > 1.0 || self.verdict.is_some() {
            return None;
        }
        self.rhythm.first_millis?;
        let features = self.rhythm.features(at_millis, self.quiet_millis(at_millis));
        self.machine = self.models.machine.probability(&features);
        let is_over = self.waited_millis(at_millis) >= WAITS_MIN_MILLIS;
        let who = match (self.machine >= self.limit(is_over), is_over) {
            (true, _) => Answerer::Machine,
            (_, true) => Answerer::Human,
            _ => Answerer::NotSure,
        };
        let who = self.sure(&features, who)?;
        self.say(who, self.machine)
    }

    /// The probability that who speaks is a machine, as of now: what may be shown before a verdict has fallen.
    /// `None` before anybody has said more than a word.
    pub fn provisional(&self, at_millis: u32) -> Option<f32> {
        let is_word = self.rhythm.voiced_millis() >= VOICED_MIN_MILLIS && self.is_speech();
        let features = self.features(at_millis).filter(|_| is_word)?;
        Some(self.models.machine.probability(&features))
    }

    /// The same as the last look of the judge had it, while no verdict has fallen and it may be speech.
    pub fn leans(&self) -> Option<f32> {
        let is_open = self.verdict.is_none() && self.machine_from <= 1.0;
        (is_open && self.rhythm.first_millis.is_some() && self.is_speech()).then_some(self.machine)
    }

    /// Whether a person may be said: after a machine only if somebody has spoken since.
    fn may_talk_back(&self) -> bool {
        let spoke = self.rhythm.voiced_millis().saturating_sub(self.judged_voice_millis);
        self.verdict != Some(Answerer::Machine) || spoke >= TALKS_BACK_MILLIS
    }

    /// How long nothing has sounded.
    fn quiet_millis(&self, at_millis: u32) -> u32 {
        at_millis.saturating_sub(self.rhythm.last_millis.max(self.sounded_millis))
    }

    /// How long nobody has spoken, whatever the line does.
    fn waited_millis(&self, at_millis: u32) -> u32 {
        let below = self.rhythm.phrases.quiet_millis(at_millis);
        self.quiet_millis(at_millis).max(below.saturating_sub(FAR_BELOW_MILLIS))
    }

    /// What was said so far, in the order of [`rhythm::NAMES`]; `None` before anything was.
    pub fn features(&self, at_millis: u32) -> Option<[f32; FEATURES]> {
        self.rhythm.first_millis?;
        Some(self.rhythm.features(at_millis, self.quiet_millis(at_millis)))
    }

    /// Whether it can be speech at all: voiced, and no tone.
    fn is_speech(&self) -> bool {
        let rhythm = &self.rhythm;
        let moves = rhythm.moves_db() >= STILL_MOVES_DB;
        let tone_share_max = if moves { MOVING_TONE_SHARE_MAX } else { TONE_SHARE_MAX };
        rhythm.voiced_millis() >= VOICED_MIN_MILLIS
            && rhythm.tone_share() <= tone_share_max
            && (moves || rhythm.still_share() <= STILL_SHARE_MAX)
    }
    /// Whether it stands out of the line, as whoever holds the telephone does, and is no melody.
    fn is_voice_of_one(&self) -> bool {
        self.rhythm.over_floor_db() >= STANDS_OUT_DB && !self.rhythm.is_held()
    }
    /// Forgets what was said, as if nothing had been; but a sound of unknown kind is remembered.
    fn was_no_speech(&mut self) {
        let rhythm = &self.rhythm;
        let is_network = rhythm.tone_share() >= NETWORK_TONE_SHARE
            || rhythm.still_share() >= NETWORK_STILL_SHARE;
        if !is_network {
            self.unknown_millis = self.unknown_millis.saturating_add(rhythm.sounding_millis());
        }
        self.rhythm = Rhythm::default();
        self.judged_voice_millis = 0;
    }
    /// Nobody has spoken in time.
    fn nobody(&mut self) -> Option<Judged> {
        if self.verdict.is_some() {
            return None;
        }
        let is_unknown = self.unknown_millis >= UNKNOWN_MILLIS;
        self.say(if is_unknown { Answerer::NotSure } else { Answerer::Silence }, 0.5)
    }

    /// Words were heard that a recording is known to have. `None` when that changes nothing.
    pub fn recording(&mut self) -> Option<Judged> {
        self.say(Answerer::Machine, 1.0)
    }

    /// A beep was heard. `None` when it changes nothing, or nobody has spoken before it.
    pub fn beep(&mut self) -> Option<Judged> {
        if self.has_spoken() { self.say(Answerer::Machine, 0.99) } else { None }
    }
    /// A fax was heard. `None` when that is known already. A single tone of 1,100 Hz after words is a machine's beep: a
    /// fax that calls says nothing before its CNG.
    pub fn fax(&mut self, fax: Fax) -> Option<Judged> {
        if fax == Fax::Cng && self.has_spoken() {
            return self.say(Answerer::Machine, 0.99);
        }
        self.say(Answerer::Fax, 1.0)
    }
    /// Whether somebody has spoken long enough for a beep to be the end of a greeting.
    fn has_spoken(&self) -> bool {
        self.rhythm.voiced_millis() >= VOICED_BEFORE_BEEP_MILLIS && self.is_speech()
    }
    /// Whether a machine waits for a message after this beep.
    pub fn is_machine(&self) -> bool {
        self.verdict == Some(Answerer::Machine)
    }

    fn say(&mut self, who: Answerer, machine: f32) -> Option<Judged> {
        let before = self.verdict.replace(who);
        self.judged_voice_millis = self.rhythm.voiced_millis();
        (before != Some(who)).then_some(Judged { who, machine, is_revised: before.is_some() })
    }
}

/// Whether a tone that sounds is one of the network or of a machine; noise may lie over it.
fn is_tone(tone: &Tone) -> bool {
    tone.millis() >= TONE_MILLIS && tone.share >= TONE_POWER_SHARE && tone.drift_hz <= TONE_DRIFT_HZ
}
