//! The call centre with its journal: every input and what it led to is written before anything is done about it,
//! and promises wait for the disk.

use std::collections::VecDeque;
use std::path::Path;

use acd::{Acd, Action, CallRecord, Input, Patch, SCHEMA, Settings, State};
use call::{CallCommand, Refusal};
use serde::{Deserialize, Serialize};
use tdm::Instant;

use crate::journal::{Journal, JournalError, Records, Syncer, read_back};

/// What the shell must know beside the state: up to where it has heard the call server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The number of the last event worked in.
    pub seq: u64,
    /// Events were lost, and no snapshot has made up for them yet.
    pub needs_snapshot: bool,
    /// Our time minus the call server's, in µs, for its present life.
    pub shift_us: i64,
}

/// A record of the journal.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Snapshot { heard: Heard, state: Box<State> },
    Step { heard: Heard, actions: Vec<Action>, patch: Box<Patch> },
}

/// The same to be written, without copying.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum EntryRef<'a> {
    Snapshot { version: &'a str, schema: u32, heard: Heard, state: &'a State },
    Step { now_us: u64, heard: Heard, input: &'a Input, actions: &'a [Action], patch: &'a Patch },
}

/// What may be done now.
#[derive(Debug, PartialEq)]
pub enum Due {
    /// Send a command.
    Command(u64, CallCommand),
    /// Answer a request.
    Reply(u64, Result<serde_json::Value, Refusal>),
    /// Tell the listeners.
    Publish(acd::AcdEvent),
    /// Keep a record.
    Record(CallRecord),
}

/// The call centre, its journal, and what waits for the disk.
pub struct Keeper {
    acd: Acd,
    journal: Journal,
    heard: Heard,
    held: VecDeque<(u64, Due)>,
    synced: u64,
}

/// What was found on the disk.
pub struct Recovered {
    /// Records that may not have reached the database.
    pub records: Vec<CallRecord>,
    /// Steps made again from what was decided.
    pub steps: u64,
}

impl Keeper {
    /// Goes on from what `folder` holds, or begins anew. Damage is logged with its place; what stands before it
    /// counts.
    ///
    /// # Errors
    /// The folder cannot be used, or the settings do not hang together.
    pub fn open(folder: &Path, settings: Settings, seed: u64) -> anyhow::Result<(Self, Recovered)> {
        let back = read_back(folder, SCHEMA)?;
        for (path, damage) in &back.damages {
            tracing::warn!(path = %path.display(), %damage, "the journal is damaged; read up to there");
        }
        let problems = |problems: Vec<acd::Problem>| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("[acd] {}", lines.join("; "))
        };
        let mut found = Recovered { records: Vec::new(), steps: 0 };
        // What was decided just before the newest snapshot may not have reached the database either.
        let before = back.before.as_deref().unwrap_or_default();
        for payload in Records::of(before, SCHEMA) {
            if let Ok(Entry::Step { actions, .. }) = serde_json::from_slice::<Entry>(payload) {
                found.records.extend(actions.into_iter().filter_map(record_of));
            }
        }
        let mut acd: Option<Acd> = None;
        let mut heard = Heard::default();
        for (path, octets) in &back.files {
            for payload in Records::of(octets, SCHEMA) {
                match serde_json::from_slice::<Entry>(payload) {
                    Ok(Entry::Snapshot { heard: to, state }) => {
                        heard = to;
                        acd = Some(Acd::restore(settings.clone(), *state).map_err(problems)?);
                    }
                    Ok(Entry::Step { heard: to, actions, patch }) => {
                        heard = to;
                        found.steps += 1;
                        if let Some(acd) = &mut acd {
                            acd.apply(*patch);
                        }
                        found.records.extend(actions.into_iter().filter_map(record_of));
                    }
                    Err(error) => {
                        tracing::error!(path = %path.display(), %error, "a record of the journal is not ours");
                        break;
                    }
                }
            }
        }
        let acd = match acd {
            Some(mut acd) => {
                acd.recovered();
                acd
            }
            None => Acd::new(settings, seed).map_err(problems)?,
        };
        let journal = Journal::begin(folder, SCHEMA, &snapshot_of(&acd, heard))?;
        Ok((Self { acd, journal, heard, held: VecDeque::new(), synced: 0 }, found))
    }

    /// The call centre, to look at.
    pub const fn acd(&self) -> &Acd {
        &self.acd
    }
    /// Up to where the call server was heard.
    pub const fn heard(&self) -> Heard {
        self.heard
    }

    /// One input: decided, written, and what may be done at once given back. `heard` is what holds after it.
    ///
    /// # Errors
    /// The journal takes no more: nothing of this step may be done.
    pub fn step(
        &mut self,
        now: Instant,
        heard: Heard,
        input: Input,
    ) -> Result<Vec<Due>, JournalError> {
        let actions = self.acd.step(now, input.clone());
        let patch = self.acd.take_patch();
        self.heard = heard;
        let entry = EntryRef::Step {
            now_us: self.acd.now().as_micros(),
            heard,
            input: &input,
            actions: &actions,
            patch: &patch,
        };
        let payload = serde_json::to_vec(&entry).unwrap_or_default();
        let position = self.journal.append(&payload)?;
        let mut due = Vec::new();
        for action in actions {
            let (promise, what) = match action {
                Action::Command { tag, command, promise } => (promise, Due::Command(tag, command)),
                Action::Reply { request, answer } => (answer.is_ok(), Due::Reply(request, answer)),
                Action::Publish(event) => (false, Due::Publish(event)),
                Action::Record(record) => (false, Due::Record(record)),
                Action::WakeAt(_) => continue,
            };
            if promise {
                self.held.push_back((position, what));
            } else {
                due.push(what);
            }
        }
        Ok(due)
    }

    /// Records appended and not known to be on the disk.
    pub const fn unsynced(&self) -> u64 {
        self.journal.appended() - self.synced
    }
    /// Records appended since the beginning.
    pub const fn appended(&self) -> u64 {
        self.journal.appended()
    }
    /// Whether a promise waits for the disk.
    pub fn promises_wait(&self) -> bool {
        !self.held.is_empty()
    }
    /// What to sync, and up to where everything is on the disk when it has succeeded.
    pub fn begin_sync(&self) -> (Syncer, u64) {
        (self.journal.syncer(), self.journal.appended())
    }
    /// Everything up to `position` is on the disk: promises may be made.
    pub fn synced(&mut self, position: u64) -> Vec<Due> {
        self.synced = self.synced.max(position);
        let mut due = Vec::new();
        while self.held.front().is_some_and(|(at, _)| *at <= self.synced)
            && let Some((_, what)) = self.held.pop_front()
        {
            due.push(what);
        }
        due
    }

    /// Writes a snapshot and turns to a new file; everything before is on the disk then.
    ///
    /// # Errors
    /// The folder takes no more.
    pub fn snapshot(&mut self) -> Result<Vec<Due>, JournalError> {
        self.journal.turn(&snapshot_of(&self.acd, self.heard))?;
        let appended = self.journal.appended();
        Ok(self.synced(appended))
    }
}

fn record_of(action: Action) -> Option<CallRecord> {
    match action {
        Action::Record(record) => Some(record),
        _ => None,
    }
}

fn snapshot_of(acd: &Acd, heard: Heard) -> Vec<u8> {
    let entry = EntryRef::Snapshot {
        version: env!("CARGO_PKG_VERSION"),
        schema: SCHEMA,
        heard,
        state: acd.state(),
    };
    serde_json::to_vec(&entry).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use acd::ApiRequest;

    fn settings() -> Settings {
        let agent = acd::AgentSettings {
            name: "a01".into(),
            extension: "8001".into(),
            kind: acd::AgentKind::Nailed,
            queues: Vec::new(),
            skills: Default::default(),
            campaigns: Vec::new(),
            at_start: false,
        };
        Settings { agents: vec![agent], ..Settings::default() }
    }

    fn sign_in(request: u64) -> Input {
        Input::Api { request, ask: ApiRequest::SignIn { agent: "a01".into() } }
    }

    #[test]
    fn a_success_waits_for_the_disk_and_a_refusal_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut keeper, _) = Keeper::open(folder.path(), settings(), 1).unwrap();
        let now = Instant::millis(1);
        let due = keeper.step(now, Heard::default(), sign_in(1)).unwrap();
        assert!(!due.iter().any(|d| matches!(d, Due::Reply(..))));
        assert!(keeper.promises_wait());
        let due = keeper.step(now, Heard::default(), sign_in(2)).unwrap();
        assert!(due.iter().any(|d| matches!(d, Due::Reply(2, Err(_)))));
        let (syncer, position) = keeper.begin_sync();
        syncer.sync().unwrap();
        assert_eq!(keeper.synced(position), [Due::Reply(1, Ok(serde_json::json!({})))]);
        assert_eq!(keeper.unsynced(), 0);
    }

    /// A nailed agent is up and a list is started: his call goes out only when the journal is on the disk, so that
    /// no successor dials the same contact again.
    #[test]
    fn a_call_of_a_list_is_not_dialled_before_the_journal_is_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings();
        settings.agents[0].at_start = true;
        settings.agents[0].campaigns = vec!["autumn".into()];
        settings.campaigns = vec![acd::CampaignSettings {
            name: "autumn".into(),
            group: "public".into(),
            caller: None,
            no_answer_millis: 12_000,
            judge_millis: 3000,
            machine_from_percent: None,
            message: None,
            message_wait_millis: 30_000,
            safe_harbour: "safe_harbour".into(),
            wrap_up_millis: None,
            record: false,
            record_unknown: false,
            keep_decisions: None,
            in_flight_max: 0,
        }];
        let (mut keeper, _) = Keeper::open(folder.path(), settings, 1).unwrap();
        let mut step = |input| keeper.step(Instant::millis(1), Heard::default(), input).unwrap();
        let due = step(Input::MediaSnapshot(1, Vec::new()));
        let dialled = due.iter().find_map(|due| match due {
            Due::Command(tag, CallCommand::Dial(_)) => Some(*tag),
            _ => None,
        });
        let tag = dialled.expect("the agent's telephone is called at once");
        let leg = call::LegId::new(1, 1);
        let accepted = call::Accepted { leg: Some(leg), ..Default::default() };
        step(Input::Answered { tag, answer: Ok(accepted) });
        step(Input::Media(call::CallEvent::Answered { leg }));
        let (campaign, csv) = ("autumn".to_owned(), "0100\n".to_owned());
        let load = ApiRequest::ListLoad { campaign: campaign.clone(), csv, good_rows_only: false };
        step(Input::Api { request: 1, ask: load });
        let (_, loaded) = keeper.begin_sync();
        keeper.synced(loaded);
        let start = Input::Api { request: 2, ask: ApiRequest::CampaignStart { campaign } };
        let due = keeper.step(Instant::millis(2), Heard::default(), start).unwrap();
        assert!(!due.iter().any(|d| matches!(d, Due::Command(..))), "{due:?}");
        assert!(keeper.synced(loaded).is_empty(), "an older position is not this one");
        let (syncer, position) = keeper.begin_sync();
        syncer.sync().unwrap();
        let due = keeper.synced(position);
        let of_list = |d: &Due| matches!(d, Due::Command(_, CallCommand::Dial(dial)) if dial.on_person.is_some());
        assert_eq!(due.iter().filter(|d| of_list(d)).count(), 1, "{due:?}");
    }

    #[test]
    fn a_killed_call_centre_goes_on_from_its_journal() {
        let folder = tempfile::tempdir().unwrap();
        let (mut keeper, _) = Keeper::open(folder.path(), settings(), 1).unwrap();
        let heard = Heard { seq: 77, needs_snapshot: true, shift_us: -5 };
        keeper.step(Instant::millis(1), Heard::default(), sign_in(1)).unwrap();
        keeper.snapshot().unwrap();
        keeper.step(Instant::millis(2), heard, Input::MediaSnapshot(3, Vec::new())).unwrap();
        let key = keeper.acd().key(9);
        let state = keeper.acd().state().clone();
        // Nothing is closed: the process is gone.
        std::mem::forget(keeper);
        let (again, found) = Keeper::open(folder.path(), settings(), 2).unwrap();
        assert!(again.acd().state() == &state);
        assert_eq!((again.heard(), found.steps), (heard, 1));
        assert_eq!(again.acd().key(9), key, "commands keep their keys");
    }
}
