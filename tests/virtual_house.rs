//! The whole house in virtual time: boards, lines, detectors, call server, call centre and the network at
//! the far end, in one thread and from one seed.

use std::collections::BTreeMap;

use acd::{ApiRequest, CallResult};
use call::{
    CallEvent, Direction, LegId, LegState, Meaning, Outcome, SitCode, SnapshotItem, Verdict,
};
use dsp::fingerprint::Print;
use exchange::scenario::{Announcement, Arrivals, Burst, Ringback};
use exchange::{Offering, Scale, Scenario, SubscriberKind, Voices};
use trunkline::announcements::{self, Known};
use trunkline::config::Config;
use trunkline::demo::house::{self as plan, CAMPAIGN, Plan};
use trunkline::demo::summary::{Report, Summary};
use trunkline::house::House;
use trunkline::media_shell::signal_work::Said;
use trunkline::rig::Rig;

const SCENARIO: &str = "scenario.toml";

fn house(plan: Plan, configuration: &str, scenario: Scenario) -> House {
    let config = Config::parse(configuration, "demo.toml").unwrap_or_else(|e| panic!("{e}"));
    let prompts = trunkline::prompts::load(None, "en").expect("prompts");
    let scenarios = BTreeMap::from([(SCENARIO.to_owned(), scenario)]);
    let rig = Rig::with_scenarios(&config, &prompts, scenarios).unwrap_or_else(|e| panic!("{e:#}"));
    House::new(rig, config.acd.clone(), plan.seed).expect("call centre")
}

fn offering(house: &House) -> Offering {
    house.rig.exchange(SCENARIO).expect("network").offering()
}

/// Runs until the offering is over and the last call has ended. `dial`: with the list.
fn run(house: &mut House, plan: Plan, dial: bool) -> Summary {
    if dial {
        let csv = plan::list(plan);
        let load = ApiRequest::ListLoad { campaign: CAMPAIGN.into(), csv, good_rows_only: false };
        house.ask(load).expect("list");
    }
    let ready = house.run_until(15_000, |h| offering(h) != Offering::Waiting);
    assert!(ready, "no span in service");
    if dial {
        house.ask(ApiRequest::CampaignStart { campaign: CAMPAIGN.into() }).expect("start");
    }
    house.run_until(plan.seconds * 1000 + 5000, |h| offering(h) == Offering::Over);
    if dial {
        house.ask(ApiRequest::CampaignStop { campaign: CAMPAIGN.into() }).expect("stop");
    }
    let mut millis = 0;
    let drained = house.run_until(30_000, |h| {
        millis += 1;
        millis % 100 == 0 && is_empty(h)
    });
    let summary = house.summary(SCENARIO).expect("summary");
    println!("{}", summary.table());
    assert!(drained, "calls are left after the drain");
    summary
}

fn report(house: &mut House) -> Report {
    let report = house.ask(ApiRequest::Report {}).expect("report");
    serde_json::from_value(report).expect("a report")
}

fn is_empty(house: &mut House) -> bool {
    let report = report(house);
    report.inbound.here == 0 && report.outbound.in_flight == 0
}

/// Every outcome and every stage of loss happens, both sides count the same, and nothing is left over.
#[test]
fn a_minute_of_the_demonstration_closes_to_the_last_call() {
    let plan = Plan { seconds: 60, scale: Scale::Short, seed: 1, lockstep: true };
    let mut house = house(plan, &plan::configuration(plan), plan::scenario(plan));
    let begin = std::time::Instant::now();
    let Summary { inbound, outbound, truth, unaccounted, faults, .. } = run(&mut house, plan, true);
    let speed = house.rig.now().as_micros() as f64 / 1e6 / begin.elapsed().as_secs_f64();
    println!("{speed:.1} x real time");
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(unaccounted, 0);
    assert!(inbound.offered >= 60, "{}", inbound.offered);
    assert!(outbound.dialled >= 90, "{}", outbound.dialled);
    let lost = inbound.lost;
    for (stage, count) in [
        ("answered", inbound.answered),
        ("served", inbound.served),
        ("trunk", lost.trunk),
        ("ivr", lost.ivr),
        ("queue", lost.queue),
        ("agent", lost.agent),
        ("person", outbound.person),
        ("machine", outbound.machine),
        ("busy", outbound.busy),
        ("no answer", outbound.no_answer),
        ("vacant", outbound.vacant),
        ("congestion", outbound.congestion),
        ("other", outbound.other),
    ] {
        assert!(count > 0, "nothing came to: {stage}");
    }
    // Each of them was heard by ear: the agent's pilot reached the caller.
    assert!(truth.audio.callers + 2 >= inbound.answered, "{:?} {inbound:?}", truth.audio);
    assert!(truth.audio.longest_gap_millis <= 240, "{:?}", truth.audio);
}

/// The same seed, the same day: what failed once can be looked at again.
#[test]
fn the_same_seed_gives_the_same_account() {
    let plan = Plan { seconds: 8, scale: Scale::Short, seed: 5, lockstep: true };
    let [first, second] = [0, 1].map(|_| {
        let mut house = house(plan, &plan::configuration(plan), plan::scenario(plan));
        run(&mut house, plan, true)
    });
    assert_eq!(first, second);
}

/// At most one in ten persons is lost, and three in twenty machines pass, over 500 dialled calls.
#[test]
fn persons_and_machines_are_told_apart_nine_times_in_ten() {
    let plan = Plan { seconds: 300, scale: Scale::Short, seed: 11, lockstep: true };
    let mut scenario = plan::scenario(plan);
    scenario.callers.per_second = 0.0;
    scenario.callers.bursts.clear();
    // All agents are there for the list.
    let configuration = plan::configuration(plan).replace(
        "kind = \"nailed\"\nqueues = [\"sales\"]",
        &format!("kind = \"nailed\"\ncampaigns = [\"{CAMPAIGN}\"]"),
    );
    let mut house = house(plan, &configuration, scenario);
    let summary = run(&mut house, plan, true);
    assert!(summary.outbound.dialled >= 500, "{}", summary.outbound.dialled);
    assert_eq!(summary.faults, Vec::<String>::new());
    let c = summary.confusion;
    let persons = c.person_as_person + c.person_as_machine + c.person_as_other;
    let machines = c.machine_as_machine + c.machine_as_person + c.machine_as_other;
    assert!(c.person_as_person * 10 >= persons * 9, "{c:?}");
    assert!(c.machine_as_machine * 10 >= machines * 9, "{c:?}");
}

/// A flow that serves every caller in the same time, so that channels alone set the most that can be done.
fn served_by_the_flow(per_second: f64, seconds: u64, bursts: Vec<Burst>) -> (House, Plan) {
    let plan = Plan { seconds, scale: Scale::Short, seed: 3, lockstep: true };
    let mut scenario = plan::scenario(plan);
    scenario.callers.per_second = per_second;
    scenario.callers.arrivals = Arrivals::Regular;
    scenario.callers.bursts = bursts;
    scenario.callers.information_percent = 100;
    scenario.callers.leave_in_ivr_percent = 0;
    scenario.callers.leave_at_ring_percent = 0;
    let configuration = plan::configuration(plan).replace("start = \"menu\"", "start = \"hours\"");
    (house(plan, &configuration, scenario), plan)
}

/// 80 channels, three times the calls they can carry, for five minutes: what gets through stays what it
/// was at full load, the rest is refused at the door and counted. Five seconds after its end whoever calls is
/// taken and served, none refused, at half of what the channels can carry.
#[test]
fn three_times_the_capacity_leaves_the_goodput_where_it_was() {
    let (mut house, plan) = served_by_the_flow(40.0, 30, vec![]);
    let full = run(&mut house, plan, false);
    let most_per_second = full.inbound.served as f64 / 30.0;

    let normal = most_per_second / 2.0;
    let calls = ((3.0 * most_per_second - normal) * 300.0) as u32;
    let surplus = Burst { at_millis: 0, calls, within_millis: 300_000 };
    let (mut house, plan) = served_by_the_flow(normal, 318, vec![surplus]);
    let left = |seconds: u64| {
        move |h: &mut House| match offering(h) {
            Offering::Running { left_millis } => left_millis <= seconds * 1000,
            other => other == Offering::Over,
        }
    };
    assert!(house.run_until(400_000, left(18)));
    let over = report(&mut house).inbound;
    let per_second = over.served as f64 / 300.0;
    println!("{most_per_second:.1} a second at full load, {per_second:.1} at three times that");
    assert!(per_second >= 0.95 * most_per_second, "{per_second} of {most_per_second}");
    assert!(over.lost.trunk > 1000, "nothing was refused: {over:?}");
    assert!(house.run_until(10_000, left(13)));
    let before = report(&mut house).inbound;
    let end = run(&mut house, plan, false);
    assert_eq!(end.unaccounted, 0, "{:?}", end.faults);
    assert_eq!(end.inbound.lost, before.lost, "somebody was lost after it was over");
    let came = end.inbound.offered - before.offered;
    assert!(came as f64 >= 0.95 * 13.0 * normal, "{came} came, {normal:.1} a second");
    assert_eq!(end.inbound.served - before.served, came + before.here);
    let status = house.rig.status();
    assert_eq!(status.groups[0].in_use, 0);
}

/// The call centre falls and nobody takes its place: everybody who was answered and has nobody to talk to gets
/// what the call centre had stored for him, with the real flow's prompts and on real lines.
#[test]
fn callers_in_a_flow_get_their_fallback_when_the_call_centre_stays_away() {
    let (mut house, _) = served_by_the_flow(4.0, 60, vec![]);
    let in_flow = |house: &mut House| -> Vec<LegId> {
        let legs = house.rig.snapshot().into_iter().filter_map(|item| match item {
            SnapshotItem::Leg(leg) => Some(leg),
            _ => None,
        });
        let waits = legs.filter(|l| l.direction == Direction::Inbound && l.peer.is_none());
        waits.filter(|l| l.state == LegState::Answered).map(|l| l.leg).collect()
    };
    assert!(house.run_until(20_000, |h| in_flow(h).len() >= 3), "nobody is in the flow");
    house.fall();
    let mut left: Vec<LegId> = in_flow(&mut house);
    let mut millis = 0;
    while !left.is_empty() && millis < 20_000 {
        house.rig.millisecond();
        millis += 1;
        while let Some(said) = house.rig.said() {
            match said {
                Said::Event { event: CallEvent::FellBack { leg }, .. } => {
                    assert!(millis >= 2990, "after {millis} ms");
                    left.retain(|&waits| waits != leg);
                }
                Said::Event { event: CallEvent::Ended(summary), .. } => {
                    assert!(!left.contains(&summary.leg), "{summary:?}");
                }
                _ => {}
            }
        }
    }
    assert_eq!(left, [], "no fallback after {millis} ms");
}

/// What the network plays before it clears, as it clears, or for ever; after tones, after ring-back music; known and
/// not; and a voicemail's greeting after an answer. Heard on real lines, decided by the real call server, written down
/// by the real call centre.
#[test]
fn announcements_of_the_network_give_a_call_its_result_at_once_and_unknown_ones_are_kept() {
    let plan = Plan { seconds: 60, scale: Scale::Short, seed: 2, lockstep: true };
    let voices = Voices::embedded().greetings;
    let known = |name: &str, means, voice: usize| Known {
        announcement: announcements::Announcement { name: name.into(), means, path: "".into() },
        print: Print::of(&voices[voice].samples().collect::<Vec<_>>()),
        millis: voices[voice].millis(),
        stamp: announcements::Stamp::default(),
    };
    let library = [
        known("no_such_number", Meaning::Vacant, 0),
        known("switched_off", Meaning::Off, 1),
        known("mailbox", Meaning::Voicemail, 2),
    ];
    let (vacant, off, mailbox, unknown) = (0, 1, 2, 3);
    let row = |n: u32, is, voice: usize| Announcement {
        from: (13_900_000_000 + u64::from(n)).to_string(),
        to: (13_900_000_000 + u64::from(n)).to_string(),
        is,
        recording: voices[voice].name.clone(),
        sit: None,
        rings_millis: 0,
        turns: Some(2),
        cause: 31,
        in_disconnect: false,
    };
    use SubscriberKind::{Congestion, Machine, NoAnswer, Other, Vacant};
    let mut scenario = plan::scenario(plan);
    scenario.callers.per_second = 0.0;
    scenario.callers.bursts.clear();
    scenario.subscribers.ringback = Ringback { told: 0, tone: 0, music: 100 };
    scenario.subscribers.announcements = vec![
        row(1, Vacant, vacant),
        Announcement { cause: 16, in_disconnect: true, ..row(2, Vacant, vacant) },
        Announcement { turns: None, ..row(3, Vacant, vacant) },
        Announcement {
            sit: Some(SitCode::International),
            rings_millis: 3000,
            ..row(4, NoAnswer, off)
        },
        Announcement { turns: Some(1), ..row(5, Other, unknown) },
        Announcement { sit: Some(SitCode::ReorderLocal), ..row(6, Congestion, unknown) },
        row(7, Machine, mailbox),
    ];
    let configuration = plan::configuration(plan)
        .replace("no_answer_millis = 12000\n", "no_answer_millis = 12000\nrecord_unknown = true\n");
    let config = Config::parse(&configuration, "demo.toml").unwrap_or_else(|e| panic!("{e}"));
    let prompts = trunkline::prompts::load(None, "en").expect("prompts");
    let scenarios = BTreeMap::from([(SCENARIO.to_owned(), scenario)]);
    let rig = Rig::knowing(&config, &prompts, scenarios, &library).expect("a house");
    let mut house = House::new(rig, config.acd.clone(), plan.seed).expect("call centre");

    let mut csv = String::from("number\n");
    (1..=7).for_each(|n| csv.push_str(&format!("{}\n", 13_900_000_000_u64 + n)));
    let load = ApiRequest::ListLoad { campaign: CAMPAIGN.into(), csv, good_rows_only: false };
    house.ask(load).expect("list");
    assert!(house.run_until(15_000, |h| offering(h) != Offering::Waiting), "no span in service");
    house.ask(ApiRequest::CampaignStart { campaign: CAMPAIGN.into() }).expect("start");
    let all = |h: &mut House| h.records().iter().filter(|r| r.campaign.is_some()).count() >= 7;
    assert!(house.run_until(40_000, all), "{:?}", house.records());
    // Whoever would be dialled again at once would be by now.
    house.run_until(5000, |_| false);

    let record = |n: u64| {
        let number = (13_900_000_000 + n).to_string();
        let mut of = house.records().iter().filter(|record| record.called == number);
        let record = of.next().unwrap_or_else(|| panic!("no record of {n}"));
        assert!(of.next().is_none(), "{n} was dialled again");
        let millis = (record.ended_utc_us - record.started_utc_us) / 1000;
        println!(
            "{n}: {millis} ms, {:?}, {}, {:?}",
            record.result, record.reason, record.recording
        );
        (record, millis)
    };
    // Routing takes 200 ms at most, a fingerprint 2.5 s, signalling the rest.
    for n in [1, 2, 3] {
        let (it, millis) = record(n);
        assert_eq!(it.result, CallResult::Dialled(Outcome::Vacant), "{it:?}");
        assert_eq!(it.reason, "announcement: vacant");
        assert!(millis < 2900, "{n} took {millis} ms");
        assert_eq!(it.recording, None, "what is known is not kept as unknown");
    }
    let (it, millis) = record(4);
    assert_eq!(it.result, CallResult::Dialled(Outcome::NoAnswer));
    assert_eq!((it.reason.as_str(), &it.recording), ("announcement: off", &None));
    // Ring-back music, three tones and a pause come before the words.
    assert!(millis < 3000 + 1300 + 2900, "{millis} ms");
    let (it, _) = record(5);
    assert_eq!(it.result, CallResult::Dialled(Outcome::Other));
    let call = it.call;
    assert_eq!(it.recording.as_deref(), Some(format!("unknown-{call}").as_str()));
    let (it, _) = record(6);
    assert_eq!(it.result, CallResult::Dialled(Outcome::Congestion));
    assert_eq!(it.reason, "special information tone: reorder_local");
    let (it, _) = record(7);
    assert_eq!(it.result, CallResult::Dialled(Outcome::Machine));
    assert!(it.reason.starts_with("announcement mailbox: voicemail"), "{}", it.reason);
    assert!(matches!(it.judged, Some((Verdict::Machine, ..=3200))), "{:?}", it.judged);
}
