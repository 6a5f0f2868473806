//! A foreign signalling engine behind a D-channel: its frames cross a socket, the bits are made here.
//!
//! One packet is one HDLC frame between its flags, without the FCS. The B-channels stay idle. Foreign
//! engines run on wall time, so the board has to as well.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tdm::hdlc::{Decoder, Encoder, QUEUE_FRAMES};
use tdm::{Block, FRAME_OCTETS_MAX, Frame, SAMPLES, SampleTime, Timeslot};

use super::packets::{Meeting, Packets};
use crate::FarEnd;

/// A timeslot without HDLC on it: all ones.
const MARK: [u8; SAMPLES] = [0xFF; SAMPLES];

/// Frames seen at a D-channel far end. Written by the board's thread, read by any.
#[derive(Debug, Default)]
pub struct DChannelCounters {
    /// Frames of the board handed to the peer.
    pub to_peer: AtomicU64,
    /// Frames of the peer put on the line.
    pub from_peer: AtomicU64,
    /// Frames of the board with a wrong FCS, cut short, or no whole number of octets.
    pub bad: AtomicU64,
    /// Frames of the board nobody took: no peer, or one that does not read.
    pub untaken: AtomicU64,
    /// Packets of the peer that are no frame: more than [`FRAME_OCTETS_MAX`] octets.
    pub unsendable: AtomicU64,
}

/// The far end.
pub struct DChannel {
    timeslot: Timeslot,
    packets: Packets,
    encoder: Encoder,
    decoder: Decoder,
    counters: Arc<DChannelCounters>,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl DChannel {
    /// A D-channel in `timeslot` (16 of an E1, 24 of a T1: I.431) whose engine is met at `meeting`, now or later.
    ///
    /// # Errors
    /// As the system refuses to listen there.
    pub fn open(meeting: Meeting, timeslot: Timeslot) -> io::Result<Self> {
        Ok(Self {
            timeslot,
            packets: Packets::open(meeting)?,
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            counters: Arc::default(),
        })
    }
    /// What it counts from here on.
    pub fn counters(&self) -> Arc<DChannelCounters> {
        Arc::clone(&self.counters)
    }

    fn hear(&mut self, octets: [u8; SAMPLES]) {
        let (packets, counters) = (&mut self.packets, &self.counters);
        self.decoder.push(&octets, |frame| {
            count(if packets.send(frame) { &counters.to_peer } else { &counters.untaken });
        });
        self.counters.bad.store(self.decoder.counters().bad(), Ordering::Relaxed);
    }
    fn say(&mut self) -> [u8; SAMPLES] {
        // One octet more than a frame may have, to tell a frame from one that was cut off. What does
        // not fit the queue waits in the socket, where the peer notices.
        let mut packet = [0; FRAME_OCTETS_MAX + 1];
        while self.encoder.waiting() < QUEUE_FRAMES {
            let Some(octets) = self.packets.receive(&mut packet) else { break };
            match packet.get(..octets).and_then(Frame::new) {
                Some(frame) if self.encoder.push(&frame) => count(&self.counters.from_peer),
                _ => count(&self.counters.unsendable),
            }
        }
        let mut octets = MARK;
        if self.packets.has_peer() {
            self.encoder.octets(&mut octets);
        }
        octets
    }
}

impl FarEnd for DChannel {
    fn millisecond(&mut self, _: SampleTime, sent: &Block, received: &mut Block) {
        if self.packets.millisecond() {
            // A new cable: nothing of the last conversation is left.
            (self.encoder, self.decoder) = (Encoder::new(), Decoder::new());
        }
        self.hear(sent.timeslot(self.timeslot));
        received.set_timeslot(self.timeslot, self.say());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::{Law, heap};

    /// As on a T1: 16 is a timeslot like others there.
    const D_CHANNEL: Timeslot = Timeslot::new(24).expect("24 is a timeslot");

    /// The board's side of a D-channel, and the peer's socket.
    struct Bench {
        far: DChannel,
        peer: Packets,
        encoder: Encoder,
        decoder: Decoder,
        heard: Vec<Vec<u8>>,
        _directory: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("d");
            let far = DChannel::open(Meeting::Listen(path.clone()), D_CHANNEL).unwrap();
            let peer = Packets::open(Meeting::Connect(path)).unwrap();
            let (encoder, decoder) = (Encoder::new(), Decoder::new());
            let mut bench =
                Self { far, peer, encoder, decoder, heard: Vec::new(), _directory: directory };
            while !(bench.peer.has_peer() && bench.far.packets.has_peer()) {
                bench.peer.millisecond();
                bench.run(1);
            }
            bench
        }
        fn run(&mut self, millis: u32) {
            for _ in 0..millis {
                let (mut sent, mut received) = (Block::idle(Law::A), Block::idle(Law::A));
                let mut octets = [0; SAMPLES];
                self.encoder.octets(&mut octets);
                sent.set_timeslot(D_CHANNEL, octets);
                self.far.millisecond(SampleTime::samples(0), &sent, &mut received);
                assert_eq!(received.octets[5][16], 0xD5, "B-channels stay idle");
                let heard = &mut self.heard;
                self.decoder
                    .push(&received.timeslot(D_CHANNEL), |frame| heard.push(frame.to_vec()));
            }
        }
    }

    #[test]
    fn frames_cross_in_both_directions_in_order() {
        let mut bench = Bench::new();
        let frames: Vec<Vec<u8>> = (4..=260_usize)
            .step_by(16)
            .map(|len| (0..len).map(|n| (n * 7 + len) as u8).collect())
            .collect();
        let mut got = Vec::new();
        for frame in &frames {
            assert!(bench.encoder.push(&Frame::new(frame).unwrap()));
            assert!(bench.peer.send(frame));
            bench.run(45);
            let mut packet = [0; 300];
            while let Some(octets) = bench.peer.receive(&mut packet) {
                got.push(packet[..octets].to_vec());
            }
        }
        assert_eq!(got, frames);
        assert_eq!(bench.heard, frames);
        let counters = bench.far.counters();
        assert_eq!(counters.to_peer.load(Ordering::Relaxed), frames.len() as u64);
        assert_eq!(counters.bad.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_flood_waits_in_the_socket_and_arrives_whole() {
        let mut bench = Bench::new();
        let (mut sent, mut millis) = (0_u32, 0);
        while bench.heard.len() < 300 {
            while sent < 300 && bench.peer.send(&sent.to_be_bytes()) {
                sent += 1;
            }
            bench.run(1);
            millis += 1;
            assert!(millis < 2000, "{} frames", bench.heard.len());
        }
        let expected: Vec<_> = (0..300_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(bench.heard, expected);
    }

    #[test]
    fn a_packet_that_is_no_frame_is_counted_and_not_sent() {
        let mut bench = Bench::new();
        assert!(bench.peer.send(&[7; FRAME_OCTETS_MAX + 1]));
        assert!(bench.peer.send(&[7; FRAME_OCTETS_MAX]));
        bench.run(100);
        assert_eq!(bench.heard, [vec![7; FRAME_OCTETS_MAX]]);
        assert_eq!(bench.far.counters().unsendable.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn without_a_peer_the_channel_is_all_ones_and_frames_are_counted_as_untaken() {
        let mut bench = Bench::new();
        bench.peer = Packets::open(Meeting::Connect("/nowhere".into())).unwrap();
        bench.encoder.push(&Frame::new(&[1, 2, 3, 4]).unwrap());
        bench.run(30);
        assert_eq!(bench.far.counters().untaken.load(Ordering::Relaxed), 1);
        assert!(bench.decoder.is_idle());
    }

    #[test]
    fn a_millisecond_with_frames_leaves_the_heap_alone() {
        let mut bench = Bench::new();
        bench.peer.send(&[9; 20]);
        let (mut sent, mut received) = (Block::idle(Law::A), Block::idle(Law::A));
        bench.encoder.push(&Frame::new(&[1, 2, 3, 4]).unwrap());
        for _ in 0..10 {
            let mut octets = [0; SAMPLES];
            bench.encoder.octets(&mut octets);
            sent.set_timeslot(D_CHANNEL, octets);
            heap::without_heap(|| {
                bench.far.millisecond(SampleTime::samples(0), &sent, &mut received);
            });
        }
        assert_eq!(bench.far.counters().to_peer.load(Ordering::Relaxed), 1);
        assert_eq!(bench.far.counters().from_peer.load(Ordering::Relaxed), 1);
    }
}
