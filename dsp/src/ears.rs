//! What can be listened for on a timeslot, and what is heard.

use tdm::{Block, Law, SampleTime, TIMESLOTS, Timeslot};

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

/// The ears of one span: 32 lanes, each with the detectors that were asked for.
///
/// [`Ears::hear`] is called once a millisecond and allocates nothing.
#[derive(Debug)]
pub struct Ears {
    listen: [Listen; TIMESLOTS],
}

impl Ears {
    /// Ears that listen to nothing yet.
    pub fn new(_settings: EarsSettings) -> Self {
        Self { listen: [Listen::default(); TIMESLOTS] }
    }
    /// Sets what is listened for on a lane. A detector that is switched on starts anew, one that stays on
    /// goes on.
    pub fn listen(&mut self, lane: Timeslot, listen: Listen) {
        if let Some(slot) = self.listen.get_mut(lane.index()) {
            *slot = listen;
        }
    }
    /// Hears a millisecond; says what became true in it, in the order of the lanes.
    pub fn hear(&mut self, _block: &Block, _events: &mut impl FnMut(Hearing)) {}
}
