//! `trunkline ctl`, `status`, `drain`, `reload`: one request to a running process, and its answer.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use call::RefusalCode;
use protocol::client::{Blocking, ClientError, Message};
use protocol::wire::{Hello, Role, Welcome};
use serde_json::{Map, Value, json};

use crate::output::say;
use crate::paths::Paths;

/// Which process is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Calls.
    Media,
    /// Agents, queues, lists.
    Acd,
    /// Emulated boards.
    Emulate,
}

/// What `ctl` is asked to do.
#[derive(Clone, Debug)]
pub struct Ask {
    /// To whom.
    pub target: Target,
    /// The method; none when only events are wanted.
    pub method: Option<String>,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// Print events as they come, until interrupted.
    pub follow: bool,
    /// Be the controller, in place of the one there is.
    pub takeover: bool,
}

/// Sends the request and prints the answer, an object a line.
///
/// # Errors
/// Nobody listens, or the request was refused.
pub fn run(paths: &Paths, ask: Ask) -> Result<()> {
    let socket = match ask.target {
        Target::Media => paths.media_socket(),
        Target::Acd => paths.acd_socket(),
        Target::Emulate => paths.emulate_socket(),
    };
    // On acd.sock everybody may change things; on media.sock only with a takeover.
    let controls = ask.takeover || ask.target != Target::Media;
    let (mut client, welcome) = connect(&socket, controls, ask.takeover)?;
    if let Some(method) = &ask.method {
        let mut params = ask.params;
        if !params.contains_key("key") && !is_reading(ask.target, method) {
            params.insert("key".into(), Value::String(new_key()));
        }
        let answer = client.call(method, Value::Object(params)).map_err(with_cure)?;
        say!("{answer}")?;
    }
    if ask.follow {
        follow(&mut client, &welcome)?;
    }
    Ok(())
}

/// A refusal that this command has a flag for names it.
fn with_cure(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Refused(why) if why.code == RefusalCode::NotController as i32 => {
            let cure = "only the controller of calls may: `--takeover` takes its place, \
                        and the call centre takes it back";
            anyhow::Error::new(why).context(cure)
        }
        error => error.into(),
    }
}

fn is_reading(target: Target, method: &str) -> bool {
    let methods = match target {
        Target::Media => protocol::calls::METHODS,
        Target::Emulate => crate::emulate::METHODS,
        Target::Acd => &[],
    };
    matches!(method, "hello" | "ping" | "subscribe" | "unsubscribe" | "ack" | "time")
        || methods.iter().any(|(m, a)| *m == method && *a == protocol::server::Access::Read)
}

fn connect(socket: &Path, controls: bool, takeover: bool) -> Result<(Blocking, Welcome)> {
    let hello = Hello {
        protocol: protocol::PROTOCOL,
        client: "ctl".into(),
        role: if controls { Role::Controller } else { Role::Observer },
        takeover,
    };
    match Blocking::connect(socket, &hello) {
        Ok(connected) => Ok(connected),
        Err(ClientError::Gone(e)) => {
            Err(e).with_context(|| format!("{}: is the process running?", socket.display()))
        }
        Err(error) => Err(error.into()),
    }
}

/// A key no other run of `ctl` has: the process and the moment.
fn new_key() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("ctl-{}-{}", std::process::id(), now.as_nanos())
}

fn follow(client: &mut Blocking, welcome: &Welcome) -> Result<()> {
    client.call("subscribe", json!({ "from": welcome.seq + 1 }))?;
    loop {
        match client.next(Duration::from_secs(1))? {
            Some(Message::Event(event) | Message::Summary(event)) => {
                say!("{}", serde_json::to_string(&event)?)?;
            }
            Some(Message::Gap { lost_from, lost_to }) => {
                say!("{}", json!({ "gap": { "lost_from": lost_from, "lost_to": lost_to } }))?;
            }
            Some(_) => {}
            None => drop(client.call("ping", json!({}))?),
        }
    }
}

/// What the call server says of itself, as it says it.
///
/// # Errors
/// Nobody answers.
pub fn ask_status(paths: &Paths) -> Result<Value> {
    let (mut client, _) = connect(&paths.media_socket(), false, false)?;
    Ok(client.call("status", json!({}))?)
}

/// Home and clear, for a terminal that is written to again and again.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Prints how the call server stands, in lines for people; with `follow` once a second, for as long as it runs.
///
/// # Errors
/// It does not run, or does not any more.
pub fn status(paths: &Paths, follow: bool) -> Result<()> {
    let (mut client, welcome) = connect(&paths.media_socket(), false, false)?;
    let begun = std::time::Instant::now();
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    loop {
        let status = client.call("status", json!({}))?;
        let clear = if follow && std::io::stdout().is_terminal() { CLEAR } else { "" };
        say!(
            "{clear}instance {}, up {} s, {} calls, controller {}",
            welcome.instance,
            welcome.now / 1_000_000 + begun.elapsed().as_secs(),
            number(&status, "legs"),
            if status.get("controller") == Some(&Value::Bool(true)) { "there" } else { "absent" },
        )?;
        for line in crate::status::told(&status) {
            say!("{line}")?;
        }
        if !follow {
            return Ok(());
        }
        // Nothing else comes on this connection: what is waited for is the next second.
        client.next(Duration::from_secs(1))?;
    }
}

/// Takes a span, or one timeslot, out of use once its last call has ended, and waits for that.
///
/// # Errors
/// Refused, or not empty within `patience`.
pub fn drain(paths: &Paths, span: u8, timeslot: Option<u8>, patience: Duration) -> Result<()> {
    let (mut client, welcome) = connect(&paths.media_socket(), false, false)?;
    client.call("subscribe", json!({ "from": welcome.seq + 1 }))?;
    let params = json!({ "key": new_key(), "span": span, "timeslot": timeslot });
    client.call("drain", params)?;
    let deadline = std::time::Instant::now() + patience;
    while std::time::Instant::now() < deadline {
        let Some(Message::Event(event)) = client.next(Duration::from_millis(500))? else {
            client.call("ping", json!({}))?;
            continue;
        };
        let wanted = json!({ "span": span, "timeslot": timeslot });
        if event.event == "drained" && event.data == wanted {
            say!("drained")?;
            return Ok(());
        }
    }
    bail!("calls are still up after {} s; no new ones begin there", patience.as_secs())
}
