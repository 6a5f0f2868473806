//! What an operator is told of a line: what the board thread knows of it, put where the others may look, and what
//! follows from that in words.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};

use bus::Bus;
use driver::span::Interval;
use driver::{Board, Loopback};
use serde::Serialize;

/// Counters of a line since its board was started, and of its seconds. Written by the board thread, read by
/// anybody: each number is whole, two of them may be of two moments.
#[derive(Debug, Default)]
pub struct LineShared {
    /// A board has it.
    pub is_driven: bool,
    counters: [AtomicU64; 4],
    quarter: [AtomicU64; 5],
    day: [AtomicU64; 5],
    /// Parts per billion by which its clock and the board's differ, while slips come steadily; else 0.
    slipping: AtomicU64,
    /// CRC-4 is set, and the far end sends none.
    no_multiframe: AtomicU64,
    /// Milliseconds pass on its board, and no interrupt tells of them.
    deaf: AtomicU64,
    /// The loop that an operator wants, as its place in [`LOOPS`]. The board thread reads it.
    wanted_loop: AtomicU8,
}

/// Loops by the names that an operator gives them.
pub const LOOPS: [(&str, Loopback); 4] = [
    ("none", Loopback::None),
    ("line", Loopback::Line),
    ("payload", Loopback::Payload),
    ("local", Loopback::Local),
];

/// Errors since the board was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Errors {
    pub crc: u64,
    pub frame: u64,
    pub code: u64,
    pub slips: u64,
}

/// Seconds of a quarter of an hour, or of a day, by what they were. G.826; T1.231.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Seconds {
    pub seconds: u64,
    pub errored: u64,
    pub severely_errored: u64,
    pub unavailable: u64,
    pub slips: u64,
}

/// How a line stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LineStatus {
    /// From 1.
    pub span: u8,
    /// Its board's place in the configuration, from 0, and its port there, from 1.
    pub board: usize,
    /// See `board`.
    pub port: usize,
    /// Framing and coding.
    pub line: String,
    /// It can carry calls.
    pub in_service: bool,
    /// Raised alarms.
    pub alarms: Vec<&'static str>,
    /// Its line clocks the board.
    pub is_clock: bool,
    /// The loop it was put into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loopback: Option<&'static str>,
    /// Errors since the board was started.
    pub errors: Errors,
    /// The quarter of an hour that runs.
    pub quarter: Seconds,
    /// The last 24 hours.
    pub day: Seconds,
    /// The signalling bits each channel was last heard with, as `1101`; `?` before the first time.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bits: BTreeMap<u8, String>,
    /// What to do, or to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

impl LineShared {
    /// Takes over what `board` knows of `port`, and puts it into the loop that is wanted. A few hundred nanoseconds,
    /// no heap.
    pub fn look<B: Bus>(&self, board: &mut Board<B>, port: usize) {
        let wanted = self.wanted_loop().map_or(Loopback::None, |(_, wanted)| wanted);
        if board.loopback(port).is_some_and(|loopback| loopback != wanted) {
            board.set_loopback(port, wanted);
        }
        let status = board.status(port);
        let counters =
            [status.crc_errors, status.code_violations, status.frame_errors, status.slips];
        for (place, value) in self.counters.iter().zip(counters) {
            place.store(value, Relaxed);
        }
        if let Some(performance) = board.performance(port) {
            store(&self.quarter, &performance.quarter());
            store(&self.day, &performance.day());
        }
        let slipping = board.steady_slips_ppm(port).map_or(0, |ppm| (ppm * 1000.0) as u64);
        self.slipping.store(slipping, Relaxed);
        self.no_multiframe.store(u64::from(board.crc4_missing(port)), Relaxed);
        self.deaf.store(u64::from(!board.interrupts_arrive()), Relaxed);
    }

    /// Wants a loop by its name in [`LOOPS`]; `false` when there is none of this name. It is set at the next look, and
    /// anew when the board comes back; a new start of the call server forgets it.
    pub fn want_loop(&self, name: &str) -> bool {
        let place = LOOPS.iter().position(|(known, _)| *known == name);
        let Some(place) = place.and_then(|place| u8::try_from(place).ok()) else { return false };
        self.wanted_loop.store(place, Relaxed);
        true
    }
    /// The loop that is wanted, when one is.
    pub fn wanted_loop(&self) -> Option<(&'static str, Loopback)> {
        let place = usize::from(self.wanted_loop.load(Relaxed));
        LOOPS.get(place).copied().filter(|(_, loopback)| *loopback != Loopback::None)
    }

    /// Errors since the board was started.
    pub fn errors(&self) -> Errors {
        let [crc, code, frame, slips] = self.counters.each_ref().map(|place| place.load(Relaxed));
        Errors { crc, frame, code, slips }
    }
    /// The quarter of an hour that runs.
    pub fn quarter(&self) -> Seconds {
        load(&self.quarter)
    }
    /// The last 24 hours.
    pub fn day(&self) -> Seconds {
        load(&self.day)
    }

    /// What to look at.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let slipping = self.slipping.load(Relaxed);
        if slipping > 0 {
            advice.push(format!(
                "slips come steadily, as of clocks {:.1} ppm apart: check the clock source, the `timing` of the \
                 span lines and who gives the clock at the far end",
                slipping as f64 / 1000.0
            ));
        }
        if self.no_multiframe.load(Relaxed) > 0 {
            advice.push(
                "crc4 is set and the far end sends none: it works, its errors do not show".into(),
            );
        }
        if self.deaf.load(Relaxed) > 0 {
            advice.push(
                "the board works and its interrupts do not arrive: its INTx line is not routed to this host \
                 (/proc/interrupts stands still); another slot, a newer firmware of the machine, or the kernel's \
                 irqpoll (docs/hardware.md)"
                    .into(),
            );
        }
        advice
    }
}

fn store(places: &[AtomicU64; 5], interval: &Interval) {
    let Interval { seconds, errored, severely_errored, unavailable, slips } = *interval;
    let values = [seconds, errored, severely_errored, unavailable, slips];
    for (place, value) in places.iter().zip(values) {
        place.store(value.into(), Relaxed);
    }
}

fn load(places: &[AtomicU64; 5]) -> Seconds {
    let [seconds, errored, severely_errored, unavailable, slips] =
        places.each_ref().map(|place| place.load(Relaxed));
    Seconds { seconds, errored, severely_errored, unavailable, slips }
}

/// Signalling bits as they are written down, A first.
pub fn bits(abcd: Option<u8>) -> String {
    abcd.map_or_else(|| "?".to_owned(), |abcd| format!("{abcd:04b}"))
}
