//! The line behind a port, and what is at its far end.

use tdm::{Alarm, Block, SampleTime};

/// What one framer puts on the line besides the timeslots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// No pulses: a cut cable, a transmitter that is off.
    Silence,
    /// Pulses in which no frame is found.
    Unframed,
    /// All ones, without frames. G.775.
    AllOnes,
    /// Frames. G.704.
    Framed(Frames),
}

/// How a line is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// 32 timeslots at 2,048 kbit/s. G.704, §2.3.
    #[default]
    E1,
    /// 24 channels at 1,544 kbit/s in frames of twelve. ANSI T1.403.
    D4,
    /// The same in frames of 24. ANSI T1.403; G.704, §2.1.
    Esf,
}

/// The overhead of a millisecond of frames: on an E1, a CRC-4 sub-multiframe long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    /// How they are made.
    pub framing: Framing,
    /// T1: where the millisecond begins in the 24 frames of an extended superframe, or of two superframes.
    pub at: u8,
    /// E1: with the CRC-4 multiframe, G.704, §2.3.3. ESF: the CRC-6 is right.
    pub crc4: bool,
    /// The A bit: the sender does not understand what it receives. G.732, §4.2.3. T1: the yellow alarm.
    pub remote_alarm: bool,
    /// An E bit: the sender's last received sub-multiframe had a wrong CRC. G.704, §2.3.3.4.
    pub far_errors: bool,
    /// Errors the sender made on purpose.
    pub errors: Errors,
}

/// Errors in one millisecond of a line, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// Wrong frame alignment signals.
    pub framing: u8,
    /// Wrong CRCs.
    pub crc: u8,
    /// Violations of the line code.
    pub code: u8,
}

impl Frames {
    /// Frames of a sender that is content, without the CRC-4 multiframe.
    pub const HEALTHY: Self = Self {
        framing: Framing::E1,
        at: 0,
        crc4: false,
        remote_alarm: false,
        far_errors: false,
        errors: Errors { framing: 0, crc: 0, code: 0 },
    };
}

impl Signal {
    /// What a framer that receives this would report; nothing for frames of a content sender.
    pub const fn condition(self) -> Option<Alarm> {
        match self {
            Self::Silence => Some(Alarm::LossOfSignal),
            Self::Unframed => Some(Alarm::LossOfFrame),
            Self::AllOnes => Some(Alarm::AlarmIndication),
            Self::Framed(Frames { remote_alarm: true, .. }) => Some(Alarm::RemoteAlarm),
            Self::Framed(_) => None,
        }
    }
}

/// What is connected to a span's line. Called once a millisecond of the board's clock.
///
/// Timeslot 0 is the framer's: what is written to it is ignored, what is read from it is no FAS.
pub trait FarEnd: Send {
    /// `sent` is what the board transmitted; what the far end transmits is written to `received`
    /// (idle before). `at` is the board's clock.
    fn millisecond(&mut self, at: SampleTime, sent: &Block, received: &mut Block);

    /// The line towards the far end changed its condition: what a framer there would report.
    fn line(&mut self, condition: Option<Alarm>) {
        let _ = condition;
    }

    /// What the far end's framer sends in this millisecond while `sent` arrives there.
    ///
    /// Unless written anew it frames as it is framed to, and asks for help with the remote alarm while
    /// it finds no frames.
    fn signal(&mut self, sent: Signal) -> Signal {
        Signal::Framed(match sent {
            Signal::Framed(Frames { framing, at, crc4, .. }) => {
                Frames { framing, at, crc4, ..Frames::HEALTHY }
            }
            _ => Frames { remote_alarm: true, ..Frames::HEALTHY },
        })
    }
}
