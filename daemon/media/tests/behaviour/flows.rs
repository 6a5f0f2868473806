//! Prompts, digits and recordings: what a menu needs.

use call::{CallCommand, CallEvent, CollectEnd, LegId, PlayEnd, PlayItem, RefusalCode, StopOn};
use dsp::pipeline;
use media::{RecorderOrder, RecordingKind};
use signalling::Order;

use crate::bench::*;

fn play(leg: LegId, prompt: &str, stop_on: StopOn) -> CallCommand {
    let items = vec![PlayItem::Prompt(prompt.into())];
    CallCommand::Play { leg, items, repeat: false, stop_on }
}

fn collect(leg: LegId, max_digits: u8, terminators: &str, secret: bool) -> CallCommand {
    let terminators = terminators.into();
    CallCommand::Collect {
        leg,
        max_digits,
        first_millis: 5000,
        next_millis: 2000,
        terminators,
        secret,
    }
}

#[test]
fn a_play_reads_prompts_digits_and_tones_in_order_and_ends_once() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    let items = vec![
        PlayItem::Prompt("welcome".into()),
        PlayItem::Digits("407".into()),
        PlayItem::Silence { millis: 300 },
        PlayItem::Tone { name: "busy".into(), millis: 500 },
    ];
    let operation =
        bench.operation(CallCommand::Play { leg, items, repeat: false, stop_on: StopOn::Never });
    assert_eq!(bench.plays(at(4)), ["welcome", "4", "0", "7", "-", "busy"]);
    bench.said();
    bench.play_ends(at(4), pipeline::PlayEnd::Finished);
    let why = PlayEnd::Finished;
    assert_eq!(bench.said(), [CallEvent::PlayEnded { operation, leg, why }]);
}

#[test]
fn a_new_play_replaces_the_old_one_whose_late_end_is_not_taken_for_its_own() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    let first = bench.operation(play(leg, "welcome", StopOn::Never));
    let (old, _) = bench.lane(at(4)).play.unwrap();
    bench.said();
    bench.must(play(leg, "sorry", StopOn::Never));
    let why = PlayEnd::Stopped;
    assert_eq!(bench.said(), [CallEvent::PlayEnded { operation: first, leg, why }]);
    let what = pipeline::What::PlayEnded { token: old, why: pipeline::PlayEnd::Stopped };
    let late = pipeline::Event { at: tdm::SampleTime::samples(0), channel: at(4), what };
    bench.media.heard(bench.now, late);
    bench.drain();
    assert!(bench.said().is_empty());
    assert_eq!(bench.plays(at(4)), ["sorry"]);
}

#[test]
fn what_cannot_be_played_is_refused_and_nothing_changes() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    bench.must(play(leg, "welcome", StopOn::Never));
    let mut refused = |items: Vec<PlayItem>| {
        let play = CallCommand::Play { leg, items, repeat: false, stop_on: StopOn::Never };
        bench.command(play).unwrap_err()
    };
    assert_eq!(refused(vec![]).code, RefusalCode::BadValue);
    assert_eq!(refused(vec![PlayItem::Silence { millis: 0 }]).code, RefusalCode::BadValue);
    assert!(refused(vec![PlayItem::Prompt("nix".into())]).message.contains("nix"));
    assert_eq!(refused(vec![PlayItem::Digits("1A".into())]).code, RefusalCode::BadValue);
    let long = refused(vec![PlayItem::Digits("1".repeat(25))]);
    assert_eq!((long.code, long.limit), (RefusalCode::Limit, Some(24)));
    let long = refused(vec![PlayItem::Silence { millis: u32::MAX }]);
    assert_eq!(long.code, RefusalCode::Limit);
    assert_eq!(bench.plays(at(4)), ["welcome"]);
}

#[test]
fn a_prompt_before_the_answer_is_promised_to_the_network_once() {
    let mut bench = Bench::new(settings(1));
    let (leg, key) = bench.caller(0, 4);
    bench.orders(0);
    bench.must(play(leg, "welcome", StopOn::Never));
    bench.must(play(leg, "sorry", StopOn::Never));
    assert_eq!(bench.orders(0), [Order::Progress { key, cause: None }]);
}

#[test]
fn digits_are_told_and_collected_until_there_are_enough() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    let operation = bench.operation(collect(leg, 3, "", false));
    bench.said();
    bench.press(at(4), "12*4");
    let dtmf = |digit| CallEvent::Dtmf { leg, digit };
    let digits = Some("12*".into());
    let why = CollectEnd::Complete;
    let collected = CallEvent::Collected { operation, leg, digits, count: 3, why };
    assert_eq!(bench.said(), [dtmf('1'), dtmf('2'), dtmf('*'), collected, dtmf('4')]);
}

#[test]
fn digits_typed_ahead_count_and_skip_the_prompt() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    bench.press(at(4), "12#");
    bench.must(play(leg, "welcome", StopOn::Dtmf));
    bench.said();
    bench.must(collect(leg, 8, "#", false));
    assert!(bench.plays(at(4)).is_empty());
    let said = bench.said();
    assert!(matches!(said[0], CallEvent::PlayEnded { why: PlayEnd::Dtmf, .. }), "{said:?}");
    assert!(
        matches!(&said[1], CallEvent::Collected { digits: Some(d), count: 2,
            why: CollectEnd::Terminator, .. } if d == "12"),
        "{said:?}"
    );
}

#[test]
fn the_first_digit_has_its_time_from_the_end_of_the_prompt() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    bench.must(play(leg, "welcome", StopOn::Dtmf));
    bench.must(collect(leg, 4, "", false));
    bench.pass(60_000);
    let collected =
        |bench: &Bench| bench.events.iter().any(|e| matches!(e, CallEvent::Collected { .. }));
    assert!(!collected(&bench));
    bench.play_ends(at(4), pipeline::PlayEnd::Finished);
    bench.pass(4999);
    assert!(!collected(&bench));
    bench.press(at(4), "7");
    bench.pass(1999);
    assert!(!collected(&bench));
    bench.pass(1);
    assert!(bench.events.iter().any(|e| matches!(e, CallEvent::Collected {
        digits: Some(d), why: CollectEnd::Timeout, .. } if d == "7")));
}

#[test]
fn secret_digits_appear_nowhere() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    bench.press(at(4), "9");
    bench.said();
    let operation = bench.operation(collect(leg, 4, "#", true));
    bench.press(at(4), "8642");
    let why = CollectEnd::Complete;
    let collected = CallEvent::Collected { operation, leg, digits: None, count: 4, why };
    assert_eq!(bench.said(), [collected], "typed ahead is not part of a secret");
    // A secret that is being typed is in no snapshot and in no status either.
    bench.must(collect(leg, 4, "#", true));
    bench.press(at(4), "864");
    let text = serde_json::to_string(&bench.media.snapshot()).unwrap()
        + &serde_json::to_string(&bench.media.status()).unwrap();
    assert!(!text.contains("864"), "{text}");
}

#[test]
fn a_collect_ends_with_the_leg_and_a_second_one_is_refused() {
    let mut bench = Bench::new(settings(1));
    let (leg, key) = bench.talker(4);
    let operation = bench.operation(collect(leg, 4, "", false));
    let refusal = bench.command(collect(leg, 4, "", false)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::WrongState);
    let refusal = bench.command(collect(leg, 33, "", false)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::WrongState);
    bench.hangs_up(key, call::Cause::NORMAL_CLEARING);
    let stopped = bench.events.iter().any(|e| {
        matches!(e, CallEvent::Collected { operation: o, why: CollectEnd::Stopped, .. }
            if *o == operation)
    });
    assert!(stopped && bench.has_ended(leg));
}

#[test]
fn a_cancelled_operation_ends_with_its_own_event() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    let plays = bench.operation(play(leg, "welcome", StopOn::Never));
    let collects = bench.operation(collect(leg, 4, "", false));
    bench.said();
    bench.must(CallCommand::Cancel { operation: plays });
    let why = PlayEnd::Stopped;
    assert_eq!(bench.said(), [CallEvent::PlayEnded { operation: plays, leg, why }]);
    bench.must(CallCommand::Cancel { operation: collects });
    assert!(matches!(bench.said()[..], [CallEvent::Collected { why: CollectEnd::Stopped, .. }]));
    let refusal = bench.command(CallCommand::Cancel { operation: plays }).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::UnknownCall);
}

#[test]
fn a_recording_has_a_name_a_length_and_what_was_lost() {
    let mut bench = Bench::new(settings(1));
    let (leg, key) = bench.talker(4);
    bench.must(CallCommand::Record { leg, name: "2026-11-21_a.b".into(), early: false });
    let recorder = bench.lane(at(4)).recorder.unwrap();
    let name = "2026-11-21_a.b".to_owned();
    assert_eq!(
        bench.recorders,
        [RecorderOrder::Open {
            recorder,
            leg,
            name: name.clone(),
            kind: RecordingKind::Asked,
            law: tdm::Law::A,
        }]
    );
    bench.pass(2500);
    let what = pipeline::What::RecorderOverflow { recorder, samples: 160 };
    let overflow = pipeline::Event { at: tdm::SampleTime::samples(0), channel: at(4), what };
    bench.media.heard(bench.now, overflow);
    bench.said();
    bench.hangs_up(key, call::Cause::NORMAL_CLEARING);
    let recorded = CallEvent::Recorded { leg, name, millis: 2500, lost_millis: 20, dropped: false };
    assert!(bench.events.contains(&recorded));
    assert_eq!(bench.recorders.last(), Some(&RecorderOrder::Close { recorder, drop: false }));
}

#[test]
fn a_name_of_a_recording_is_never_a_path() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    for name in ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a b", "a\0", "ä"] {
        let refusal = bench
            .command(CallCommand::Record { leg, name: name.into(), early: false })
            .unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some("name"), "{name:?}");
    }
    let refusal =
        bench.command(CallCommand::Record { leg, name: "x".repeat(65), early: false }).unwrap_err();
    assert_eq!(refusal.limit, Some(64));
}

#[test]
fn recorders_are_bounded_and_come_back() {
    let mut settings = settings(1);
    settings.limits.recorders = 1;
    let mut bench = Bench::new(settings);
    let (a, _) = bench.talker(4);
    let (b, _) = bench.talker(5);
    let record = |leg, name: &str| CallCommand::Record { leg, name: name.into(), early: false };
    bench.must(record(a, "a"));
    let refusal = bench.command(record(b, "b")).unwrap_err();
    assert_eq!((refusal.code, refusal.limit), (RefusalCode::Limit, Some(1)));
    bench.must(CallCommand::StopRecord { leg: a });
    bench.must(record(b, "b"));
}
