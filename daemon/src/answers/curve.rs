//! The trade between people who are lost and machines that pass, at this site: the ear once more over recordings of
//! which somebody has said what they are.
//!
//! A recording ends where its call was released or joined to an agent, or when it is long enough: what would have come
//! is not known. Quiet follows it here, so that a verdict falls at every limit: as if who spoke had said nothing more.
//! Up to the limit that was set when it was recorded a verdict falls within it, and this is what it was or would have
//! been. Above it who was released in his words would have said more, and more speech never makes a machine less
//! probable: machines passed are at most, people lost at least what the curve shows.

use std::path::PathBuf;

use dsp::ears::{Answerer, Ears, EarsSettings, Heard, Listen};
use tdm::{Block, Law, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

use super::marks::Is;
use super::report::{Share, is_lost, is_passed};
use crate::analyze::audio;

/// The limits of the curve, in percent of probability.
pub const PERCENTS: [u8; 10] = [20, 30, 40, 50, 60, 65, 70, 80, 90, 97];
/// Recordings that are heard at once, each in a lane for every limit.
const AT_ONCE: usize = TIMESLOTS / PERCENTS.len();
/// More quiet than any verdict waits for.
const QUIET_MILLIS: usize = 6000;

/// A recording and what it is.
pub type Known = (PathBuf, Is);

/// A point of the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// The limit, in percent.
    pub percent: u8,
    /// People who would have been released, of how many.
    pub lost: Share,
    /// Machines that agents would have got, of how many.
    pub passed: Share,
}

/// The curve over these recordings, and those that could not be read.
pub fn over(known: &[Known]) -> (Vec<Point>, Vec<(PathBuf, anyhow::Error)>) {
    let mut points: Vec<Point> =
        PERCENTS.iter().map(|&percent| Point { percent, ..Point::default() }).collect();
    let mut unread = Vec::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for batch in known.chunks(AT_ONCE * threads) {
        let heard: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> =
                batch.chunks(AT_ONCE).map(|some| (some, scope.spawn(|| hear(some)))).collect();
            workers.into_iter().map(|(some, worker)| (some, worker.join())).collect()
        });
        for (some, heard) in heard {
            for ((path, is), heard) in some.iter().zip(heard.unwrap_or_default()) {
                match heard {
                    Ok(verdicts) => count(&mut points, *is, &verdicts),
                    Err(why) => unread.push((path.clone(), why)),
                }
            }
        }
    }
    (points, unread)
}

fn count(points: &mut [Point], is: Is, verdicts: &[Answerer]) {
    for (point, who) in points.iter_mut().zip(verdicts) {
        let word = crate::analyze::answerer_name(*who);
        match is {
            Is::Person => point.lost.count(is_lost(word)),
            Is::Machine => point.passed.count(is_passed(word)),
            Is::Nobody => {}
        }
    }
}

/// What the ear says of each recording at each limit.
fn hear(some: &[Known]) -> Vec<anyhow::Result<Vec<Answerer>>> {
    let law = Law::A;
    let tracks: Vec<_> = some.iter().map(|(path, _)| audio::read(path, law)).collect();
    let mut ears = Ears::new(EarsSettings { law, ..EarsSettings::default() });
    // A lane for each recording and limit, in this order.
    let lanes: Vec<(Timeslot, usize)> = (0..tracks.len() * PERCENTS.len())
        .filter_map(|lane| Some((Timeslot::new(lane)?, lane / PERCENTS.len())))
        .collect();
    for (&(lane, _), &machine_from_percent) in lanes.iter().zip(PERCENTS.iter().cycle()) {
        let listen = Listen { answer: true, fax: true, machine_from_percent, ..Listen::default() };
        ears.listen(lane, listen);
    }
    let octets = |track: usize| match tracks.get(track) {
        Some(Ok(octets)) => octets.as_slice(),
        _ => &[],
    };
    let longest = (0..tracks.len()).map(|track| octets(track).len() / SAMPLES).max().unwrap_or(0);
    let mut verdicts = vec![None; lanes.len()];
    let mut block = Block::idle(law);
    for milli in 0..longest + QUIET_MILLIS {
        block.at = SampleTime::millis(milli as u64);
        for &(lane, track) in &lanes {
            let now = octets(track).as_chunks::<SAMPLES>().0.get(milli);
            block.set_timeslot(lane, *now.unwrap_or(&[law.idle(); SAMPLES]));
        }
        ears.hear(&block, &mut |hearing| {
            if let Heard::Answer { who, .. } = hearing.heard
                && let Some(verdict) = verdicts.get_mut(usize::from(hearing.lane))
            {
                verdict.get_or_insert(who);
            }
        });
        if verdicts.iter().all(Option::is_some) {
            break;
        }
    }
    let verdicts: Vec<Answerer> =
        verdicts.into_iter().map(|who| who.unwrap_or(Answerer::Silence)).collect();
    let mut of_each = verdicts.chunks(PERCENTS.len());
    tracks
        .into_iter()
        .map(|track| {
            let verdicts = of_each.next().unwrap_or_default().to_vec();
            track.map(|_| verdicts)
        })
        .collect()
}
