//! A foreign engine behind a whole E1: its frames cross a socket, 80 a packet.
//!
//! A packet is `5, 0`, then frames of 32 octets. Both sides send one packet unasked when they meet; from
//! then on each millisecond of the board consumes eight frames and makes eight, so a peer that answers
//! every packet with one keeps step.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tdm::{Block, Law, SAMPLES, SampleTime, TIMESLOTS};

use super::packets::{Meeting, Packets};
use crate::{FarEnd, Signal};

/// Frames of a packet: 10 ms.
const CHUNK_FRAMES: usize = 80;
/// What a packet begins with: its type, and the timeslot, which a whole E1 has none of.
const HEADER: [u8; 2] = [5, 0];
/// The longest packet that is read: a second.
const PACKET_OCTETS_MAX: usize = HEADER.len() + 8000 * TIMESLOTS;
/// Frames that may wait: two packets of a second.
const WAITING_FRAMES_MAX: usize = 16_000;
/// In lockstep: how long the peer may think about a packet.
const PATIENCE: Duration = Duration::from_secs(2);
/// Timeslot 0 of frames with and without the alignment signal.
const TIMESLOT_0: [u8; 2] = [0x9B, 0xDF];

/// Which side's clock counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum E1Clock {
    /// The board's, in real time: a peer that is late is not waited for.
    #[default]
    Real,
    /// Both in step: the board waits for the peer.
    Lock,
}

/// Frames seen at an E1 far end. Written by the board's thread, read by any.
#[derive(Debug, Default)]
pub struct E1Counters {
    /// Milliseconds of the board without eight frames of the peer.
    pub underruns: AtomicU64,
    /// Frames of the peer that found no room.
    pub overruns: AtomicU64,
    /// Packets that are none: wrong type, or no whole number of frames.
    pub bad: AtomicU64,
    /// Packets of ours the peer did not take.
    pub untaken: AtomicU64,
}

/// The far end. Without a peer the line is dead.
pub struct E1 {
    packets: Packets,
    clock: E1Clock,
    waiting: VecDeque<[u8; TIMESLOTS]>,
    packet: Vec<u8>,
    leaving: Vec<u8>,
    /// Whether the next frame to leave carries the alignment signal.
    aligns: bool,
    counters: Arc<E1Counters>,
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl E1 {
    /// An E1 whose engine is met at `meeting`, now or later.
    ///
    /// # Errors
    /// As the system refuses to listen there.
    pub fn open(meeting: Meeting, clock: E1Clock) -> io::Result<Self> {
        Ok(Self {
            packets: Packets::open(meeting)?,
            clock,
            waiting: VecDeque::with_capacity(WAITING_FRAMES_MAX),
            packet: vec![0; PACKET_OCTETS_MAX],
            leaving: Vec::with_capacity(HEADER.len() + CHUNK_FRAMES * TIMESLOTS),
            aligns: true,
            counters: Arc::default(),
        })
    }
    /// What it counts from here on.
    pub fn counters(&self) -> Arc<E1Counters> {
        Arc::clone(&self.counters)
    }

    fn meet(&mut self) {
        self.waiting.clear();
        self.leaving.clear();
        let idle = Block::idle(Law::A);
        for _ in 0..CHUNK_FRAMES / SAMPLES {
            self.send(&idle);
        }
    }
    fn send(&mut self, block: &Block) {
        if self.leaving.is_empty() {
            self.leaving.extend_from_slice(&HEADER);
        }
        for frame in &block.octets {
            let [aligning, service] = TIMESLOT_0;
            self.leaving.push(if self.aligns { aligning } else { service });
            self.leaving.extend_from_slice(frame.get(1..).unwrap_or_default());
            self.aligns = !self.aligns;
        }
        if self.leaving.len() >= HEADER.len() + CHUNK_FRAMES * TIMESLOTS {
            let taken = self.packets.send(&self.leaving);
            count(&self.counters.untaken, u64::from(!taken));
            self.leaving.clear();
        }
    }
    fn receive(&mut self) {
        while let Some(octets) = self.packets.receive(&mut self.packet) {
            let frames = match self.packet.get(..octets).and_then(|all| all.split_first_chunk()) {
                Some((&HEADER, frames)) if frames.len().is_multiple_of(TIMESLOTS) => frames,
                _ => {
                    count(&self.counters.bad, 1);
                    continue;
                }
            };
            for frame in frames.chunks_exact(TIMESLOTS) {
                let mut row = [0; TIMESLOTS];
                row.copy_from_slice(frame);
                if self.waiting.len() < WAITING_FRAMES_MAX {
                    self.waiting.push_back(row);
                } else {
                    count(&self.counters.overruns, 1);
                }
            }
        }
    }
}

impl FarEnd for E1 {
    fn millisecond(&mut self, _: SampleTime, sent: &Block, received: &mut Block) {
        if self.packets.millisecond() {
            self.meet();
        }
        if !self.packets.has_peer() {
            return;
        }
        self.receive();
        while self.clock == E1Clock::Lock
            && self.waiting.len() < SAMPLES
            && self.packets.wait(PATIENCE)
        {
            self.receive();
        }
        if self.waiting.len() >= SAMPLES {
            for (row, frame) in received.octets.iter_mut().zip(self.waiting.drain(..SAMPLES)) {
                *row = frame;
            }
        } else {
            count(&self.counters.underruns, 1);
        }
        self.send(sent);
    }
    fn signal(&mut self, sent: Signal) -> Signal {
        match sent {
            _ if !self.packets.has_peer() => Signal::Silence,
            // The peer has no framer to speak of: it frames, and asks for nothing.
            _ => Signal::Framed(crate::Frames::HEALTHY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        far: E1,
        peer: Packets,
        received: Block,
        _directory: tempfile::TempDir,
    }

    impl Bench {
        fn new(clock: E1Clock) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("e");
            let mut far = E1::open(Meeting::Listen(path.clone()), clock).unwrap();
            let mut peer = Packets::open(Meeting::Connect(path)).unwrap();
            peer.millisecond();
            assert_eq!(far.signal(Signal::Silence), Signal::Silence);
            assert!(far.packets.millisecond());
            far.meet();
            Self { far, peer, received: Block::idle(Law::A), _directory: directory }
        }
        fn run(&mut self, octet: u8) {
            let mut sent = Block::idle(Law::A);
            sent.octets[2][3] = octet;
            self.received = Block::idle(Law::A);
            self.far.millisecond(SampleTime::samples(0), &sent, &mut self.received);
        }
        fn packet(&mut self) -> Vec<u8> {
            let mut packet = vec![0; PACKET_OCTETS_MAX];
            let octets = self.peer.receive(&mut packet).unwrap_or(0);
            packet.truncate(octets);
            packet
        }
    }

    #[test]
    fn ten_milliseconds_are_a_packet_of_eighty_frames_each_way() {
        let mut bench = Bench::new(E1Clock::Lock);
        let first = bench.packet();
        assert_eq!(first.len(), 2 + 80 * 32, "sent unasked");
        assert_eq!(first[..2], HEADER);
        for round in 0..20_u8 {
            let mut packet = vec![0x55; 2 + 80 * 32];
            packet[..2].copy_from_slice(&HEADER);
            packet[2 + (8 + 4) * 32 + 9] = round;
            assert!(bench.peer.send(&packet));
            for n in 0..10 {
                bench.run(n);
                assert_eq!(bench.received.octets[4][9], if n == 1 { round } else { 0x55 });
            }
            let answer = bench.packet();
            assert_eq!(answer[2..][..32][0], 0x9B);
            assert_eq!(answer[2..][32..64][0], 0xDF);
            for n in 0..10_usize {
                assert_eq!(answer[2 + (n * 8 + 2) * 32 + 3], n as u8);
            }
        }
        assert_eq!(bench.far.counters().underruns.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn in_lockstep_the_board_waits_for_a_peer_that_thinks() {
        let mut bench = Bench::new(E1Clock::Lock);
        let mut peer = std::mem::replace(
            &mut bench.peer,
            Packets::open(Meeting::Connect("/nowhere".into())).unwrap(),
        );
        // The peer answers each packet with its own octets, when it pleases.
        let thread = std::thread::spawn(move || {
            let mut packet = vec![0; PACKET_OCTETS_MAX];
            while peer.wait(Duration::from_secs(20)) {
                // The board may be gone before the last answer.
                let octets = peer.receive(&mut packet);
                if !octets.is_some_and(|octets| peer.send(&packet[..octets])) {
                    break;
                }
            }
        });
        for n in 0..2000_u32 {
            bench.run(n as u8);
            if n >= 10 {
                assert_eq!(bench.received.octets[2][3], (n - 10) as u8, "ms {n}");
            }
        }
        let counters = bench.far.counters();
        assert_eq!(counters.underruns.load(Ordering::Relaxed), 0);
        drop(bench);
        thread.join().unwrap();
    }

    #[test]
    fn packets_that_are_none_are_counted_and_a_late_peer_costs_silence() {
        let mut bench = Bench::new(E1Clock::Real);
        for bad in [&[5, 0, 1][..], &[1, 3, 0xD5], &[5]] {
            assert!(bench.peer.send(bad));
        }
        bench.run(0);
        let counters = bench.far.counters();
        assert_eq!(counters.bad.load(Ordering::Relaxed), 3);
        assert_eq!(counters.underruns.load(Ordering::Relaxed), 1);
        assert_eq!(bench.received.octets, Block::idle(Law::A).octets);
    }
}
