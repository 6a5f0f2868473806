//! The whole house in virtual time: boards, lines, detectors, call server, call centre and the network at
//! the far end, in one thread and from one seed.

use std::collections::BTreeMap;

use acd::ApiRequest;
use call::{CallEvent, Direction, LegId, LegState, SnapshotItem};
use exchange::scenario::{Arrivals, Burst};
use exchange::{Offering, Scale, Scenario};
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
    assert!(c.machine_as_machine * 20 >= machines * 17, "{c:?}");
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
