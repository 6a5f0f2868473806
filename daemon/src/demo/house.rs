//! The demonstration's house: its folder, its configuration, its list, and the processes in it.

use std::fmt::Write as _;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use exchange::{Scale, Scenario};

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
/// Processes that fall are started again, but not more often than this.
const RESTARTS_MAX: u32 = 30;

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

/// Writes the house's files below `root`.
///
/// # Errors
/// When the folder cannot be written.
pub fn furnish(root: &Path, plan: Plan) -> anyhow::Result<()> {
    let paths = Paths::below(root);
    let file = paths.config();
    let folder = file.parent().context("the configuration has no folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    std::fs::create_dir_all(paths.run_dir())?;
    std::fs::create_dir_all(paths.state_dir())?;
    std::fs::write(folder.join("scenario.toml"), toml::to_string(&scenario(plan))?)?;
    std::fs::write(&file, configuration(plan))?;
    Ok(())
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

/// The numbers to dial: more than can be dialled in the time.
pub fn list(plan: Plan) -> String {
    let rows = 200 + plan.seconds.saturating_mul(6);
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
        anyhow::ensure!(
            self.restarts <= RESTARTS_MAX,
            "{} falls again and again ({status}); its log is {}",
            self.name,
            log_file(self.name, &self.root).display()
        );
        self.again_at = Some(now + Duration::from_millis(500));
        Ok(Some(format!("{} fell ({status}) and is started again", self.name)))
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
    fn the_list_has_each_number_once() {
        let plan = Plan { seconds: 60, scale: Scale::Short, seed: 1, lockstep: false };
        let list = list(plan);
        let rows: std::collections::BTreeSet<&str> = list.lines().skip(1).collect();
        assert_eq!(rows.len(), list.lines().count() - 1);
        assert!(rows.len() >= 400);
    }
}
