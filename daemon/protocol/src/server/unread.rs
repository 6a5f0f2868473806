//! What must not be lost although nobody has read it yet: the summaries of ended calls.

use std::collections::VecDeque;
use std::sync::Arc;

/// Where kept events go when memory has enough of them. A file in operation.
pub trait Spill: Send {
    /// Keeps `line` under `seq`, which only rises. `false` when it could not be kept.
    fn append(&mut self, seq: u64, line: &str) -> bool;
    /// The first kept line with a number above `seq`.
    fn after(&mut self, seq: u64) -> Option<(u64, String)>;
    /// Nothing up to and with `seq` is needed any more.
    fn forget_through(&mut self, seq: u64);
}

/// Spills nowhere: what does not fit is counted as lost.
pub struct NoSpill;

impl Spill for NoSpill {
    fn append(&mut self, _: u64, _: &str) -> bool {
        false
    }
    fn after(&mut self, _: u64) -> Option<(u64, String)> {
        None
    }
    fn forget_through(&mut self, _: u64) {}
}

/// Kept lines: the oldest in memory, what came after them in the spill.
pub(super) struct Unread {
    memory: VecDeque<(u64, Arc<str>)>,
    memory_max: usize,
    spill: Box<dyn Spill>,
    spilled_through: u64,
    pub lost: u64,
}

impl Unread {
    pub fn new(memory_max: usize, spill: Box<dyn Spill>) -> Self {
        Self { memory: VecDeque::new(), memory_max, spill, spilled_through: 0, lost: 0 }
    }
    pub fn keep(&mut self, seq: u64, line: Arc<str>) {
        let spilling = self.spill_from_memory_end().is_some();
        if !spilling && self.memory.len() < self.memory_max {
            self.memory.push_back((seq, line));
        } else if self.spill.append(seq, &line) {
            self.spilled_through = seq;
        } else {
            self.lost += 1;
        }
    }
    fn spill_from_memory_end(&mut self) -> Option<u64> {
        let last = self.memory.back().map_or(0, |(seq, _)| *seq);
        (self.spilled_through > last).then_some(last)
    }
    /// The first kept line with a number above `seq`.
    pub fn after(&mut self, seq: u64) -> Option<(u64, Arc<str>)> {
        let index = self.memory.partition_point(|(s, _)| *s <= seq);
        if let Some((s, line)) = self.memory.get(index) {
            return Some((*s, Arc::clone(line)));
        }
        if self.spilled_through <= seq {
            return None;
        }
        let (s, line) = self.spill.after(seq)?;
        Some((s, Arc::from(line)))
    }
    pub fn acknowledge(&mut self, seq: u64) {
        while self.memory.front().is_some_and(|(s, _)| *s <= seq) {
            self.memory.pop_front();
        }
        if self.spilled_through > 0 {
            self.spill.forget_through(seq);
            if self.spilled_through <= seq {
                self.spilled_through = 0;
            }
        }
    }
    pub fn len(&mut self) -> usize {
        self.memory.len()
    }
}
