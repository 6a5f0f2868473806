//! `docs/protocol.md` held against the code: every example is read, every method, event and error has one.

use std::collections::BTreeSet;

use acd::{AcdEvent, ApiRequest};
use call::{CallCommand, CallEvent, SnapshotItem};
use protocol::server::{Access, Output, Server, Settings};
use protocol::wire::{Envelope, Hello, Welcome};
use protocol::{Fault, LINE_OCTETS_MAX, calls};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use trunkline::media_shell::Loopback;

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
    let own = ["hello", "ping", "subscribe", "unsubscribe", "recall", "ack", "time"];
    for line in of("").filter(is_request) {
        let mut params: Map<String, Value> =
            line.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
        let key = params.remove("key");
        let name = method(&line);
        if let Some((_, access)) = calls::METHODS.iter().find(|(m, _)| *m == name) {
            assert_eq!(key.is_some(), *access != Access::Read, "{line}");
            match name {
                "status" | "reload" => {}
                "loopback" => drop(serde_json::from_value::<Loopback>(params.into()).unwrap()),
                _ => drop(calls::command(name, params).unwrap_or_else(|e| panic!("{e}: {line}"))),
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

/// Files below a folder of the repository whose names end with `.rs`, with their tests.
fn sources(folder: &std::path::Path, into: &mut Vec<(String, BTreeSet<String>)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            into.push((path.display().to_string(), tests_of(&text)));
        }
    }
}

/// The functions of a file that stand behind `#[test]` and other attributes.
fn tests_of(text: &str) -> BTreeSet<String> {
    let (mut found, mut test) = (BTreeSet::new(), false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| test) {
            found.extend(rest.split(['(', '<']).next().map(str::to_owned));
            test = false;
        }
    }
    found
}

/// Of each table with a column called `held by` or `test`: the words in grey of this column, those between two
/// semicolons together.
fn named_in_tables(text: &str) -> Vec<Vec<String>> {
    let (mut column, mut rows) = (None, Vec::new());
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            column = None;
        } else if let Some(at) = cells.iter().position(|c| ["held by", "test"].contains(c)) {
            column = Some(at);
        } else if let Some(cell) = column.and_then(|at| cells.get(at)) {
            let parts = cell.split(';');
            rows.extend(
                parts.map(|p| p.split('`').skip(1).step_by(2).map(str::to_owned).collect()),
            );
        }
    }
    rows
}

/// A promise names its test; the test is there, and in the file that is named before it.
#[test]
fn every_test_that_the_documents_name_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in ["daemon", "driver", "dsp", "firmware-headers", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    let is_name = |word: &str| {
        word.contains('_')
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    for (document, least) in [("SPECIFICATION.md", 100), ("docs/standards.md", 100)] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let mut named = 0;
        for row in named_in_tables(&text) {
            let mut file = String::new();
            for word in row {
                if word.ends_with(".rs") {
                    assert!(
                        files.iter().any(|(path, _)| path.ends_with(&format!("/{word}"))),
                        "{document}: there is no {word}"
                    );
                    file = format!("/{word}");
                } else if is_name(&word) {
                    named += 1;
                    let mut there = files.iter().filter(|(path, _)| path.ends_with(&file));
                    assert!(
                        there.any(|(_, tests)| tests.contains(&word)),
                        "{document}: there is no test {word} in {file}"
                    );
                }
            }
        }
        assert!(named >= least, "{document} names {named} tests");
    }
}
