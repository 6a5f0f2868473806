//! Who waits for whom: far ends that are told to wait, timers of ours that a silent far end sets off, RESTART in its
//! other forms.

use std::time::Duration;

use signalling::{Dialect, Event, Failure as Why, Order, Overlap, PriSettings, RestartForm, Side};

use crate::Failure;
use crate::desk::{ALERTS, Habits, PROCEEDS};
use crate::scenarios::{Context, STANDING, Verdict, finish, standing, start};

/// Calls both ways while we tell the peer again and again to wait (RNR): none is lost, and nothing is said twice.
pub fn behind(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    let each = if context.full { 200 } else { 40 };
    let settings = PriSettings::new(side, Dialect::EURO_ISDN);
    let habits = Habits { at_once: 14, ..Habits::default() };
    let mut bench = start(context, name, settings, habits, &["--quiet", "--at-once", "14"])?;
    bench.desk.place(each);
    bench.peer.tell(&format!("place {each}"))?;
    let mut waits = 0;
    while waits < 3 || bench.desk.over() < each {
        waits += 1;
        bench.order(Order::Behind { on: true })?;
        bench.run_for(Duration::from_millis(60))?;
        bench.order(Order::Behind { on: false })?;
        bench.run_for(Duration::from_millis(40))?;
        if waits > 1000 {
            return Err("the calls do not end".into());
        }
    }
    let mut verdict = finish(&mut bench, 2 * each, Duration::from_secs(30))?;
    let faults = *bench.interface.link_faults();
    verdict.check(faults.total() == 0, || format!("{faults:?}"));
    verdict.figure = Some(format!("the peer waited {waits} times"));
    Ok(verdict)
}

/// The peer says CALL PROCEEDING or ALERTING and not a word more: T310 and T301 clear with 102.
pub fn stalled(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    const CALLS: usize = 10;
    let mut verdict = Verdict::default();
    for (outcome, timer) in [(PROCEEDS, "T310"), (ALERTS, "T301")] {
        let mut settings = PriSettings::new(side, Dialect::EURO_ISDN);
        // The other one must not come first on a host that is slow.
        match outcome {
            PROCEEDS => settings.timers.t310_millis = 400,
            _ => settings.timers.t301_millis = 400,
        }
        let habits = Habits { outcome: Some(outcome), ..Habits::default() };
        let label = format!("{name} {timer}");
        let mut bench = start(context, &label, settings, habits, &["--quiet"])?;
        bench.desk.place(CALLS);
        let part = finish(&mut bench, CALLS, Duration::from_secs(10))?;
        verdict.passed += part.passed;
        verdict.failed += part.failed;
        verdict.words.extend(part.words);
        let named = |event: &&Event| matches!(event, Event::Failed { why: Why::Timer(it), .. } if *it == timer);
        let expired = bench.events.iter().filter(named).count();
        verdict.check(expired == CALLS, || format!("{label}: {expired} of {CALLS} expired"));
    }
    Ok(verdict)
}

/// Digits come one by one and nobody says that they are all: T302 does.
pub fn number_ends(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    let calls = if context.full { 40 } else { 8 };
    let overlap = Overlap { receive: true, digits: None, send_first: None };
    let mut settings = PriSettings { overlap, ..PriSettings::new(side, Dialect::EURO_ISDN) };
    settings.timers.t302_millis = 400;
    let options = ["--quiet", "--overlap-out", "2"];
    let mut bench = start(context, name, settings, Habits::default(), &options)?;
    bench.peer.tell(&format!("place {calls}"))?;
    finish(&mut bench, calls, Duration::from_secs(30))
}

/// The interface restarted by a list, and channel by channel.
pub fn restart_forms(context: &Context, name: &str, side: Side) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    for (restart_form, what) in [(RestartForm::List, "list"), (RestartForm::OneByOne, "one by one")]
    {
        let settings = PriSettings { restart_form, ..PriSettings::new(side, Dialect::EURO_ISDN) };
        let label = format!("{name} {what}");
        let mut bench = start(context, &label, settings, STANDING, &["--quiet"])?;
        bench.desk.may_lose = true;
        standing(&mut bench, 6)?;
        bench.order(Order::Restart { timeslot: None })?;
        let all_free = |bench: &crate::bench::Bench| {
            let mut channels = bench.interface.settings().channels.iter();
            channels.all(|timeslot| bench.interface.may_call(timeslot))
        };
        let done = bench.run_until(Duration::from_secs(10), all_free)?;
        verdict.check(done, || format!("{label}: not every channel came back"));
        let (live, theirs) = (bench.desk.live(), bench.ask_peer()?.answered);
        verdict.check((live, theirs) == (0, 0), || format!("{label}: {live}, {theirs} live"));
        let whole = bench.events.contains(&Event::Restarted { timeslot: None });
        let said = bench.peer.count("restart ");
        verdict
            .figure
            .get_or_insert(format!("to the list the peer restarted {said} times, whole {whole}"));
        standing(&mut bench, 6)?;
        verdict.check(bench.desk.failures.is_empty(), || format!("{:?}", bench.desk.failures));
    }
    Ok(verdict)
}
