//! HDLC runs on the board thread: after construction it never touches the heap.

use tdm::Frame;
use tdm::hdlc::{Decoder, Encoder};
use tdm::heap::{Watch, without_heap};

#[global_allocator]
static HEAP: Watch = Watch;

#[test]
fn a_minute_of_frames_leaves_the_heap_alone() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let frame = Frame::new(&[0xFF; 64]).expect("fits");
    let mut received = 0_u64;
    without_heap(|| {
        for _ in 0..60_000 {
            encoder.push(&frame);
            let mut octets = [0; 8];
            encoder.octets(&mut octets);
            decoder.push(&octets, |octets| received += u64::from(octets == frame.octets()));
        }
    });
    assert!(received > 5000, "{received}");
}
