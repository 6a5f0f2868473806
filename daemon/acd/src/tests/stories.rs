//! One story a test.

use call::{
    CallCommand, CallEvent, Cause, Direction, LegId, LegState, PlayItem, RefusalCode, ToneClass,
    Verdict,
};

use super::model::{Manners, UNKNOWN_PROMPT};
use super::world::{World, agent, centre, queue};
use crate::settings::AgentKind;
use crate::state::{AgentState, ContactState, Stage, Work};
use crate::{Acd, Action, ApiRequest, CallResult, KeepSettings, Settings, Was};

const SECOND: u64 = 1_000_000;

pub fn patient() -> Manners {
    Manners {
        patience_us: u64::MAX / 2,
        never_answers: 0,
        digit: false,
        busy: 0.0,
        talk_us: 1000 * SECOND,
        ring_us: 1,
        ..Manners::default()
    }
}

fn started(settings: Settings, manners: Manners) -> World {
    let mut world = World::new(1, settings, manners);
    world.connect();
    world.run(SECOND);
    world
}

/// The leg of a list's only contact, once it is dialled.
fn dialled(world: &mut World) -> LegId {
    let csv = "number\n0105\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    loop {
        let mut legs = world.model.legs.iter();
        if let Some((leg, _)) = legs.find(|(_, leg)| leg.on_person.is_some()) {
            return *leg;
        }
        world.run(world.model.now_us + SECOND / 10);
    }
}

fn state(world: &World, name: &str) -> AgentState {
    world.acd.state.agents.get(name).unwrap().state.clone()
}

fn type_keys(world: &mut World, name: &str, keys: &str) {
    let leg = world.acd.state.agents.get(name).unwrap().leg.unwrap();
    for digit in keys.chars() {
        world.model.events.push_back(CallEvent::Dtmf { leg, digit });
    }
    world.settle();
}

#[test]
fn a_caller_goes_through_menu_and_queue_to_a_nailed_agent_and_is_recorded() {
    let mut world = started(centre(1, 0), patient());
    assert_eq!(state(&world, "n00"), AgentState::Ready);
    let leg = world.model.call_in("100");
    world.run(10 * SECOND);
    let peer = world.model.legs[&leg].now.peer.unwrap();
    assert_eq!(world.model.legs[&peer].now.called.digits, "8000");
    assert_eq!(state(&world, "n00").word(), "talking");
    world.model.end(leg, Cause::NORMAL_CLEARING, false);
    world.settle();
    assert_eq!(state(&world, "n00").word(), "wrap_up");
    world.run(world.model.now_us + 2 * SECOND);
    assert_eq!(state(&world, "n00"), AgentState::Ready);
    let record = &world.records[0];
    assert_eq!((record.result, record.agent.as_deref()), (CallResult::Answered, Some("n00")));
    assert_eq!(record.recording, Some(format!("sales-{}", record.call)));
    assert!(world.model.legs.contains_key(&peer), "a nailed telephone stays up");
}

#[test]
fn an_agent_sees_who_calls_and_from_where_the_call_was_sent_on_and_the_record_keeps_it() {
    let mut world = started(centre(0, 1), patient());
    let leg = world.model.call_in("100");
    world.run(6 * SECOND);
    assert_eq!(world.model.display.as_deref(), Some("Lin Wei"));
    let renamed = CallEvent::Named { leg, name: "Lin Wei, Chengdu".into() };
    world.model.events.push_back(renamed);
    world.settle();
    let shown = &world.api(ApiRequest::Calls {}).unwrap()["calls"][0];
    assert_eq!((&shown["name"], &shown["caller"]), (&"Lin Wei, Chengdu".into(), &"5551234".into()));
    assert_eq!((&shown["diverted_from"], &shown["diverted_why"]), (&"4711".into(), &"busy".into()));
    world.model.end(leg, Cause::NORMAL_CLEARING, false);
    world.settle();
    let record = &world.records[0];
    assert_eq!(record.name.as_deref(), Some("Lin Wei, Chengdu"));
    assert_eq!(record.diverted.as_ref().map(|d| d.from.digits.as_str()), Some("4711"));
}

#[test]
fn a_rung_agent_who_does_not_answer_is_paused_and_the_call_goes_to_the_front() {
    let mut manners = patient();
    manners.never_answers = 1;
    let mut world = started(centre(0, 1), manners);
    let first = world.model.call_in("100");
    world.run(6 * SECOND);
    assert_eq!(state(&world, "r00").word(), "ringing");
    world.model.call_in("100");
    world.run(13 * SECOND);
    let AgentState::Paused { reason, until_us: Some(_) } = state(&world, "r00") else {
        panic!("{:?}", state(&world, "r00"))
    };
    assert_eq!(reason, "no answer");
    let call = world.model.legs[&first].now.call;
    assert_eq!(world.acd.index.position(call), Some(1));
    world.model.manners.never_answers = 0;
    world.run(30 * SECOND);
    assert!(world.model.legs[&first].now.peer.is_some(), "the first call is served first");
}

/// Whether somebody speaks with the caller.
fn talks(world: &World, leg: LegId) -> bool {
    world.model.legs[&leg].now.peer.is_some()
}

/// A queue that comes before `sales`, reached by who dials 2....
fn with_gold(mut settings: Settings) -> Settings {
    settings.queues.push(queue("gold"));
    settings.queues[1].priority = 5;
    let mut flow = settings.flows[0].clone();
    flow.name = "gold".into();
    flow.start = "wait".into();
    if let crate::NodeKind::Queue { queue, .. } = &mut flow.nodes[3].kind {
        *queue = "gold".into();
    }
    settings.flows.push(flow);
    let mut route = settings.routes[0].clone();
    route.called_prefix = Some("2".into());
    route.flow = "gold".into();
    settings.routes.insert(0, route);
    for agent in &mut settings.agents {
        agent.queues.push("gold".into());
    }
    settings
}

#[test]
fn a_call_that_was_rung_in_vain_comes_before_all_who_wait_whatever_their_queue() {
    let mut manners = patient();
    manners.never_answers = 1;
    let mut world = started(with_gold(centre(0, 1)), manners);
    let rung = world.model.call_in("100");
    world.run(6 * SECOND);
    assert_eq!(state(&world, "r00").word(), "ringing");
    let [second, third, gold] = ["100", "100", "200"].map(|called| world.model.call_in(called));
    world.run(13 * SECOND);
    assert_eq!(state(&world, "r00").word(), "paused");
    let place = |leg: LegId| world.acd.index.position(world.model.legs[&leg].now.call);
    let places = [rung, second, third, gold].map(place);
    assert_eq!(places, [Some(1), Some(2), Some(3), Some(1)]);
    world.model.manners.never_answers = 0;
    world.run(22 * SECOND);
    let all = [rung, gold, second, third];
    for (turn, served) in all.into_iter().enumerate() {
        let who: Vec<LegId> =
            all.into_iter().skip(turn).filter(|&leg| talks(&world, leg)).collect();
        assert_eq!(who, [served], "turn {turn}");
        world.model.end(served, Cause::NORMAL_CLEARING, false);
        world.run(world.model.now_us + 2 * SECOND);
    }
}

/// A successor without memory knows only that the two talk; others have waited longer by its count.
#[test]
fn a_caller_whose_agents_line_failed_comes_before_those_who_wait_longer() {
    let mut world = started(centre(1, 0), patient());
    let talking = world.model.call_in("100");
    world.run(10 * SECOND);
    assert!(talks(&world, talking));
    let waiting = world.model.call_in("100");
    world.run(20 * SECOND);
    world.cut();
    world.acd = Acd::new(world.acd.settings().clone(), 2).unwrap();
    world.shadow = world.acd.clone();
    world.model.answered.clear();
    world.connect();
    world.run(30 * SECOND);
    let telephone = world.model.legs[&talking].now.peer.unwrap();
    world.model.end(telephone, Cause::DESTINATION_OUT_OF_ORDER, false);
    world.settle();
    let place = |leg: LegId| world.acd.index.position(world.model.legs[&leg].now.call);
    assert_eq!((place(talking), place(waiting)), (Some(1), Some(2)));
    world.run(40 * SECOND);
    assert!(talks(&world, talking) && !talks(&world, waiting));
}

#[test]
fn an_agent_who_writes_up_is_neither_given_a_caller_nor_reserved_for_the_list() {
    let mut settings = centre(1, 0);
    settings.wrap_up_millis = 30_000;
    let mut world = started(settings, patient());
    let first = world.model.call_in("100");
    world.run(10 * SECOND);
    world.model.end(first, Cause::NORMAL_CLEARING, false);
    world.settle();
    assert_eq!(state(&world, "n00").word(), "wrap_up");
    let csv = "0100\n0101\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    let waits = world.model.call_in("100");
    world.run(39 * SECOND);
    assert_eq!(state(&world, "n00").word(), "wrap_up");
    assert_eq!((talks(&world, waits), world.model.truth.dialled), (false, 0));
    world.run(41 * SECOND);
    assert_eq!((talks(&world, waits), world.model.truth.dialled), (true, 0), "callers come first");
    world.model.end(waits, Cause::NORMAL_CLEARING, false);
    world.run(70 * SECOND);
    assert_eq!(world.model.truth.dialled, 0);
    world.run(72 * SECOND);
    assert_eq!(world.model.truth.dialled, 1);
}

#[test]
fn calls_of_a_list_wait_for_the_journal_and_no_other_command_does() {
    let mut manners = patient();
    manners.busy = 0.3;
    let mut world = World::new(1, centre(2, 1), manners);
    world.keep_inputs = true;
    world.connect();
    world.run(SECOND);
    for _ in 0..3 {
        world.model.call_in("100");
    }
    let csv = "0104\n0114\n0124\n0134\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    world.run(60 * SECOND);
    let mut seen = [0, 0];
    for action in world.inputs.iter().flat_map(|(.., actions)| actions) {
        if let Action::Command { command, promise, .. } = action {
            let of_list = matches!(command, CallCommand::Dial(dial) if dial.on_person.is_some());
            assert_eq!(*promise, of_list, "{command:?}");
            seen[usize::from(of_list)] += 1;
        }
    }
    assert!(seen[0] > 10 && seen[1] > 4, "{seen:?}");
}

#[test]
fn losses_are_told_apart_by_where_the_caller_left() {
    let mut manners = patient();
    manners.never_answers = 1;
    let mut world = started(centre(0, 1), manners);
    let ivr = world.model.call_in("100");
    world.run(2 * SECOND);
    world.model.end(ivr, Cause::NORMAL_CLEARING, false);
    let rings = world.model.call_in("100");
    world.run(world.model.now_us + 4 * SECOND);
    let waits = world.model.call_in("100");
    world.run(world.model.now_us + 4 * SECOND);
    world.model.end(waits, Cause::NORMAL_CLEARING, false);
    assert_eq!(state(&world, "r00").word(), "ringing");
    world.model.end(rings, Cause::NORMAL_CLEARING, false);
    world.settle();
    let refused = CallEvent::Refused {
        call: call::CallId::new(1, 999),
        group: "public".into(),
        called: call::Number::unknown("100"),
        calling: None,
        cause: Cause::SWITCH_CONGESTION,
    };
    world.feed(crate::Input::Media(refused.clone()));
    world.feed(crate::Input::Media(refused));
    let report = world.report();
    assert_eq!(
        report["inbound"]["lost"],
        serde_json::json!({"trunk": 1, "ivr": 1, "queue": 1, "agent": 1}),
        "{report}"
    );
    assert_eq!(report["inbound"]["offered"], 4);
    assert!(!world.model.legs.values().any(|l| l.now.direction == Direction::Outbound));
}

#[test]
fn waiting_callers_hear_their_position_and_then_music() {
    let mut world = started(centre(0, 0), patient());
    world.model.call_in("100");
    let second = world.model.call_in("100");
    world.run(world.model.now_us + 3_500_000);
    let items = |world: &World| world.model.legs[&second].playing.clone();
    let said = [
        PlayItem::Prompt("queue_wait".into()),
        PlayItem::Prompt("position".into()),
        PlayItem::Digits("2".into()),
    ];
    assert_eq!(items(&world), said);
    world.run(world.model.now_us + 3 * SECOND);
    assert_eq!(items(&world), [PlayItem::Prompt("music".into())]);
    world.run(world.model.now_us + 7 * SECOND);
    assert_eq!(items(&world), said, "the position is said again");
}

#[test]
fn codes_hold_retrieve_consult_connect_and_end_the_wrap_up() {
    let mut world = started(centre(1, 0), patient());
    let leg = world.model.call_in("100");
    world.run(10 * SECOND);
    type_keys(&mut world, "n00", "*1");
    assert!(matches!(state(&world, "n00"), AgentState::Talking { held: true, .. }));
    type_keys(&mut world, "n00", "*1");
    assert!(matches!(state(&world, "n00"), AgentState::Talking { held: false, .. }));
    type_keys(&mut world, "n00", "*3777#");
    let target = world.acd.state.agents.get("n00").unwrap().consult.unwrap();
    assert_eq!(world.model.legs[&target].now.called.digits, "777");
    type_keys(&mut world, "n00", "*4");
    assert_eq!(world.model.legs[&leg].now.peer, Some(target));
    assert_eq!(state(&world, "n00").word(), "wrap_up");
    type_keys(&mut world, "n00", "*0");
    assert_eq!(state(&world, "n00"), AgentState::Ready);
    // Whom he was sent to hangs up: so does the caller's call.
    world.model.end(target, Cause::NORMAL_CLEARING, false);
    world.settle();
    assert!(!world.model.legs.contains_key(&leg));
    assert_eq!(world.records.last().unwrap().result, CallResult::Answered);
}

#[test]
fn a_blind_transfer_frees_the_agent_at_once() {
    let mut world = started(centre(1, 0), patient());
    let leg = world.model.call_in("100");
    world.run(10 * SECOND);
    type_keys(&mut world, "n00", "*2777#");
    assert_eq!(state(&world, "n00").word(), "wrap_up");
    let target = world.model.legs[&leg].now.peer.unwrap();
    world.model.end(leg, Cause::NORMAL_CLEARING, false);
    world.settle();
    assert!(!world.model.legs.contains_key(&target), "nobody is left with a dead line");
}

#[test]
fn an_agent_who_hangs_up_releases_the_caller_and_a_failing_line_does_not() {
    let mut world = started(centre(2, 0), patient());
    let leg = world.model.call_in("100");
    world.run(10 * SECOND);
    let telephone = world.model.legs[&leg].now.peer.unwrap();
    world.model.end(telephone, Cause::DESTINATION_OUT_OF_ORDER, false);
    world.settle();
    let other = world.model.legs[&leg].now.peer.unwrap();
    assert_ne!(other, telephone, "the other agent has the caller now");
    world.run(20 * SECOND);
    assert_eq!(state(&world, "n00").word(), "ready", "his telephone was called again");
    world.model.end(other, Cause::NORMAL_CLEARING, false);
    world.settle();
    assert!(!world.model.legs.contains_key(&leg));
    assert_eq!(state(&world, "n01").word(), "offline");
}

#[test]
fn who_has_been_idle_longest_gets_the_next_caller_and_the_next_call_of_the_list() {
    let mut world = started(centre(3, 0), patient());
    let telephones = ["n00", "n01", "n02"].map(|n| world.acd.state.agents.get(n).unwrap().leg);
    for _ in 0..3 {
        world.model.call_in("100");
        world.run(world.model.now_us + 5 * SECOND);
    }
    // Who hangs up first idles longest; the order is not that of the names.
    let free = |world: &mut World, order: [usize; 3]| {
        for agent in order {
            let peer = world.model.legs[&telephones[agent].unwrap()].now.peer.unwrap();
            world.model.end(peer, Cause::NORMAL_CLEARING, false);
            world.run(world.model.now_us + 3 * SECOND);
        }
    };
    for order in [[2, 0, 1], [1, 2, 0]] {
        free(&mut world, order);
        for agent in order {
            let caller = world.model.call_in("100");
            world.run(world.model.now_us + 5 * SECOND);
            assert_eq!(world.model.legs[&caller].now.peer, telephones[agent], "{order:?}");
        }
    }
    free(&mut world, [2, 1, 0]);
    let csv = "0100\n0101\n0102\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    let dialled = world.model.legs.values().filter_map(|leg| leg.on_person.as_ref()?.bridge);
    assert_eq!(dialled.collect::<Vec<_>>(), [2, 1, 0].map(|agent| telephones[agent].unwrap()));
}

#[test]
fn skills_and_priority_decide_between_queues() {
    let mut settings = centre(2, 0);
    settings.queues.push(queue("gold"));
    settings.queues[1].priority = 5;
    settings.queues[1].skills = [("english".to_owned(), 3)].into();
    let mut skilled = agent("e00", "8200", AgentKind::Nailed);
    skilled.queues.push("gold".into());
    skilled.skills = [("english".to_owned(), 4)].into();
    settings.agents.push(skilled);
    settings.agents[0].queues.push("gold".into());
    let world = started(settings, patient());
    assert_eq!(world.acd.index.idle_count("gold"), 1, "the queue alone does not make the skill");
    assert_eq!(world.acd.index.idle_count("sales"), 3);
}

#[test]
fn pausing_in_a_call_comes_after_it_and_signing_out_hangs_the_telephone_up() {
    let mut world = started(centre(1, 0), patient());
    let leg = world.model.call_in("100");
    world.run(10 * SECOND);
    world.api(ApiRequest::Pause { agent: "n00".into(), reason: "lunch".into() }).unwrap();
    assert_eq!(state(&world, "n00").word(), "talking");
    world.model.end(leg, Cause::NORMAL_CLEARING, false);
    world.settle();
    assert_eq!(state(&world, "n00").word(), "paused");
    world.api(ApiRequest::SignOut { agent: "n00".into() }).unwrap();
    assert!(world.model.legs.is_empty());
    let refusal = world.api(ApiRequest::Ready { agent: "n00".into() }).unwrap_err();
    assert_eq!(refusal.code, call::RefusalCode::WrongState);
    let refusal = world.api(ApiRequest::Ready { agent: "nobody".into() }).unwrap_err();
    assert_eq!(refusal.code, call::RefusalCode::UnknownCall);
}

#[test]
fn a_list_is_dialled_to_its_end_with_never_more_calls_than_agents() {
    let mut manners = patient();
    manners.talk_us = 5 * SECOND;
    manners.ring_us = 2 * SECOND;
    let mut world = started(centre(3, 1), manners);
    let csv = "number\n0100\n010x\n0104\n0105\n0106\n0107\n0108\n0109\n";
    let load = |good_rows_only| ApiRequest::ListLoad {
        campaign: "autumn".into(),
        csv: csv.into(),
        good_rows_only,
    };
    let refusal = world.api(load(false)).unwrap_err();
    assert!(refusal.message.contains("line 3"), "{}", refusal.message);
    assert_eq!(world.api(load(true)).unwrap()["rows"], 7);
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    for _ in 0..1200 {
        world.run(world.model.now_us + SECOND / 10);
        let flying = world
            .model
            .legs
            .values()
            .filter(|l| l.on_person.is_some() && l.now.state != LegState::Ending)
            .count();
        assert!(flying <= 3, "{flying} calls for three nailed agents");
    }
    let report = world.report();
    let expected = serde_json::json!({
        "dialled": 7, "person": 3, "machine": 1, "busy": 1, "no_answer": 1, "vacant": 1,
        "congestion": 0, "other": 0, "abandoned": 0, "in_flight": 0,
    });
    assert_eq!(report["outbound"], expected);
    let campaigns = world.api(ApiRequest::Campaigns {}).unwrap();
    assert_eq!(campaigns["campaigns"][0]["running"], false);
    assert_eq!(campaigns["campaigns"][0]["done"], 7);
    assert!(world.records.iter().all(|r| !r.reason.is_empty()));
}

#[test]
fn an_agent_says_during_or_after_a_call_that_it_was_a_machines() {
    let mut manners = patient();
    manners.talk_us = 5 * SECOND;
    manners.ring_us = SECOND;
    let mut world = started(centre(1, 1), manners);
    let name = world.acd.settings.agents[0].name.clone();
    let nobody = world.api(ApiRequest::Disposition { agent: name.clone(), was: Was::Machine });
    assert_eq!(nobody.unwrap_err().code, RefusalCode::WrongState);
    let csv = "number\n0100\n0110\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    let talks = |world: &World| matches!(state(world, &name), AgentState::Talking { .. });
    while !talks(&world) {
        world.run(world.model.now_us + SECOND / 10);
    }
    type_keys(&mut world, &name, "*7");
    world.run(world.model.now_us + SECOND / 2);
    assert!(!talks(&world), "the machine is released");
    let last = world.records.last().unwrap();
    assert_eq!((last.called.as_str(), last.was), ("0100", Some(Was::Machine)));
    assert!(last.judged.is_some());
    while !talks(&world) {
        world.run(world.model.now_us + SECOND / 10);
    }
    while talks(&world) {
        world.run(world.model.now_us + SECOND / 10);
    }
    assert_eq!(world.records.last().unwrap().was, None);
    let before = world.records.len();
    world.api(ApiRequest::Disposition { agent: name, was: Was::Person }).unwrap();
    let again = &world.records[before..];
    assert_eq!(
        (again.len(), again[0].called.as_str(), again[0].was),
        (1, "0110", Some(Was::Person))
    );
}

/// A word on a call is of the call that was just had, and no other.
#[test]
fn after_a_caller_no_dialled_call_of_before_is_spoken_of() {
    let mut manners = patient();
    manners.talk_us = 5 * SECOND;
    manners.ring_us = SECOND;
    let mut world = started(centre(1, 1), manners);
    let name = world.acd.settings.agents[0].name.clone();
    let csv = "number\n0100\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    while world.records.is_empty() {
        world.run(world.model.now_us + SECOND / 10);
    }
    world.api(ApiRequest::Disposition { agent: name.clone(), was: Was::Machine }).unwrap();
    // Then he talks with somebody who called.
    world.acd.talk(Work::Visit(call::CallId { instance: 1, number: 9999 }), &name);
    let refused = world.acd.disposition(&name, Was::Machine).unwrap_err();
    assert_eq!(refused.code, RefusalCode::WrongState);
}

/// The call centre was started anew with a message that the call server does not know yet.
#[test]
fn a_prompt_that_is_not_there_costs_no_contact() {
    let mut settings = centre(1, 1);
    settings.campaigns[0].message = Some(UNKNOWN_PROMPT.into());
    let mut world = started(settings, patient());
    let csv = "number\n0107\n0117\n0127\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    world.run(world.model.now_us + 120 * SECOND);
    let campaigns = world.api(ApiRequest::Campaigns {}).unwrap();
    assert_eq!(campaigns["campaigns"][0]["done"], 0);
    let states: Vec<_> = world.acd.state.contacts.iter().map(|(_, c)| c.state.clone()).collect();
    assert!(states.iter().all(|state| !matches!(state, ContactState::Refused(_))), "{states:?}");
}

#[test]
fn words_before_an_answer_that_nobody_knows_are_recorded_where_the_campaign_wants_it() {
    for wants in [false, true] {
        let mut settings = centre(1, 1);
        settings.campaigns[0].record_unknown = wants;
        let mut manners = patient();
        manners.ring_us = 5 * SECOND;
        let mut world = started(settings, manners);
        // Rings until our timer runs out.
        let leg = dialled(&mut world);
        for _ in 0..2 {
            let class = ToneClass::Announcement;
            world.model.events.push_back(CallEvent::Tone {
                leg,
                class,
                answered: false,
                sit: None,
            });
            world.run(world.model.now_us + SECOND);
        }
        world.run(world.model.now_us + 30 * SECOND);
        let name = world.records.last().unwrap().recording.as_deref();
        assert_eq!(name.is_some_and(|name| name.starts_with("unknown-")), wants, "{name:?}");
    }
}

/// It was refused for want of a recorder, the disk was full, or the words were known.
#[test]
fn a_record_names_no_recording_that_was_refused_or_thrown_away() {
    for refused in [false, true] {
        let mut settings = centre(1, 1);
        settings.campaigns[0].record_unknown = true;
        let mut manners = patient();
        manners.ring_us = 5 * SECOND;
        let mut world = started(settings, manners);
        world.model.records_nothing = refused;
        let leg = dialled(&mut world);
        let class = ToneClass::Announcement;
        let tone = CallEvent::Tone { leg, class, answered: false, sit: None };
        world.model.events.push_back(tone);
        world.run(world.model.now_us + SECOND);
        let asked = |world: &World| {
            let mut attempts = world.acd.state.attempts.iter();
            attempts.find_map(|(_, attempt)| attempt.recording.clone())
        };
        assert_eq!(asked(&world).is_some(), !refused);
        if let Some(name) = asked(&world) {
            // A word on another one changes nothing.
            for (name, left) in [("other", true), (name.as_str(), false)] {
                let event = CallEvent::Recorded {
                    leg,
                    name: name.into(),
                    millis: 10,
                    lost_millis: 0,
                    dropped: true,
                };
                world.model.events.push_back(event);
                world.run(world.model.now_us + SECOND / 10);
                assert_eq!(asked(&world).is_some(), left);
            }
        }
        world.run(world.model.now_us + 30 * SECOND);
        assert_eq!(world.records.last().unwrap().recording, None);
    }
}

/// A call server of before goes on with what it records; this one refuses the stop.
#[test]
fn words_that_are_still_recorded_at_the_answer_are_recorded_no_more() {
    for (spoken, stops) in [(true, 1), (false, 0)] {
        let mut settings = centre(1, 1);
        settings.campaigns[0].record_unknown = true;
        let mut manners = patient();
        manners.ring_us = 5 * SECOND;
        let mut world = started(settings, manners);
        world.keep_inputs = true;
        let csv = "number\n0101\n".into();
        let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
        world.api(load).unwrap();
        world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
        let dialled = |world: &World| {
            let mut legs = world.model.legs.iter();
            legs.find(|(_, leg)| leg.on_person.is_some()).map(|(leg, _)| *leg)
        };
        while dialled(&world).is_none() {
            world.run(world.model.now_us + SECOND / 10);
        }
        let leg = dialled(&world).unwrap();
        if spoken {
            let class = ToneClass::Talk;
            let tone = CallEvent::Tone { leg, class, answered: false, sit: None };
            world.model.events.push_back(tone);
        }
        world.run(world.model.now_us + 20 * SECOND);
        assert!(world.model.legs[&leg].now.peer.is_some(), "he talks");
        let stop = CallCommand::StopRecord { leg };
        let commands = world.inputs.iter().flat_map(|(_, _, actions)| actions);
        let stopped = commands
            .filter(|action| matches!(action, Action::Command { command, .. } if *command == stop));
        assert_eq!(stopped.count(), stops);
        let record = world.acd.state.attempts.iter().find_map(|(_, a)| a.recording.clone());
        assert!(record.is_none_or(|name| name.starts_with("autumn-")));
    }
}

#[test]
fn a_call_server_that_knows_no_kept_decisions_dials_the_list_all_the_same() {
    let mut settings = centre(1, 0);
    settings.campaigns[0].keep_decisions = Some(KeepSettings { share_percent: 100, seconds: 6 });
    let mut manners = patient();
    manners.ring_us = 2 * SECOND;
    let mut world = started(settings, manners);
    world.model.knows_no_keep = true;
    let csv = "number\n0107\n0117\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    world.run(world.model.now_us + 60 * SECOND);
    let report = world.report();
    assert_eq!(report["outbound"]["dialled"], 2, "{report}");
    assert_eq!(report["outbound"]["machine"], 2, "{report}");
    assert_eq!(report["unaccounted"], 0, "{report}");
}

#[test]
fn nobody_who_talks_is_let_go_for_a_verdict_on_the_conversation() {
    let mut manners = patient();
    manners.ring_us = 2 * SECOND;
    let mut world = started(centre(1, 0), manners);
    let csv = "number\n0101\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    world.run(world.model.now_us + 10 * SECOND);
    let talks = |world: &World| {
        let mut legs = world.model.legs.iter();
        legs.find(|(_, leg)| leg.on_person.is_some() && leg.now.peer.is_some()).map(|(id, _)| *id)
    };
    let leg = talks(&world).unwrap();
    world.model.events.push_back(CallEvent::Verdict {
        leg,
        verdict: Verdict::Machine,
        reason: "heard in the conversation".into(),
        after_millis: 9000,
        acted: false,
        features: Default::default(),
    });
    world.run(world.model.now_us + 10 * SECOND);
    assert_eq!(talks(&world), Some(leg));
    let mut attempts = world.acd.state.attempts.iter();
    let judged = attempts.find_map(|(_, attempt)| attempt.judged);
    assert_eq!(judged.map(|(verdict, _)| verdict), Some(Verdict::Human));
}

#[test]
fn while_a_machine_is_left_a_message_its_agent_gets_the_next_call() {
    let mut manners = patient();
    manners.ring_us = 2 * SECOND;
    let mut settings = centre(1, 1);
    settings.campaigns[0].message = Some("welcome".into());
    settings.campaigns[0].machine_from_percent = Some(80);
    let mut world = started(settings, manners);
    let csv = "number\n0107\n0117\n0127\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    let mut flying_most = 0;
    for _ in 0..400 {
        world.run(world.model.now_us + SECOND / 10);
        let flying = world.model.legs.values().filter_map(|leg| leg.on_person.as_ref());
        assert!(flying.clone().all(|arm| arm.machine_from_percent == Some(80)));
        flying_most = flying_most.max(flying.count());
    }
    assert!(flying_most > 1, "the agent waited for the machine");
    let report = world.report();
    assert_eq!(report["outbound"]["machine"], 3);
    assert_eq!((&report["outbound"]["abandoned"], &report["unaccounted"]), (&0.into(), &0.into()));
}

/// A campaign with a message, a list of one machine, and the leg at which its beep is awaited.
fn left_a_message(settings: Settings) -> (World, LegId) {
    let mut manners = patient();
    manners.ring_us = 2 * SECOND;
    let mut world = started(settings, manners);
    let csv = "number\n0107\n".into();
    let load = ApiRequest::ListLoad { campaign: "autumn".into(), csv, good_rows_only: false };
    world.api(load).unwrap();
    world.api(ApiRequest::CampaignStart { campaign: "autumn".into() }).unwrap();
    let judged = |world: &World| {
        let mut attempts = world.acd.state.attempts.iter();
        attempts.find_map(|(_, attempt)| attempt.leg.filter(|_| attempt.judged.is_some()))
    };
    while judged(&world).is_none() {
        world.run(world.model.now_us + SECOND / 10);
    }
    let leg = judged(&world).unwrap();
    (world, leg)
}

#[test]
fn a_machine_that_talks_back_gets_an_idle_agent_and_without_one_is_left_to_the_call_server() {
    for has_idle in [true, false] {
        let mut settings = centre(1, 0);
        settings.campaigns[0].message = Some("welcome".into());
        let (mut world, leg) = left_a_message(settings);
        if !has_idle {
            world.api(ApiRequest::Pause { agent: "n00".into(), reason: "tea".into() }).unwrap();
        }
        let (verdict, reason) = (Verdict::Human, "then otherwise".into());
        world.model.events.push_back(CallEvent::VerdictRevised { leg, verdict, reason });
        world.settle();
        let peer = world.model.legs.get(&leg).and_then(|leg| leg.now.peer);
        assert_eq!(peer.is_some(), has_idle);
        world.run(world.model.now_us + 60 * SECOND);
        let record = world.records.last().unwrap();
        assert_eq!(record.agent.as_deref(), has_idle.then_some("n00"));
        assert_eq!(record.judged.map(|(verdict, _)| verdict), Some(Verdict::Machine));
        assert_eq!(world.report()["unaccounted"], 0);
    }
}

#[test]
fn what_was_kept_of_an_answer_is_named_in_the_record_of_the_call() {
    for keeps in [true, false] {
        let mut settings = centre(1, 0);
        settings.campaigns[0].message = Some("welcome".into());
        settings.campaigns[0].keep_decisions =
            keeps.then_some(KeepSettings { share_percent: 100, seconds: 6 });
        let (mut world, leg) = left_a_message(settings);
        let keep = world.model.legs[&leg].on_person.as_ref().unwrap().keep.clone();
        let call = world.model.legs[&leg].now.call;
        let wanted = call::KeepDecision { of: "answer-autumn".into(), millis: 6000 };
        assert_eq!(keep, keeps.then_some(wanted));
        let kept = format!("answer-autumn-{call}");
        let names = [(kept.clone(), !keeps), ("autumn-c1.1".into(), false)];
        for (name, dropped) in names {
            let (millis, lost_millis) = (6000, 0);
            let recorded = CallEvent::Recorded { leg, name, millis, lost_millis, dropped };
            world.model.events.push_back(recorded);
        }
        world.run(world.model.now_us + 60 * SECOND);
        assert_eq!(world.records.last().unwrap().kept, keeps.then_some(kept));
    }
}

#[test]
fn a_call_no_route_takes_is_refused_and_counted_at_the_trunk() {
    let mut settings = centre(1, 0);
    settings.routes[0].called_prefix = Some("1".into());
    let mut world = started(settings, patient());
    world.model.call_in("200");
    world.settle();
    assert_eq!(world.records[0].result, CallResult::LostTrunk);
    assert_eq!(world.records[0].cause, Cause::UNALLOCATED_NUMBER);
}

#[test]
fn who_waits_too_long_goes_where_the_flow_says() {
    let mut settings = centre(0, 0);
    if let crate::NodeKind::Queue { wait_max_millis, overflow, .. } =
        &mut settings.flows[0].nodes[3].kind
    {
        *wait_max_millis = 5000;
        *overflow = Some("info".into());
    }
    let mut world = started(settings, patient());
    let leg = world.model.call_in("100");
    let call = world.model.legs[&leg].now.call;
    world.run(world.model.now_us + 9 * SECOND);
    assert!(matches!(world.acd.state.visits.get(&call).unwrap().stage, Stage::Node { .. }));
    world.run(world.model.now_us + 9 * SECOND);
    assert_eq!(world.records[0].result, CallResult::Served);
    assert_eq!(world.records[0].waited_millis, 5000);
}

#[test]
fn settings_that_do_not_hang_together_are_all_named() {
    let mut settings = centre(1, 1);
    settings.agents[1].campaigns.push("autumn".into());
    settings.agents[0].queues.push("nowhere".into());
    settings.flows[0].start = "nothing".into();
    settings.routes[0].flow = "none".into();
    let keys: Vec<String> = settings.problems().into_iter().map(|p| p.key).collect();
    assert_eq!(keys, ["nowhere", "autumn", "nothing", "none"]);
}
