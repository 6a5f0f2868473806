//! Many deadlines, one clock: set, moved and cancelled by name.

use std::collections::{BTreeMap, BTreeSet};

use tdm::Instant;

/// Deadlines by name. Each name has one deadline at most.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_name: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Timers<K> {
    pub(crate) const fn new() -> Self {
        Self { by_name: BTreeMap::new(), by_time: BTreeSet::new() }
    }
    /// Sets the deadline of `name`, instead of the one it had.
    pub(crate) fn set(&mut self, name: K, at: Instant) {
        self.cancel(name);
        self.by_name.insert(name, at);
        self.by_time.insert((at, name));
    }
    /// Brings the deadline of `name` forward to `at`; one that is earlier, or none, stays as it is.
    pub(crate) fn shorten(&mut self, name: K, at: Instant) {
        if self.by_name.get(&name).is_some_and(|&set| set > at) {
            self.set(name, at);
        }
    }
    /// Forgets the deadline of `name`, if it has one.
    pub(crate) fn cancel(&mut self, name: K) {
        if let Some(at) = self.by_name.remove(&name) {
            self.by_time.remove(&(at, name));
        }
    }
    /// The next deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|&(at, _)| at)
    }
    /// Takes out the earliest deadline that is not after `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<K> {
        let &(at, name) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.cancel(name);
        Some(name)
    }
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_time.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_deadline_fires_once_at_its_new_time_and_a_cancelled_one_never() {
        let mut timers = Timers::new();
        timers.set('a', Instant::millis(5));
        timers.set('b', Instant::millis(3));
        timers.set('a', Instant::millis(1));
        timers.cancel('b');
        assert_eq!(timers.next(), Some(Instant::millis(1)));
        assert_eq!(timers.due(Instant::millis(0)), None);
        assert_eq!(timers.due(Instant::millis(9)), Some('a'));
        assert_eq!((timers.due(Instant::millis(9)), timers.len()), (None, 0));
    }

    #[test]
    fn a_shortened_deadline_is_never_later_and_none_begins() {
        let mut timers = Timers::new();
        timers.set('a', Instant::millis(5));
        timers.shorten('a', Instant::millis(7));
        timers.shorten('b', Instant::millis(1));
        assert_eq!(timers.next(), Some(Instant::millis(5)));
        timers.shorten('a', Instant::millis(4));
        assert_eq!((timers.next(), timers.len()), (Some(Instant::millis(4)), 1));
    }
}
