//! What any framer says about a line.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::Alarm;

/// A line as the framer sees it now, before any debounce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStatus {
    /// Loss of signal, AIS or loss of frame: the one that explains the others.
    pub trouble: Option<Alarm>,
    /// The far end says that it does not understand us.
    pub remote_alarm: bool,
    /// CRC-4 was asked for and the far end sends none: the framer works without.
    pub multiframe_missing: bool,
}

/// The signalling multiframe of timeslot 16 as the framer sees it now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MultiframeStatus {
    /// There is none: no alignment, all ones or all zeros.
    pub lost: bool,
    /// The far end says that it has none of ours.
    pub remote: bool,
}
