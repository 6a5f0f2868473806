//! Who hears whom: bridges, hold, ring-back for those who wait.

use call::{CallCommand, CallEvent, Cause, PlayItem, RefusalCode, StopOn};
use dsp::ears::Sound;
use dsp::pipeline;
use signalling::Event;

use crate::bench::*;

#[test]
fn two_bridged_legs_hear_each_other_and_what_played_stops() {
    let mut bench = Bench::new(settings(1));
    let ((a, _), (b, _)) = (bench.talker(1), bench.talker(2));
    let items = vec![PlayItem::Prompt("welcome".into())];
    bench.must(CallCommand::Play { leg: a, items, repeat: true, stop_on: StopOn::Never });
    bench.must(CallCommand::Bridge { a, b, beep: true });
    assert!(bench.hear_each_other(at(1), at(2)));
    assert!(bench.plays(at(1)).is_empty());
    assert_eq!(bench.plays(at(2)), ["beep"], "over what it hears");
    assert_eq!(bench.said().last(), Some(&CallEvent::Bridged { a, b }));
    bench.play_ends(at(2), pipeline::PlayEnd::Finished);
    assert!(bench.hear_each_other(at(1), at(2)));

    bench.must(CallCommand::Unbridge { leg: b });
    assert_eq!(bench.lane(at(1)).source, None);
    assert_eq!(bench.lane(at(2)).source, None);
    assert_eq!(bench.said(), [CallEvent::Unbridged { a: b, b: a }]);
}

/// An announcement for one who waits, decided a moment too late, must not come between two who talk.
#[test]
fn nothing_is_played_to_two_who_hear_each_other() {
    let mut bench = Bench::new(settings(1));
    let ((a, _), (b, _)) = (bench.talker(1), bench.talker(2));
    bench.must(CallCommand::Bridge { a, b, beep: false });
    let play = |leg| {
        let items = vec![PlayItem::Prompt("music".into())];
        CallCommand::Play { leg, items, repeat: true, stop_on: StopOn::Never }
    };
    for leg in [a, b] {
        let refusal = bench.command(play(leg)).unwrap_err();
        let state = Some("bridged".into());
        assert_eq!((refusal.code, refusal.state), (RefusalCode::WrongState, state));
    }
    assert!(bench.hear_each_other(at(1), at(2)));
    assert!(bench.plays(at(1)).is_empty() && bench.plays(at(2)).is_empty());
    bench.must(CallCommand::Hold { leg: b });
    bench.must(play(a));
}

#[test]
fn when_one_hangs_up_the_other_hears_silence_and_is_free() {
    let mut bench = Bench::new(settings(1));
    let ((a, key), (b, _), (c, _)) = (bench.talker(1), bench.talker(2), bench.talker(3));
    bench.must(CallCommand::Bridge { a, b, beep: false });
    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    assert_eq!(bench.lane(at(2)).source, None);
    bench.must(CallCommand::Bridge { a: c, b, beep: false });
    assert!(bench.hear_each_other(at(2), at(3)));
}

#[test]
fn only_two_free_answered_legs_can_be_bridged() {
    let mut bench = Bench::new(settings(1));
    let ((a, _), (b, _), (c, _)) = (bench.talker(1), bench.talker(2), bench.caller(0, 3));
    let state = |bench: &mut Bench, a, b| {
        let refusal = bench.command(CallCommand::Bridge { a, b, beep: false }).unwrap_err();
        (refusal.code, refusal.state)
    };
    assert_eq!(state(&mut bench, a, a).0, RefusalCode::BadValue);
    assert_eq!(state(&mut bench, a, c), (RefusalCode::WrongState, Some("offered".into())));
    bench.must(CallCommand::Bridge { a, b, beep: false });
    assert_eq!(state(&mut bench, b, a), (RefusalCode::WrongState, Some("bridged".into())));
}

#[test]
fn the_held_party_hears_music_and_the_holder_silence() {
    let mut bench = Bench::new(settings(1));
    let ((a, _), (b, _)) = (bench.talker(1), bench.talker(2));
    bench.must(CallCommand::Bridge { a, b, beep: false });
    bench.said();
    bench.must(CallCommand::Hold { leg: a });
    assert_eq!(bench.plays(at(2)), ["music"]);
    assert_eq!((bench.lane(at(1)).source, bench.lane(at(2)).source), (None, None));
    assert!(bench.command(CallCommand::Hold { leg: a }).is_err());
    assert!(bench.command(CallCommand::Retrieve { leg: b }).is_err());
    bench.must(CallCommand::Retrieve { leg: a });
    assert!(bench.hear_each_other(at(1), at(2)));
    assert!(bench.plays(at(2)).is_empty());
    let held = |on| CallEvent::Held { leg: a, on };
    assert_eq!(bench.said(), [held(true), held(false)]);
}

#[test]
fn a_word_to_the_held_party_interrupts_the_music_only_for_itself() {
    let mut bench = Bench::new(settings(1));
    let ((a, _), (b, _)) = (bench.talker(1), bench.talker(2));
    bench.must(CallCommand::Bridge { a, b, beep: false });
    bench.must(CallCommand::Hold { leg: a });
    let items = vec![PlayItem::Prompt("sorry".into())];
    bench.must(CallCommand::Play { leg: b, items, repeat: false, stop_on: StopOn::Never });
    assert_eq!(bench.plays(at(2)), ["sorry"]);
    bench.play_ends(at(2), pipeline::PlayEnd::Finished);
    assert_eq!(bench.plays(at(2)), ["music"]);
}

#[test]
fn who_waits_for_a_dialled_leg_hears_our_ring_back_when_the_far_side_gives_none() {
    let mut bench = Bench::new(settings(1));
    let (a, _) = bench.talker(1);
    let dial = call::Dial { bridge: Some(a), ..dial_to("8001") };
    let (b, key, timeslot) = bench.dialled(dial);
    let far = at(timeslot.index());
    assert!(bench.plays(at(1)).is_empty());
    bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    assert_eq!(bench.plays(at(1)), ["ringback"]);
    bench.tell(0, Event::Connected { key, timeslot });
    assert!(bench.plays(at(1)).is_empty());
    assert!(bench.hear_each_other(at(1), far));
    assert!(bench.events.contains(&CallEvent::Bridged { a, b }));
}

#[test]
fn who_waits_hears_the_far_side_when_it_sounds() {
    let mut bench = Bench::new(settings(1));
    let (a, _) = bench.talker(1);
    let dial = call::Dial { bridge: Some(a), ..dial_to("8001") };
    let (b, key, timeslot) = bench.dialled(dial);
    let far = at(timeslot.index());
    bench.tell(0, Event::Alerting { key, timeslot, in_band: true });
    assert_eq!(bench.lane(at(1)).source, Some(far));
    assert_eq!(bench.lane(far).source, None, "one way only");
    // An announcement with the disconnect is for the one who waits, as long as it lasts.
    bench.tell(0, Event::DisconnectInBand { key, clearing: theirs(Cause(17)) });
    bench.hear_sound(far, Sound::Busy);
    assert_eq!(bench.lane(at(1)).source, Some(far));
    bench.pass(15_000);
    assert!(bench.has_ended(b));
    assert_eq!(bench.lane(at(1)).source, None);
    assert!(!bench.has_ended(a));
}

#[test]
fn sound_nobody_promised_is_passed_on_all_the_same() {
    let mut bench = Bench::new(settings(1));
    let (a, _) = bench.talker(1);
    let (_, key, timeslot) = bench.dialled(call::Dial { bridge: Some(a), ..dial_to("1") });
    bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    bench.hear_sound(at(timeslot.index()), Sound::Ringback);
    assert_eq!(bench.lane(at(1)).source, Some(at(timeslot.index())));
    assert!(bench.plays(at(1)).is_empty());
}

#[test]
fn when_the_waiting_one_leaves_the_dialled_leg_is_cleared() {
    let mut bench = Bench::new(settings(1));
    let (a, key) = bench.talker(1);
    let (b, _, _) = bench.dialled(call::Dial { bridge: Some(a), ..dial_to("8001") });
    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    assert!(bench.has_ended(a) && bench.has_ended(b));
}

#[test]
fn music_of_a_queue_goes_on_while_an_agent_is_rung() {
    let mut bench = Bench::new(settings(1));
    let (a, _) = bench.talker(1);
    let items = vec![PlayItem::Prompt("music".into())];
    bench.must(CallCommand::Play { leg: a, items, repeat: true, stop_on: StopOn::Never });
    let (_, key, timeslot) = bench.dialled(call::Dial { bridge: Some(a), ..dial_to("8001") });
    bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    assert_eq!(bench.plays(at(1)), ["music"]);
    bench.tell(0, Event::Connected { key, timeslot });
    assert!(bench.plays(at(1)).is_empty());
}
