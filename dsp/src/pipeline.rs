//! The step of a millisecond: ears, switch, players, recorders. Commands and events are of fixed size.

mod engine;
mod library;
mod player;
mod recorder;

pub use engine::{Pipeline, PipelineSettings, RECORDERS_MAX};
pub use library::{ENTRIES_MAX, Library, LibraryError};
pub use recorder::{RECORDER_RING_MILLIS, Recorded};

use tdm::{Channel, SampleTime};

use crate::ears::{Heard, Listen};
use crate::mf::Mf;

/// A prompt in the store, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PromptId(pub u16);

/// A tone of a zone, by its index in the plan that was built at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ToneId(pub u16);

/// A piece of what is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Piece {
    Prompt(PromptId),
    Tone {
        tone: ToneId,
        millis: u32,
    },
    /// A register signal, 1 to 15, at the level of its standard; compelled ones last until the play is stopped.
    Signal {
        system: Mf,
        signal: u8,
        millis: u32,
    },
    Silence {
        millis: u32,
    },
}

/// Pieces one play may have.
pub const PIECES_MAX: usize = 24;

/// What to play, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// The pieces; the first `len` count.
    pub pieces: [Piece; PIECES_MAX],
    /// How many.
    pub len: u8,
    /// From the start again, until stopped.
    pub repeat: bool,
    /// Any DTMF digit ends it (barge-in), in the same block.
    pub stop_on_dtmf: bool,
}

impl Score {
    /// A score of these pieces; `None` when they are more than [`PIECES_MAX`].
    pub fn new(pieces: &[Piece], repeat: bool, stop_on_dtmf: bool) -> Option<Self> {
        let mut score = Self {
            pieces: [Piece::Silence { millis: 0 }; PIECES_MAX],
            len: u8::try_from(pieces.len()).ok()?,
            repeat,
            stop_on_dtmf,
        };
        score.pieces.get_mut(..pieces.len())?.copy_from_slice(pieces);
        Some(score)
    }
}

/// A command of the media core to the tick thread. `token` comes back in the event that ends it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Command {
    /// `to` hears what comes in on `from`. One way; a bridge is two. Replaces what `to` heard.
    Connect { from: Channel, to: Channel },
    /// `to` hears silence, unless something is played.
    Disconnect { to: Channel },
    /// Plays over what `to` hears; afterwards it hears its connection again.
    Play { to: Channel, token: u32, score: Score },
    /// Stops a play.
    StopPlay { to: Channel },
    /// Which detectors run on what comes in on `on`. Switching one on starts it anew.
    Listen { on: Channel, listen: Listen },
    /// Both directions of `on` go into recorder `recorder` (left: comes in, right: goes out).
    Record { on: Channel, recorder: u16 },
    /// Ends a recording.
    StopRecord { on: Channel },
    /// Ends everything on a channel: it is free. If somebody was being judged there, the verdict falls now.
    Clear { on: Channel },
}

/// Why a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PlayEnd {
    Finished,
    Dtmf,
    Stopped,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// A detector heard something.
    Heard(Heard),
    /// A play is over.
    PlayEnded {
        /// As given.
        token: u32,
        /// Why.
        why: PlayEnd,
    },
    /// A recorder's ring was full; so many samples were lost and replaced by silence.
    RecorderOverflow {
        /// Which.
        recorder: u16,
        /// How many.
        samples: u32,
    },
}

/// Something that became true on a channel at a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// On the master clock.
    pub at: SampleTime,
    /// Where.
    pub channel: Channel,
    /// What.
    pub what: What,
}
