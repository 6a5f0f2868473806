//! Both clients against the server over a real socket: answers are paired, nothing that arrives between is lost.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use protocol::client::{Async, Blocking, ClientError, Message};
use protocol::server::{Access, Output, Server, Settings, Stamp};
use protocol::wire::{Hello, Role};
use serde_json::{Value, json};

/// Serves one client at `path` until it leaves. `echo` publishes an event and answers behind it.
fn serve(listener: UnixListener) {
    let methods = [("echo", Access::Control), ("status", Access::Read)];
    let mut server = Server::new(Settings::new("1", &methods));
    let (mut stream, _) = listener.accept().unwrap();
    server.connected(0, 1);
    let mut buffer = [0; 1024];
    loop {
        let n = stream.read(&mut buffer).unwrap_or(0);
        if n == 0 {
            return;
        }
        server.received(0, 1, &buffer[..n]);
        pump(&mut server, &mut stream);
    }
}

fn pump(server: &mut Server, stream: &mut UnixStream) {
    loop {
        while let Some(line) = server.line(0, 1) {
            stream.write_all(line.as_bytes()).unwrap();
        }
        match server.poll() {
            Output::Wait(_) => break,
            Output::Request(request) if request.method == "echo" => {
                let event = json!({"event": "echo", "data": request.params});
                server.publish(Stamp { at_us: 7, sample: Some((56, 0)) }, &event, true);
                // The event leaves before the answer.
                while let Some(line) = server.line(0, 1) {
                    stream.write_all(line.as_bytes()).unwrap();
                }
                server.answer(0, request.token, Ok(json!(request.params)));
            }
            Output::Request(request) => {
                let refusal =
                    call::Refusal::new(call::RefusalCode::SpanDown, "status", "span 1 is down");
                server.answer(0, request.token, Err(refusal.into()));
            }
            Output::Snapshot { connection } => {
                server.snapshot(connection, &["item"]).unwrap();
            }
            _ => {}
        }
    }
}

fn start() -> (tempfile::TempDir, PathBuf, std::thread::JoinHandle<()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || serve(listener));
    (folder, path, server)
}

fn hello() -> Hello {
    Hello { protocol: 1, client: "test".into(), role: Role::Controller, takeover: false }
}

fn check_echo(message: &Message, n: usize) {
    let Message::Event(event) = message else { panic!("{message:?}") };
    assert_eq!((event.event.as_str(), &event.data), ("echo", &json!({ "n": n })));
    assert_eq!((event.at_us, event.at_sample, event.clock), (7, Some(56), Some(0)));
}

#[test]
fn the_blocking_client_pairs_answers_and_keeps_what_came_between() {
    let (_folder, path, server) = start();
    let (mut client, welcome) = Blocking::connect(&path, &hello()).unwrap();
    assert_eq!((welcome.instance.as_str(), welcome.epoch), ("1", 1));
    client.call("subscribe", json!({"from": 1})).unwrap();
    for n in 0..100 {
        let params = json!({"key": format!("k{n}"), "n": n});
        assert_eq!(client.call("echo", params).unwrap(), json!({ "n": n }));
    }
    for n in 0..100 {
        check_echo(&client.next(Duration::from_secs(10)).unwrap().unwrap(), n);
    }
    match client.call("status", Value::Null) {
        Err(ClientError::Refused(fault)) => {
            assert_eq!(fault.refusal().map(|r| r.code), Some(call::RefusalCode::SpanDown));
        }
        other => panic!("{other:?}"),
    }
    client.call("subscribe", json!({"from": 0})).unwrap();
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Message::SnapshotEnd { seq: 100 })) {
        seen.push(client.next(Duration::from_secs(10)).unwrap().unwrap());
    }
    assert_eq!(seen.first(), Some(&Message::Gap { lost_from: 0, lost_to: 100 }));
    assert_eq!(seen.iter().filter(|m| matches!(m, Message::Summary(_))).count(), 100);
    assert!(seen.contains(&Message::SnapshotPart { items: vec![json!("item")] }));
    drop(client);
    server.join().unwrap();
}

#[test]
fn the_tokio_client_may_be_dropped_out_of_a_wait_without_losing_anything() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_folder, path, server) = start();
    runtime.block_on(async {
        let (mut client, _) = Async::connect(&path, &hello()).await.unwrap();
        client.send("subscribe", json!({"from": 1})).unwrap();
        let mut wanted = Vec::new();
        for n in 0..100 {
            let params = json!({"key": format!("k{n}"), "n": n});
            wanted.push(client.send("echo", params).unwrap());
        }
        let (mut answers, mut events) = (Vec::new(), 0);
        while answers.len() < 100 || events < 100 {
            // The other branch wins again and again: `next` is dropped in the middle of its wait.
            let message = tokio::select! {
                biased;
                () = tokio::task::yield_now() => None,
                message = client.next() => Some(message.unwrap()),
            };
            let message = match message {
                Some(message) => message,
                None => client.next().await.unwrap(),
            };
            match message {
                Message::Answer { id, result } if wanted.contains(&id) => {
                    answers.push(id);
                    assert!(result.is_ok());
                }
                Message::Answer { .. } => {}
                event => {
                    check_echo(&event, events);
                    events += 1;
                }
            }
        }
        assert_eq!(answers, wanted);
    });
    server.join().unwrap();
}

#[test]
fn a_server_that_is_gone_is_said_to_be() {
    let (_folder, path, server) = start();
    let (mut client, _) = Blocking::connect(&path, &hello()).unwrap();
    // A line above the limit makes the server close; here it simply ends with its one client.
    drop(UnixStream::connect(&path));
    let long = "x".repeat(protocol::LINE_OCTETS_MAX);
    let refused = client.call("status", json!({ "long": long }));
    assert!(matches!(refused, Err(ClientError::Refused(_) | ClientError::Gone(_))), "{refused:?}");
    drop(client);
    server.join().unwrap();
}
