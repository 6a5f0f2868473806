//! The machine: its inputs, its outputs, and who is asked in between.

use std::collections::VecDeque;

use call::{Accepted, CallCommand, CallEvent, LegId, Refusal, RefusalCode, SnapshotItem};
use dsp::pipeline;
use tdm::{Alarms, Frame, Instant, SampleTime, SpanId};

use crate::{Engine, MediaSettings, SettingsError, SpanSettings, Status};

/// What [`Media::poll`] yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A frame for the D-channel of a span, without FCS.
    Frame {
        /// Where.
        span: SpanId,
        /// What.
        frame: Frame,
    },
    /// For the tick thread.
    Pipeline(pipeline::Command),
    /// For the recorder's writer.
    Recorder(RecorderOrder),
    /// Something happened; the sample at which it became true, when it was heard.
    Event(CallEvent, Option<SampleTime>),
    /// Nothing more. Call [`Media::elapsed`] then.
    Wait(Option<Instant>),
}

/// What the writer of recordings is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecorderOrder {
    /// What recorder `recorder` writes from now on goes into a recording of this name. Comes before the
    /// pipeline is told to record.
    Open {
        /// Which.
        recorder: u16,
        /// Whom it hears.
        leg: LegId,
        /// A name, never a path.
        name: String,
    },
    /// The recording is complete with what the pipeline still writes. Comes after the pipeline was told to stop;
    /// the id is not used again while another is free.
    Close {
        /// Which.
        recorder: u16,
    },
}

/// The call server. Give it one input, then call [`Media::poll`] until it yields [`Output::Wait`].
pub struct Media {
    settings: MediaSettings,
    out: VecDeque<Output>,
}

impl Media {
    /// A call server with an engine of its own for each span. `instance` is this life of the process; every
    /// id carries it.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(
        settings: MediaSettings,
        instance: u32,
        now: Instant,
    ) -> Result<Self, SettingsError> {
        let _ = (instance, now);
        settings.check()?;
        Ok(Self { settings, out: VecDeque::new() })
    }

    /// The same with engines from elsewhere.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn with_engines(
        settings: MediaSettings,
        instance: u32,
        now: Instant,
        engine: impl FnMut(&SpanSettings) -> Box<dyn Engine + Send>,
    ) -> Result<Self, SettingsError> {
        let _ = engine;
        Self::new(settings, instance, now)
    }

    /// A frame came in on the D-channel of `span`; HDLC is undone, the FCS was right and is gone.
    pub fn frame(&mut self, now: Instant, span: SpanId, octets: &[u8]) {
        let _ = (now, span, octets);
    }

    /// The line of `span`: whether it carries calls, and its alarms. Tell it at start and at every change.
    pub fn line(&mut self, now: Instant, span: SpanId, up: bool, alarms: Alarms) {
        let _ = (now, span, up, alarms);
    }

    /// The tick thread heard something, or a play ended.
    pub fn heard(&mut self, now: Instant, event: pipeline::Event) {
        let _ = (now, event);
    }

    /// A controller wants something.
    ///
    /// # Errors
    /// Why not; nothing was changed then.
    pub fn command(&mut self, now: Instant, command: CallCommand) -> Result<Accepted, Refusal> {
        let _ = (now, command);
        Err(Refusal::new(RefusalCode::Busy, "command", "the call server is not there yet"))
    }

    /// Whether a controller is there: connected, and not silent for 2 s. Tell it at every change; none is
    /// there at start.
    pub fn controller(&mut self, now: Instant, present: bool) {
        let _ = (now, present);
    }

    /// How old the oldest unhandled input of the signalling thread is.
    pub fn queue_age(&mut self, micros: u64) {
        let _ = micros;
    }

    /// What UTC is ahead of the time given here; repeated in every `time` event.
    pub fn utc_offset(&mut self, micros: i64) {
        let _ = micros;
    }

    /// The time that [`Output::Wait`] named has come, or passed. Harmless at any other time.
    pub fn elapsed(&mut self, now: Instant) {
        let _ = now;
    }

    /// What is to be done.
    pub fn poll(&mut self) -> Output {
        self.out.pop_front().unwrap_or(Output::Wait(None))
    }

    /// What is there now: every leg, every span, every channel that is not simply idle or busy.
    pub fn snapshot(&self) -> Vec<SnapshotItem> {
        Vec::new()
    }

    /// Groups, spans, channels and counters.
    pub fn status(&self) -> Status {
        let _ = &self.settings;
        Status::default()
    }
}
