//! The demonstration's house: its folder, its configuration, its list, and the processes in it.

use std::fmt::Write as _;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use exchange::{Scale, Scenario};

use crate::door::SOCKET_PATH_OCTETS_MAX;
use crate::paths::Paths;

/// Agents whose leg stays up and who serve the queue.
const QUEUE_AGENTS: usize = 10;
/// Agents whose leg stays up and who get the persons of the list.
const LIST_AGENTS: usize = 14;
/// Agents whose telephone rings for each call.
const RUNG_AGENTS: usize = 4;
/// The campaign's name.
pub const CAMPAIGN: &str = "renewals";
/// The first number of the list.
const FIRST_NUMBER: u64 = 13_800_100_000;
/// The list's file, in the folder of lists: it is longer than a line of a socket may be.
pub const LIST_FILE: &str = "renewals.csv";
/// Processes that fall are started again, but not more often than this.
const RESTARTS_MAX: u32 = 30;
/// Room a house wants before it begins.
const ROOM_OCTETS_MIN: u64 = 32 << 20;
/// Clearing, and a busy machine.
const DRAIN_MARGIN: Duration = Duration::from_secs(20);

/// What is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Callers come for so long.
    pub seconds: u64,
    /// Ring, talk and wrap-up times.
    pub scale: Scale,
    /// Chance of everything emulated.
    pub seed: u64,
    /// Every millisecond is worked through before the next begins.
    pub lockstep: bool,
}

/// The folder a house is put into; removed at the end unless it was named.
pub struct Folder {
    path: PathBuf,
    /// Removes it.
    _ours: Option<tempfile::TempDir>,
}

impl Folder {
    /// The folder `named`, in which no house may be yet, or a new one of its own among the temporary files.
    ///
    /// # Errors
    /// It holds a house already, it cannot be had, its name is too long for the sockets in it, or it has no room.
    pub fn new(named: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match named {
            Some(path) => {
                ensure_empty(path)?;
                std::fs::create_dir_all(path)
                    .with_context(|| format!("folder {}", path.display()))?;
                Self { path: path.to_owned(), _ours: None }
            }
            None => {
                let among = std::env::temp_dir();
                let ours = tempfile::Builder::new()
                    .prefix("trunkline-demo-")
                    .tempdir_in(&among)
                    .with_context(|| {
                        let among = among.display();
                        format!("a folder in {among}: name another with TMPDIR or --root")
                    })?;
                Self { path: ours.path().to_owned(), _ours: Some(ours) }
            }
        };
        ensure_short(&folder.path)?;
        ensure_room(&folder.path, ROOM_OCTETS_MIN)?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Journal and records of an earlier house would be read as this one's, and its configuration is somebody's.
fn ensure_empty(root: &Path) -> anyhow::Result<()> {
    let paths = Paths::below(root);
    let file = paths.config();
    let folders = [file.parent(), Some(&paths.state_dir()), Some(&paths.run_dir())]
        .map(|folder| folder.map(Path::to_owned));
    for folder in folders.into_iter().flatten() {
        let is_used = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        anyhow::ensure!(
            !is_used,
            "{} holds a house already ({}): name a new or empty folder with --root, or remove this one",
            root.display(),
            folder.display()
        );
    }
    Ok(())
}

/// The names of sockets have a limit, and a folder too deep would only show when the processes start.
fn ensure_short(root: &Path) -> anyhow::Result<()> {
    let longest = Paths::below(root).emulate_socket();
    let (octets, most) = (longest.as_os_str().len(), SOCKET_PATH_OCTETS_MAX);
    anyhow::ensure!(
        octets <= most,
        "{}: {octets} octets, and the path of a socket has at most {most}: \
         name a shorter folder with TMPDIR or --root",
        longest.display()
    );
    Ok(())
}

/// Whether the disk below `root` takes `octets` more.
///
/// # Errors
/// It does not; the message says how much there is.
pub fn ensure_room(root: &Path, octets: u64) -> anyhow::Result<()> {
    let disk = nix::sys::statvfs::statvfs(root)
        .with_context(|| format!("the disk of {}", root.display()))?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    anyhow::ensure!(
        free >= octets,
        "the disk of {} has too little room: {} KiB are free, {} KiB are needed; \
         make room, or name another folder with TMPDIR or --root",
        root.display(),
        free / 1024,
        octets / 1024
    );
    Ok(())
}

/// Writes the house's files below `root`.
///
/// # Errors
/// When the folder cannot be written.
pub fn furnish(root: &Path, plan: Plan) -> anyhow::Result<()> {
    let paths = Paths::below(root);
    let file = paths.config();
    let folder = file.parent().context("the configuration has no folder")?;
    let lists = paths.state_dir().join("lists");
    for folder in [folder, &paths.run_dir(), &lists] {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("file {}", path.display()))
    };
    write(&folder.join("scenario.toml"), toml::to_string(&scenario(plan))?)?;
    write(&lists.join(LIST_FILE), list(plan))?;
    write(&file, configuration(plan))
}

/// How long the calls that are there when nobody calls any more may take to their end: who waited to the last
/// moment talks as long as anybody, or a number rings until it is given up.
pub fn drain_patience(plan: Plan) -> Duration {
    let scenario = scenario(plan);
    let times = match plan.scale {
        Scale::Short => &scenario.times.short,
        Scale::Real => &scenario.times.real,
    };
    let [_, waits] = times.patience.0;
    let [_, rings] = times.telephone_answers.0;
    let [_, talks] = times.talk.0;
    let called = u64::from(times.unanswered_patience);
    Duration::from_millis(called.max(u64::from(waits + rings)) + u64::from(talks)) + DRAIN_MARGIN
}

/// What the far side does.
pub fn scenario(plan: Plan) -> Scenario {
    let mut scenario = Scenario::demo();
    scenario.scale = plan.scale;
    scenario.offering_millis = plan.seconds.saturating_mul(1000);
    // The burst comes when a third of the time has gone.
    for burst in &mut scenario.callers.bursts {
        burst.at_millis = scenario.offering_millis / 3;
    }
    scenario
}

/// The numbers to dial: more than can be dialled in the time, which is two a second, and no more than a list takes.
pub fn list(plan: Plan) -> String {
    let rows = plan.seconds.saturating_mul(6).saturating_add(200);
    let rows = rows.min(acd::limits::CONTACTS_MAX as u64);
    let mut csv = String::from("number\n");
    for row in 0..rows {
        let _ = writeln!(csv, "{}", FIRST_NUMBER + row);
    }
    csv
}

/// The configuration of the house.
pub fn configuration(plan: Plan) -> String {
    let clock = if plan.lockstep { "lock" } else { "real" };
    let (wrap_up, menu, no_answer, ring) = match plan.scale {
        Scale::Short => (1000, 2000, 12_000, 4000),
        Scale::Real => (15_000, 6000, 45_000, 12_000),
    };
    let mut text = format!(
        r#"# Written by `trunkline demo`: one emulated TE410P, three spans of the public network, one PBX.
[host]
zone = "cn"
language = "en"
lockstep = {lockstep}

[emulate]
seed = {seed}

[[emulate.board]]
model = "TE410P"
generation = 5
socket = "/run/trunkline/board0.sock"
clock = "{clock}"
{far_ends}
[[spans.board]]
at = "vfio-user:/run/trunkline/board0.sock"
span = ["1,1,0,ccs,hdb3,crc4", "2,2,0,ccs,hdb3,crc4", "3,3,0,ccs,hdb3,crc4", "4,0,0,ccs,hdb3,crc4"]
ring = 32
alarm_raise_millis = 200
alarm_clear_millis = 500
alarm_yellow_millis = 200

[[media.group]]
name = "public"
spans = [1, 2, 3]
signalling = "pri"
side = "user"
dialect = "euroisdn"
capacity = 80
number = "4008001234"

[[media.group]]
name = "pbx"
spans = [4]
signalling = "pri"
side = "network"
dialect = "euroisdn"

[acd]
agent_group = "pbx"
ring_millis = {ring}
no_answer_pause_millis = 3000
wrap_up_millis = {wrap_up}

[[acd.queue]]
name = "sales"

[[acd.route]]
group = "public"
flow = "hotline"
channels = 90

[[acd.flow]]
name = "hotline"
start = "menu"

[[acd.flow.node]]
name = "menu"
kind = "menu"
prompts = ["welcome", "menu"]
choices = {{ "1" = "sales", "2" = "hours" }}
first_millis = {menu}
otherwise = "sales"

[[acd.flow.node]]
name = "hours"
kind = "announce"
prompts = ["served_info"]
next = "bye"
served = true

[[acd.flow.node]]
name = "sales"
kind = "queue"
queue = "sales"
prompts = ["queue_wait"]
position_prompt = "position"

[[acd.flow.node]]
name = "bye"
kind = "hangup"

[[acd.campaign]]
name = "{CAMPAIGN}"
group = "public"
no_answer_millis = {no_answer}
"#,
        lockstep = plan.lockstep,
        seed = plan.seed,
        far_ends = far_ends(),
    );
    for number in 1..=QUEUE_AGENTS + LIST_AGENTS + RUNG_AGENTS {
        text.push_str(&agent(number));
    }
    text
}

fn far_ends() -> String {
    let mut text = String::new();
    for port in 0..4 {
        let role = if port == 3 { "user" } else { "network" };
        let _ = write!(
            text,
            "[[emulate.board.span]]\n\
             far_end = {{ kind = \"exchange\", scenario = \"scenario.toml\", role = \"{role}\", \
             dialect = \"euroisdn\" }}\n"
        );
    }
    text
}

fn agent(number: usize) -> String {
    let (kind, work) = if number <= QUEUE_AGENTS {
        ("nailed", "queues = [\"sales\"]".to_owned())
    } else if number <= QUEUE_AGENTS + LIST_AGENTS {
        ("nailed", format!("campaigns = [\"{CAMPAIGN}\"]"))
    } else {
        ("rung", "queues = [\"sales\"]".to_owned())
    };
    format!(
        "\n[[acd.agent]]\nname = \"a{number:02}\"\nextension = \"{}\"\nkind = \"{kind}\"\n{work}\n\
         at_start = true\n",
        8000 + number
    )
}

/// A process of the house: started, watched, started again when it falls.
pub struct Process {
    program: PathBuf,
    name: &'static str,
    root: PathBuf,
    child: Child,
    restarts: u32,
    started: Instant,
    again_at: Option<Instant>,
}

impl Process {
    /// Starts `PROGRAM NAME --root ROOT`. What it logs goes to a file of its name below the root.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, name: &'static str, root: &Path) -> anyhow::Result<Self> {
        let child = spawn(program, name, root).with_context(|| format!("start of {name}"))?;
        let (program, root) = (program.to_owned(), root.to_owned());
        let started = Instant::now();
        Ok(Self { program, name, root, child, restarts: 0, started, again_at: None })
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is not there.
    pub fn signal(&self, signal: nix::sys::signal::Signal) -> anyhow::Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, signal).with_context(|| format!("signal to {}", self.name))
    }

    /// How often it fell.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// When it was started last.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Starts it again half a second after it fell, as the service manager would. Says so when it fell.
    ///
    /// # Errors
    /// When it falls for ever.
    pub fn watch(&mut self, now: Instant) -> anyhow::Result<Option<String>> {
        if let Some(again_at) = self.again_at {
            if now >= again_at {
                self.again_at = None;
                self.started = now;
                self.child = spawn(&self.program, self.name, &self.root)?;
            }
            return Ok(None);
        }
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        self.restarts += 1;
        // Who was killed had no time to say why.
        let last = status.code().map(|_| self.last_words()).unwrap_or_default();
        anyhow::ensure!(
            self.restarts <= RESTARTS_MAX,
            "{} falls again and again ({status}){last}",
            self.name
        );
        self.again_at = Some(now + Duration::from_millis(500));
        Ok(Some(format!("{} fell ({status}) and is started again{last}", self.name)))
    }

    /// The last line it logged, as the end of a sentence.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(log_file(self.name, &self.root)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.map(|line| format!(": {}", line.trim())).unwrap_or_default()
    }

    /// Asks it to end, and ends it when it does not within `patience`.
    pub fn stop(&mut self, patience: Duration) {
        if self.again_at.is_some() {
            return;
        }
        let _ = self.signal(nix::sys::signal::Signal::SIGTERM);
        let deadline = Instant::now() + patience;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            // A child's end has no descriptor to wait for without a handler of its own.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a process of the house writes what it logs.
pub fn log_file(name: &str, root: &Path) -> PathBuf {
    Paths::below(root).at(format!("/var/lib/trunkline/{name}.log"))
}

fn spawn(program: &Path, name: &str, root: &Path) -> io::Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(log_file(name, root))?;
    let mut command = Command::new(program);
    command.arg(name).arg("--root").arg(root);
    // However the demonstration ends, its children do not outlive the thread that started them.
    command.arg("--with-parent").arg(std::process::id().to_string());
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // Ctrl-C reaches the whole group of the terminal: the demonstration ends its children itself, in order.
    command.process_group(0);
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_furnished_with_a_configuration_that_checks() {
        for (scale, lockstep) in [(Scale::Short, false), (Scale::Real, true)] {
            let root = tempfile::tempdir().unwrap();
            furnish(root.path(), Plan { seconds: 60, scale, seed: 1, lockstep }).unwrap();
            let config = crate::config::Config::load(&Paths::below(root.path()).config()).unwrap();
            assert_eq!(config.acd.agents.len(), 28);
            assert_eq!(config.emulate.board[0].span.len(), 4);
        }
    }

    #[test]
    fn a_folder_that_holds_a_house_is_refused_and_left_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let file = Paths::below(root.path()).config();
        Folder::new(Some(root.path())).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        Folder::new(Some(root.path())).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let why = Folder::new(Some(root.path())).err().unwrap().to_string();
        assert!(why.contains("holds a house") && why.contains("--root"), "{why}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir_all(Paths::below(root.path()).state_dir().join("journal")).unwrap();
        assert!(Folder::new(Some(root.path())).is_err(), "an earlier journal would be read");
    }

    #[test]
    fn a_folder_too_deep_for_a_socket_and_a_disk_too_full_are_refused_with_a_cure() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(100));
        let why = Folder::new(Some(&deep)).err().unwrap().to_string();
        assert!(why.contains("107") && why.contains("TMPDIR"), "{why}");
        let why = ensure_room(root.path(), u64::MAX).unwrap_err().to_string();
        assert!(why.contains("room") && why.contains("TMPDIR"), "{why}");
        assert!(ensure_room(&root.path().join("nowhere"), 0).is_err());
    }

    #[test]
    fn calls_are_given_the_time_that_the_longest_takes() {
        let plan = |scale| Plan { seconds: 60, scale, seed: 1, lockstep: false };
        let longest = scenario(plan(Scale::Real)).times.real.talk.0[1];
        let real = drain_patience(plan(Scale::Real));
        assert!(real > Duration::from_millis(u64::from(longest) + 90_000), "{real:?}");
        assert!(drain_patience(plan(Scale::Short)) < Duration::from_secs(60));
    }

    #[test]
    fn the_list_has_each_number_once() {
        let plan = Plan { seconds: 60, scale: Scale::Short, seed: 1, lockstep: false };
        let list = list(plan);
        let rows: std::collections::BTreeSet<&str> = list.lines().skip(1).collect();
        assert_eq!(rows.len(), list.lines().count() - 1);
        assert!(rows.len() >= 400);
        let a_day = super::list(Plan { seconds: 86_400, ..plan });
        let rows = a_day.lines().count() - 1;
        assert!((86_400 * 2..=acd::limits::CONTACTS_MAX).contains(&rows), "{rows}");
    }
}
