//! What can be listened for on a timeslot, and what is heard: the detectors of a span behind one door.
//!
//! [`Ears::hear`] is called once a millisecond with the span's [`Block`]. It allocates nothing, locks
//! nothing, and asks no clock: every [`Hearing`] carries the sample at which it became true. A lane that
//! listens to nothing costs nothing beyond its share of the vectors.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::sync::Arc;

use tdm::{Block, Law, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

use crate::answer::rhythm::FEATURES;
use crate::answer::tends::Tends;
use crate::answer::{Answer, Judged};
use crate::beep::BeepEar;
use crate::dtmf::{self, Key, Receivers, Waves};
use crate::fax::FaxEar;
use crate::fingerprint::{BANDS, Index, Listener, Row, bands};
use crate::frame::{self, Frame};
use crate::lanes::{self, Cpu, HALF, HALVES, Kernel, NARROW, Simd, WIDE};
use crate::mf::{self, Mf, Signal};
pub use crate::progress::SitCode;
use crate::progress::{Plans, Progress};
use crate::spectrum::{HOP_MILLIS, Recent, SIZE, Spectrum};
use crate::tones::Tones;
use crate::voice::Voice;
use crate::zones::Zone;

/// Which detectors run on a timeslot. Off costs next to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// DTMF digits. Q.23, Q.24.
    pub dtmf: bool,
    /// Call-progress tones, speech, music: early media.
    pub progress: bool,
    /// Person or machine, from the moment it is switched on (that is CONNECT).
    pub answer: bool,
    /// Percent of probability from which an answer is a machine's when nothing more is to come, 20 to 99: the trade
    /// between people who are lost and machines that pass. 0 is the default, 70. From 100 on nothing is judged, only
    /// listened to.
    pub machine_from_percent: u8,
    /// Fax tones.
    pub fax: bool,
    /// A single-tone beep.
    pub beep: bool,
    /// Register signals of a system.
    pub mf: Option<Mf>,
    /// Known recordings: the announcements of networks, in early media; with `answer`, a machine's by being known.
    pub prints: bool,
}

/// A class of sound; the same words as the socket's, one variant each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Sound {
    Ringback,
    Busy,
    Congestion,
    Vacant,
    Sit,
    Dial,
    CallWaiting,
    Announcement,
    Music,
    Talk,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Answerer {
    Human,
    Machine,
    NotSure,
    Fax,
    Silence,
}

/// Which fax sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Fax {
    Cng,
    Ced,
    Preamble,
}

/// Something heard on a timeslot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard {
    /// A key was recognised, `0-9 A-D * #`, while it is still down.
    Dtmf(u8),
    /// The key was let go.
    DtmfEnd(u8),
    /// Early media was classified.
    Progress(Sound),
    /// Which special information tone it is; its `Progress` follows at once.
    SitCode(SitCode),
    /// What the next verdict goes by, in the order of [`crate::answer::rhythm::NAMES`].
    AnswerReason([f32; FEATURES]),
    /// While the verdict is open: the probability of a machine, whenever it has moved, at most
    /// [`TELLS_MAX`](crate::answer::tends::TELLS_MAX) times.
    AnswerTends(f32),
    /// The final verdict; `score` is the evidence for a machine, 0.0 to 1.0.
    Answer {
        /// Who.
        who: Answerer,
        /// Evidence for a machine.
        score: f32,
    },
    /// Who was judged turns out to be somebody else: a machine talks back, a person was a greeting.
    AnswerRevised {
        /// Who.
        who: Answerer,
        /// Evidence for a machine.
        score: f32,
    },
    /// A machine's beep ended, at this frequency in Hz: a message may be left from now on.
    SpeakNow(u16),
    /// A fax sound.
    Fax(Fax),
    /// A beep ended; its frequency in Hz.
    Beep(u16),
    /// A register signal was recognised, 1 to 15, while it is still sent.
    Mf(u8),
    /// The register signal is over.
    MfEnd(u8),
    /// A known recording, by its number in [`EarsSettings::prints`].
    Print(u16),
}

impl Heard {
    const fn judged(Judged { who, machine: score, is_revised }: Judged) -> Self {
        if is_revised { Self::AnswerRevised { who, score } } else { Self::Answer { who, score } }
    }
}

/// What was heard, when (the last sample needed to know), where (lane 0 to 31).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hearing {
    /// The sample at which it became true.
    pub at: SampleTime,
    /// The lane.
    pub lane: u8,
    /// What.
    pub heard: Heard,
}

/// What a span's ears are built from.
#[derive(Clone, Debug, Default)]
pub struct EarsSettings {
    /// The law of the span.
    pub law: Law,
    /// The national plans whose tones are known; empty means all of them.
    pub zones: Vec<&'static Zone>,
    /// The recordings that are known. Shared by all spans of a host.
    pub prints: Arc<Index>,
}

/// Half a spectrum's window: its middle lies so far in the past.
const LAG_MILLIS: u32 = (SIZE / SAMPLES / 2) as u32;
/// The last sample of a block.
const LAST_SAMPLE: u64 = SAMPLES as u64 - 1;
/// Each half of the lanes has its spectra in turn, one every four milliseconds, at odd ones …
const SPECTRUM_TURN_MILLIS: u32 = HOP_MILLIS / HALVES as u32;
/// … and its DTMF hop, one every two, at even ones. So no millisecond has both.
const DTMF_TURN_MILLIS: u32 = dtmf::HOP_MILLIS as u32 / HALVES as u32;
const _: () = assert!(SPECTRUM_TURN_MILLIS as usize * HALVES == HOP_MILLIS as usize);
const _: () = assert!(DTMF_TURN_MILLIS as usize * HALVES == dtmf::HOP_MILLIS);
const _: () = assert!(SPECTRUM_TURN_MILLIS.is_multiple_of(2) && DTMF_TURN_MILLIS == 2);

/// Register signals have their hop in the millisecond that is left.
const MF_TURN: u32 = 1;
const _: () = assert!(DTMF_TURN_MILLIS.wrapping_mul(HALVES as u32) == SPECTRUM_TURN_MILLIS);

/// Which half has its turn at `millis`, if every half has one each `turn_millis` times their number.
fn turn(millis: u32, turn_millis: u32) -> Option<usize> {
    let is_turn = millis.is_multiple_of(turn_millis);
    let count = millis.checked_div(turn_millis).filter(|_| is_turn)?;
    Some(count as usize % HALVES)
}

/// What needs the vectors, for vectors of `W` lanes.
#[derive(Debug)]
struct Bank<const W: usize> {
    /// In the order of the lanes, `W` for each.
    dtmf: Box<[Receivers<W>]>,
    mf: Box<[mf::Receivers<W>]>,
    spectrum: Box<Spectrum<W>>,
}

impl<const W: usize> Bank<W> {
    /// Vectors of a half.
    const VECTORS: usize = HALF / W;

    fn new() -> Self {
        let vectors = 0..Self::VECTORS.wrapping_mul(HALVES);
        Self {
            dtmf: vectors.clone().map(|_| Receivers::default()).collect(),
            mf: vectors.map(|_| mf::Receivers::default()).collect(),
            spectrum: Box::default(),
        }
    }
    /// The receivers of a half, each with the number of its vector.
    #[inline(always)]
    fn half(&mut self, half: usize) -> impl Iterator<Item = (usize, &mut Receivers<W>)> {
        self.dtmf.iter_mut().enumerate().skip(half.wrapping_mul(Self::VECTORS)).take(Self::VECTORS)
    }
    #[inline(always)]
    fn hear<S: Simd<W>>(
        &mut self,
        simd: S,
        recent: &Recent,
        waves: &Waves,
        turns: &Turns,
        Looks { frames, rows: bands }: &mut Looks,
    ) {
        if let Some(half) = turns.dtmf {
            let rows = recent.last();
            for (group, receivers) in self.half(half) {
                receivers.take(simd, waves, rows, group);
            }
        }
        if turns.mf != 0 {
            let rows = recent.last();
            for (group, receivers) in self.mf.iter_mut().enumerate() {
                if turns.mf & Self::bits_of(group) != 0 {
                    receivers.take(simd, rows, group);
                }
            }
        }
        if let Some(half) = turns.spectrum {
            let rows = recent.last();
            let groups = half.wrapping_mul(Self::VECTORS)..;
            let looks = frames.chunks_exact_mut(W).zip(bands.chunks_exact_mut(W));
            for ((frames, bands), group) in looks.zip(groups) {
                self.spectrum.transform(simd, &rows, group);
                if turns.prints & Self::bits_of(group) != 0 {
                    bands::of_lanes(simd, self.spectrum.power(), bands);
                }
                frame::look(simd, self.spectrum.power(), frames);
            }
        }
    }
    fn keys(&mut self, half: usize, wants: u32, mut say: impl FnMut(usize, Key)) {
        for (group, receivers) in self.half(half) {
            for l in 0..W {
                let lane = group.wrapping_mul(W).wrapping_add(l);
                if wants & bit(lane) != 0 {
                    receivers.key(l, |key| say(lane, key));
                }
            }
        }
    }
    fn signals(&mut self, wants: u32, mut say: impl FnMut(usize, Signal)) {
        for (group, receivers) in self.mf.iter_mut().enumerate() {
            for l in 0..W {
                let lane = group.wrapping_mul(W).wrapping_add(l);
                if wants & bit(lane) != 0 {
                    receivers.signal(l, |signal| say(lane, signal));
                }
            }
        }
    }
    /// The bits of the lanes of a vector.
    const fn bits_of(group: usize) -> u32 {
        let lanes = u32::MAX.wrapping_shr(TIMESLOTS.wrapping_sub(W) as u32);
        lanes.wrapping_shl(group.wrapping_mul(W) as u32)
    }
    fn listen_mf(&mut self, lane: usize, system: Option<Mf>) {
        if let Some(receivers) = self.mf.get_mut(lane.checked_div(W).unwrap_or(lane)) {
            receivers.listen(lane.checked_rem(W).unwrap_or(lane), system);
        }
    }
    fn forget(&mut self, lane: usize) {
        if let Some(receivers) = self.dtmf.get_mut(lane.checked_div(W).unwrap_or(lane)) {
            receivers.forget(lane.checked_rem(W).unwrap_or(lane));
        }
    }
}

/// The bank for vectors of the width that suits the CPU.
#[derive(Debug)]
enum Banks {
    Narrow(Bank<NARROW>),
    Wide(Bank<WIDE>),
}

/// Which half has its turn in a millisecond, for which work.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    dtmf: Option<usize>,
    spectrum: Option<usize>,
    /// The lanes whose register signals have theirs.
    mf: u32,
    /// The lanes that listen for known recordings.
    prints: u32,
}

/// What the latest spectra showed of the lanes of their half.
#[derive(Debug)]
struct Looks {
    frames: [Frame; HALF],
    /// Filled where somebody listens for recordings.
    rows: [Row; HALF],
}

/// The bit of a lane among those of a span.
const fn bit(lane: usize) -> u32 {
    1_u32.wrapping_shl(lane as u32)
}
/// The bits of the lanes of a half.
const fn bits_of(half: usize) -> u32 {
    0xFFFF_u32.wrapping_shl(half.wrapping_mul(HALF) as u32)
}
const _: () = assert!(HALF == 16 && TIMESLOTS == 32);

/// The ears of one span: 32 lanes, each with the detectors that were asked for.
#[derive(Debug)]
pub struct Ears {
    law: Law,
    cpu: Cpu,
    plans: Plans,
    lanes: [Lane; TIMESLOTS],
    /// Which lanes want DTMF, spectra, register signals: a bit each.
    wants_dtmf: u32,
    wants_spectra: u32,
    wants_mf: u32,
    wants_prints: u32,
    recent: Box<Recent>,
    waves: Box<Waves>,
    banks: Banks,
    looks: Box<Looks>,
    /// The recordings that are known, and who listens for them in each lane; nobody when there are none.
    prints: Arc<Index>,
    listeners: Box<[Listener]>,
    /// Milliseconds heard so far.
    millis: u32,
}

/// What one lane listens for and where its detectors stand.
#[derive(Clone, Debug, Default)]
struct Lane {
    listen: Listen,
    /// Milliseconds since it began to listen with spectra.
    millis: u32,
    tones: Tones,
    voice: Voice,
    progress: Progress,
    beep: BeepEar,
    fax: FaxEar,
    answer: Answer,
    tends: Tends,
    answer_millis: u32,
    /// Something sounds that is no tone.
    may_be_speech: bool,
}

impl Listen {
    const fn wants_spectra(self) -> bool {
        self.progress || self.answer || self.fax || self.beep || self.prints
    }
}

impl Ears {
    /// Ears that listen to nothing yet.
    pub fn new(settings: EarsSettings) -> Self {
        Self::with_cpu(settings, Cpu::detect())
    }
    /// The same ears, whose turns come `millis` earlier: spans of a host that differ in this share the work of a
    /// few milliseconds evenly.
    #[must_use]
    pub const fn staggered(mut self, millis: u32) -> Self {
        self.millis = millis;
        self
    }
    /// Ears that use the instructions of `cpu`, to hold one against the other.
    pub fn with_cpu(settings: EarsSettings, cpu: Cpu) -> Self {
        Self {
            law: settings.law,
            cpu,
            plans: Plans::of(&settings.zones),
            lanes: core::array::from_fn(|_| Lane::default()),
            wants_dtmf: 0,
            wants_spectra: 0,
            wants_mf: 0,
            wants_prints: 0,
            recent: Box::default(),
            waves: Box::default(),
            banks: if cpu.is_wide() {
                Banks::Wide(Bank::new())
            } else {
                Banks::Narrow(Bank::new())
            },
            looks: Box::new(Looks { frames: [Frame::default(); HALF], rows: [[0.0; BANDS]; HALF] }),
            listeners: if settings.prints.is_empty() {
                Box::default()
            } else {
                vec![Listener::default(); TIMESLOTS].into()
            },
            prints: settings.prints,
            millis: 0,
        }
    }

    /// Sets what is listened for on a lane. A detector that is switched on starts anew, one that stays on
    /// goes on.
    pub fn listen(&mut self, lane: Timeslot, listen: Listen) {
        let index = lane.index();
        let Some(ear) = self.lanes.get_mut(index) else { return };
        let was = core::mem::replace(&mut ear.listen, listen);
        if listen.dtmf && !was.dtmf {
            match &mut self.banks {
                Banks::Narrow(bank) => bank.forget(index),
                Banks::Wide(bank) => bank.forget(index),
            }
        }
        if listen.mf != was.mf {
            match &mut self.banks {
                Banks::Narrow(bank) => bank.listen_mf(index, listen.mf),
                Banks::Wide(bank) => bank.listen_mf(index, listen.mf),
            }
        }
        if listen.wants_spectra() && !was.wants_spectra() {
            (ear.tones, ear.voice, ear.millis) = (Tones::default(), Voice::default(), 0);
            self.recent.forget(index);
        }
        if listen.progress && !was.progress {
            ear.progress = Progress::default();
        }
        if listen.fax && !was.fax {
            ear.fax = FaxEar::default();
        }
        if (listen.beep || listen.answer) && !(was.beep || was.answer) {
            ear.beep = BeepEar::default();
        }
        if listen.answer && !was.answer {
            (ear.answer, ear.answer_millis) = (Answer::new(listen.machine_from_percent), 0);
            ear.tends = Tends::default();
        }
        let listener = self.listeners.get_mut(index).filter(|_| listen.prints);
        let wants_prints = listener.is_some();
        if let Some(listener) = listener.filter(|_| !was.prints) {
            *listener = Listener::default();
        }
        self.wants_prints = wants(self.wants_prints, index, wants_prints);
        self.wants_dtmf = wants(self.wants_dtmf, index, listen.dtmf);
        self.wants_spectra = wants(self.wants_spectra, index, listen.wants_spectra());
        self.wants_mf = wants(self.wants_mf, index, listen.mf.is_some());
    }

    /// What was said on a lane since its answer, in the order of [`crate::answer::rhythm::NAMES`]: the reason of its
    /// verdict. `None` where nothing was said, or nobody listens for the answer.
    pub fn answer_features(&self, lane: Timeslot) -> Option<[f32; FEATURES]> {
        let lane = self.lanes.get(lane.index()).filter(|lane| lane.listen.answer)?;
        lane.answer.features(lane.answer_millis)
    }

    /// The probability that who answered on a lane is a machine, as of now: provisional, and free to change until the
    /// verdict falls. `None` before anybody has said a word, or where nobody listens for the answer.
    pub fn answer_provisional(&self, lane: Timeslot) -> Option<f32> {
        let lane = self.lanes.get(lane.index()).filter(|lane| lane.listen.answer)?;
        lane.answer.provisional(lane.answer_millis)
    }

    /// The call on a lane is over: the verdict on who answered it, if somebody spoke and none has fallen yet.
    pub fn answer_ends(&mut self, lane: Timeslot) -> Option<Heard> {
        let lane = self.lanes.get_mut(lane.index()).filter(|lane| lane.listen.answer)?;
        lane.answer.ends(lane.answer_millis).map(Heard::judged)
    }

    /// Hears a millisecond; says what became true in it.
    pub fn hear(&mut self, block: &Block, events: &mut dyn FnMut(Hearing)) {
        if self.wants_dtmf | self.wants_spectra | self.wants_mf == 0 {
            return;
        }
        self.millis = self.millis.wrapping_add(1);
        let is_wanted = |wants: u32| move |&half: &usize| wants & bits_of(half) != 0;
        let turns = Turns {
            dtmf: turn(self.millis, DTMF_TURN_MILLIS).filter(is_wanted(self.wants_dtmf)),
            spectrum: turn(self.millis.wrapping_add(1), SPECTRUM_TURN_MILLIS)
                .filter(is_wanted(self.wants_spectra)),
            mf: if self.millis % SPECTRUM_TURN_MILLIS == MF_TURN { self.wants_mf } else { 0 },
            prints: self.wants_prints,
        };
        let Self { law, cpu, recent, waves, banks, looks, .. } = self;
        match banks {
            Banks::Narrow(bank) => {
                cpu.narrow(Millisecond { law: *law, block, recent, waves, bank, looks, turns });
            }
            Banks::Wide(bank) => {
                cpu.wide(Millisecond { law: *law, block, recent, waves, bank, looks, turns });
            }
        }
        // The last sample of the block was needed to know.
        let at = block.at.plus_samples(LAST_SAMPLE);
        if let Some(half) = turns.dtmf {
            self.keys(at, half, events);
        }
        if let Some(half) = turns.spectrum {
            self.look(at, half, events);
        }
        if turns.mf != 0 {
            self.signals(at, events);
        }
    }

    /// Lanes that listen for register signals: what their receivers say.
    fn signals(&mut self, at: SampleTime, events: &mut dyn FnMut(Hearing)) {
        let say = |lane: usize, signal| {
            let heard = match signal {
                Signal::On(signal) => Heard::Mf(signal),
                Signal::Off(signal) => Heard::MfEnd(signal),
            };
            events(Hearing { at, lane: lane as u8, heard });
        };
        match &mut self.banks {
            Banks::Narrow(bank) => bank.signals(self.wants_mf, say),
            Banks::Wide(bank) => bank.signals(self.wants_mf, say),
        }
    }

    /// Lanes of a half that listen for DTMF: what their receivers say.
    fn keys(&mut self, at: SampleTime, half: usize, events: &mut dyn FnMut(Hearing)) {
        let say = |lane: usize, key| {
            let heard = match key {
                Key::Down(key) => Heard::Dtmf(key),
                Key::Up(key) => Heard::DtmfEnd(key),
            };
            events(Hearing { at, lane: lane as u8, heard });
        };
        match &mut self.banks {
            Banks::Narrow(bank) => bank.keys(half, self.wants_dtmf, say),
            Banks::Wide(bank) => bank.keys(half, self.wants_dtmf, say),
        }
    }

    /// Lanes of a half that listen with spectra: a new frame for each.
    fn look(&mut self, at: SampleTime, half: usize, events: &mut dyn FnMut(Hearing)) {
        let from = half.wrapping_mul(HALF);
        let lanes = self.lanes.iter_mut().enumerate().skip(from);
        let looks = self.looks.frames.iter().zip(&self.looks.rows);
        for ((index, lane), (frame, row)) in lanes.zip(looks) {
            if !lane.listen.wants_spectra() {
                continue;
            }
            let mut say = |heard| events(Hearing { at, lane: index as u8, heard });
            lane.take(frame, &self.plans, &mut say);
            if lane.listen.prints
                && let Some(listener) = self.listeners.get_mut(index)
                && let Some(found) = listener.take(row, lane.may_be_speech, &self.prints)
            {
                say(Heard::Print(found.print));
                if lane.listen.answer
                    && let Some(judged) = lane.answer.recording()
                {
                    let features = lane.answer.features(lane.answer_millis);
                    features.into_iter().for_each(|of| say(Heard::AnswerReason(of)));
                    say(Heard::judged(judged));
                }
            }
        }
    }
}

/// `lanes` with the bit of one set or taken.
const fn wants(lanes: u32, lane: usize, is_wanted: bool) -> u32 {
    if is_wanted { lanes | bit(lane) } else { lanes & !bit(lane) }
}

impl Lane {
    fn take(&mut self, frame: &Frame, plans: &Plans, mut say: impl FnMut(Heard)) {
        self.millis = self.millis.saturating_add(HOP_MILLIS);
        self.answer_millis = self.answer_millis.saturating_add(HOP_MILLIS);
        let Self { listen, tones, progress, fax, answer, .. } = self;
        let at_millis = self.millis.saturating_sub(LAG_MILLIS);
        tones.take(at_millis, frame, |change| {
            if listen.progress {
                progress.change(&change);
            }
            if (listen.fax || listen.answer)
                && let Some(heard) = fax.change(&change)
            {
                if listen.fax {
                    say(Heard::Fax(heard));
                }
                if listen.answer {
                    answer.fax(heard).into_iter().for_each(|judged| say(Heard::judged(judged)));
                }
            }
        });
        let activity = self.voice.take(frame);
        if (self.listen.beep || self.listen.answer)
            && let Some(hz) = self.beep.take(frame, activity)
        {
            self.beeped(hz, &mut say);
        }
        let tone = self.tones.now();
        let is_voice = activity.is_active;
        self.may_be_speech = is_voice && tone.is_none();
        if self.listen.progress
            && let Some(sound) = self.progress.take(at_millis, frame, tone, is_voice, plans)
        {
            if sound == Sound::Sit {
                say(Heard::SitCode(self.progress.sit_code()));
            }
            say(Heard::Progress(sound));
        }
        if (self.listen.fax || self.listen.answer)
            && let Some(heard) = self.fax.take(frame, tone)
        {
            if self.listen.fax {
                say(Heard::Fax(heard));
            }
            if self.listen.answer {
                self.answer.fax(heard).into_iter().for_each(|judged| say(Heard::judged(judged)));
            }
        }
        if self.listen.answer {
            let voice = (activity, &self.voice);
            let tone = (self.tones.now(), self.beep.is_coming());
            let judged = self.answer.take(self.answer_millis, frame, voice, tone);
            if let Some(judged) = judged {
                let features = self.answer.features(self.answer_millis);
                features.into_iter().for_each(|of| say(Heard::AnswerReason(of)));
                say(Heard::judged(judged));
            } else if let Some(machine) = self.answer.leans().and_then(|m| self.tends.take(m)) {
                say(Heard::AnswerTends(machine));
            }
        }
    }

    /// A beep is over: a machine's after words, which waits for a message from now on.
    fn beeped(&mut self, hz: u16, mut say: impl FnMut(Heard)) {
        if self.listen.beep {
            say(Heard::Beep(hz));
        }
        if !self.listen.answer {
            return;
        }
        if let Some(judged) = self.answer.beep() {
            let features = self.answer.features(self.answer_millis);
            features.into_iter().for_each(|of| say(Heard::AnswerReason(of)));
            say(Heard::judged(judged));
        }
        if self.answer.is_machine() {
            say(Heard::SpeakNow(hz));
        }
    }
}

/// The vector part of a millisecond.
struct Millisecond<'a, const W: usize> {
    law: Law,
    block: &'a Block,
    recent: &'a mut Recent,
    waves: &'a Waves,
    bank: &'a mut Bank<W>,
    looks: &'a mut Looks,
    turns: Turns,
}

impl<const W: usize> Kernel<W> for Millisecond<'_, W> {
    #[inline(always)]
    fn run<S: Simd<W>>(self, simd: S) {
        if let Some(rows) = self.recent.next() {
            lanes::decode(self.law, self.block, rows);
        }
        self.bank.hear(simd, self.recent, self.waves, &self.turns, self.looks);
    }
}
