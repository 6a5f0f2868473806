use super::*;
use crate::Rng;

/// A stream of single bits as the line carries them, for saying exactly what comes.
#[derive(Default)]
struct Line(Vec<bool>);

impl Line {
    fn bits(mut self, text: &str) -> Self {
        self.0.extend(text.chars().filter(|c| *c != ' ').map(|c| c == '1'));
        self
    }
    fn flags(mut self, count: usize) -> Self {
        for _ in 0..count {
            self = self.bits("01111110");
        }
        self
    }
    /// The frame with its FCS, stuffed one bit at a time: written apart from the tables on purpose.
    fn frame(self, octets: &[u8]) -> Self {
        let sum = fcs(octets).to_le_bytes();
        self.stuffed(&[octets, &sum].concat())
    }
    fn stuffed(mut self, octets: &[u8]) -> Self {
        let mut ones = 0;
        for octet in octets {
            for bit in 0..8 {
                let one = octet >> bit & 1 == 1;
                self.0.push(one);
                ones = if one { ones + 1 } else { 0 };
                if ones == 5 {
                    self.0.push(false);
                    ones = 0;
                }
            }
        }
        self
    }
    /// The line's octets, bit 7 first, filled up with flags.
    fn octets(&self) -> Vec<u8> {
        let mut bits = self.0.clone();
        let missing = bits.len().next_multiple_of(8) - bits.len();
        bits.extend("01111110".chars().take(missing).map(|c| c == '1'));
        bits.chunks(8).map(|eight| eight.iter().fold(0, |o, &b| o << 1 | u8::from(b))).collect()
    }
}

fn decode(octets: &[u8]) -> (Vec<Vec<u8>>, Counters) {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    decoder.push(octets, |frame| frames.push(frame.to_vec()));
    (frames, decoder.counters())
}

fn some_frame(rng: &mut Rng) -> Vec<u8> {
    let len = rng.between(FRAME_OCTETS_MIN as u64, FRAME_OCTETS_MAX as u64);
    // Many ones: the stuffing is what is to be tested.
    (0..len).map(|_| (rng.next_u64() | rng.next_u64()) as u8).collect()
}

#[test]
fn check_sequence_of_the_standard_test_string_is_906e() {
    assert_eq!(fcs(b"123456789"), 0x906E);
}

#[test]
fn what_is_sent_is_received_whatever_bit_it_begins_at() {
    let mut rng = Rng::from_seed(1);
    for shift in 0..8 {
        let mut encoder = Encoder::new();
        let mut line = Line::default().bits(&"1".repeat(shift));
        let (mut sent, mut octets) = (Vec::new(), [0; 8]);
        for _ in 0..2000 {
            if rng.chance(0.1) {
                let frame = some_frame(&mut rng);
                if encoder.push(&Frame::new(&frame).unwrap()) {
                    sent.push(frame);
                }
            }
            encoder.octets(&mut octets);
            for octet in octets {
                line.0.extend((0..8).rev().map(|bit| octet >> bit & 1 == 1));
            }
        }
        // Until the last frame and the flag behind it are out.
        let mut blocks_left = 2;
        while blocks_left > 0 {
            blocks_left -= u32::from(encoder.waiting() == 0);
            encoder.octets(&mut octets);
            line = octets.iter().fold(line, |line, octet| line.bits(&format!("{octet:08b}")));
        }
        let (received, counters) = decode(&line.octets());
        assert_eq!(received, sent, "shift {shift}");
        assert_eq!(counters, Counters { good: sent.len() as u64, ..Counters::default() });
    }
}

#[test]
fn encoder_and_a_bitwise_sender_agree_on_every_bit() {
    let mut rng = Rng::from_seed(2);
    for _ in 0..200 {
        let frame = some_frame(&mut rng);
        let mut encoder = Encoder::new();
        assert!(encoder.push(&Frame::new(&frame).unwrap()));
        let expected = Line::default().flags(1).frame(&frame).flags(1).octets();
        let mut octets = vec![0; expected.len()];
        encoder.octets(&mut octets);
        // The last octet of the expectation may hold the head of a padding flag, as the encoder's does.
        assert_eq!(octets, expected);
    }
}

#[test]
fn one_flag_shared_flags_shared_zeros_and_a_thousand_flags_delimit_alike() {
    let frame = [0x02, 0x01, 0x7F];
    let shared_zero = "011111101111110";
    let line = Line::default()
        .flags(1)
        .frame(&frame)
        .flags(1)
        .frame(&frame)
        .flags(1000)
        .frame(&frame)
        .bits(shared_zero)
        .frame(&frame)
        .flags(1);
    let (frames, counters) = decode(&line.octets());
    assert_eq!(frames, [frame; 4]);
    assert_eq!(counters.bad(), 0);
}

#[test]
fn five_ones_at_the_closing_flag_are_stuffed_and_come_back() {
    // Seek frames whose last FCS octet ends in five ones on the line.
    let found: Vec<[u8; 4]> = (0..=u16::MAX)
        .map(|n| [2, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]])
        .filter(|frame| fcs(frame).to_le_bytes()[1] >= 0xF8)
        .collect();
    assert!(found.len() > 1000);
    for frame in found {
        let mut encoder = Encoder::new();
        assert!(encoder.push(&Frame::new(&frame).unwrap()));
        let mut octets = [0; 12];
        encoder.octets(&mut octets);
        assert_eq!(decode(&octets).0, [frame]);
    }
}

#[test]
fn flag_octets_and_all_ones_travel_as_data() {
    for fill in [0x7E, 0xFF, 0x00] {
        let frame = [fill; FRAME_OCTETS_MAX];
        let line = Line::default().flags(1).frame(&frame).flags(1);
        assert_eq!(decode(&line.octets()).0, [frame.to_vec()]);
    }
}

#[test]
fn each_way_to_be_wrong_has_its_own_counter_and_the_next_frame_is_received() {
    let good = [2, 1, 0x7F];
    let mut wrong = Line::default().flags(1);
    let expect = |line: Line, expected: Counters| {
        let line = line.flags(1).frame(&good).flags(1);
        let (frames, counters) = decode(&line.octets());
        assert_eq!(frames, [good]);
        assert_eq!(counters, Counters { good: 1, ..expected });
    };
    expect(
        Line::default().flags(1).stuffed(&[1, 2, 3, 4, 5]),
        Counters { fcs: 1, ..Counters::default() },
    );
    expect(Line::default().flags(1).frame(&[2, 1]), Counters { short: 1, ..Counters::default() });
    expect(
        Line::default().flags(1).frame(&[9; FRAME_OCTETS_MAX + 1]),
        Counters { long: 1, ..Counters::default() },
    );
    expect(
        Line::default().flags(1).frame(&good).bits("010"),
        Counters { unaligned: 1, ..Counters::default() },
    );
    wrong = wrong.stuffed(&[2, 1, 3, 4]).bits("1111111");
    expect(wrong, Counters { abort: 1, ..Counters::default() });
}

#[test]
fn longest_frame_is_received() {
    let frame = [0x55; FRAME_OCTETS_MAX];
    let line = Line::default().flags(1).frame(&frame).flags(1);
    assert_eq!(decode(&line.octets()).0, [frame]);
}

#[test]
fn abort_right_behind_a_flag_loses_nothing_and_idle_is_seen() {
    let mut decoder = Decoder::new();
    decoder.push(&Line::default().flags(2).octets(), |_| panic!("no frame was sent"));
    assert!(decoder.is_synchronised() && !decoder.is_idle());
    decoder.push(&[0xFF; 2], |_| panic!("no frame was sent"));
    assert!(!decoder.is_synchronised() && decoder.is_idle());
    assert_eq!(decoder.counters(), Counters::default());
    let mut frames = 0;
    decoder.push(&Line::default().flags(1).frame(&[2, 1, 3]).flags(1).octets(), |_| frames += 1);
    assert!(frames == 1 && decoder.is_synchronised() && !decoder.is_idle());
}

#[test]
fn frame_after_noise_is_received() {
    let mut rng = Rng::from_seed(3);
    for _ in 0..500 {
        let mut octets: Vec<u8> = (0..40).map(|_| rng.next_u64() as u8).collect();
        octets.extend(Line::default().flags(2).frame(&[2, 1, 0x7F]).flags(1).octets());
        assert_eq!(decode(&octets).0.last().map(Vec::as_slice), Some(&[2, 1, 0x7F][..]));
    }
}

#[test]
fn full_queue_refuses_and_loses_nothing() {
    let mut encoder = Encoder::new();
    let frames: Vec<_> = (0..=QUEUE_FRAMES as u8).map(|n| [2, 1, n]).collect();
    let taken = frames.iter().filter(|f| encoder.push(&Frame::new(*f).unwrap())).count();
    assert_eq!(taken, QUEUE_FRAMES);
    let mut octets = [0; 200];
    encoder.octets(&mut octets);
    assert_eq!(decode(&octets).0, frames[..QUEUE_FRAMES]);
}

/// A million arbitrary and mutated octet groups; the two ways through the receiver agree on all of them.
#[test]
fn million_arbitrary_and_mutated_inputs_leave_the_receiver_sound() {
    let mut rng = Rng::from_seed(4);
    let mut decoder = Decoder::new();
    let mut encoder = Encoder::new();
    let (mut frames, mut octets) = (0_u64, [0; 8]);
    for n in 0..1_000_000 {
        if n % 4 == 0 {
            octets = rng.next_u64().to_le_bytes();
        } else {
            if encoder.waiting() == 0 {
                let frame = rng.next_u64().to_le_bytes();
                assert!(encoder.push(&Frame::new(&frame).unwrap()));
            }
            encoder.octets(&mut octets);
            if rng.chance(0.2) {
                octets[rng.below(8) as usize] ^= 1 << rng.below(8);
            }
        }
        decoder.push(&octets, |frame| {
            assert!((FRAME_OCTETS_MIN..=FRAME_OCTETS_MAX).contains(&frame.len()));
            frames += 1;
        });
    }
    let counters = decoder.counters();
    assert_eq!(counters.good, frames);
    for reason in [counters.good, counters.short, counters.unaligned, counters.fcs, counters.abort]
    {
        assert!(reason > 1000, "{counters:?}");
    }
}
