//! The gate a board thread waits at in lockstep: its millisecond is acknowledged when everybody is through.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How many milliseconds of each board were worked through by tick, signalling and call server.
#[derive(Debug, Default)]
pub struct Gate {
    through: Mutex<Vec<u64>>,
    changed: Condvar,
}

impl Gate {
    /// For so many boards.
    pub fn new(boards: usize) -> Self {
        Self { through: Mutex::new(vec![0; boards]), changed: Condvar::new() }
    }
    /// Everything up to here is done, by board.
    pub fn open(&self, through: impl Iterator<Item = u64>) {
        let mut known = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, now) in known.iter_mut().zip(through) {
            *place = now;
        }
        drop(known);
        self.changed.notify_all();
    }
    /// Waits until `millis` of `board` are done, or for `patience`. Whether they are.
    pub fn wait(&self, board: usize, millis: u64, patience: Duration) -> bool {
        let known = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |k: &mut Vec<u64>| k.get(board).is_some_and(|&done| done < millis);
        let (known, _) = self
            .changed
            .wait_timeout_while(known, patience, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        known.get(board).is_none_or(|&done| done >= millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_waits_for_its_own_millisecond_only() {
        let gate = Gate::new(2);
        gate.open([5, 0].into_iter());
        assert!(gate.wait(0, 5, Duration::ZERO));
        assert!(!gate.wait(1, 1, Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| gate.open([5, 1].into_iter()));
            assert!(gate.wait(1, 1, Duration::from_secs(10)));
        });
    }
}
