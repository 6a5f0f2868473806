//! Which requests were already made: the same key gets the first answer and nothing is done again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

/// How long an answer is remembered.
pub const REMEMBERED_MICROS: u64 = 600 * 1_000_000;

/// So many may wait for the answer to one request.
const WAITING_MAX: usize = 8;

pub(super) type Id = (String, String);

struct Remembered {
    /// Method and parameters in one canonical text.
    request: String,
    /// `None` while the request is still being worked on.
    outcome: Option<Arc<str>>,
    /// Who asked again meanwhile: connection and JSON-RPC id.
    waiting: Vec<(u64, Value)>,
}

/// What is known of a key.
pub(super) enum Seen {
    /// Nothing: go on.
    New,
    /// It was used for something else.
    Reused,
    /// The first answer.
    Answered(Arc<str>),
    /// The first answer is still to come; it will be given to this one too.
    Pending,
    /// Too many keys, or too many repeats, are remembered.
    Full,
}

/// Keys of the last ten minutes.
pub(super) struct Keys {
    known: HashMap<Id, Remembered>,
    by_age: VecDeque<(u64, Id)>,
    octets: usize,
    keys_max: usize,
    octets_max: usize,
}

impl Remembered {
    /// What became of it; if that is not known yet, `asker` is told, too. Who asked before and is not there any more
    /// waits for nothing.
    fn answers(&mut self, asker: (u64, &Value), is_there: impl Fn(u64) -> bool) -> Seen {
        if let Some(outcome) = &self.outcome {
            return Seen::Answered(Arc::clone(outcome));
        }
        self.waiting.retain(|(connection, _)| is_there(*connection));
        if self.waiting.len() >= WAITING_MAX {
            return Seen::Full;
        }
        self.waiting.push((asker.0, asker.1.clone()));
        Seen::Pending
    }
}

impl Keys {
    pub fn new(keys_max: usize, octets_max: usize) -> Self {
        Self { known: HashMap::new(), by_age: VecDeque::new(), octets: 0, keys_max, octets_max }
    }

    /// Looks `id` up and, when it is new, remembers it as being worked on.
    pub fn begin(
        &mut self,
        now_us: u64,
        id: &Id,
        request: String,
        asker: (u64, &Value),
        is_there: impl Fn(u64) -> bool,
    ) -> Seen {
        self.forget(now_us);
        if let Some(known) = self.known.get_mut(id) {
            return if known.request == request {
                known.answers(asker, is_there)
            } else {
                Seen::Reused
            };
        }
        let octets = request.len() + id.0.len() + id.1.len();
        if self.known.len() >= self.keys_max || self.octets + octets > self.octets_max {
            return Seen::Full;
        }
        self.octets += octets;
        self.by_age.push_back((now_us, id.clone()));
        self.known.insert(id.clone(), Remembered { request, outcome: None, waiting: Vec::new() });
        Seen::New
    }

    /// What became of a request, without making it. One that is still being worked on is answered to `asker`, too.
    pub fn recall(
        &mut self,
        now_us: u64,
        id: &Id,
        asker: (u64, &Value),
        is_there: impl Fn(u64) -> bool,
    ) -> Seen {
        self.forget(now_us);
        self.known.get_mut(id).map_or(Seen::New, |known| known.answers(asker, is_there))
    }

    /// Remembers the answer; returns who else waits for it.
    pub fn finish(&mut self, id: &Id, outcome: &Arc<str>) -> Vec<(u64, Value)> {
        let Some(known) = self.known.get_mut(id) else { return Vec::new() };
        self.octets += outcome.len();
        known.outcome = Some(Arc::clone(outcome));
        std::mem::take(&mut known.waiting)
    }

    fn forget(&mut self, now_us: u64) {
        while let Some((at, _)) = self.by_age.front()
            && now_us.saturating_sub(*at) >= REMEMBERED_MICROS
            && let Some((_, id)) = self.by_age.pop_front()
        {
            if let Some(old) = self.known.remove(&id) {
                let outcome = old.outcome.map_or(0, |o| o.len());
                self.octets -= old.request.len() + id.0.len() + id.1.len() + outcome;
            }
        }
    }
}
