//! What survives: state and patches through JSON, the same decisions again, a successor that knows nothing.

use call::{CallCommand, Refusal, RefusalCode};

use super::model::{Later, Manners};
use super::world::{World, centre};
use crate::{Acd, ApiRequest, CUT, Input, Patch, State};

const SECOND: u64 = 1_000_000;

fn busy_world(seed: u64) -> World {
    busy_world_until(seed, 120 * SECOND)
}

fn busy_world_until(seed: u64, until_us: u64) -> World {
    let mut world = World::new(seed, centre(6, 2), Manners::default());
    world.keep_inputs = true;
    world.connect();
    world.settle();
    world.model.after(1, Later::CallIn);
    let csv = (0..60).map(|n| format!("0105550{n:04}\n")).collect();
    world
        .api(ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false })
        .unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    world.run(until_us);
    world
}

#[test]
fn the_same_inputs_give_the_same_actions() {
    let world = busy_world(5);
    let mut again = Acd::new(world.acd.settings().clone(), 5).unwrap();
    for (now, input, actions) in &world.inputs {
        let through: Input = serde_json::from_str(&serde_json::to_string(input).unwrap()).unwrap();
        assert_eq!(&again.step(*now, through), actions);
    }
    assert!(again.state() == world.acd.state());
}

#[test]
fn a_snapshot_and_patches_through_json_give_the_state_back() {
    let world = busy_world(6);
    let half = world.inputs.len() / 2;
    let mut first = Acd::new(world.acd.settings().clone(), 6).unwrap();
    let mut lines = Vec::new();
    let mut snapshot = String::new();
    for (index, (now, input, _)) in world.inputs.iter().enumerate() {
        first.step(*now, input.clone());
        let patch = first.take_patch();
        if index < half {
            snapshot = String::new();
        } else {
            lines.push(serde_json::to_string(&patch).unwrap());
        }
        if index + 1 == half {
            snapshot = serde_json::to_string(first.state()).unwrap();
        }
        if index >= half && lines.len() == 1 && snapshot.is_empty() {
            unreachable!("the snapshot was taken before the first patch");
        }
    }
    let state: State = serde_json::from_str(&snapshot).unwrap();
    let mut second = Acd::restore(world.acd.settings().clone(), state).unwrap();
    for line in &lines {
        second.apply(serde_json::from_str::<Patch>(line).unwrap());
    }
    second.recovered();
    assert!(second.state() == first.state());
    assert_eq!(second.next_due(), first.next_due());
}

/// A call's record is as long as all else that is known of an agent: it is written down when it is made, not with
/// everything he does later.
#[test]
fn the_record_of_an_agents_last_call_is_written_down_once() {
    let mut world = busy_world_until(9, SECOND);
    while world.acd.state.last_dialled.is_empty() {
        world.run(world.model.now_us + SECOND);
        assert!(world.model.now_us < 120 * SECOND, "nobody had a dialled call");
    }
    let name = world.acd.state.last_dialled.first_key().unwrap().clone();
    let record = world.acd.state.last_dialled.get(&name);
    let record = serde_json::to_string(&record).unwrap();
    let ask = ApiRequest::Pause { agent: name.clone(), reason: "tea".into() };
    world.acd.step(world.acd.now(), Input::Api { request: 1, ask });
    let patch = serde_json::to_string(&world.acd.take_patch()).unwrap();
    assert!(patch.contains(&name) && !patch.contains("started_utc_us"), "{patch}");
    println!("{} octets, the record has {}", patch.len(), record.len());
    let was = crate::Was::Machine;
    let ask = ApiRequest::Disposition { agent: name, was };
    world.acd.step(world.acd.now(), Input::Api { request: 2, ask });
    let patch = serde_json::to_string(&world.acd.take_patch()).unwrap();
    assert!(patch.contains("last_dialled") && patch.contains("machine"), "{patch}");
}

/// Killed and restarted with its state: the calls go on, and the truth stays the report's.
#[test]
fn a_successor_with_the_state_loses_nothing() {
    for seed in 30..38 {
        let mut world = busy_world(seed);
        world.cut();
        world.shadow.recovered();
        world.acd = world.shadow.clone();
        world.run(world.model.now_us + SECOND);
        if seed % 2 == 0 {
            world.connected = true;
            world.feed(Input::MediaResumed);
        } else {
            let ended: Vec<_> = world.model.events.drain(..).collect();
            for event in ended {
                if matches!(event, call::CallEvent::Ended(_)) {
                    world.feed(Input::Media(event));
                }
            }
            world.connect();
        }
        world.run(world.model.now_us + 60 * SECOND);
        world.model.later.retain(|_, later| *later != Later::CallIn);
        world.run(world.model.now_us + 400 * SECOND);
        let report = world.report();
        assert_eq!(report["unaccounted"], 0, "seed {seed}: {report}");
        assert_eq!(report["inbound"]["here"], 0, "seed {seed}: {report}");
        assert_eq!(
            report["inbound"]["offered"], world.model.truth.offered,
            "seed {seed}: {report}"
        );
    }
}

/// A successor that knows nothing adopts what is there: who talks goes on talking, who waits waits.
#[test]
fn a_successor_without_state_adopts_every_leg() {
    for seed in 60..66 {
        let mut world = busy_world(seed);
        world.cut();
        let talking: Vec<_> = world
            .model
            .legs
            .values()
            .filter(|l| l.now.direction == call::Direction::Inbound && l.now.peer.is_some())
            .map(|l| l.now.leg)
            .collect();
        assert!(!talking.is_empty(), "seed {seed}");
        world.acd = Acd::new(world.acd.settings().clone(), seed + 1000).unwrap();
        world.shadow = world.acd.clone();
        world.model.answered.clear();
        world.records.clear();
        let inbound = world
            .model
            .legs
            .values()
            .filter(|l| l.now.direction == call::Direction::Inbound)
            .count();
        let peers: Vec<_> = talking.iter().map(|l| world.model.legs[l].now.peer).collect();
        world.connect();
        let report = world.acd.report();
        assert_eq!(report["inbound"]["offered"], inbound, "seed {seed}: {report}");
        for (leg, peer) in talking.iter().zip(peers) {
            assert_eq!(world.model.legs[leg].now.peer, peer, "seed {seed}: a bridge was cut");
        }
        world.settle();
        world.model.later.retain(|_, later| *later != Later::CallIn);
        world.run(world.model.now_us + 400 * SECOND);
        let report = world.report();
        assert_eq!(report["unaccounted"], 0, "seed {seed}: {report}");
        assert_eq!(report["inbound"]["here"], 0, "seed {seed}: {report}");
        assert_eq!(report["outbound"]["in_flight"], 0, "seed {seed}: {report}");
    }
}

/// The order to store a fallback was lost with the connection: it is given again, so that the caller would not be
/// left alone if the call centre fell once more.
#[test]
fn a_caller_whose_fallback_was_lost_on_its_way_gets_it_with_the_next_connection() {
    let mut world = World::new(3, centre(1, 0), Manners { busy: 0.0, ..Manners::default() });
    world.connect();
    world.run(20 * SECOND);
    let leg = world.model.call_in("100");
    let stores = |(_, command): &(u64, CallCommand)| matches!(command, CallCommand::SetFallback { leg: of, .. } if *of == leg);
    while !world.to_model.iter().any(stores) {
        if let Some((tag, command)) = world.to_model.pop_front() {
            let answer = world.model.obey(tag, command);
            world.feed(Input::Answered { tag, answer });
        } else {
            let event = world.model.events.pop_front().expect("he is answered");
            world.feed(Input::Media(event));
        }
    }
    world.cut();
    world.connect();
    world.settle();
    assert!(world.model.legs[&leg].fallback);
}

/// The order to record a conversation has no answer, and too much was missed: it is given again while the two talk,
/// never for a caller who waits again; and when it was carried out before, its recording is there.
#[test]
fn a_recording_without_an_answer_is_asked_for_again_only_while_the_two_talk() {
    for (talks, obeyed) in [(true, false), (true, true), (false, false)] {
        let mut world = World::new(3, centre(1, 0), super::stories::patient());
        world.connect();
        world.run(20 * SECOND);
        let leg = world.model.call_in("100");
        let records = |(_, command): &(u64, CallCommand)| matches!(command, CallCommand::Record { leg: of, .. } if *of == leg);
        let is_next = |world: &World| world.to_model.iter().any(records);
        while !is_next(&world) {
            if let Some((tag, command)) = world.to_model.pop_front() {
                let answer = world.model.obey(tag, command);
                world.feed(Input::Answered { tag, answer });
            } else if let Some(event) = world.model.events.pop_front() {
                world.feed(Input::Media(event));
            } else {
                let wake = world.acd.next_due().map_or(u64::MAX, |at| at.as_micros());
                let next = world.model.next_us().unwrap_or(u64::MAX);
                assert!(wake.min(next) < u64::MAX, "he gets an agent");
                if next <= wake {
                    world.model.happen();
                } else {
                    world.model.now_us = world.model.now_us.max(wake);
                    world.feed(Input::Elapsed);
                }
            }
        }
        world.cut();
        if !talks {
            let peer = world.model.legs[&leg].now.peer.unwrap();
            world.model.end(peer, call::Cause::NORMAL_CLEARING, false);
            if let Some(caller) = world.model.legs.get_mut(&leg) {
                caller.now.peer = None;
            }
        }
        world.connect();
        let again = world.to_model.iter().find(|sent| records(sent)).map(|(tag, _)| *tag);
        assert_eq!(again.is_some(), talks);
        let recording = |world: &World| {
            let mut visits = world.acd.state.visits.iter();
            visits.find_map(|(_, visit)| visit.recording.clone())
        };
        assert_eq!(recording(&world).is_some(), talks);
        if let Some(tag) = again {
            let mut refusal = Refusal::new(RefusalCode::WrongState, "leg", "is recorded already");
            refusal.state = Some(if obeyed { "recording" } else { "not answered" }.into());
            world.feed(Input::Answered { tag, answer: Err(refusal) });
            assert_eq!(recording(&world).is_some(), obeyed);
        }
    }
}

/// The dial was obeyed, its answer was lost with us, and the call was over before we were back: whichever comes
/// first, the end or the answer that names the leg, the contact has its result and the agent the next call.
#[test]
fn a_leg_that_ended_before_its_dial_was_answered_ends_its_contact() {
    for (snapshot, end_first) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = World::new(3, centre(1, 0), Manners { busy: 0.0, ..Manners::default() });
        world.connect();
        world.run(20 * SECOND);
        let csv = "0105550004\n0105550014\n".into();
        world
            .api(ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false })
            .unwrap();
        world.feed(Input::Api {
            request: 1,
            ask: ApiRequest::CampaignStart { campaign: "autumn".into() },
        });
        let (tag, dial) = world.to_model.pop_front().unwrap();
        let leg = world.model.obey(tag, dial).unwrap().leg.unwrap();
        world.cut();
        world.model.events.clear();
        world.model.end(leg, call::Cause::USER_BUSY, false);
        let ended = world.model.events.pop_back().unwrap();
        world.connected = true;
        if end_first && snapshot {
            world.feed(Input::Media(ended.clone()));
        }
        world.feed(if snapshot {
            Input::MediaSnapshot(world.model.instance, world.model.snapshot())
        } else {
            Input::MediaResumed
        });
        if end_first && !snapshot {
            world.feed(Input::Media(ended.clone()));
        }
        world.settle();
        if !end_first {
            world.feed(Input::Media(ended));
        }
        world.run(world.model.now_us + 60 * SECOND);
        let report = world.report();
        assert_eq!(report["outbound"]["dialled"], 2, "{snapshot} {end_first}: {report}");
        assert_eq!(report["outbound"]["in_flight"], 0, "{snapshot} {end_first}: {report}");
        let campaigns = world.api(ApiRequest::Campaigns {}).unwrap();
        assert_eq!(campaigns["campaigns"][0]["done"], 2, "{snapshot} {end_first}: {campaigns}");
        assert!(world.acd.state.early.is_empty());
    }
}

/// The call server falls with dialled calls that nobody has answered yet: that says nothing of the network.
#[test]
fn a_dialled_call_that_our_own_fall_cut_is_no_congestion() {
    let mut cut = 0;
    for seed in 40..48 {
        let mut world = busy_world_until(seed, 4 * SECOND);
        world.cut();
        world.model.restart();
        world.connect();
        for record in world.records.iter().filter(|record| !record.inbound && record.reason == CUT)
        {
            assert_ne!(record.result.word(), "congestion", "seed {seed}: {record:?}");
            cut += u32::from(record.result.word() == "other");
        }
    }
    assert!(cut > 0, "no call was under way");
}
