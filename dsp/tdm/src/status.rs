//! What a span's line looks like from here. G.732 for E1, T1.231 for T1.

/// An alarm as operators name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alarm {
    /// Red, loss of signal: nothing on the line.
    LossOfSignal,
    /// Red, loss of frame: a signal without framing.
    LossOfFrame,
    /// Blue: the far equipment sends all ones.
    AlarmIndication,
    /// Yellow: the far end does not understand us.
    RemoteAlarm,
    /// The board is gone or unusable.
    BoardGone,
    /// Timeslot 16 has no signalling multiframe: no channel's bits are known. G.732, §5.2.
    MultiframeLost,
    /// The far end has no signalling multiframe of ours (bit Y): it does not know our bits. G.732, §5.3.
    MultiframeRemote,
}

impl Alarm {
    /// All of them, in their order.
    pub const ALL: [Self; 7] = [
        Self::LossOfSignal,
        Self::LossOfFrame,
        Self::AlarmIndication,
        Self::RemoteAlarm,
        Self::BoardGone,
        Self::MultiframeLost,
        Self::MultiframeRemote,
    ];
}

/// A set of alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Alarms(u8);

impl Alarms {
    /// No alarm.
    pub const NONE: Self = Self(0);
    const fn bit(alarm: Alarm) -> u8 {
        1 << alarm as u8
    }
    /// The alarms of either.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
    /// With `alarm` in or out.
    #[must_use]
    pub const fn with(self, alarm: Alarm, on: bool) -> Self {
        Self(if on { self.0 | Self::bit(alarm) } else { self.0 & !Self::bit(alarm) })
    }
    /// Whether `alarm` is raised.
    pub const fn has(self, alarm: Alarm) -> bool {
        self.0 & Self::bit(alarm) != 0
    }
    /// Whether none is raised.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The raised alarms in the order of [`Alarm`].
    pub fn iter(self) -> impl Iterator<Item = Alarm> {
        Alarm::ALL.into_iter().filter(move |&a| self.has(a))
    }
}

/// How a span is framed and what its signalling timeslot carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineMode {
    /// CRC-4 multiframe (G.706), with interworking towards a far end without it.
    pub crc4: bool,
}

/// What is known of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanStatus {
    /// Raised alarms, after their debounce.
    pub alarms: Alarms,
    /// The span may carry calls: no red or blue alarm, not in recovery, and its signalling multiframe understood
    /// both ways where there is one.
    pub in_service: bool,
    /// Bit errors the CRC found since start.
    pub crc_errors: u64,
    /// Line code violations since start.
    pub code_violations: u64,
    /// Wrong frame alignment signals since start.
    pub frame_errors: u64,
    /// Frames repeated or dropped by the framer since start.
    pub slips: u64,
}
