//! A day by chance, and theory.

use std::collections::BTreeSet;

use tdm::Rng;

use super::model::{Later, Manners};
use super::world::{World, centre};
use crate::{ApiRequest, CallResult, erlang};

const SECOND: u64 = 1_000_000;

fn list(rows: u64) -> String {
    (0..rows).map(|n| format!("0105550{n:04}\n")).collect()
}

/// Callers, agents, a list, restless agents, refusals, cut connections and a falling call server: the sums close
/// at every step and the model's truth is the report's.
fn simulate(seed: u64, falls: bool) -> BTreeSet<CallResult> {
    let mut world = World::new(seed, centre(12, 4), Manners::default());
    world.connect();
    world.settle();
    world.model.after(1, Later::CallIn);
    world
        .api(ApiRequest::ListLoad {
            campaign: "autumn".into(),
            csv: list(300),
            good_rows_only: false,
        })
        .unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    let mut rng = Rng::from_seed(seed ^ 0xDA7);
    for minute in 1..=40_u64 {
        world.run(minute * 30 * SECOND);
        let name = format!("n{:02}", rng.below(12));
        // A refusal is an answer, too.
        let _ = match rng.below(8) {
            0 => world.api(ApiRequest::Pause { agent: name, reason: "tea".into() }),
            1 => world.api(ApiRequest::SignOut { agent: name }),
            2 => world.api(ApiRequest::SignIn { agent: name }),
            _ => world.api(ApiRequest::Ready { agent: name }),
        };
        if !falls {
            continue;
        }
        match rng.below(6) {
            0 => {
                world.cut();
                world.run(world.model.now_us + 4 * SECOND);
                world.connected = true;
                world.feed(crate::Input::MediaResumed);
            }
            1 => {
                world.cut();
                world.run(world.model.now_us + 2 * SECOND);
                world.model.events.retain(|e| matches!(e, call::CallEvent::Ended(_)));
                let summaries: Vec<_> = world.model.events.drain(..).collect();
                for summary in summaries {
                    world.feed(crate::Input::Media(summary));
                }
                world.connect();
            }
            2 if minute % 10 == 0 => {
                world.cut();
                world.model.restart();
                world.connect();
            }
            _ => {}
        }
        world.settle();
    }
    // The drain: no new calls, everything ends.
    world.model.later.retain(|_, later| *later != Later::CallIn);
    world.api(ApiRequest::CampaignStop { campaign: "autumn".into() }).unwrap();
    world.run(world.model.now_us + 400 * SECOND);
    for n in 0..12 {
        let _ = world.api(ApiRequest::SignOut { agent: format!("n{n:02}") });
    }
    world.run(world.model.now_us + 60 * SECOND);
    let report = world.report();
    assert_eq!(report["unaccounted"], 0, "seed {seed}: {report}");
    assert_eq!(report["inbound"]["here"], 0, "seed {seed}: {report}\n{:?}", world.acd.state.visits);
    assert_eq!(report["outbound"]["in_flight"], 0, "seed {seed}: {report}");
    assert!(world.acd.state.pending.is_empty(), "seed {seed}: {:?}", world.acd.state.pending);
    assert!(
        world.acd.state() == world.shadow.state(),
        "seed {seed}: the patches tell another story"
    );
    let inbound = world.records.iter().filter(|r| r.inbound).count() as u64;
    assert_eq!(report["inbound"]["offered"], inbound, "seed {seed}");
    let results = world.records.iter().map(|r| r.result).collect();
    if falls {
        return results;
    }
    let truth = world.model.truth;
    assert_eq!(report["inbound"]["offered"], truth.offered, "seed {seed}");
    assert_eq!(report["inbound"]["answered"], truth.answered, "seed {seed}");
    assert_eq!(report["outbound"]["dialled"], truth.dialled, "seed {seed}");
    assert_eq!(report["outbound"]["person"], truth.persons, "seed {seed}");
    assert_eq!(report["outbound"]["machine"], truth.machines, "seed {seed}");
    assert_eq!(report["outbound"]["abandoned"], 0, "seed {seed}: {report}");
    results
}

#[test]
fn a_day_without_faults_agrees_with_the_models_truth() {
    let results: BTreeSet<CallResult> = (0..8).flat_map(|seed| simulate(seed, false)).collect();
    for result in [
        CallResult::Answered,
        CallResult::Served,
        CallResult::LostIvr,
        CallResult::LostQueue,
        CallResult::LostAgent,
    ] {
        assert!(results.contains(&result), "no {result:?}");
    }
}

#[test]
fn a_day_with_cuts_and_falls_leaves_nothing_unaccounted() {
    for seed in 100..112 {
        simulate(seed, true);
    }
}

/// M/M/n: Poisson arrivals, exponential talks, patient callers, no wrap-up.
#[test]
fn waits_equal_erlang_c_within_a_tenth() {
    let mut settings = centre(8, 0);
    settings.wrap_up_millis = 0;
    settings.flows[0].start = "wait".into();
    let manners = Manners {
        talk_us: 20 * SECOND,
        patience_us: u64::MAX / 2,
        arrival_us: 20 * SECOND * 10 / 64,
        digit: false,
        busy: 0.0,
        ..Manners::default()
    };
    let mut world = World::new(4711, settings, manners);
    world.check_steps = false;
    world.connect();
    world.run(60 * SECOND);
    world.model.after(1, Later::CallIn);
    world.run(40_000 * SECOND);
    let truth = world.model.truth;
    let mean_wait = truth.waited_us as f64 / truth.waits as f64 / 20e6;
    let theory = erlang::mean_wait(6.4, 8);
    assert!(truth.waits > 10_000);
    assert!((mean_wait / theory - 1.0).abs() < 0.1, "{mean_wait} talks against {theory}");
}
