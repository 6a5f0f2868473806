//! `docs/protocol.md` held against the code: every example is read, every method, event and error has one.

use std::collections::BTreeSet;

use acd::{AcdEvent, ApiRequest};
use call::{CallCommand, CallEvent, SnapshotItem};
use protocol::server::{Access, Output, Server, Settings};
use protocol::wire::{Envelope, Hello, Welcome};
use protocol::{Fault, LINE_OCTETS_MAX, calls};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The lines of the grey blocks with their kind: empty for media.sock, `acd`, `emulate`.
fn examples() -> Vec<(String, Value)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut kind, mut found) = (None, Vec::new());
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(fence) if kind.is_none() => {
                kind = Some(fence.trim_start_matches("json").trim().to_owned());
            }
            Some(_) => kind = None,
            None => {
                if let Some(kind) = &kind {
                    assert!(line.len() < LINE_OCTETS_MAX);
                    let value = serde_json::from_str(line);
                    found.push((kind.clone(), value.unwrap_or_else(|e| panic!("{e}: {line}"))));
                }
            }
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

/// The variants an enum knows, out of what it says to one it does not.
fn variants<T: DeserializeOwned>(tag: &str) -> BTreeSet<String> {
    let Err(error) = serde_json::from_value::<T>(json!({ tag: "no such thing" })) else {
        panic!("an unknown variant was read")
    };
    let text = error.to_string();
    let names: BTreeSet<String> = text.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(names.len() > 3, "{text}");
    names
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"))
}

fn of(kind: &str) -> impl Iterator<Item = Value> {
    examples().into_iter().filter(move |(k, _)| k == kind).map(|(_, value)| value)
}

fn is_request(line: &Value) -> bool {
    line.get("id").is_some() && line.get("method").is_some()
}

fn method(line: &Value) -> &str {
    line["method"].as_str().unwrap_or_default()
}

#[test]
fn every_method_of_the_call_server_has_an_example_that_is_read() {
    let mut seen = BTreeSet::new();
    let own = ["hello", "ping", "subscribe", "unsubscribe", "ack", "time"];
    for line in of("").filter(is_request) {
        let mut params: Map<String, Value> =
            line.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
        let key = params.remove("key");
        let name = method(&line);
        if let Some((_, access)) = calls::METHODS.iter().find(|(m, _)| *m == name) {
            assert_eq!(key.is_some(), *access != Access::Read, "{line}");
            if !matches!(name, "status" | "reload") {
                calls::command(name, params).unwrap_or_else(|e| panic!("{e}: {line}"));
            }
        } else {
            assert!(own.contains(&name), "{line}");
            if name == "hello" {
                read::<Hello>(&line["params"]);
            }
        }
        seen.insert(name.to_owned());
    }
    let listed = calls::METHODS.iter().map(|(m, _)| (*m).to_owned());
    let all: BTreeSet<String> = listed.chain(own.map(str::to_owned)).collect();
    assert_eq!(seen, all);
    for name in variants::<CallCommand>("method") {
        assert!(all.contains(&name), "{name} cannot be asked for on the socket");
    }
}

#[test]
fn every_request_of_the_examples_is_taken_by_the_server() {
    let mut server = Server::new(Settings::new("1f", calls::METHODS));
    server.connected(0, 1);
    for _ in 0..1300 {
        server.publish(protocol::server::Stamp::default(), &json!({"event": "x"}), false);
    }
    for line in of("").filter(is_request) {
        server.received(0, 1, format!("{line}\n").as_bytes());
        let mut asked = false;
        loop {
            match server.poll() {
                Output::Wait(_) => break,
                Output::Request(request) => {
                    asked = true;
                    server.answer(0, request.token, Ok(json!({})));
                }
                _ => {}
            }
        }
        let answer = server.line(0, 1).unwrap_or_else(|| panic!("{line}: no answer"));
        assert!(answer.contains("\"result\""), "{line}: {answer}");
        let listed = calls::METHODS.iter().any(|(m, _)| *m == method(&line));
        assert_eq!(asked, listed, "{line}");
        while server.line(0, 1).is_some() {}
    }
}

#[test]
fn every_event_of_the_call_server_has_an_example_that_is_read() {
    let mut seen = BTreeSet::new();
    let mut notices = BTreeSet::new();
    for line in of("").filter(|l| l.get("id").is_none()) {
        notices.insert(method(&line).to_owned());
        match method(&line) {
            "event" | "summary" => {
                let envelope: Envelope = read(&line["params"]);
                let event = calls::event(&envelope).unwrap_or_else(|| panic!("{line}"));
                let written = serde_json::to_value(&event).unwrap_or_default();
                for name in envelope.data.as_object().into_iter().flat_map(Map::keys) {
                    assert!(written["data"].get(name).is_some(), "{name} in {line}");
                }
                seen.insert(envelope.event);
            }
            "snapshot_part" => {
                let items: Vec<SnapshotItem> = read(&line["params"]["items"]);
                assert!(!items.is_empty());
            }
            "gap" | "snapshot_begin" | "snapshot_end" => {}
            other => panic!("{other} is no message of the server"),
        }
    }
    assert_eq!(seen, variants::<CallEvent>("event"));
    assert_eq!(notices.len(), 6);
}

#[test]
fn every_error_has_an_example_and_answers_are_as_the_code_writes_them() {
    let mut codes = BTreeSet::new();
    for line in of("").filter(|l| l.get("method").is_none()) {
        if let Some(error) = line.get("error") {
            let fault: Fault = read(error);
            assert_eq!(serde_json::to_value(&fault).ok().as_ref(), Some(error), "{line}");
            assert_eq!(fault.refusal().is_some(), fault.code > 0);
            codes.insert(fault.code);
        } else if line["result"].get("epoch").is_some() {
            read::<Welcome>(&line["result"]);
        }
    }
    let five = [Fault::PARSE, Fault::INVALID_REQUEST, Fault::METHOD_NOT_FOUND];
    let five = five.into_iter().chain([Fault::INVALID_PARAMS, Fault::INTERNAL]);
    assert_eq!(codes, five.chain(1..=10).collect());
}

#[test]
fn every_method_and_event_of_the_call_centre_has_an_example_that_is_read() {
    let (mut methods, mut events) = (BTreeSet::new(), BTreeSet::new());
    for line in of("acd") {
        if is_request(&line) {
            let mut params = line["params"].as_object().cloned().unwrap_or_default();
            params.remove("key");
            read::<ApiRequest>(&json!({ "method": method(&line), "params": params }));
            methods.insert(method(&line).to_owned());
        } else {
            let Envelope { event, data, .. } = read(&line["params"]);
            read::<AcdEvent>(&json!({ "event": event, "data": data }));
            events.insert(event);
        }
    }
    assert_eq!(methods, variants::<ApiRequest>("method"));
    assert_eq!(events, variants::<AcdEvent>("event"));
}

#[test]
fn every_method_of_the_emulator_has_an_example() {
    let methods: BTreeSet<String> = of("emulate").map(|l| method(&l).to_owned()).collect();
    let listed = trunkline::emulate::METHODS.iter().map(|(m, _)| (*m).to_owned());
    assert_eq!(methods, listed.collect());
}
