//! The last events, so that a reader that comes back can go on where it stopped.

use std::collections::VecDeque;
use std::sync::Arc;

/// Finished lines with their numbers. Old ones fall out at the back.
pub(super) struct Log {
    lines: VecDeque<Entry>,
    limit: usize,
    /// Number of the newest event, 0 before the first.
    newest: u64,
    octets: u64,
}

struct Entry {
    line: Arc<str>,
    /// Octets of all lines up to and with this one since start.
    octets_through: u64,
}

impl Log {
    pub fn new(limit: usize) -> Self {
        Self { lines: VecDeque::new(), limit, newest: 0, octets: 0 }
    }
    pub fn newest(&self) -> u64 {
        self.newest
    }
    /// The oldest number still here; one past the newest when there is none.
    pub fn oldest(&self) -> u64 {
        self.newest + 1 - self.lines.len() as u64
    }
    /// Keeps `line` under the next number.
    pub fn push(&mut self, line: Arc<str>) {
        if self.lines.len() >= self.limit {
            self.lines.pop_front();
        }
        self.newest += 1;
        self.octets += line.len() as u64;
        self.lines.push_back(Entry { line, octets_through: self.octets });
    }
    fn entry(&self, seq: u64) -> Option<&Entry> {
        let index = seq.checked_sub(self.oldest())?;
        self.lines.get(usize::try_from(index).ok()?)
    }
    /// The event `seq`; `None` when it fell out or has not happened.
    pub fn get(&self, seq: u64) -> Option<&Arc<str>> {
        Some(&self.entry(seq)?.line)
    }
    /// Octets of the events after `seq`, as far as they are still here.
    pub fn octets_after(&self, seq: u64) -> u64 {
        if seq >= self.newest {
            return 0;
        }
        self.octets - self.entry(seq).map_or(0, |e| e.octets_through)
    }
}
