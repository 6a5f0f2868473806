//! The server in virtual time: no socket, no clock. The promised numbers stand here as numbers: a test that
//! took them from the code could not hold them.

use serde_json::{Value, json};

use super::*;

const MILLIS: u64 = 1000;
const METHODS: &[(&str, Access)] =
    &[("dial", Access::Control), ("block", Access::Maintain), ("status", Access::Read)];

/// A server, its time, and clients that read all they are sent unless told not to.
struct Bench {
    server: Server,
    now_us: u64,
    requests: Vec<Request>,
    told: Vec<Output>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Settings::new("a1", METHODS))
    }
    fn with(settings: Settings) -> Self {
        Self { server: Server::new(settings), now_us: 0, requests: vec![], told: vec![] }
    }
    fn drain(&mut self) {
        loop {
            match self.server.poll() {
                Output::Wait(_) => break,
                Output::Request(request) => self.requests.push(request),
                other => self.told.push(other),
            }
        }
    }
    fn say(&mut self, connection: u64, line: &str) {
        self.server.received(self.now_us, connection, line.as_bytes());
        self.server.received(self.now_us, connection, b"\n");
        self.drain();
    }
    fn ask(&mut self, connection: u64, method: &str, params: Value) {
        let line = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.say(connection, &line.to_string());
    }
    fn read(&mut self, connection: u64) -> Vec<Value> {
        let mut lines = vec![];
        while let Some(line) = self.server.line(self.now_us, connection) {
            assert!(line.len() <= 65_536 && line.ends_with('\n'));
            lines.push(serde_json::from_str(&line).unwrap());
            self.drain();
        }
        self.drain();
        lines
    }
    fn answer(&mut self, connection: u64, method: &str, params: Value) -> Value {
        self.ask(connection, method, params);
        self.read(connection).pop().unwrap_or(Value::Null)
    }
    fn hello(&mut self, connection: u64, client: &str, role: &str, takeover: bool) -> Value {
        self.server.connected(self.now_us, connection);
        let params = json!({
            "protocol": 1, "client": client, "role": role, "takeover": takeover,
        });
        self.answer(connection, "hello", params)
    }
    fn publish(&mut self, name: &str, keep: bool) -> u64 {
        let event = json!({"event": name, "data": {"n": self.server.seq() + 1}});
        self.server.publish(Stamp { at_us: self.now_us, sample: None }, &event, keep)
    }
    /// The numbers of the events that wait for a reader, without reading what is in them.
    fn read_seqs(&mut self, connection: u64) -> Vec<u64> {
        let mut seqs = vec![];
        while let Some(line) = self.server.line(self.now_us, connection) {
            let digits = line.split_once("\"seq\":").map_or("", |(_, rest)| rest);
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
            seqs.push(digits[..end].parse().unwrap());
        }
        self.drain();
        seqs
    }
    fn asked_for_snapshot(&mut self, connection: u64) -> bool {
        let wanted = Output::Snapshot { connection };
        let found = self.told.contains(&wanted);
        self.told.retain(|o| *o != wanted);
        found
    }
}

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or(0)
}

fn methods(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|l| l["method"].as_str()).collect()
}

#[test]
fn hello_comes_first_and_says_who_is_here() {
    let mut bench = Bench::new();
    bench.server.connected(0, 1);
    assert_eq!(code(&bench.answer(1, "status", json!({}))), 2);
    bench.now_us = 5;
    let welcome = bench.hello(1, "me", "observer", false);
    assert_eq!(welcome["result"]["instance"], "a1");
    assert_eq!(welcome["result"]["now"], 5);
    assert_eq!(welcome["result"]["seq"], 0);
    let wrong = bench.answer(1, "hello", json!({"protocol": 2, "client": "me"}));
    assert_eq!((code(&wrong), &wrong["error"]["data"]["limit"]), (8, &json!(1)));
}

#[test]
fn a_takeover_raises_the_epoch_and_the_older_controller_is_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.hello(1, "first", "controller", false)["result"]["epoch"], 1);
    let refused = bench.hello(2, "second", "controller", false);
    assert_eq!(code(&refused), 5);
    assert_eq!(refused["error"]["data"]["what"], "hello");
    assert_eq!(bench.hello(2, "second", "controller", true)["result"]["epoch"], 2);

    assert_eq!(code(&bench.answer(1, "dial", json!({"key": "k"}))), 5);
    assert!(bench.requests.is_empty());
    bench.ask(2, "dial", json!({"key": "k"}));
    assert_eq!(bench.requests.len(), 1);

    // The older one leaves: the newer stays controller.
    bench.told.clear();
    bench.server.closed(bench.now_us, 1);
    bench.drain();
    assert!(bench.told.is_empty(), "{:?}", bench.told);
}

#[test]
fn an_observer_maintains_but_makes_no_calls() {
    let mut bench = Bench::new();
    bench.hello(1, "ctl", "observer", false);
    assert_eq!(code(&bench.answer(1, "dial", json!({"key": "k"}))), 5);
    assert_eq!(code(&bench.answer(1, "ack", json!({"seq": 0}))), 5);
    bench.ask(1, "block", json!({"key": "k", "span": 1}));
    bench.ask(1, "status", json!({}));
    let asked: Vec<_> = bench.requests.iter().map(|r| r.method.as_str()).collect();
    assert_eq!(asked, ["block", "status"]);
}

#[test]
fn a_controller_that_is_silent_for_two_seconds_counts_as_gone_and_may_come_back() {
    let mut bench = Bench::new();
    bench.hello(1, "acd", "controller", false);
    assert_eq!(bench.told, [Output::Controller { present: true, epoch: 1 }]);
    bench.told.clear();
    for _ in 0..10 {
        bench.now_us += 500 * MILLIS;
        bench.ask(1, "ping", json!({}));
    }
    assert!(bench.told.is_empty());
    let heard = bench.now_us;
    let Output::Wait(Some(deadline)) = bench.server.poll() else { panic!("a lease has an end") };
    assert_eq!(deadline, heard + 2_000 * MILLIS);
    bench.server.elapsed(deadline - 1);
    bench.drain();
    assert!(bench.told.is_empty());
    bench.server.elapsed(deadline);
    bench.drain();
    assert_eq!(bench.told, [Output::Controller { present: false, epoch: 1 }]);
    bench.told.clear();
    bench.now_us = deadline + 1;
    bench.ask(1, "ping", json!({}));
    assert_eq!(bench.told, [Output::Controller { present: true, epoch: 1 }]);
    bench.told.clear();
    bench.server.closed(bench.now_us, 1);
    bench.drain();
    assert_eq!(bench.told, [Output::Controller { present: false, epoch: 1 }]);
}

#[test]
fn a_key_gets_its_first_answer_for_ten_minutes_and_nothing_is_done_again() {
    let mut bench = Bench::new();
    bench.hello(1, "acd", "controller", false);
    let dial = json!({"key": "k1", "called": "4711"});
    bench.ask(1, "dial", dial.clone());
    // Asked again while the first is being worked on: both get the one answer.
    bench.ask(1, "dial", dial.clone());
    assert_eq!(bench.requests.len(), 1);
    let request = bench.requests.remove(0);
    assert_eq!(request.params, *json!({"called": "4711"}).as_object().unwrap());
    bench.server.answer(0, request.token, Ok(json!({"operation": "o1"})));
    let answers = bench.read(1);
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|a| a["result"]["operation"] == "o1"));

    bench.now_us = 600_000 * MILLIS - 1;
    assert_eq!(bench.answer(1, "dial", dial.clone())["result"]["operation"], "o1");
    let other = bench.answer(1, "dial", json!({"key": "k1", "called": "4712"}));
    assert_eq!(code(&other), 9);
    assert!(bench.requests.is_empty());

    // The key belongs to the client: a successor with the same name gets it, another client does not.
    bench.hello(2, "acd", "controller", true);
    assert_eq!(bench.answer(2, "dial", dial.clone())["result"]["operation"], "o1");
    bench.hello(3, "other", "controller", true);
    bench.ask(3, "dial", dial.clone());
    assert_eq!(bench.requests.len(), 1);

    bench.requests.clear();
    bench.now_us = 600_000 * MILLIS;
    bench.hello(4, "acd", "controller", true);
    bench.ask(4, "dial", dial);
    assert_eq!(bench.requests.len(), 1, "after ten minutes the key is new");
}

/// Who fell before an answer came learns it without asking for anything, and before every event of what he asked for.
#[test]
fn a_successor_recalls_answers_before_he_hears_events_and_nothing_is_done() {
    let mut bench = Bench::new();
    bench.hello(1, "acd", "controller", false);
    for key in ["done", "refused", "under way"] {
        bench.ask(1, "dial", json!({ "key": key }));
    }
    let tokens: Vec<u64> = bench.requests.drain(..).map(|request| request.token).collect();
    bench.publish("answered", false);
    bench.server.answer(0, tokens[0], Ok(json!({"leg": "l1"})));
    let full = call::Refusal::new(RefusalCode::Busy, "dial", "full");
    bench.server.answer(0, tokens[1], Err(full.into()));
    bench.server.closed(bench.now_us, 1);

    bench.hello(2, "acd", "controller", true);
    for key in ["done", "refused", "under way", "never came"] {
        bench.ask(2, "recall", json!({ "key": key }));
    }
    bench.ask(2, "subscribe", json!({"from": 1}));
    assert!(bench.requests.is_empty(), "nothing is asked for: {:?}", bench.requests);
    let lines = bench.read(2);
    assert_eq!(lines[0]["result"]["leg"], "l1");
    assert_eq!(code(&lines[1]), 3);
    assert_eq!(lines[2].get("result"), Some(&Value::Null), "it never came: {}", lines[2]);
    assert_eq!(methods(&lines), ["event"], "after all answers");
    assert!(lines.last().is_some_and(|last| last["method"] == "event"));
    bench.server.answer(0, tokens[2], Ok(json!({"leg": "l2"})));
    assert_eq!(bench.read(2)[0]["result"]["leg"], "l2");
    // Another client's keys are others.
    bench.hello(3, "other", "observer", false);
    assert_eq!(bench.answer(3, "recall", json!({"key": "done"}))["result"], Value::Null);
    assert_eq!(code(&bench.answer(3, "recall", json!({}))), -32602);
}

/// Only so many may wait for one answer; those who fell while they waited are none of them.
#[test]
fn lives_that_fell_while_they_waited_for_an_answer_keep_nobody_from_it() {
    let mut bench = Bench::new();
    bench.hello(1, "acd", "controller", false);
    bench.ask(1, "dial", json!({"key": "k1"}));
    let token = bench.requests.remove(0).token;
    bench.server.closed(bench.now_us, 1);
    for life in 2..20 {
        bench.hello(life, "acd", "controller", true);
        bench.ask(life, "recall", json!({"key": "k1"}));
        bench.ask(life, "dial", json!({"key": "k1"}));
        assert!(bench.read(life).is_empty(), "neither refused nor made again");
        if life < 19 {
            bench.server.closed(bench.now_us, life);
        }
    }
    assert!(bench.requests.is_empty());
    bench.server.answer(0, token, Ok(json!({"leg": "l1"})));
    let answers = bench.read(19);
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer["result"]["leg"] == "l1"), "{answers:?}");
    // Nine at once are too many.
    bench.ask(19, "dial", json!({"key": "k2"}));
    for _ in 0..8 {
        bench.ask(19, "recall", json!({"key": "k2"}));
    }
    assert!(bench.read(19).is_empty());
    assert_eq!(code(&bench.answer(19, "recall", json!({"key": "k2"}))), 3);
}

#[test]
fn a_change_without_a_key_is_refused_and_a_refusal_carries_its_data() {
    let mut bench = Bench::new();
    bench.hello(1, "acd", "controller", false);
    let answer = bench.answer(1, "dial", json!({}));
    assert_eq!((code(&answer), &answer["error"]["data"]["field"]), (-32602, &json!("key")));
    for key in [String::new(), "k".repeat(65)] {
        assert_eq!(code(&bench.answer(1, "dial", json!({"key": key}))), -32602);
    }
    assert!(bench.requests.is_empty());
    bench.ask(1, "dial", json!({"key": "k".repeat(64)}));
    let token = bench.requests[0].token;
    let mut refusal = call::Refusal::new(RefusalCode::Limit, "dial", "2048 legs are the limit");
    refusal.limit = Some(2048);
    bench.server.answer(0, token, Err(refusal.clone().into()));
    let answer = bench.read(1).pop().unwrap();
    assert_eq!((code(&answer), &answer["error"]["data"]["limit"]), (4, &json!(2048)));
    let fault: Fault = serde_json::from_value(answer["error"].clone()).unwrap();
    assert_eq!(fault.refusal(), Some(refusal));
}

#[test]
fn events_are_numbered_and_a_reader_goes_on_where_it_stopped() {
    let mut bench = Bench::new();
    bench.hello(1, "reader", "observer", false);
    for _ in 0..5 {
        bench.publish("tick", false);
    }
    bench.ask(1, "subscribe", json!({"from": 3}));
    let lines = bench.read(1);
    let seqs: Vec<_> = lines.iter().filter_map(|l| l["params"]["seq"].as_u64()).collect();
    assert_eq!(seqs, [3, 4, 5]);
    bench.publish("tick", false);
    assert_eq!(bench.read(1)[0]["params"]["seq"], 6);
    assert_eq!(code(&bench.answer(1, "subscribe", json!({"from": 8}))), 8);
    bench.ask(1, "unsubscribe", json!({}));
    bench.publish("tick", false);
    assert_eq!(methods(&bench.read(1)), [""; 0]);
}

#[test]
fn outside_the_log_come_gap_summaries_snapshot_then_events() {
    let mut settings = Settings::new("a1", METHODS);
    settings.log_events = 4;
    let mut bench = Bench::with(settings);
    bench.hello(1, "acd", "controller", false);
    for n in 1..=10 {
        bench.publish(if n % 2 == 0 { "ended" } else { "tick" }, n % 2 == 0);
    }
    bench.answer(1, "ack", json!({"seq": 4}));
    assert!(bench.told.contains(&Output::Acknowledged { seq: 4 }));
    bench.ask(1, "subscribe", json!({"from": 2}));
    bench.read(1);
    assert!(bench.asked_for_snapshot(1));
    // What happens until the snapshot is there is in it, and is not sent beside it.
    bench.publish("tick", false);
    assert!(bench.read(1).is_empty());
    bench.server.snapshot(1, &["leg one", "leg two"]).unwrap();
    bench.publish("tick", false);
    let lines = bench.read(1);
    assert_eq!(
        methods(&lines),
        [
            "gap",
            "summary",
            "summary",
            "summary",
            "snapshot_begin",
            "snapshot_part",
            "snapshot_end",
            "event"
        ]
    );
    assert_eq!(lines[0]["params"], json!({"lost_from": 2, "lost_to": 11}));
    let kept: Vec<_> = lines[1..4].iter().map(|l| l["params"]["seq"].as_u64().unwrap()).collect();
    assert_eq!(kept, [6, 8, 10]);
    assert_eq!(lines[4]["params"]["seq"], 11);
    assert_eq!(lines[5]["params"]["items"], json!(["leg one", "leg two"]));
    assert_eq!(lines[7]["params"]["seq"], 12);
}

#[test]
fn a_large_snapshot_comes_in_parts_of_a_line_each() {
    let mut bench = Bench::new();
    bench.hello(1, "acd", "controller", false);
    bench.ask(1, "subscribe", json!({"from": 0}));
    bench.read(1);
    assert!(bench.asked_for_snapshot(1));
    let items: Vec<String> = (0..2000).map(|n| format!("{n:0>500}")).collect();
    bench.server.snapshot(1, &items).unwrap();
    let lines = bench.read(1);
    let parts: Vec<_> = lines.iter().filter(|l| l["method"] == "snapshot_part").collect();
    assert!(parts.len() > 10, "{}", parts.len());
    let got: Vec<_> =
        parts.iter().flat_map(|p| p["params"]["items"].as_array().unwrap().clone()).collect();
    assert_eq!(got, items.iter().map(|i| json!(i)).collect::<Vec<_>>());

    bench.ask(1, "subscribe", json!({"from": 0}));
    bench.read(1);
    let items = ["x".repeat(65_536), "short".to_owned(), "y".repeat(65_000)];
    assert_eq!(bench.server.snapshot(1, &items), Err(vec![0]));
    let lines = bench.read(1);
    let parts = lines.iter().filter(|l| l["method"] == "snapshot_part");
    let got: Vec<_> =
        parts.flat_map(|p| p["params"]["items"].as_array().unwrap().clone()).collect();
    assert_eq!(got, items[1..].iter().map(|i| json!(i)).collect::<Vec<_>>());
}

#[test]
fn a_reader_8192_events_behind_gets_a_gap_and_delays_nobody() {
    let mut bench = Bench::new();
    bench.hello(1, "slow", "observer", false);
    bench.hello(2, "quick", "observer", false);
    bench.ask(1, "subscribe", json!({"from": 1}));
    bench.ask(2, "subscribe", json!({"from": 1}));
    bench.read(1);
    bench.read(2);
    for n in 1..=8191 {
        bench.publish("tick", false);
        assert_eq!(bench.read_seqs(2), [n]);
    }
    // One less than the limit: still served from the log.
    assert_eq!(bench.read_seqs(1), (1..=8191).collect::<Vec<_>>());
    for _ in 0..8192 {
        bench.publish("tick", false);
    }
    assert_eq!(bench.read_seqs(2).len(), 0, "who reads nothing for so long is slow as well");
    assert!(bench.asked_for_snapshot(2));
    assert!(bench.read(1).is_empty());
    assert!(bench.asked_for_snapshot(1));
    bench.server.snapshot::<Value>(1, &[]).unwrap();
    let lines = bench.read(1);
    assert_eq!(methods(&lines), ["gap", "snapshot_begin", "snapshot_end"]);
    assert_eq!(lines[0]["params"], json!({"lost_from": 8192, "lost_to": 16_383}));
    bench.publish("tick", false);
    assert_eq!(methods(&bench.read(1)), ["event"]);
}

#[test]
fn a_reader_four_mebibytes_behind_gets_a_gap_too() {
    let mut bench = Bench::new();
    bench.hello(1, "slow", "observer", false);
    bench.ask(1, "subscribe", json!({"from": 1}));
    // Numbers of three digits from here on, so that all envelopes are of one length.
    for _ in 0..100 {
        bench.publish("tick", false);
    }
    bench.read(1);
    let publish = |bench: &mut Bench, octets: usize| {
        let event = json!({"event": "long", "data": "x".repeat(octets)});
        bench.server.publish(Stamp::default(), &event, false);
    };
    publish(&mut bench, 0);
    let envelope = bench.server.line(0, 1).unwrap().len();
    for (last, gap) in [(65_535, false), (65_536, true)] {
        // 64 lines of 64 KiB are 4 MiB.
        for _ in 0..63 {
            publish(&mut bench, 65_536 - envelope);
        }
        publish(&mut bench, last - envelope);
        let got = bench.read(1).len();
        assert_eq!((got, bench.asked_for_snapshot(1)), (if gap { 0 } else { 64 }, gap), "{last}");
    }
}

#[test]
fn the_last_200000_events_are_kept_for_a_reader_that_comes_back() {
    let mut bench = Bench::new();
    bench.hello(1, "back", "observer", false);
    for _ in 0..=200_000 {
        bench.publish("tick", false);
    }
    bench.ask(1, "subscribe", json!({"from": 2}));
    bench.server.line(0, 1).unwrap();
    let seqs = bench.read_seqs(1);
    assert_eq!((seqs.len(), seqs.first(), seqs.last()), (200_000, Some(&2), Some(&200_001)));
    bench.ask(1, "subscribe", json!({"from": 1}));
    bench.server.line(0, 1).unwrap();
    assert!(bench.read_seqs(1).is_empty());
    assert!(bench.asked_for_snapshot(1), "the first one has fallen out");
}

#[test]
fn a_replay_of_the_log_is_no_slow_reader() {
    let mut bench = Bench::new();
    bench.hello(1, "late", "observer", false);
    for _ in 0..20_000 {
        bench.publish("tick", false);
    }
    bench.ask(1, "subscribe", json!({"from": 1}));
    bench.publish("tick", false);
    let events = bench.read(1).iter().filter(|l| l["method"] == "event").count();
    assert_eq!(events, 20_001);
}

/// A spill that can be looked at after the server has taken it.
#[derive(Clone, Default)]
struct Memory(Arc<std::sync::Mutex<Vec<(u64, String)>>>);

impl Spill for Memory {
    fn append(&mut self, seq: u64, line: &str) -> bool {
        self.0.lock().unwrap().push((seq, line.to_owned()));
        true
    }
    fn after(&mut self, seq: u64) -> Option<(u64, String)> {
        self.0.lock().unwrap().iter().find(|(s, _)| *s > seq).cloned()
    }
    fn forget_through(&mut self, seq: u64) {
        self.0.lock().unwrap().retain(|(s, _)| *s > seq);
    }
}

#[test]
fn a_hundred_thousand_summaries_stay_in_memory_and_the_next_goes_to_the_spill() {
    let spill = Memory::default();
    let mut settings = Settings::new("a1", METHODS);
    settings.spill = Box::new(spill.clone());
    let mut bench = Bench::with(settings);
    for _ in 0..100_000 {
        bench.publish("ended", true);
    }
    assert!(spill.0.lock().unwrap().is_empty());
    bench.publish("ended", true);
    let spilled: Vec<u64> = spill.0.lock().unwrap().iter().map(|(seq, _)| *seq).collect();
    assert_eq!((spilled, bench.server.unacknowledged()), (vec![100_001], 100_000));
}

#[test]
fn summaries_beyond_memory_go_to_the_spill_and_come_back_in_order() {
    let mut settings = Settings::new("a1", METHODS);
    settings.unread_max = 3;
    settings.spill = Box::new(Memory::default());
    let mut bench = Bench::with(settings);
    bench.hello(1, "acd", "controller", false);
    for _ in 0..10 {
        bench.publish("ended", true);
    }
    let read = |bench: &mut Bench| -> Vec<u64> {
        bench.ask(1, "subscribe", json!({"from": 0}));
        bench.read(1);
        bench.server.snapshot::<Value>(1, &[]).unwrap();
        let lines = bench.read(1);
        lines
            .iter()
            .filter(|l| l["method"] == "summary")
            .filter_map(|l| l["params"]["seq"].as_u64())
            .collect()
    };
    assert_eq!(read(&mut bench), (1..=10).collect::<Vec<_>>());
    bench.answer(1, "ack", json!({"seq": 5}));
    // Memory has room again, but what follows the spilled ones must not overtake them.
    bench.publish("ended", true);
    assert_eq!(read(&mut bench), (6..=11).collect::<Vec<_>>());
    bench.answer(1, "ack", json!({"seq": 11}));
    bench.publish("ended", true);
    assert_eq!(read(&mut bench), [12]);
    assert_eq!(bench.server.unacknowledged_lost(), 0);
}

#[test]
fn an_over_long_line_is_answered_and_closed_and_bad_lines_are_only_answered() {
    let mut bench = Bench::new();
    bench.hello(1, "me", "observer", false);
    for (line, wanted) in [
        ("{", -32700),
        ("\u{FFFD}", -32700),
        ("[]", -32600),
        ("7", -32600),
        (r#"{"jsonrpc":"2.0","method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","extra":1}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"dance"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"from":-1}}"#, -32602),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"from":9007199254740992}}"#,
            -32602,
        ),
        // The largest integer there is may be said; no event has this number.
        (r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"from":9007199254740991}}"#, 8),
    ] {
        bench.say(1, line);
        assert_eq!(code(&bench.read(1)[0]), wanted, "{line}");
    }
    assert!(bench.answer(1, "ping", json!({}))["result"]["now"].is_u64());

    // 65,536 octets with the line feed are a line.
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let long = format!("{ping}{}", " ".repeat(65_535 - ping.len()));
    bench.say(1, &long);
    assert!(bench.read(1)[0]["result"]["now"].is_u64());
    bench.told.clear();
    bench.say(1, &format!("{long} "));
    assert_eq!(code(&bench.read(1)[0]), -32600);
    assert_eq!(bench.told, [Output::Close { connection: 1, why: "over-long line" }]);
    bench.say(1, ping);
    assert!(bench.read(1).is_empty(), "a closing connection is not heard any more");
}

#[test]
fn a_client_that_never_reads_its_answers_is_closed() {
    let mut bench = Bench::new();
    bench.hello(1, "deaf", "observer", false);
    bench.told.clear();
    for _ in 0..9000 {
        bench.ask(1, "ping", json!({}));
    }
    let why = "does not read its answers";
    assert_eq!(bench.told, [Output::Close { connection: 1, why }]);
}

#[test]
fn an_answer_too_long_for_a_line_becomes_an_error() {
    let mut bench = Bench::new();
    bench.hello(1, "me", "observer", false);
    for (octets, wanted) in [(65_000, 0), (65_600, 4)] {
        bench.ask(1, "status", json!({}));
        let token = bench.requests.remove(0).token;
        bench.server.answer(0, token, Ok(json!("x".repeat(octets))));
        assert_eq!(code(&bench.read(1)[0]), wanted);
    }
}

#[test]
fn everybody_may_be_a_controller_where_none_is_exclusive() {
    let mut settings = Settings::new("a1", METHODS);
    settings.exclusive = false;
    let mut bench = Bench::with(settings);
    bench.hello(1, "desk", "controller", false);
    bench.hello(2, "wall", "controller", false);
    bench.ask(1, "dial", json!({"key": "a"}));
    bench.ask(2, "dial", json!({"key": "a"}));
    assert_eq!(bench.requests.len(), 2);
    assert!(bench.told.is_empty());
}

#[test]
fn lockstep_reports_which_time_was_taken() {
    let mut settings = Settings::new("a1", METHODS);
    settings.lockstep = true;
    let mut bench = Bench::with(settings);
    assert_eq!(bench.hello(1, "acd", "controller", false)["result"]["lockstep"], true);
    let seq = bench.publish("time", false);
    bench.ask(1, "time", json!({"seq": seq}));
    assert!(bench.told.contains(&Output::TimeTaken { seq }));
    assert_eq!(code(&bench.answer(1, "time", json!({"seq": seq + 1}))), 8);
}

#[test]
fn a_million_arbitrary_and_mutated_lines_leave_the_server_sound() {
    let mut rng = tdm::Rng::from_seed(0x0050_C4E7);
    let mut bench = Bench::new();
    bench.hello(1, "fuzz", "controller", false);
    let seeds: Vec<Vec<u8>> = [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"dial","params":{"key":"k","called":{"digits":"1"}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"subscribe","params":{"from":0}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"hello","params":{"protocol":1,"client":"f","role":"controller"}}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"ack","params":{"seq":1}}"#,
    ]
    .into_iter()
    .map(|s| s.as_bytes().to_vec())
    .collect();
    let mut answered = 0_u64;
    for n in 0..1_000_000_u64 {
        let mut line = if n % 4 == 0 {
            (0..rng.below(40)).map(|_| rng.below(256) as u8).collect()
        } else {
            seeds[rng.below(seeds.len() as u64) as usize].clone()
        };
        for _ in 0..rng.below(4) {
            let at = rng.below(line.len() as u64 + 1) as usize;
            match rng.below(3) {
                0 => line.insert(at, rng.below(256) as u8),
                1 => line.truncate(at),
                _ => {
                    if let Some(octet) = line.get_mut(at) {
                        *octet = rng.below(256) as u8;
                    }
                }
            }
        }
        line.push(b'\n');
        bench.now_us += 1;
        bench.server.received(bench.now_us, 1, &line);
        loop {
            match bench.server.poll() {
                Output::Wait(_) => break,
                Output::Request(r) => bench.server.answer(bench.now_us, r.token, Ok(json!({}))),
                Output::Snapshot { connection } => {
                    bench.server.snapshot::<Value>(connection, &[]).unwrap();
                }
                Output::Close { why, .. } => panic!("closed: {why}"),
                _ => {}
            }
        }
        while let Some(line) = bench.server.line(bench.now_us, 1) {
            answered += u64::from(line.contains("\"id\":"));
        }
        if n % 1000 == 0 {
            bench.publish("ended", true);
        }
    }
    assert!(answered > 900_000, "{answered}");
    bench.hello(1, "fuzz", "controller", true);
    assert!(bench.answer(1, "ping", json!({}))["result"]["now"].is_u64());
}
