//! The line behind a port, and what is at its far end.

use tdm::{Alarm, Block, SampleTime};

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
}
