//! `trunkline emulate` and `trunkline media` as processes, in lockstep: calls over the socket, two controllers,
//! a board that dies and comes back.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use call::{CallEvent, Disposition, LegId};
use protocol::calls;
use protocol::client::{Blocking, ClientError, Message};
use protocol::wire::{Hello, Role};
use serde_json::{Value, json};

/// A condition that does not come true in this time never will.
const PATIENCE: Duration = Duration::from_secs(120);

const CONFIG: &str = r#"
[host]
zone = "cn"
lockstep = true

[[spans.board]]
at = "vfio-user:/run/trunkline/board0.sock"
alarm_raise_millis = 200
alarm_clear_millis = 500
span = ["1,1,0,ccs,hdb3,crc4", "2,2,0,ccs,hdb3,crc4", "3,3,0,ccs,hdb3,crc4", "4,0,0,ccs,hdb3,crc4"]

[[media.group]]
name = "public"
spans = [1, 2, 3]
side = "user"

[[media.group]]
name = "pbx"
spans = [4]
side = "network"

[[emulate.board]]
model = "TE410P"
socket = "/run/trunkline/board0.sock"
clock = "lock"
[[emulate.board.span]]
far_end = { kind = "exchange", scenario = "demo", role = "network" }
[[emulate.board.span]]
far_end = { kind = "exchange", scenario = "demo", role = "network" }
[[emulate.board.span]]
far_end = { kind = "exchange", scenario = "demo", role = "network" }
[[emulate.board.span]]
far_end = { kind = "exchange", scenario = "demo", role = "user" }
"#;

/// Two processes below a folder of their own. They end with it.
struct House {
    root: tempfile::TempDir,
    emulate: Child,
    media: Child,
}

impl House {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/trunkline");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("trunkline.toml"), CONFIG).unwrap();
        let emulate = process(root.path(), "emulate");
        let media = process(root.path(), "media");
        Self { root, emulate, media }
    }
    fn connect(&self, takeover: bool) -> Controller {
        let hello = Hello {
            protocol: protocol::PROTOCOL,
            client: "test".into(),
            role: Role::Controller,
            takeover,
        };
        let socket = self.root.path().join("run/trunkline/media.sock");
        let deadline = Instant::now() + PATIENCE;
        let (client, welcome) = loop {
            match Blocking::connect(&socket, &hello) {
                Ok(connected) => break connected,
                Err(ClientError::Gone(_)) if Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        };
        let mut controller = Controller { client, keys: u64::from(takeover) * 1000 };
        controller.client.patience = PATIENCE;
        assert!(welcome.lockstep);
        controller.client.call("subscribe", json!({"from": 0})).unwrap();
        controller
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in [&mut self.media, &mut self.emulate] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn process(root: &Path, command: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .arg(command)
        .arg("--root")
        .arg(root)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

struct Controller {
    client: Blocking,
    keys: u64,
}

impl Controller {
    fn command(&mut self, method: &str, mut params: Value) -> Result<Value, ClientError> {
        self.keys += 1;
        params["key"] = json!(format!("k{}", self.keys));
        self.client.call(method, params)
    }
    /// Goes through the events, answering `time`, until `wanted` has found what it looks for.
    fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&CallEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let envelope = match self.client.next(Duration::from_secs(1)).unwrap() {
                Some(Message::Event(envelope) | Message::Summary(envelope)) => envelope,
                Some(_) | None => continue,
            };
            let event = calls::event(&envelope).unwrap();
            if matches!(event, CallEvent::Time { .. }) {
                self.client.send("time", json!({"seq": envelope.seq})).unwrap();
            }
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
        panic!("{what}: not within {PATIENCE:?}");
    }
    fn answered_call(&mut self) -> LegId {
        let leg = self.until("a call comes in", |event| match event {
            CallEvent::Incoming { leg, .. } => Some(*leg),
            _ => None,
        });
        self.command("answer", json!({"leg": leg})).unwrap();
        self.until("it is answered", |event| {
            matches!(event, CallEvent::Answered { leg: l } if *l == leg).then_some(())
        });
        leg
    }
}

#[test]
fn a_call_is_answered_over_the_socket_and_the_older_controller_is_refused() {
    let house = House::start();
    let mut first = house.connect(false);
    let leg = first.answered_call();

    let hello = json!({"protocol": 1, "client": "other", "role": "controller"});
    let mut second = house.connect(true);
    for refused in [
        first.command("hangup", json!({"leg": leg, "cause": 16})),
        first.client.call("hello", hello),
    ] {
        match refused {
            Err(ClientError::Refused(fault)) => assert_eq!(fault.code, 5, "{fault}"),
            other => panic!("{other:?}"),
        }
    }
    second.command("hangup", json!({"leg": leg, "cause": 16})).unwrap();
    let summary = second.until("it ends", |event| match event {
        CallEvent::Ended(summary) if summary.leg == leg => Some(summary.clone()),
        _ => None,
    });
    assert_eq!(summary.disposition, Disposition::Answered);
    assert!(summary.cleared_by_us);
}

#[test]
fn a_dead_board_ends_its_calls_and_is_back_in_service_without_a_restart() {
    let mut house = House::start();
    let mut controller = house.connect(false);
    let leg = controller.answered_call();
    let alarms = house.root.path().join("var/lib/trunkline/alarms");
    // A board that was not there yet when the call server began has been told, too.
    let told = std::fs::read_to_string(&alarms).unwrap().lines().count();

    house.emulate.kill().unwrap();
    house.emulate.wait().unwrap();
    let (mut alarm, mut ended) = (false, None);
    controller.until("alarm and end", |event| {
        match event {
            CallEvent::Alarm { alarm: name, on: true, .. } => alarm |= name.contains("gone"),
            CallEvent::Ended(summary) if summary.leg == leg => ended = Some(summary.cause.0),
            _ => {}
        }
        (alarm && ended.is_some()).then_some(())
    });
    assert!(matches!(ended, Some(27 | 41)), "{ended:?}");

    house.emulate = process(house.root.path(), "emulate");
    let mut up = [false; 4];
    controller.until("four links are up again", |event| {
        if let CallEvent::Link { span, up: true } = event {
            up[usize::from(*span) - 1] = true;
        }
        (up == [true; 4]).then_some(())
    });
    controller.answered_call();
    assert!(house.media.try_wait().unwrap().is_none(), "the call server never restarted");
    let alarms = std::fs::File::open(alarms).unwrap();
    let lines: Vec<Value> = BufReader::new(alarms)
        .lines()
        .skip(told)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    for state in ["raised", "cleared"] {
        let of_gone = |l: &&Value| l["alarm"] == "board_gone" && l["state"] == state;
        assert_eq!(lines.iter().filter(of_gone).count(), 4, "{state}: {lines:?}");
    }
}

#[test]
fn a_wrong_configuration_does_not_start_and_names_the_line() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("t.toml");
    let text = CONFIG.replacen("zone = \"cn\"", "zone = \"cn\"\nzoom = 3", 1);
    std::fs::write(&file, &text).unwrap();
    for command in ["media", "emulate", "check"] {
        let output = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .arg(command)
            .args(["--config", file.to_str().unwrap(), "--root", root.path().to_str().unwrap()])
            .output()
            .unwrap();
        assert!(!output.status.success(), "{command}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("t.toml:4:") && said.contains("zoom"), "{command}: {said}");
    }
}
