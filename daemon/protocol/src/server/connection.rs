//! One connection: what came in unfinished, who is at the other end, what waits to go out.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::wire::Role;

/// Answers that may wait for a client that asks and does not read.
pub(super) const ANSWERS_MAX: usize = 8192;
/// Octets of them.
pub(super) const ANSWER_OCTETS_MAX: usize = 4 << 20;
/// Requests of one connection that may be worked on at once.
pub(super) const REQUESTS_MAX: usize = 4096;

/// Where a subscriber stands.
pub(super) enum Feed {
    /// Not subscribed.
    Off,
    /// Gets event `next`. Up to `replay` it reads the log, which is no fault of a slow reader.
    Live { next: u64, replay: u64 },
    /// Fell behind; everything from `lost_from` on is not sent.
    Behind { lost_from: u64 },
    /// The snapshot was asked for.
    Asked { lost_from: u64 },
    /// Reads the unacknowledged summaries numbered above `after`, then the snapshot.
    Unread { after: u64, seq: u64, then: VecDeque<Arc<str>> },
    /// Reads the snapshot taken after event `seq`.
    Snapshot { lines: VecDeque<Arc<str>>, seq: u64 },
}

pub(super) struct Connection {
    pub input: Vec<u8>,
    pub client: Option<String>,
    pub role: Role,
    pub epoch: u64,
    pub heard_us: u64,
    pub answers: VecDeque<Arc<str>>,
    pub answer_octets: usize,
    pub requests: usize,
    pub feed: Feed,
    /// Nothing more is read; closed once the answers are out.
    pub closing: bool,
    pub close_reported: bool,
}

impl Connection {
    pub fn new(now_us: u64) -> Self {
        Self {
            input: Vec::new(),
            client: None,
            role: Role::Observer,
            epoch: 0,
            heard_us: now_us,
            answers: VecDeque::new(),
            answer_octets: 0,
            requests: 0,
            feed: Feed::Off,
            closing: false,
            close_reported: false,
        }
    }
    /// Queues an answer. A client that never reads its answers is closed.
    pub fn send(&mut self, line: impl Into<Arc<str>>) {
        let line = line.into();
        self.answer_octets += line.len();
        self.answers.push_back(line);
        if self.answers.len() > ANSWERS_MAX || self.answer_octets > ANSWER_OCTETS_MAX {
            self.closing = true;
            self.answers.clear();
        }
    }
}
