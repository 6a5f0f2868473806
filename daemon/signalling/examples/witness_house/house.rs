//! The processes below a folder of their own, and the wires that leave them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use protocol::client::{Blocking, ClientError};
use protocol::wire::{Hello, Role};
use serde_json::Value;

use crate::peer::Peer;
use crate::{Context, Failure};

/// A condition that does not come true in this time never will.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether a condition has come true.
const LOOK: Duration = Duration::from_millis(5);
/// A board with two lines, each of which leads to a socket.
const BOARD: &str = r#"
[host]
zone = "cn"
language = "en"

[[emulate.board]]
model = "TE410P"
generation = 5
socket = "/run/trunkline/board0.sock"
clock = "real"
[[emulate.board.span]]
far_end = { kind = "dchannel", socket = "listen:/run/trunkline/d0.sock" }
[[emulate.board.span]]
far_end = { kind = "dchannel", socket = "listen:/run/trunkline/d1.sock" }

[[spans.board]]
at = "vfio-user:/run/trunkline/board0.sock"
span = ["1,0,0,ccs,hdb3,crc4", "2,0,0,ccs,hdb3,crc4"]
ring = 32
alarm_raise_millis = 200
alarm_clear_millis = 500

[media]
capture = "/var/lib/trunkline/capture"
"#;

/// Runs until dropped.
pub struct House {
    /// Where its files are, and where they stay.
    root: PathBuf,
    _gone_with_it: Option<tempfile::TempDir>,
    program: PathBuf,
    children: RefCell<Vec<(&'static str, Child)>>,
}

impl House {
    /// `emulate` and `media` with a board of two lines and the rest of the configuration as given.
    pub fn start(context: &Context, rest: &str) -> Result<Self, Failure> {
        let kept = context.keep.as_ref().map(|folder| -> Result<_, Failure> {
            std::fs::create_dir_all(folder)?;
            Ok(tempfile::Builder::new().prefix("house").tempdir_in(folder)?.keep())
        });
        let (root, _gone_with_it) = match kept.transpose()? {
            Some(root) => (root, None),
            None => {
                let folder = tempfile::tempdir()?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let folder = root.join("etc/trunkline");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("trunkline.toml"), format!("{BOARD}{rest}"))?;
        let program = context.trunkline.clone();
        let house = Self { root, _gone_with_it, program, children: RefCell::default() };
        house.also("emulate")?;
        house.also("media")?;
        Ok(house)
    }
    /// Another process of the house.
    pub fn also(&self, name: &'static str) -> Result<(), Failure> {
        let log = std::fs::File::create(self.root.join(format!("{name}.log")))?;
        let child = Command::new(&self.program)
            .args([name, "--root"])
            .arg(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.children.borrow_mut().push((name, child));
        Ok(())
    }
    /// A command of ours that ends by itself, and what it printed.
    pub fn run(&self, command: &str) -> Result<String, Failure> {
        let mut words = command.split(' ');
        let output = Command::new(&self.program)
            .args(words.next())
            .arg("--root")
            .arg(&self.root)
            .args(words)
            .output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => Err(String::from_utf8_lossy(&output.stderr).into()),
        }
    }
    /// The end of a line's D-channel, to be read and written by whoever plays the far end.
    pub fn wire(&self, line: usize) -> Result<OwnedFd, Failure> {
        let path = self.root.join(format!("run/trunkline/d{line}.sock"));
        let address = UnixAddr::new(&path)?;
        self.until("the far end's socket listens", || {
            let wire =
                socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
            Ok(connect(wire.as_raw_fd(), &address).is_ok().then_some(wire))
        })
    }
    /// A foreign engine at the end of a line.
    ///
    /// A house that has just started restarts its interfaces as soon as their links are up, and what a peer placed
    /// before that reached it ends there (Q.931, §5.5): one that calls at once is told to `--wait-restart`.
    pub fn peer(&self, context: &Context, line: usize, options: &str) -> Result<Peer, Failure> {
        let wire = self.wire(line)?;
        fcntl(&wire, FcntlArg::F_SETFD(FdFlag::empty()))?;
        let options: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
        Peer::spawn(&context.peer, wire, &options)
    }
    /// A connection to `media.sock` or `acd.sock`.
    pub fn client(&self, socket: &str, role: Role) -> Result<Blocking, Failure> {
        let path = self.root.join("run/trunkline").join(socket);
        let hello =
            Hello { protocol: protocol::PROTOCOL, client: "witness".into(), role, takeover: false };
        self.until(socket, || match Blocking::connect(&path, &hello) {
            Ok((client, _)) => Ok(Some(client)),
            Err(ClientError::Gone(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }
    /// Looks again and again until there is something.
    pub fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut() -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            if !self.stands()? {
                return Err(format!("a process fell{}", self.last_words()).into());
            }
            if Instant::now() >= end {
                return Err(format!("not within {PATIENCE:?}: {what}{}", self.last_words()).into());
            }
            std::thread::sleep(LOOK);
        }
    }
    /// Whether every process still runs.
    pub fn stands(&self) -> Result<bool, Failure> {
        for (_, child) in self.children.borrow_mut().iter_mut() {
            if child.try_wait()?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
    /// Resident memory of a process, in KiB. proc_pid_status(5).
    pub fn memory_kib(&self, name: &str) -> Result<u64, Failure> {
        let children = self.children.borrow();
        let (_, child) = children.iter().find(|(it, _)| *it == name).ok_or("no such process")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let word = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(word.parse()?)
    }
    /// The last line of every log.
    pub fn last_words(&self) -> String {
        let mut words = String::new();
        for (name, _) in self.children.borrow().iter() {
            let log = self.root.join(format!("{name}.log"));
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let _ = write!(words, "; {name}: {}", text.lines().last().unwrap_or("nothing said"));
        }
        words
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for (_, child) in self.children.get_mut().iter_mut().rev() {
            // It may have fallen by itself: then there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until a peer has said a line that begins so as often as wanted.
pub fn heard(house: &House, peer: &mut Peer, line: &str, times: usize) -> Result<(), Failure> {
    house.until(line, || {
        peer.listen()?;
        Ok((peer.count(line) >= times).then_some(()))
    })
}

/// How a trunk group stands, by its name.
pub fn group_of<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status.get("groups")?.as_array()?.iter().find(|g| g.get("name").is_some_and(|n| n == name))
}
