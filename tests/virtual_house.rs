//! The whole house in virtual time: boards, lines, detectors, call server, call centre and the network at
//! the far end, in one thread and from one seed.

use std::collections::BTreeMap;
use std::path::Path;

use acd::ApiRequest;
use exchange::{Offering, Scale};
use trunkline::config::Config;
use trunkline::demo::house::{self as plan, CAMPAIGN, Plan};
use trunkline::demo::summary::Summary;
use trunkline::house::House;
use trunkline::rig::Rig;

const SCENARIO: &str = "scenario.toml";

fn house(plan: Plan) -> House {
    let config = Config::parse(&plan::configuration(plan), "demo.toml").unwrap_or_else(|e| panic!("{e}"));
    let prompts = trunkline::prompts::load(None, "en").expect("prompts");
    let scenarios = BTreeMap::from([(SCENARIO.to_owned(), plan::scenario(plan))]);
    let rig = Rig::with_scenarios(&config, &prompts, scenarios).unwrap_or_else(|e| panic!("{e:#}"));
    let _ = Path::new(".");
    House::new(rig, config.acd.clone(), plan.seed).expect("call centre")
}

fn run(plan: Plan) -> (House, Summary) {
    let mut house = house(plan);
    let csv = plan::list(plan);
    let load = ApiRequest::ListLoad { campaign: CAMPAIGN.into(), csv, good_rows_only: false };
    house.ask(load).expect("list");
    let offering = |house: &House| house.rig.exchange(SCENARIO).expect("network").offering();
    assert!(house.run_until(15_000, |h| offering(h) != Offering::Waiting), "no span in service");
    house.ask(ApiRequest::CampaignStart { campaign: CAMPAIGN.into() }).expect("start");
    house.run_until(plan.seconds * 1000 + 5000, |h| offering(h) == Offering::Over);
    house.ask(ApiRequest::CampaignStop { campaign: CAMPAIGN.into() }).expect("stop");
    let mut millis = 0;
    let drained = house.run_until(30_000, |h| {
        millis += 1;
        if millis % 100 != 0 {
            return false;
        }
        let report = h.ask(ApiRequest::Report {}).expect("report");
        report["inbound"]["here"] == 0 && report["outbound"]["in_flight"] == 0
    });
    let summary = house.summary(SCENARIO).expect("summary");
    println!("{}", summary.table());
    assert!(drained, "calls are left after the drain");
    (house, summary)
}

#[test]
fn a_minute_of_the_demonstration_closes_to_the_last_call() {
    let plan = Plan { seconds: 60, scale: Scale::Short, seed: 1, lockstep: true };
    let begin = std::time::Instant::now();
    let (house, summary) = run(plan);
    println!("{:.1} x real time", house.rig.now().as_micros() as f64 / 1e6 / begin.elapsed().as_secs_f64());
    assert_eq!(summary.faults, Vec::<String>::new());
    assert_eq!(summary.unaccounted, 0);
    assert!(summary.inbound.offered >= 60, "{}", summary.inbound.offered);
    assert!(summary.outbound.dialled >= 90, "{}", summary.outbound.dialled);
}
