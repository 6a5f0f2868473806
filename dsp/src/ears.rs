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

use tdm::{Block, Law, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

use crate::answer::Answer;
use crate::beep;
use crate::dtmf::{self, Key};
use crate::fax::FaxEar;
use crate::frame::{self, Frame};
use crate::lanes::{self, Cpu, GROUPS, Kernel, WIDTH};
use crate::progress::{Plans, Progress};
use crate::spectrum::{HOP_MILLIS, Recent, SIZE, Spectrum};
use crate::tones::{Change, Tones};
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
    /// Fax tones.
    pub fax: bool,
    /// A single-tone beep.
    pub beep: bool,
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
    /// The final verdict; `score` is the evidence for a machine, 0.0 to 1.0.
    Answer {
        /// Who.
        who: Answerer,
        /// Evidence for a machine.
        score: f32,
    },
    /// A fax sound.
    Fax(Fax),
    /// A beep ended; its frequency in Hz.
    Beep(u16),
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
}

/// Half a spectrum's window: its middle lies so far in the past.
const LAG_MILLIS: u32 = (SIZE / SAMPLES / 2) as u32;
/// The last sample of a block.
const LAST_SAMPLE: u64 = SAMPLES as u64 - 1;
/// Groups take their spectra in turn, one every two milliseconds.
const TURN_MILLIS: u32 = HOP_MILLIS / GROUPS as u32;
const _: () = assert!(TURN_MILLIS as usize * GROUPS == HOP_MILLIS as usize);

/// The ears of one span: 32 lanes, each with the detectors that were asked for.
#[derive(Debug)]
pub struct Ears {
    law: Law,
    cpu: Cpu,
    plans: Plans,
    lanes: [Lane; TIMESLOTS],
    /// For each group, how many of its lanes want DTMF, and how many want spectra.
    wants_dtmf: [u8; GROUPS],
    wants_spectra: [u8; GROUPS],
    recent: Box<Recent>,
    spectrum: Box<Spectrum>,
    /// What the latest spectrum showed of the lanes of its group.
    frames: [Frame; WIDTH],
    dtmf: Box<dtmf::Span>,
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
    fax: FaxEar,
    answer: Answer,
    answer_millis: u32,
}

impl Listen {
    const fn wants_spectra(self) -> bool {
        self.progress || self.answer || self.fax || self.beep
    }
}

impl Ears {
    /// Ears that listen to nothing yet.
    pub fn new(settings: EarsSettings) -> Self {
        Self::with_cpu(settings, Cpu::detect())
    }
    /// Ears that use the instructions of `cpu`, to hold one against the other.
    pub fn with_cpu(settings: EarsSettings, cpu: Cpu) -> Self {
        Self {
            law: settings.law,
            cpu,
            plans: Plans::of(&settings.zones),
            lanes: core::array::from_fn(|_| Lane::default()),
            wants_dtmf: [0; GROUPS],
            wants_spectra: [0; GROUPS],
            recent: Box::default(),
            spectrum: Box::default(),
            frames: [Frame::default(); WIDTH],
            dtmf: Box::default(),
            millis: 0,
        }
    }

    /// Sets what is listened for on a lane. A detector that is switched on starts anew, one that stays on
    /// goes on.
    pub fn listen(&mut self, lane: Timeslot, listen: Listen) {
        let index = lane.index();
        let Some(ear) = self.lanes.get_mut(index) else { return };
        let was = core::mem::replace(&mut ear.listen, listen);
        if listen.dtmf
            && !was.dtmf
            && let Some(group) = self.dtmf.groups.get_mut(index / WIDTH)
        {
            group.forget(index % WIDTH);
        }
        if listen.wants_spectra() && !was.wants_spectra() {
            (ear.tones, ear.voice, ear.millis) = (Tones::default(), Voice::default(), 0);
            self.recent.forget(index / WIDTH, index % WIDTH);
        }
        if listen.progress && !was.progress {
            ear.progress = Progress::default();
        }
        if listen.fax && !was.fax {
            ear.fax = FaxEar::default();
        }
        if listen.answer && !was.answer {
            (ear.answer, ear.answer_millis) = (Answer::default(), 0);
        }
        self.count();
    }

    fn count(&mut self) {
        let groups = self.lanes.chunks(WIDTH);
        let wants = self.wants_dtmf.iter_mut().zip(&mut self.wants_spectra);
        for (lanes, (dtmf, spectra)) in groups.zip(wants) {
            (*dtmf, *spectra) = (0, 0);
            for lane in lanes {
                *dtmf = dtmf.saturating_add(u8::from(lane.listen.dtmf));
                *spectra = spectra.saturating_add(u8::from(lane.listen.wants_spectra()));
            }
        }
    }

    /// Hears a millisecond; says what became true in it.
    pub fn hear(&mut self, block: &Block, events: &mut dyn FnMut(Hearing)) {
        let wants = self.wants_dtmf.iter().chain(&self.wants_spectra);
        if wants.clone().all(|&lanes| lanes == 0) {
            return;
        }
        self.millis = self.millis.wrapping_add(1);
        // Which group's turn it is, if any.
        let phase = self.millis % HOP_MILLIS;
        let turn = phase.is_multiple_of(TURN_MILLIS).then_some((phase / TURN_MILLIS) as usize);
        let turn = turn.filter(|&g| self.wants_spectra.get(g).is_some_and(|&lanes| lanes > 0));
        self.cpu.run(Millisecond {
            law: self.law,
            block,
            recent: &mut self.recent,
            dtmf: &mut self.dtmf,
            wants_dtmf: &self.wants_dtmf,
            spectrum: &mut self.spectrum,
            frames: &mut self.frames,
            turn,
        });
        // The last sample of the block was needed to know.
        let at = block.at.plus_samples(LAST_SAMPLE);
        self.keys(at, events);
        if let Some(group) = turn {
            self.look(at, group, events);
        }
        self.dtmf.carriers.advance();
    }

    /// Lanes that listen for DTMF: what their receivers say.
    fn keys(&mut self, at: SampleTime, events: &mut dyn FnMut(Hearing)) {
        let groups = self.dtmf.groups.iter_mut().zip(self.lanes.chunks(WIDTH));
        for (g, (receivers, lanes)) in groups.enumerate() {
            for (l, _) in lanes.iter().enumerate().filter(|(_, lane)| lane.listen.dtmf) {
                let lane = g.wrapping_mul(WIDTH).wrapping_add(l) as u8;
                receivers.key(l, |key| {
                    let heard = match key {
                        Key::Down(key) => Heard::Dtmf(key),
                        Key::Up(key) => Heard::DtmfEnd(key),
                    };
                    events(Hearing { at, lane, heard });
                });
            }
        }
    }

    /// Lanes of a group that listen with spectra: a new frame for each.
    fn look(&mut self, at: SampleTime, group: usize, events: &mut dyn FnMut(Hearing)) {
        let from = group.wrapping_mul(WIDTH);
        let lanes = self.lanes.iter_mut().enumerate().skip(from).zip(&self.frames);
        for ((index, lane), frame) in lanes.filter(|((_, lane), _)| lane.listen.wants_spectra()) {
            lane.take(frame, &self.plans, |heard| {
                events(Hearing { at, lane: index as u8, heard });
            });
        }
    }
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
                if listen.answer
                    && let Some((who, score)) = answer.fax(heard)
                {
                    say(Heard::Answer { who, score });
                }
            }
            if let Change::Ended(tone) = change
                && (listen.beep || listen.answer)
                && let Some(hz) = beep::beep_of(&tone)
            {
                if listen.beep {
                    say(Heard::Beep(hz));
                }
                if listen.answer
                    && let Some((who, score)) = answer.beep()
                {
                    say(Heard::Answer { who, score });
                }
            }
        });
        let tone = self.tones.now();
        let activity = self.voice.take(frame);
        let is_voice = activity.is_active;
        if self.listen.progress
            && let Some(sound) = self.progress.take(at_millis, frame, tone, is_voice, plans)
        {
            say(Heard::Progress(sound));
        }
        if (self.listen.fax || self.listen.answer)
            && let Some(heard) = self.fax.take(frame, tone)
        {
            if self.listen.fax {
                say(Heard::Fax(heard));
            }
            if self.listen.answer
                && let Some((who, score)) = self.answer.fax(heard)
            {
                say(Heard::Answer { who, score });
            }
        }
        if self.listen.answer
            && let Some((who, score)) =
                self.answer.take(self.answer_millis, frame, activity, self.tones.now())
        {
            say(Heard::Answer { who, score });
        }
    }
}

/// The vector part of a millisecond.
struct Millisecond<'a> {
    law: Law,
    block: &'a Block,
    recent: &'a mut Recent,
    dtmf: &'a mut dtmf::Span,
    wants_dtmf: &'a [u8; GROUPS],
    spectrum: &'a mut Spectrum,
    frames: &'a mut [Frame; WIDTH],
    turn: Option<usize>,
}

impl Kernel for Millisecond<'_> {
    #[inline(always)]
    fn run(self) {
        self.recent.push(|rows| lanes::decode(self.law, self.block, rows));
        if let Some(rows) = self.recent.last() {
            let dtmf::Span { groups, carriers } = self.dtmf;
            let wanted = groups.iter_mut().zip(self.wants_dtmf).enumerate();
            for (group, (receivers, _)) in wanted.filter(|(_, (_, lanes))| **lanes > 0) {
                receivers.take(carriers, rows, group);
            }
        }
        if let Some(group) = self.turn {
            self.spectrum.transform(self.recent, group);
            frame::look(self.spectrum.power(), self.frames);
        }
    }
}
