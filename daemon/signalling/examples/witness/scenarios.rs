//! What is tried against the foreign engine.

use std::path::PathBuf;
use std::time::Duration;

use call::Number;
use signalling::{
    Dialect, Event, LinkSettings, NameCarrier, Order, Overlap, PriSettings, Redirecting,
    ServiceStatus, Side, Timeslots,
};
use tdm::Timeslot;

use crate::bench::Bench;
use crate::desk::{Habits, SILENCE};
use crate::peer::{Peer, pair};
use crate::{Failure, waits};

/// What all scenarios are given.
pub struct Context {
    /// The program.
    pub peer: PathBuf,
    /// Everything, at full length.
    pub full: bool,
    /// Where captures go.
    pub captures: Option<PathBuf>,
}

/// How a scenario ended.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Calls or checks that came out as they should.
    pub passed: usize,
    /// Those that did not.
    pub failed: usize,
    /// What went wrong.
    pub words: Vec<String>,
    /// A measurement.
    pub figure: Option<String>,
}

impl Verdict {
    /// One check.
    pub fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if holds {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.words.push(otherwise());
        }
    }
}

type Play = Box<dyn Fn(&Context, &str) -> Result<Verdict, Failure>>;

/// A scenario by its name.
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// Plays it.
    pub play: Play,
}

/// Every scenario of a run.
pub fn all(full: bool) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |name: String, play: Play| all.push(Scenario { name, play });
    let calls = if full { 250 } else { 25 };
    for dialect in Dialect::ALL {
        for (side, node) in [(Side::User, "user"), (Side::Network, "network")] {
            for (ours, what) in [(true, "calling"), (false, "called")] {
                let name = format!("{} {node} {what}", dialect.name);
                add(name, Box::new(move |c, n| mixed(c, n, dialect, side, ours, calls)));
            }
        }
    }
    for dialect in Dialect::ALL {
        let name = format!("names {}", dialect.name);
        add(name, Box::new(move |c, n| names(c, n, dialect)));
    }
    for (side, node) in [(Side::User, "user"), (Side::Network, "network")] {
        add(format!("loss {node}"), Box::new(move |c, n| loss(c, n, side)));
        add(format!("glare {node}"), Box::new(move |c, n| glare(c, n, side)));
        add(format!("overlap sending {node}"), Box::new(move |c, n| overlap(c, n, side, true)));
        add(format!("overlap receiving {node}"), Box::new(move |c, n| overlap(c, n, side, false)));
        add(format!("restart {node}"), Box::new(move |c, n| restart(c, n, side)));
        add(
            format!("restart forms {node}"),
            Box::new(move |c, n| waits::restart_forms(c, n, side)),
        );
        add(format!("behind {node}"), Box::new(move |c, n| waits::behind(c, n, side)));
        add(format!("stalled {node}"), Box::new(move |c, n| waits::stalled(c, n, side)));
        add(format!("number ends {node}"), Box::new(move |c, n| waits::number_ends(c, n, side)));
        add(format!("silence {node}"), Box::new(move |c, n| silence(c, n, side)));
        for (long, what) in [(false, "short"), (true, "long")] {
            let name = format!("{what} black hole {node}");
            add(name, Box::new(move |c, n| black_hole(c, n, side, long, true)));
        }
        let name = format!("long black hole beyond T309 {node}");
        add(name, Box::new(move |c, n| black_hole(c, n, side, true, false)));
    }
    for dialect in Dialect::ALL.into_iter().filter(Dialect::has_maintenance) {
        let name = format!("service {}", dialect.name);
        add(name, Box::new(move |c, n| service(c, n, dialect)));
    }
    if full {
        add("rate".into(), Box::new(|c, _| rate(c)));
    }
    all
}

const fn far(side: Side) -> &'static str {
    match side {
        Side::User => "net",
        Side::Network => "cpe",
    }
}

/// Starts a scenario: our settings and habits, and what the peer is told besides its side and dialect.
pub fn start(
    context: &Context,
    name: &str,
    settings: PriSettings,
    habits: Habits,
    options: &[&str],
) -> Result<Bench, Failure> {
    let (side, dialect) = (settings.side, settings.dialect.name);
    let mut all = vec!["--node", far(side), "--switch", dialect];
    all.extend(options);
    let options: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let file = context.captures.as_ref().map(|folder| {
        let node = if side == Side::User { "user" } else { "network" };
        folder.join(format!("{}.{node}.pcap", name.replace(' ', "_")))
    });
    let mut bench = Bench::new(&context.peer, settings, habits, &options, file.as_deref())?;
    bench.come_up()?;
    Ok(bench)
}

/// Runs until nobody has calls any more, and counts what came of them at both ends: a call counts as good when
/// both saw it end as wanted.
pub fn finish(bench: &mut Bench, calls: usize, limit: Duration) -> Result<Verdict, Failure> {
    let over = |bench: &Bench| bench.desk.over() >= calls && bench.desk.is_idle();
    let in_time = bench.run_until(limit, over)?;
    bench.run_until(Duration::from_secs(5), |bench| bench.interface.calls() == 0)?;
    let report = bench.last_report()?;
    let theirs = report.passed as usize;
    let good = bench.desk.passed.min(theirs).min(calls);
    let mut verdict = Verdict { passed: good, failed: calls - good, ..Verdict::default() };
    verdict.words.extend(bench.desk.failures.iter().map(|words| format!("ours: {words}")));
    verdict.words.extend(
        bench
            .peer
            .said
            .iter()
            .filter(|line| line.starts_with("wrong") || line.starts_with("complaint"))
            .map(|line| format!("peer: {line}")),
    );
    if !in_time {
        let (live, met) = (bench.desk.live(), bench.desk.met);
        verdict.words.push(format!(
            "not over in time: {live} live, {} over, {met} met; {report:?}; {:?}",
            bench.desk.over(),
            bench.interface.call_counters()
        ));
    }
    let left = bench.interface.calls();
    verdict.check(left == 0 && report.live == 0, || {
        format!("left behind: {left} here, {} there", report.live)
    });
    verdict.check(report.complaints == 0, || format!("{} complaints", report.complaints));
    Ok(verdict)
}

/// Calls of mixed outcomes in one direction.
fn mixed(
    context: &Context,
    name: &str,
    dialect: Dialect,
    side: Side,
    ours: bool,
    calls: usize,
) -> Result<Verdict, Failure> {
    let settings = PriSettings::new(side, dialect);
    let mut bench = start(context, name, settings, Habits::default(), &["--quiet"])?;
    if ours {
        bench.desk.place(calls);
    } else {
        bench.peer.tell(&format!("place {calls}"))?;
    }
    finish(&mut bench, calls, Duration::from_secs(60))
}

/// Whether the caller's name, a withheld one and a diverted call say at the other end what they said here.
fn names(context: &Context, name: &str, dialect: Dialect) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    let number = Number::unknown("4000");
    let redirecting = Some(Redirecting { number, reason: 15 });
    for side in [Side::User, Side::Network] {
        let only_down = dialect.names == NameCarrier::DisplayFromNetwork;
        let habits = Habits {
            name: Some("Ann Lee".into()),
            redirecting: redirecting.clone(),
            ..Habits::default()
        };
        let settings = PriSettings::new(side, dialect);
        let options = ["--name", "Bob Ray", "--redirecting", "4001"];
        let mut bench = start(context, name, settings, habits, &options)?;
        bench.desk.place(1);
        let ours = finish(&mut bench, 1, Duration::from_secs(10))?;
        verdict.check(ours.failed == 0, || format!("{side:?} calling: {:?}", ours.words));
        let ring = bench.peer.said.iter().find(|line| line.starts_with("ring")).cloned();
        let ring = ring.unwrap_or_default();
        let expected = if only_down && side == Side::User { "name -" } else { "name Ann Lee" };
        verdict.check(ring.contains(expected), || format!("wanted {expected}: {ring}"));
        let from = "redirected 4000 reason 15";
        verdict.check(ring.contains(from), || format!("wanted {from}: {ring}"));

        bench.peer.tell("place 1")?;
        let in_time = |bench: &Bench| bench.desk.last_incoming.is_some() && bench.desk.is_idle();
        bench.run_until(Duration::from_secs(10), in_time)?;
        let call = bench.desk.last_incoming.take().ok_or("no call came in")?;
        let late = bench.events.iter().find_map(|event| match event {
            Event::Named { name, .. } => Some(name.clone()),
            _ => None,
        });
        let told = call.name.or(late);
        let expected = Some("Bob Ray".to_owned()).filter(|_| !only_down || side == Side::User);
        verdict.check(told == expected, || format!("{side:?} was told {told:?}"));
        let from = call.redirecting.map(|from| (from.number.digits, from.reason));
        let expected = Some(("4001".to_owned(), 15));
        verdict.check(from == expected, || format!("{side:?} was diverted from {from:?}"));
    }
    Ok(verdict)
}

/// Three percent of the frames are lost each way, and nobody notices but the clock.
fn loss(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    let calls = if context.full { 300 } else { 40 };
    let settings = PriSettings::new(side, Dialect::EURO_ISDN);
    // No more at a time than there are channels: a full interface refuses with 34, whatever was wanted.
    let habits = Habits { at_once: 14, ..Habits::default() };
    let mut bench = start(context, name, settings, habits, &["--quiet", "--at-once", "14"])?;
    bench.loss = 0.03;
    bench.desk.place(calls / 2);
    bench.peer.tell(&format!("place {}", calls - calls / 2))?;
    finish(&mut bench, calls, Duration::from_secs(30))
}

/// Both ends hunt from the same side. None of ours fails; the peer's meet ours with 34 or 44 and go out anew.
fn glare(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    let each = if context.full { 200 } else { 40 };
    let settings = PriSettings::new(side, Dialect::EURO_ISDN);
    let habits = Habits { hunts_up: true, at_once: 10, ..Habits::default() };
    let mut bench = start(context, name, settings, habits, &["--quiet", "--at-once", "10"])?;
    bench.desk.place(each);
    bench.peer.tell(&format!("place {each}"))?;
    let mut verdict = finish(&mut bench, 2 * each, Duration::from_secs(90))?;
    let (ours, theirs) = (bench.desk.met, bench.ask_peer()?.met);
    verdict.check(ours + theirs as usize > 0, || "no two calls met: nothing was tried".into());
    verdict.figure = Some(format!("{ours} of ours and {theirs} of the peer's met another"));
    Ok(verdict)
}

/// Numbers that do not stand in SETUP as a whole.
fn overlap(context: &Context, name: &str, side: Side, sending: bool) -> Result<Verdict, Failure> {
    let calls = if context.full { 100 } else { 16 };
    let mut verdict = Verdict::default();
    for dialect in [Dialect::EURO_ISDN, Dialect::QSIG] {
        for first in [0_u8, 2, 7] {
            let overlap = match sending {
                true => Overlap { send_first: Some(first), ..Overlap::default() },
                false => Overlap { receive: true, digits: Some(8), send_first: None },
            };
            let settings = PriSettings { overlap, ..PriSettings::new(side, dialect) };
            let first = first.to_string();
            let options: &[&str] = match sending {
                true => &["--quiet", "--overlap-in"],
                false => &["--quiet", "--overlap-out", &first],
            };
            let label = format!("{name} {} {first}", dialect.name);
            let mut bench = start(context, &label, settings, Habits::default(), options)?;
            match sending {
                true => bench.desk.place(calls),
                false => bench.peer.tell(&format!("place {calls}"))?,
            }
            let part = finish(&mut bench, calls, Duration::from_secs(60))?;
            verdict.passed += part.passed;
            verdict.failed += part.failed;
            verdict.words.extend(part.words.into_iter().map(|words| format!("{label}: {words}")));
        }
    }
    Ok(verdict)
}

fn channels(bench: &Bench) -> usize {
    bench.interface.settings().channels.iter().count()
}

/// Calls that stay, as many on each side as wanted.
pub fn standing(bench: &mut Bench, calls: usize) -> Result<(), Failure> {
    bench.desk.place(calls);
    let up = move |bench: &Bench| bench.desk.answered() == calls;
    match bench.run_until(Duration::from_secs(20), up)? {
        true => Ok(()),
        false => Err(format!("only {} of {calls} calls stand", bench.desk.answered()).into()),
    }
}

/// Calls that stay.
pub const STANDING: Habits = Habits {
    outcome: Some(0),
    at_once: 30,
    hold_millis: None,
    ring_millis: 40,
    patience_millis: 150,
    hunts_up: true,
    insists: true,
    name: None,
    redirecting: None,
};

/// RESTART of a channel and of all of them, from either end, with calls up.
fn restart(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    for dialect in Dialect::ALL {
        let settings = PriSettings::new(side, dialect);
        let label = format!("{name} {}", dialect.name);
        let mut bench = start(context, &label, settings, STANDING, &["--quiet"])?;
        bench.desk.may_lose = true;
        standing(&mut bench, 6)?;
        let two = Timeslot::new(2);
        bench.order(Order::Restart { timeslot: two })?;
        let acknowledged =
            move |bench: &Bench| bench.events.contains(&Event::Restarted { timeslot: two });
        let done = bench.run_until(Duration::from_secs(5), acknowledged)?;
        verdict.check(done, || format!("{label}: no answer to RESTART of a channel"));
        let report = bench.ask_peer()?;
        let both = (bench.desk.answered(), report.answered);
        verdict.check(both == (5, 5), || format!("{label}: {both:?} calls stay of 5"));

        bench.peer.tell("restart 3")?;
        let told = |bench: &Bench| bench.peer.count("restart_ack") == 1;
        let done = bench.run_until(Duration::from_secs(5), told)?;
        verdict.check(done, || format!("{label}: no RESTART ACKNOWLEDGE for one channel"));
        verdict.check(bench.desk.answered() == 4, || format!("{label}: the wrong calls ended"));

        bench.events.clear();
        bench.order(Order::Restart { timeslot: None })?;
        let all = |bench: &Bench| bench.events.contains(&Event::Restarted { timeslot: None });
        let done = bench.run_until(Duration::from_secs(5), all)?;
        verdict.check(done, || format!("{label}: no answer to RESTART of the interface"));
        verdict.check(bench.desk.live() == 0, || format!("{label}: calls outlive the RESTART"));

        let count = channels(&bench);
        bench.peer.tell("restart all")?;
        let told = move |bench: &Bench| bench.peer.count("restart_ack") == 1 + count;
        let done = bench.run_until(Duration::from_secs(10), told)?;
        verdict.check(done, || format!("{label}: not every channel was acknowledged"));
        // And calls can be made afterwards, on the channels that were restarted.
        standing(&mut bench, 6)?;
        verdict.check(bench.desk.failures.is_empty(), || format!("{:?}", bench.desk.failures));
    }
    Ok(verdict)
}

/// SERVICE from either end takes a channel out and puts it back.
fn service(context: &Context, name: &str, dialect: Dialect) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    for side in [Side::User, Side::Network] {
        let settings = PriSettings::new(side, dialect);
        let mut bench = start(context, name, settings, STANDING, &["--service"])?;
        let timeslot = Timeslot::new(3).ok_or("no timeslot 3")?;
        for (status, bits) in [(ServiceStatus::OutOfService, 2), (ServiceStatus::InService, 0)] {
            let event = Event::Service { timeslot, status };
            bench.events.clear();
            bench.peer.said.clear();
            bench.order(Order::Service { timeslot, status })?;
            let done = bench.run_until(Duration::from_secs(5), |bench| {
                bench.events.contains(&event) && bench.peer.count("service ") == 1
            })?;
            verdict.check(done, || format!("{side:?} {status:?}: not understood"));

            bench.events.clear();
            bench.peer.tell(&format!("service 3 {bits}"))?;
            let done = bench.run_until(Duration::from_secs(5), |bench| {
                bench.events.contains(&event) && bench.peer.count("service_ack") == 1
            })?;
            verdict.check(done, || {
                let said = bench.peer.said.join(", ");
                format!("{side:?} {status:?} from the peer: {:?}; {said}", bench.events)
            });
        }
        // With every channel out but one, calls of ours go on that one.
        standing(&mut bench, 1)?;
        verdict.passed += 1;
    }
    Ok(verdict)
}

/// Nobody answers SETUP: T303 twice, then the call is over at both ends and the channel is free.
fn silence(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    let mut settings = PriSettings::new(side, Dialect::EURO_ISDN);
    if !context.full {
        settings.timers.t303_millis = 500;
    }
    let t303_millis = settings.timers.t303_millis;
    let t303 = format!("T303={t303_millis}");
    let habits = Habits { outcome: Some(SILENCE), ..Habits::default() };
    let outcome = SILENCE.to_string();
    let options = ["--quiet", "--outcome", &outcome, "--timer", &t303];
    let mut bench = start(context, name, settings, habits, &options)?;
    let mut verdict = Verdict::default();
    bench.desk.place(3);
    let over = bench.run_until(Duration::from_secs(15), |bench| bench.desk.is_idle())?;
    verdict.check(over && bench.desk.passed == 3, || {
        format!("ours: {} of 3, {:?}", bench.desk.passed, bench.desk.failures)
    });
    let left = bench.interface.calls();
    verdict.check(left == 0, || format!("left behind: {left}"));
    // The other way round. (libpri tells its user nothing of a call that it never answered and that is taken
    // back, and nothing the other end of a call it gives up itself.)
    let before = bench.ask_peer()?.live;
    bench.peer.tell("place 3")?;
    bench.run_until(Duration::from_secs(5), |bench| bench.desk.live() == 3)?;
    bench.run_for(Duration::from_millis(u64::from(3 * t303_millis)))?;
    bench.desk.hang_up_all(bench.now());
    let over = bench.run_until(Duration::from_secs(5), |bench| bench.desk.passed == 6)?;
    let report = bench.ask_peer()?;
    verdict.check(over && report.passed == 3 && report.live == before, || {
        format!("the peer's: {report:?}, {:?}, {:?}", bench.peer.said, bench.desk.failures)
    });
    verdict.check(bench.interface.calls() == 0, || "calls are left".into());
    Ok(verdict)
}

/// Nothing gets through for a while, with 30 calls up and one being set up. They survive, or T309 clears them.
fn black_hole(
    context: &Context,
    name: &str,
    side: Side,
    long: bool,
    survive: bool,
) -> Result<Verdict, Failure> {
    // A tenth of everything in a quick run.
    let scale = if context.full { 1 } else { 10 };
    let hole = Duration::from_secs(if long { 20 } else { 5 }) / scale;
    let mut settings = PriSettings::new(side, Dialect::EURO_ISDN);
    settings.link = LinkSettings {
        t200_millis: 1000 / scale,
        t203_millis: 10_000 / scale,
        retry_millis: 1000 / scale,
        ..settings.link
    };
    settings.timers.t303_millis = 4000 / scale;
    settings.timers.t308_millis = 4000 / scale;
    settings.timers.t309_millis = if survive { 60_000 } else { 5000 } / scale;
    let timer = |name: &str, millis: u32| format!("{name}={millis}");
    let (t200, t203) = (timer("T200", 1000 / scale), timer("T203", 10_000 / scale));
    let t309 = timer("T309", settings.timers.t309_millis);
    let options = ["--quiet", "--timer", &t200, "--timer", &t203, "--timer", &t309, "--hold", "-1"];
    let mut bench = start(context, name, settings, STANDING, &options)?;
    bench.desk.may_lose = true;
    let calls = 29;
    standing(&mut bench, calls)?;
    bench.cut = true;
    bench.desk.place(1);
    bench.run_for(hole)?;
    bench.cut = false;
    let heal = Duration::from_secs(12) / scale;
    bench.run_until(heal, |bench| bench.interface.is_up())?;
    bench.run_for(heal)?;
    let mut verdict = Verdict::default();
    verdict.check(bench.interface.is_up(), || "the link did not come back".into());
    let report = bench.ask_peer()?;
    let (ours, theirs) = (bench.desk.answered(), report.answered as usize);
    if survive {
        // The thirtieth may have come through when the line was back.
        verdict.check((calls..=calls + 1).contains(&ours) && theirs == ours, || {
            format!("{ours} calls survived here and {theirs} there, of {calls}")
        });
        bench.desk.hang_up_all(bench.now());
    } else {
        verdict.check(ours <= 1 && theirs == ours, || {
            format!("T309 left {ours} calls here and {theirs} there")
        });
        bench.desk.hang_up_all(bench.now());
    }
    let idle = bench.run_until(Duration::from_secs(20), |b| b.interface.calls() == 0)?;
    bench.run_for(Duration::from_millis(100))?;
    let report = bench.ask_peer()?;
    verdict.check(idle && report.live == 0, || {
        format!("left: {} here, {} there", bench.interface.calls(), report.live)
    });
    verdict.check(bench.desk.failures.is_empty(), || format!("{:?}", bench.desk.failures));
    let again = bench.desk.over();
    standing(&mut bench, 30)?;
    bench.desk.hang_up_all(bench.now());
    let over = bench.run_until(Duration::from_secs(10), |b| b.desk.over() >= again + 30)?;
    verdict.check(over, || "calls afterwards do not end".into());
    verdict.figure = Some(format!("{ours} of {calls} standing calls survived"));
    Ok(verdict)
}

/// Calls a second, flat out: ours calling and called, beside libpri against itself over the same wire. In turn and
/// several times: who else is on the machine comes and goes, and the best of each is what it can do.
fn rate(context: &Context) -> Result<Verdict, Failure> {
    const ROUNDS: usize = 6;
    let [mut theirs, mut called_out, mut called_in] = [0.0_f64; 3];
    for _ in 0..ROUNDS {
        theirs = theirs.max(their_rate(context)?);
        called_out = called_out.max(our_rate(context, true)?);
        called_in = called_in.max(our_rate(context, false)?);
    }
    let ratio = called_out.min(called_in) / theirs;
    let mut verdict = Verdict::default();
    verdict.check(ratio >= 0.7, || format!("the ratio is {ratio:.2}"));
    verdict.figure = Some(format!(
        "calls a second: ours calling {called_out:.0}, called {called_in:.0}; libpri to libpri {theirs:.0}; ratio {ratio:.2}"
    ));
    Ok(verdict)
}

/// Calls of one measurement of the rate.
const RATE_CALLS: usize = 2000;
const RATE_OPTIONS: [&str; 9] =
    ["--quiet", "--hold", "0", "--ring", "0", "--outcome", "0", "--at-once", "30"];

fn their_rate(context: &Context) -> Result<f64, Failure> {
    let options = |node: &str| -> Vec<String> {
        let mut all = vec!["--node", node, "--switch", "euroisdn"];
        all.extend(RATE_OPTIONS);
        all.into_iter().map(str::to_owned).collect()
    };
    let (near, far_end) = pair()?;
    let _answering = Peer::spawn(&context.peer, far_end, &options("net"))?;
    nix::fcntl::fcntl(&near, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))?;
    let mut calling = Peer::spawn(&context.peer, near, &options("cpe"))?;
    calling.tell(&format!("place {RATE_CALLS}"))?;
    let started = std::time::Instant::now();
    let report = loop {
        calling.tell("report")?;
        std::thread::sleep(Duration::from_millis(100));
        calling.listen()?;
        match calling.report {
            Some(report) if report.passed + report.failed >= RATE_CALLS as u64 => break report,
            _ if started.elapsed() > Duration::from_secs(60) => return Err("too slow".into()),
            _ => {}
        }
    };
    Ok(report.passed as f64 * 1000.0 / report.millis.max(1) as f64)
}

fn our_rate(context: &Context, calling: bool) -> Result<f64, Failure> {
    let settings = PriSettings {
        channels: Timeslots::E1_PRI,
        guard_millis: 0,
        ..PriSettings::new(Side::User, Dialect::EURO_ISDN)
    };
    let habits = Habits { hold_millis: Some(0), ring_millis: 0, ..STANDING };
    let mut bench = start(context, "rate", settings, habits, &RATE_OPTIONS)?;
    match calling {
        true => bench.desk.place(RATE_CALLS),
        false => bench.peer.tell(&format!("place {RATE_CALLS}"))?,
    }
    bench.run_until(Duration::from_secs(60), |bench| bench.desk.over() >= RATE_CALLS)?;
    let (first, last) = bench.desk.span.ok_or("no calls")?;
    Ok(bench.desk.passed as f64 * 1e6 / last.micros_since(first).max(1) as f64)
}
