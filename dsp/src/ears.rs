//! What can be listened for on a timeslot, and what is heard.

use tdm::SampleTime;

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
