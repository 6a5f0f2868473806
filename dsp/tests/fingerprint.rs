//! Known recordings: listening for them costs no heap. How many are recognised: `tests/answer/announcements.py`.

mod signals;

use dsp::fingerprint::{Index, Listener, print_of};
use signals::{Signal, voice};
use tdm::SAMPLES;
use tdm::heap::{Watch, without_heap};

#[global_allocator]
static WATCH: Watch = Watch;

/// An announcement of four seconds.
fn announcement(seed: u64) -> Signal {
    voice(1000 + seed, 4000)
}

/// Which recording is known to be heard, and after how many milliseconds.
fn heard(listener: &mut Listener, index: &Index, signal: &Signal) -> Option<(usize, u16)> {
    listener.forget();
    let mut blocks = signal.as_chunks::<SAMPLES>().0.iter().enumerate();
    blocks.find_map(|(at, block)| Some((at + 1, listener.take(block, index)?.print)))
}

#[test]
fn listening_leaves_the_heap_alone() {
    let index = Index::new(&[print_of(&announcement(0))]);
    let (mut listener, signal) = (Listener::default(), announcement(0));
    let found = without_heap(|| heard(&mut listener, &index, &signal));
    assert!(found.is_some());
}
