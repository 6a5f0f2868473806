//! A plug that connects the pairs: what is sent comes back.

use tdm::{Block, SampleTime};

use crate::{FarEnd, Signal};

/// The line looped to itself. The port hears its own frames, and its own alarms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loopback;

impl FarEnd for Loopback {
    fn millisecond(&mut self, _: SampleTime, sent: &Block, received: &mut Block) {
        received.octets = sent.octets;
    }
    fn signal(&mut self, sent: Signal) -> Signal {
        sent
    }
}
