//! What falls, and what must not fall with it: real processes, killed and stopped under load.

mod support;

use exchange::Scale;
use nix::sys::signal::Signal;
use serde_json::json;
use support::{Demonstration, Processes, is_alive, until};
use trunkline::demo::house::{Plan, furnish};

/// Audio between two bridged legs may pause for so long at most: the measuring step is 80 ms.
const UNBROKEN_MILLIS: u32 = 240;

/// The call centre is killed again and again while callers come and the list is dialled. Bridged people
/// hear each other all the while, and in the end no call is missing on either side.
#[test]
fn the_call_centre_may_be_killed_twenty_times_without_losing_a_call() {
    // Callers come until the last kill, however slow the machine.
    let mut house = Processes::under_load(600, true);
    for round in 1..=20_u32 {
        let offered = house.until("calls are there", |s| s.report.inbound.here > 0);
        let before = offered.far.truth.inbound.offered;
        house.acd.signal(Signal::SIGKILL).expect("kill");
        house.until("the successor takes over", |s| s.status["controller"] == true);
        assert_eq!(house.acd.restarts(), round);
        house.until("calls go on", |s| {
            s.far.truth.inbound.offered > before || s.far.offering == exchange::Offering::Over
        });
    }
    let summary = house.account();
    println!("{}", summary.table());
    assert_eq!(summary.unaccounted, 0, "{:?}", summary.faults);
    let longest = summary.truth.audio.longest_gap_millis;
    if longest > UNBROKEN_MILLIS {
        house.keep_for_broken_conversations(UNBROKEN_MILLIS);
    }
    assert!(longest <= UNBROKEN_MILLIS, "{:?}", summary.truth.audio);
}

#[test]
fn the_call_centre_may_be_killed_in_real_time() {
    let mut house = Processes::under_load(15, false);
    house.until("people talk", |s| s.far.truth.audio.callers > 2);
    house.acd.signal(Signal::SIGKILL).expect("kill");
    house.until("the successor takes over", |s| s.status["controller"] == true);
    let summary = house.account();
    assert_eq!(summary.unaccounted, 0, "{:?}", summary.faults);
}

/// The process behind the board dies: the span is in alarm and its calls are over. It comes back: in
/// service again, without a restart of the call server.
#[test]
fn a_board_that_vanishes_comes_back_by_itself() {
    let mut house = Processes::under_load(600, true);
    let before = house.until("people talk", |s| {
        let agents = s.agents["agents"].as_array();
        agents.is_some_and(|all| all.iter().filter(|a| a["state"] == "talking").count() > 2)
    });
    let closed = house.records_until("there are records", |_| true).len();
    // A board that was not there yet when the call server began has been told, too.
    let told =
        std::fs::read_to_string(house.paths().alarms()).expect("log of alarms").lines().count();
    house.emulate.signal(Signal::SIGKILL).expect("kill");
    let after = house.until("the board is back, and new calls come", |s| {
        s.status["spans"].as_array().is_some_and(|spans| {
            spans.iter().all(|span| span["in_service"] == true && span["link"] == true)
        }) && s.far.truth.inbound.offered > 3
    });
    assert_eq!(house.media.restarts(), 0);

    // The sums close over the gap. As many calls have their record as had come by then; those that the board took
    // with it say so: 41 for who was answered, 27 for others.
    assert_eq!(after.report.unaccounted, 0, "{:?}", after.report);
    let (inbound, outbound) = (before.report.inbound, before.report.outbound);
    let there = (inbound.offered + outbound.dialled) as usize;
    let records = house.records_until("all calls of that moment are closed", |records| {
        records.len() >= there && records.iter().any(|record| record.cause.0 == 41)
    });
    let torn = records.iter().skip(closed).filter(|record| matches!(record.cause.0, 27 | 41));
    let torn: Vec<_> = torn.collect();
    assert!(torn.iter().all(|record| !record.reason.is_empty()), "{torn:?}");
    let spoke = |result: &str| matches!(result, "answered" | "person");
    let talked: Vec<_> = torn.iter().filter(|record| spoke(&record.result)).collect();
    assert!(!talked.is_empty() && talked.iter().all(|record| record.cause.0 == 41), "{torn:?}");

    let alarms = std::fs::read_to_string(house.paths().alarms()).expect("log of alarms");
    for state in ["raised", "cleared"] {
        let of_span = alarms.lines().skip(told).filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            (line["alarm"] == "board_gone" && line["state"] == state).then_some(())
        });
        assert_eq!(of_span.count(), 4, "{state}: {alarms}");
    }
}

/// The call server itself dies: the one thing that drops calls. The links are restarted, the open records
/// are closed with cause 41, and new calls come.
#[test]
fn the_call_server_is_back_in_service_within_five_seconds_of_its_start() {
    let mut house = Processes::under_load(600, false);
    house.until("people talk", |s| s.far.truth.audio.callers > 2);
    house.media.signal(Signal::SIGKILL).expect("kill");
    while house.media.restarts() == 0 {
        house.until("it is started anew", |_| true);
    }
    house.until("in service", |s| {
        s.status["spans"].as_array().is_some_and(|spans| {
            !spans.is_empty() && spans.iter().all(|s| s["in_service"] == true && s["link"] == true)
        })
    });
    let took = house.media.started().elapsed();
    println!("in service {took:?} after its start");
    assert!(took.as_secs() < 5, "{took:?}");
    let answered = house.watch.look().expect("look").report.inbound.answered;
    house.until("new callers are answered", |s| s.report.inbound.answered > answered);
    house.records_until("a record is closed with cause 41", |records| {
        records.iter().any(|record| record.cause.0 == 41)
    });
}

/// Half a second without a processor: milliseconds are lost and counted, and every call is accounted for.
#[test]
fn a_stopped_call_server_counts_its_gaps_and_loses_no_call() {
    let mut house = Processes::under_load(15, false);
    let before = house.until("people talk", |s| s.far.truth.audio.callers > 2);
    house.media.signal(Signal::SIGSTOP).expect("stop");
    std::thread::sleep(std::time::Duration::from_millis(500)); // the fault itself
    house.media.signal(Signal::SIGCONT).expect("go on");
    let after = house.until("it goes on", |s| s.board().gaps > before.board().gaps);
    assert!(after.board().lost_millis >= before.board().lost_millis + 300, "{:?}", after.board());
    let summary = house.account();
    assert_eq!(summary.unaccounted, 0, "{:?}", summary.faults);
}

/// A second controller takes over; the first one's commands are refused from then on.
#[test]
fn the_older_of_two_controllers_is_refused() {
    use protocol::client::Blocking;
    use protocol::wire::{Hello, Role};
    let mut house = Processes::under_load(600, true);
    house.until("calls are there", |s| s.report.inbound.here > 0);
    let hello = |name: &str, takeover| Hello {
        protocol: protocol::PROTOCOL,
        client: name.to_owned(),
        role: Role::Controller,
        takeover,
    };
    let path = house.paths().media_socket();
    assert!(Blocking::connect(&path, &hello("second", false)).is_err(), "two controllers");
    let (mut second, welcome) = Blocking::connect(&path, &hello("second", true)).expect("takeover");
    let (mut third, newer) = Blocking::connect(&path, &hello("third", true)).expect("takeover");
    assert!(newer.epoch > welcome.epoch);
    let unknown = json!({"leg": "l1.999999", "cause": 16, "key": "k1"});
    let refused = second.call("hangup", unknown.clone()).expect_err("an old controller commands");
    assert!(refused.to_string().contains("controller"), "{refused}");
    let refused = third.call("hangup", unknown).expect_err("no such leg");
    assert!(!refused.to_string().contains("controller"), "{refused}");
}

/// Ctrl-C: nobody calls any more, the calls there are come to their end, both sides agree, and nothing is
/// left behind: no process, no file.
#[test]
fn an_interrupted_demonstration_ends_cleanly() {
    let mut show = Demonstration::begin(&["--seconds", "600", "--lockstep", "--json"]);
    let children = show.children();
    assert_eq!(children.len(), 3, "{children:?}");
    show.signal(Signal::SIGINT);
    let (status, said) = show.end();
    assert!(status.success(), "{status}: {said}");
    let last = said.lines().last().unwrap_or_default();
    let summary: serde_json::Value = serde_json::from_str(last).expect("a line of JSON");
    assert_eq!(summary["unaccounted"], 0, "{last}");
    assert_eq!(
        (&summary["underruns"], &summary["board"]["gaps"]),
        (&json!(0), &json!(0)),
        "{last}"
    );
    assert!(children.iter().all(|&child| !is_alive(child)), "{children:?}");
    assert_eq!(show.left_behind(), Vec::<String>::new());
}

/// However the demonstration falls, its processes fall with it.
#[test]
fn the_processes_of_a_killed_demonstration_end_with_it() {
    let mut show = Demonstration::begin(&["--seconds", "600", "--lockstep"]);
    let children = show.children();
    assert_eq!(children.len(), 3, "{children:?}");
    show.signal(Signal::SIGKILL);
    let (status, _) = show.end();
    assert!(!status.success());
    until("the children are gone", || children.iter().all(|&child| !is_alive(child)));
}

/// `trunkline check | true`: no panic, no complaint, the status that a shell reports for SIGPIPE.
#[test]
fn a_command_whose_reader_left_ends_quietly() {
    let root = tempfile::tempdir().expect("folder");
    let plan = Plan { seconds: 1, scale: Scale::Short, seed: 1, lockstep: true };
    furnish(root.path(), plan).expect("files");
    let (reader, writer) = std::io::pipe().expect("pipe");
    drop(reader);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(["check", "--root"])
        .arg(root.path())
        .stdout(writer)
        .output()
        .expect("check");
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_demonstration_without_a_folder_says_what_to_name_and_never_panics() {
    let program = env!("CARGO_BIN_EXE_trunkline");
    let demo = |arguments: &[&str]| {
        let mut command = std::process::Command::new(program);
        command.arg("demo").args(arguments).env("TMPDIR", "/nowhere/at/all");
        let output = command.output().expect("demo");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let why = demo(&[]);
    assert!(why.contains("/nowhere/at/all") && why.contains("TMPDIR"), "{why}");
    let why = demo(&["--seconds", "18446744073709551615"]);
    assert!(why.contains("86400") && !why.contains("panicked"), "{why}");
}
