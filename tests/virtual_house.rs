//! The whole house in virtual time: boards, lines, detectors, call server, call centre and the network at
//! the far end, in one thread and from one seed.

use std::collections::BTreeMap;

use acd::ApiRequest;
use exchange::{Offering, Scale, Scenario};
use trunkline::config::Config;
use trunkline::demo::house::{self as plan, CAMPAIGN, Plan};
use trunkline::demo::summary::Summary;
use trunkline::house::House;
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

fn is_empty(house: &mut House) -> bool {
    let report = house.ask(ApiRequest::Report {}).expect("report");
    report["inbound"]["here"] == 0 && report["outbound"]["in_flight"] == 0
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

/// At most one in ten of either class, over 500 dialled calls.
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
fn served_by_the_flow(per_second: f64, seconds: u64) -> (House, Plan) {
    let plan = Plan { seconds, scale: Scale::Short, seed: 3, lockstep: true };
    let mut scenario = plan::scenario(plan);
    scenario.callers.per_second = per_second;
    scenario.callers.bursts.clear();
    scenario.callers.information_percent = 100;
    scenario.callers.leave_in_ivr_percent = 0;
    scenario.callers.leave_at_ring_percent = 0;
    let configuration = plan::configuration(plan).replace("start = \"menu\"", "start = \"hours\"");
    (house(plan, &configuration, scenario), plan)
}

/// 80 channels, three times the calls they can carry, for five minutes: what gets through stays what it
/// was at full load, the rest is refused at the door and counted, and five seconds later all is as before.
#[test]
fn three_times_the_capacity_leaves_the_goodput_where_it_was() {
    let (mut house, plan) = served_by_the_flow(40.0, 30);
    let full = run(&mut house, plan, false);
    let most_per_second = full.inbound.served as f64 / 30.0;

    let (mut house, plan) = served_by_the_flow(3.0 * most_per_second, 300);
    let over = run(&mut house, plan, false);
    let per_second = over.inbound.served as f64 / 300.0;
    println!("{most_per_second:.1} a second at full load, {per_second:.1} at three times that");
    assert!(per_second >= 0.95 * most_per_second, "{per_second} of {most_per_second}");
    assert_eq!(over.unaccounted, 0, "{:?}", over.faults);
    assert!(over.inbound.lost.trunk > 1000, "nothing was refused: {:?}", over.inbound);

    // The drain is over; a call that comes now is answered as if nothing had been.
    let status = house.rig.status();
    assert_eq!(status.groups[0].in_use, 0);
}
