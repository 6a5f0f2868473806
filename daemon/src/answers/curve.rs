//! The trade between people who are lost and machines that pass, at this site: the ear once more over recordings of
//! which somebody has said what they are.
//!
//! A recording ends where its call was released or joined to an agent, or when it is long enough: what would have come
//! is not known. Quiet follows it here, so that a verdict falls at every limit: as if who spoke had said nothing more.
//! Up to the limit that was set when it was recorded a verdict falls within it, and this is what it was or would have
//! been; except for who hung up, or was not decided about when the campaign's time was up. Above it who was released in
//! his words would have said more, and more speech never makes a machine less probable: machines passed are at most,
//! people lost at least what the curve shows.
//!
//! A recording that was over before its call's verdict fell, or whose call had none, does not hold what the verdict
//! came of: it is left out, and counted.

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

/// By so much a recording may be shorter than the time its verdict fell at.
const SLACK_MILLIS: usize = 100;

/// A recording of which somebody has said what it is.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its file.
    pub file: PathBuf,
    /// What it is.
    pub is: Is,
    /// How long after its beginning the verdict fell, if there was one.
    pub judged_millis: Option<u32>,
}

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

/// What there is to show, and what of the recordings is not in it.
#[derive(Debug, Default)]
pub struct Curve {
    /// One for each limit.
    pub points: Vec<Point>,
    /// Recordings that do not hold what their verdict came of.
    pub left_out: u64,
    /// Files that could not be read, and why.
    pub unread: Vec<(PathBuf, anyhow::Error)>,
}

/// The curve over these recordings.
pub fn over(known: &[Known]) -> Curve {
    let points = PERCENTS.iter().map(|&percent| Point { percent, ..Point::default() }).collect();
    let mut curve = Curve { points, ..Curve::default() };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for batch in known.chunks(AT_ONCE * threads) {
        let heard: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> =
                batch.chunks(AT_ONCE).map(|some| (some, scope.spawn(|| hear(some)))).collect();
            workers.into_iter().map(|(some, worker)| (some, worker.join())).collect()
        });
        for (some, heard) in heard {
            for (known, heard) in some.iter().zip(heard.unwrap_or_default()) {
                match heard {
                    Ok(Some(verdicts)) => count(&mut curve.points, known.is, &verdicts),
                    Ok(None) => curve.left_out += 1,
                    Err(why) => curve.unread.push((known.file.clone(), why)),
                }
            }
        }
    }
    curve
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

impl Known {
    /// Whether what the verdict came of is in so many octets.
    fn is_whole(&self, octets: usize) -> bool {
        let recorded_millis = octets / SAMPLES + SLACK_MILLIS;
        self.judged_millis.is_some_and(|millis| millis as usize <= recorded_millis)
    }
}

/// What the ear says of each recording at each limit; nothing of one that does not hold what its verdict came of.
fn hear(some: &[Known]) -> Vec<anyhow::Result<Option<Vec<Answerer>>>> {
    let law = Law::A;
    let tracks: Vec<_> = some
        .iter()
        .map(|known| {
            let octets = audio::read(&known.file, law)?;
            anyhow::Ok(known.is_whole(octets.len()).then_some(octets))
        })
        .collect();
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
        Some(Ok(Some(octets))) => octets.as_slice(),
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
            track.map(|octets| octets.map(|_| verdicts))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announcements;

    #[test]
    fn a_recording_that_was_over_before_its_verdict_is_counted_and_not_in_the_curve() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quiet.wav");
        announcements::keep(&file, &[Law::A.idle(); 8 * 1000]).unwrap();
        let known = |is, judged_millis| Known { file: file.clone(), is, judged_millis };
        let curve = over(&[
            known(Is::Person, Some(1060)),
            known(Is::Person, Some(5000)),
            known(Is::Machine, None),
            Known { file: folder.path().join("none"), is: Is::Person, judged_millis: Some(1) },
        ]);
        assert_eq!((curve.left_out, curve.unread.len()), (2, 1));
        assert_eq!(curve.points.len(), PERCENTS.len());
        for point in curve.points {
            assert_eq!((point.lost.of, point.passed.of), (1, 0), "{point:?}");
        }
    }
}
