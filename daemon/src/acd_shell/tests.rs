//! The shell against a scripted call server on real sockets. Everything is waited for as a condition.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as HostInstant};

use call::{
    Accepted, CallCommand, CallEvent, CallId, LegId, LegNow, LegState, Number, SnapshotItem,
};
use protocol::client::Blocking;
use protocol::server::{Output, Server, Settings as ServerSettings, Stamp};
use protocol::wire::{Hello, Role};
use serde_json::{Value, json};

use super::METHODS;
use crate::allow::Allow;
use crate::door::Door;
use crate::paths::Paths;

/// A call server as far as sockets go: answers every command, keeps what was asked, tells what it is told to tell.
struct Scripted {
    asked: Arc<Mutex<Vec<(String, CallCommand)>>>,
    tell: Arc<Mutex<Vec<CallEvent>>>,
    legs: Arc<Mutex<Vec<LegNow>>>,
    acknowledged: Arc<Mutex<u64>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Scripted {
    fn start(paths: &Paths) -> Self {
        let (asked, tell) = (Arc::default(), Arc::<Mutex<Vec<CallEvent>>>::default());
        let legs = Arc::<Mutex<Vec<LegNow>>>::default();
        let acknowledged = Arc::<Mutex<u64>>::default();
        let stop = Arc::new(AtomicBool::new(false));
        let server = Server::new(ServerSettings::new("1", protocol::calls::METHODS));
        let allow = Allow::parse(std::iter::empty()).unwrap();
        let door = Door::listen(&paths.media_socket(), allow, server).unwrap();
        let all = (
            Arc::clone(&asked),
            Arc::clone(&tell),
            Arc::clone(&legs),
            Arc::clone(&acknowledged),
            Arc::clone(&stop),
        );
        let thread = std::thread::spawn(move || Self::serve(door, all));
        Self { asked, tell, legs, acknowledged, stop, thread: Some(thread) }
    }

    #[allow(clippy::type_complexity)]
    fn serve(
        mut door: Door,
        (asked, tell, legs, acknowledged, stop): (
            Arc<Mutex<Vec<(String, CallCommand)>>>,
            Arc<Mutex<Vec<CallEvent>>>,
            Arc<Mutex<Vec<LegNow>>>,
            Arc<Mutex<u64>>,
            Arc<AtomicBool>,
        ),
    ) {
        let begun = HostInstant::now();
        let now = move || u64::try_from(begun.elapsed().as_micros()).unwrap();
        let mut next = 1;
        while !stop.load(Ordering::Acquire) {
            door.wait(now, Some(Duration::from_millis(2))).unwrap();
            for event in tell.lock().unwrap().drain(..) {
                let keep = matches!(event, CallEvent::Ended(_));
                // A leg that has ended is in no snapshot any more, whoever asks for one when.
                if let CallEvent::Ended(summary) = &event {
                    legs.lock().unwrap().retain(|leg| leg.leg != summary.leg);
                }
                door.server.publish(Stamp { at_us: now(), sample: None }, &event, keep);
            }
            loop {
                match door.server.poll() {
                    Output::Request(request) => {
                        let command =
                            protocol::calls::command(&request.method, request.params).unwrap();
                        let mut accepted = Accepted::default();
                        if let CallCommand::Dial(_) = command {
                            next += 1;
                            accepted.leg = Some(LegId::new(1, 1000 + next));
                            accepted.call = Some(CallId::new(1, 1000 + next));
                        }
                        asked.lock().unwrap().push((request.key.unwrap(), command));
                        let answer = Ok(serde_json::to_value(accepted).unwrap());
                        door.server.answer(now(), request.token, answer);
                    }
                    Output::Snapshot { connection } => {
                        let items: Vec<SnapshotItem> =
                            legs.lock().unwrap().iter().cloned().map(SnapshotItem::Leg).collect();
                        door.server.snapshot(connection, &items).unwrap();
                    }
                    Output::Acknowledged { seq } => *acknowledged.lock().unwrap() = seq,
                    Output::Close { connection, .. } => door.close(connection),
                    Output::Controller { .. } | Output::TimeTaken { .. } => {}
                    Output::Wait(_) => break,
                }
            }
            door.flush(now());
        }
    }

    fn tell(&self, event: CallEvent) {
        self.tell.lock().unwrap().push(event);
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for a condition, for as long as a slow machine may need.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = HostInstant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "never came: {what}");
        std::thread::yield_now();
    }
}

fn settings() -> acd::Settings {
    let text = r#"
        [[agent]]
        name = "a01"
        extension = "8001"
        kind = "nailed"
        queues = ["sales"]
        campaigns = ["autumn"]
        at_start = true
        [[queue]]
        name = "sales"
        wrap_up_millis = 0
        [[route]]
        flow = "main"
        [[flow]]
        name = "main"
        start = "wait"
        [[flow.node]]
        name = "wait"
        kind = "queue"
        queue = "sales"
        [[campaign]]
        name = "autumn"
        group = "public"
    "#;
    toml::from_str(text).unwrap()
}

/// Runs a shell on its own thread until `stop` is set; a killed one leaves everything as it is.
struct Running {
    stop: Arc<tokio::sync::Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(paths: &Paths) -> Self {
        let stop = Arc::new(tokio::sync::Notify::new());
        let (paths, stopped) = (paths.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let shell = super::Shell::open(settings(), &paths).unwrap();
                tokio::select! {
                    ended = shell.serve(&paths) => ended.unwrap(),
                    () = stopped.notified() => {}
                }
            });
        });
        Self { stop, thread: Some(thread) }
    }

    /// As `kill -9` leaves it: nothing more is written or said.
    fn kill(mut self) {
        self.stop.notify_one();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn client(paths: &Paths) -> Blocking {
    let hello = Hello { protocol: 1, client: "test".into(), role: Role::Observer, takeover: false };
    until("acd.sock", || Blocking::connect(&paths.acd_socket(), &hello).ok()).0
}

fn ask(client: &mut Blocking, method: &str, params: Value) -> Result<Value, String> {
    client.call(method, params).map_err(|error| error.to_string())
}

fn dials(media: &Scripted) -> Vec<(String, String)> {
    let asked = media.asked.lock().unwrap();
    asked
        .iter()
        .filter_map(|(key, command)| match command {
            CallCommand::Dial(dial) => Some((key.clone(), dial.called.digits.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn a_killed_shell_is_followed_by_one_that_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let media = Scripted::start(&paths);
    let first = Running::start(&paths);
    let telephone = until("the telephone is dialled", || {
        dials(&media).first().map(|(_, number)| {
            assert_eq!(number, "8001");
            LegId::new(1, 1002)
        })
    });
    media.tell(CallEvent::Answered { leg: telephone });
    let mut asks = client(&paths);
    let ready = |asks: &mut Blocking| {
        let agents = ask(asks, "agents", json!({})).unwrap();
        (agents["agents"][0]["state"] == "ready").then_some(())
    };
    until("the agent is ready", || ready(&mut asks));
    let refused =
        ask(&mut asks, "list_load", json!({"campaign": "autumn", "csv": "1\n2x\n", "key": "k1"}));
    assert!(refused.unwrap_err().contains("line 2"));
    let loaded =
        ask(&mut asks, "list_load", json!({"campaign": "autumn", "csv": "1\n2\n", "key": "k2"}));
    assert_eq!(loaded.unwrap()["rows"], 2);
    ask(&mut asks, "campaign_start", json!({"campaign": "autumn", "key": "k3"})).unwrap();
    until("the contact is dialled", || (dials(&media).len() == 2).then_some(()));
    first.kill();

    // What the call server has while nobody is there.
    let leg = |leg: LegId, group: &str, called: &str, state| LegNow {
        leg,
        call: CallId::new(1, leg.number),
        direction: call::Direction::Outbound,
        group: group.into(),
        channel: Some((1, 1)),
        state,
        peer: None,
        called: Number::unknown(called),
        calling: None,
        started_us: 0,
        answered_us: None,
    };
    *media.legs.lock().unwrap() = vec![
        leg(telephone, "pbx", "8001", LegState::Answered),
        leg(LegId::new(1, 1003), "public", "1", LegState::Dialling),
    ];
    let second = Running::start(&paths);
    let mut asks = client(&paths);
    until("the successor is connected and goes on with the call", || {
        let campaigns = ask(&mut asks, "campaigns", json!({})).unwrap();
        (campaigns["campaigns"][0]["in_flight"] == 1).then_some(())
    });
    let summary: call::Summary = serde_json::from_value(json!({
        "leg": "l1.1003", "call": "c1.1003", "direction": "outbound", "group": "public",
        "channel": [1, 1], "called": {"digits": "1"}, "calling": null, "started_us": 0,
        "alerted_us": null, "answered_us": null, "ended_us": 5, "disposition": "not_answered",
        "outcome": "busy", "reason": "cause 17", "cause": 17, "location": "user",
        "cleared_by_us": false,
    }))
    .unwrap();
    media.tell(CallEvent::Ended(summary));
    until("the next contact is dialled", || (dials(&media).len() == 3).then_some(()));
    let keys: BTreeMap<String, String> = dials(&media).into_iter().collect();
    assert_eq!(keys.len(), 3, "every dial has a key of its own: {keys:?}");
    let report = ask(&mut asks, "report", json!({})).unwrap();
    assert_eq!(report["outbound"]["busy"], 1, "{report}");
    assert_eq!(report["unaccounted"], 0, "{report}");
    until("the summary is acknowledged", || {
        (*media.acknowledged.lock().unwrap() > 0).then_some(())
    });
    second.kill();
    let mut csv = Vec::new();
    let path = paths.state_dir().join("records.db");
    let count = crate::records::export(&path, i64::MIN, i64::MAX, &mut csv).unwrap();
    assert_eq!(count, 1);
    assert!(String::from_utf8(csv).unwrap().contains(",busy,cause 17,17,user,no"));
}

/// The agent's call ends and the next caller hangs up while nobody is there. A successor that commanded what the first
/// of the two means, before it has worked in the second, would give the agent a caller who is gone.
#[test]
fn a_successor_says_nothing_before_it_knows_all_that_happened() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let media = Scripted::start(&paths);
    let first = Running::start(&paths);
    let asked = |fits: &dyn Fn(&CallCommand) -> bool| {
        media.asked.lock().unwrap().iter().any(|(_, command)| fits(command)).then_some(())
    };
    until("the telephone is dialled", || (!dials(&media).is_empty()).then_some(()));
    let telephone = LegId::new(1, 1002);
    media.tell(CallEvent::Answered { leg: telephone });
    let mut asks = client(&paths);
    let is = |asks: &mut Blocking, state: &str| {
        let agents = ask(asks, "agents", json!({})).unwrap();
        (agents["agents"][0]["state"] == state).then_some(())
    };
    until("the agent is ready", || is(&mut asks, "ready"));
    let [talks, waits] = [50, 60].map(|number| LegId::new(1, number));
    let come = |leg: LegId| {
        media.tell(CallEvent::Incoming {
            leg,
            call: CallId::new(1, leg.number),
            group: "public".into(),
            channel: (1, 1),
            called: Number::unknown("100"),
            calling: None,
            name: None,
            diverted: None,
        });
        until("the caller is answered", || {
            asked(&|command| *command == CallCommand::Answer { leg })
        });
        media.tell(CallEvent::Answered { leg });
    };
    come(talks);
    let bridged = |caller| move |command: &CallCommand| matches!(command, CallCommand::Bridge { a, .. } if *a == caller);
    until("the caller gets the agent", || asked(&bridged(talks)));
    media.tell(CallEvent::Bridged { a: talks, b: telephone });
    until("they talk", || is(&mut asks, "talking"));
    come(waits);
    until("the next one hears something", || {
        asked(&|command| matches!(command, CallCommand::Play { leg, .. } if *leg == waits))
    });
    first.kill();
    for leg in [talks, waits] {
        let summary: call::Summary = serde_json::from_value(json!({
            "leg": leg, "call": CallId::new(1, leg.number), "direction": "inbound",
            "group": "public", "channel": [1, 1], "called": {"digits": "100"}, "calling": null,
            "started_us": 0, "alerted_us": null, "answered_us": 1, "ended_us": 5,
            "disposition": "answered", "outcome": null, "reason": "the far end cleared",
            "cause": 16, "location": "user", "cleared_by_us": false,
        }))
        .unwrap();
        media.tell(CallEvent::Ended(summary));
    }
    until("both ends are told", || media.tell.lock().unwrap().is_empty().then_some(()));
    let second = Running::start(&paths);
    let mut asks = client(&paths);
    until("both are gone, and the agent is ready", || {
        let report = ask(&mut asks, "report", json!({})).unwrap();
        let gone = report["inbound"]["offered"] == 2 && report["inbound"]["here"] == 0;
        gone.then(|| is(&mut asks, "ready")).flatten()
    });
    assert_eq!(asked(&bridged(waits)), None, "nobody is there to be bridged");
    second.kill();
}

/// Two that write one journal would lose what either promised: the second does not even look at it.
#[test]
fn a_second_call_centre_on_the_same_root_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let first = Running::start(&paths);
    let mut asks = client(&paths);
    let load = json!({"campaign": "autumn", "csv": "1\n2\n", "key": "k1"});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let second = runtime.block_on(async { super::Shell::open(settings(), &paths).err() });
    let told = second.expect("refused").to_string();
    assert!(told.contains("another `trunkline acd` works here"), "{told}");
    assert_eq!(ask(&mut asks, "list_load", load).unwrap()["rows"], 2);
    first.kill();
    let successor = Running::start(&paths);
    let campaigns = ask(&mut client(&paths), "campaigns", json!({})).unwrap();
    assert_eq!(campaigns["campaigns"][0]["contacts"], 2, "{campaigns}");
    successor.kill();
}

#[test]
fn without_a_call_server_the_socket_still_answers_and_paths_are_no_names() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let shell = Running::start(&paths);
    let mut asks = client(&paths);
    let report = ask(&mut asks, "report", json!({})).unwrap();
    assert_eq!(report["inbound"]["offered"], 0);
    for (n, file) in ["../../etc/passwd", "/etc/passwd", ".hidden", ""].iter().enumerate() {
        let params = json!({"campaign": "autumn", "file": file, "key": format!("f{n}")});
        assert!(ask(&mut asks, "list_load", params).unwrap_err().contains("`file` is a name"));
    }
    assert!(ask(&mut asks, "dance", json!({})).is_err());
    assert!(ask(&mut asks, "ready", json!({"agent": "a01", "extra": 1, "key": "x"})).is_err());
    shell.kill();
}

#[test]
fn every_request_of_the_call_centre_is_a_method_of_its_socket() {
    let named = |method: &str| {
        let with = |params: Value| {
            serde_json::from_value::<acd::ApiRequest>(json!({"method": method, "params": params}))
        };
        with(json!({})).is_ok()
            || with(json!({"agent": "a"})).is_ok()
            || with(json!({"agent": "a", "reason": "tea"})).is_ok()
            || with(json!({"agent": "a", "was": "machine"})).is_ok()
            || with(json!({"campaign": "c"})).is_ok()
            || with(json!({"campaign": "c", "csv": ""})).is_ok()
    };
    for (method, _) in METHODS {
        assert!(named(method), "{method}");
    }
}
