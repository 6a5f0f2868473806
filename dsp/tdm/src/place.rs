//! Where a sample is: span and timeslot.

use core::fmt;

use crate::block::TIMESLOTS;

/// Spans one host may carry.
pub const SPANS_MAX: usize = 64;
/// Timeslots one host may carry.
pub const CHANNELS_MAX: usize = SPANS_MAX * TIMESLOTS;

/// A span of this host, counted from 0 over all boards. People see it counted from 1 ([`fmt::Display`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u8);

impl SpanId {
    /// The span at `index` (0 based); `None` from [`SPANS_MAX`] on.
    pub const fn new(index: usize) -> Option<Self> {
        if index < SPANS_MAX { Some(Self(index as u8)) } else { None }
    }
    /// Counted from 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
    /// Counted from 1, as people and configuration files do.
    pub const fn number(self) -> usize {
        self.0 as usize + 1
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// A timeslot of a span, 0 to 31. E1: as G.704 counts them. T1: channel n is timeslot n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeslot(u8);

impl Timeslot {
    /// The timeslot at `index`; `None` from 32 on.
    pub const fn new(index: usize) -> Option<Self> {
        if index < TIMESLOTS { Some(Self(index as u8)) } else { None }
    }
    /// 0 to 31: the lane of a [`crate::Block`] row.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Timeslot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One timeslot of one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    /// The span.
    pub span: SpanId,
    /// The timeslot in it.
    pub timeslot: Timeslot,
}

impl Channel {
    /// Timeslot `timeslot` of span `span`, both counted from 0; `None` when either is out of range.
    pub const fn new(span: usize, timeslot: usize) -> Option<Self> {
        match (SpanId::new(span), Timeslot::new(timeslot)) {
            (Some(span), Some(timeslot)) => Some(Self { span, timeslot }),
            _ => None,
        }
    }
    /// Dense index below [`CHANNELS_MAX`].
    pub const fn index(self) -> usize {
        self.span.index() * TIMESLOTS + self.timeslot.index()
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.span, self.timeslot)
    }
}
