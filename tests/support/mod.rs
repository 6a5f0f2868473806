//! A house of real processes for the tests of the running binary.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use exchange::{CallTruth, Offering, Scale};
use nix::sys::signal::Signal;
use serde_json::json;
use trunkline::demo::house::{self, CAMPAIGN, Plan, Process};
use trunkline::demo::summary::{Evidence, Summary};
use trunkline::demo::watch::{Seen, Watch};
use trunkline::paths::Paths;
use trunkline::records::{self, Kept};

/// Nothing here may take longer on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The processes of the demonstration, to be ill-treated.
pub struct Processes {
    root: tempfile::TempDir,
    plan: Plan,
    pub emulate: Process,
    pub media: Process,
    pub acd: Process,
    pub watch: Watch,
}

impl Processes {
    /// Starts them and waits until callers come and the list is dialled.
    pub fn under_load(seconds: u64, lockstep: bool) -> Self {
        let root = tempfile::tempdir().expect("folder");
        let plan = Plan { seconds, scale: Scale::Short, seed: 7, lockstep };
        house::furnish(root.path(), plan).expect("files");
        let program = Path::new(env!("CARGO_BIN_EXE_trunkline"));
        let start = |name| Process::start(program, name, root.path()).expect(name);
        let (emulate, media, acd) = (start("emulate"), start("media"), start("acd"));
        let watch = Watch::new(&Paths::below(root.path()));
        let mut house = Self { root, plan, emulate, media, acd, watch };
        house.until("the house answers", |_| true);
        let csv = house::list(house.plan);
        house.watch.order("list_load", json!({"campaign": CAMPAIGN, "csv": csv})).expect("list");
        house.until("callers come", |seen| seen.far.offering != Offering::Waiting);
        house.watch.order("campaign_start", json!({"campaign": CAMPAIGN})).expect("start");
        house
    }

    /// Where its files are.
    pub fn paths(&self) -> Paths {
        Paths::below(self.root.path())
    }

    /// Starts again what fell, as the service manager would, and looks until `done`.
    pub fn until(&mut self, what: &str, mut done: impl FnMut(&Seen) -> bool) -> Seen {
        let begin = Instant::now();
        loop {
            for process in [&mut self.emulate, &mut self.media, &mut self.acd] {
                process.watch(Instant::now()).expect("a process falls for ever");
            }
            let seen = self.watch.look();
            if let Ok(now) = &seen
                && done(now)
            {
                return now.clone();
            }
            if begin.elapsed() > PATIENCE {
                self.tell_logs();
                panic!("not within {PATIENCE:?}: {what}; last seen: {seen:?}");
            }
            // How often it is looked; what is waited for is the condition above.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the offering, waits for the last call to end and holds both sides against each other.
    pub fn account(&mut self) -> Summary {
        self.watch.stop_offering().expect("stop of the offering");
        self.watch.order("campaign_stop", json!({"campaign": CAMPAIGN})).expect("stop of the list");
        let last = self.until("the last call ends", Seen::is_empty);
        let calls = self.watch.calls().expect("calls");
        let records = self.records_until("every call is in the records", |records| {
            let dialled = records.iter().filter(|record| !record.inbound).count() as u64;
            let came = records.len() as u64 - dialled;
            dialled >= last.report.outbound.dialled && came >= last.report.inbound.offered
        });
        let (results, callers) = records::by_number(&records);
        Summary::of(&Evidence {
            report: last.report,
            board: last.board(),
            underruns: last.underruns(),
            truth: last.far.truth.clone(),
            calls: &calls,
            results: &results,
            callers: &callers,
        })
    }

    /// Reads the records until `done`: their writer follows the calls at its own pace.
    pub fn records_until(&self, what: &str, done: impl Fn(&[Kept]) -> bool) -> Vec<Kept> {
        let begin = Instant::now();
        loop {
            match records::all(&self.paths()) {
                Ok(records) if done(&records) => return records,
                other => assert!(begin.elapsed() < PATIENCE, "{what}: {:?}", other.err()),
            }
            // How often it is looked; what is waited for is the condition above.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What there is to find out why a conversation was broken: which calls, and the folder with journals and logs,
    /// which is kept.
    pub fn keep_for_broken_conversations(&mut self, unbroken_millis: u32) {
        let calls = self.watch.calls().expect("calls");
        let is_broken = |call: &&CallTruth| call.longest_gap_millis > unbroken_millis;
        calls.iter().filter(is_broken).for_each(|call| println!("{call:?}"));
        self.root.disable_cleanup(true);
        println!("kept: {}", self.root.path().display());
        self.tell_logs();
    }

    fn tell_logs(&self) {
        for name in ["emulate", "media", "acd"] {
            let text = std::fs::read_to_string(house::log_file(name, self.root.path()));
            let text = text.unwrap_or_default();
            let from = text.lines().count().saturating_sub(20);
            println!("--- {name}");
            text.lines().skip(from).for_each(|line| println!("{line}"));
        }
    }
}

/// `trunkline demo` with a folder of its own for everything temporary.
pub struct Demonstration {
    folder: tempfile::TempDir,
    child: Child,
}

impl Demonstration {
    /// Starts it, and waits until callers come and the list is dialled.
    pub fn begin(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("demo");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let (mut begun, mut said) = (false, String::new());
        while let Some(Ok(line)) = lines.next()
            && !begun
        {
            begun = line.contains("callers come");
            said += &format!("{line}\n");
        }
        // What else it says is read to the end, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let show = Self { folder, child };
        assert!(begun, "the demonstration ended before it began: {said}");
        show
    }

    /// Its processes.
    pub fn children(&self) -> Vec<u32> {
        let ours = |pid: &u32| stat(*pid).is_some_and(|(_, parent)| parent == self.child.id());
        let all = std::fs::read_dir("/proc").expect("/proc").flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, signal).expect("signal");
    }

    /// Waits for its end. How it ended, and what it said on standard output.
    pub fn end(&mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        let mut output = self.child.stdout.take().expect("stdout");
        output.read_to_string(&mut said).expect("what it says");
        (self.child.wait().expect("its end"), said)
    }

    /// The names of what it left in its temporary folder.
    pub fn left_behind(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Demonstration {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// State and parent of a process; nothing when there is none. proc_pid_stat(5).
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may contain anything, brackets too.
    let (_, behind) = text.rsplit_once(')')?;
    let mut words = behind.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// Whether a process still runs; one that only waits to be collected does not.
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// Waits for a condition.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        // How often it is looked; what is waited for is the condition above.
        std::thread::sleep(Duration::from_millis(5));
    }
}
