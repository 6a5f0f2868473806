//! Overload is refused at the door, not suffered inside.

use std::collections::{BTreeMap, BTreeSet};

use call::{CallCommand, CallEvent, Cause, LegId};
use media::CallRate;
use signalling::LegKey;
use tdm::{Instant, Rng};

use crate::bench::*;

/// What became of the calls of a run.
struct Run {
    served: usize,
    refused: usize,
    /// Calls let in within 5 s after the overload was over, of those offered then.
    after: (usize, usize),
}

/// Five virtual minutes of callers, `per_second` of them, each of whom talks for 4 s; then ten seconds of a
/// fifth of what the group carries.
fn run(per_second: f64) -> Run {
    let mut settings = settings(1);
    settings.groups[0].capacity = Some(20);
    settings.groups[0].rate = Some(CallRate { per_second: 8, burst: 8 });
    let mut bench = Bench::new(settings);
    let mut rng = Rng::from_seed(3);
    let mut talking: BTreeMap<Instant, (LegId, LegKey)> = BTreeMap::new();
    let (overload_end, end) = (bench.now.plus_millis(300_000), bench.now.plus_millis(310_000));
    let mut run = Run { served: 0, refused: 0, after: (0, 0) };
    let mut next = bench.now;
    while next < end {
        let rate = if next < overload_end { per_second } else { 1.0 };
        next = next.plus_micros((rng.exponential(1e6 / rate)) as u64 + 1);
        while let Some((&due, &(leg, key))) = talking.iter().next().filter(|(due, _)| **due <= next)
        {
            bench.pass(due.millis_since(bench.now));
            bench.hangs_up(key, Cause::NORMAL_CLEARING);
            talking.remove(&due);
            assert!(bench.has_ended(leg));
            run.served += 1;
            bench.said();
        }
        bench.pass(next.millis_since(bench.now));
        let taken: BTreeSet<u8> = bench.media.status().spans[0]
            .channels
            .iter()
            .filter(|(_, state)| *state == call::ChannelState::Busy)
            .map(|&(timeslot, _)| timeslot)
            .collect();
        let free = (1..32).find(|t| *t != 16 && !taken.contains(&(*t as u8)));
        let Some(timeslot) = free else { continue };
        let key = bench.setup(0, timeslot);
        let late = next >= overload_end.plus_millis(5000);
        run.after.1 += usize::from(late);
        let said = bench.said();
        match &said[..] {
            [CallEvent::Incoming { leg, .. }] => {
                bench.must(CallCommand::Answer { leg: *leg });
                bench.said();
                let mut due = bench.now.plus_millis(4000);
                while talking.contains_key(&due) {
                    due = due.plus_micros(1);
                }
                talking.insert(due, (*leg, key));
                run.after.0 += usize::from(late);
            }
            [CallEvent::Refused { cause, .. }] => {
                assert!(matches!(cause.0, 17 | 42), "{cause}");
                run.refused += 1;
            }
            odd => panic!("neither in nor refused: {odd:?}"),
        }
    }
    let status = bench.media.status();
    let group = &status.groups[0];
    assert_eq!(group.offered, group.answered + group.refused);
    assert_eq!(usize::from(group.in_use), talking.len());
    run
}

#[test]
fn goodput_at_three_times_the_capacity_stays_at_its_maximum() {
    // 20 channels, 4 s each: 5 calls a second is the most there can be.
    let most = 300 * 5;
    let full = run(5.0);
    let overload = run(15.0);
    assert!(overload.refused > 2 * most * 9 / 10);
    assert!(overload.served * 100 >= most * 95, "{} of {most}", overload.served);
    assert!(overload.served >= full.served, "{} at capacity", full.served);
    assert_eq!(overload.after.0, overload.after.1, "back to normal within 5 s");
}
