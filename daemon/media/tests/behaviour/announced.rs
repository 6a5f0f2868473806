//! Announcements of the network before an answer, and what comes after a verdict: its change, a beep, a message.

use call::{
    CallCommand, CallEvent, Cause, Dial, LegId, MachineMessage, Meaning, OnPerson, Otherwise,
    Outcome, Verdict,
};
use dsp::ears::{Answerer, Heard, SitCode, Sound};
use dsp::pipeline;
use media::RecorderOrder;
use signalling::{Event, LegKey, Order};
use tdm::Channel;

use crate::bench::*;

/// Number of the print that says "no such number", and of the one that says "switched off".
const VACANT: Heard = Heard::Print(0);
const OFF: Heard = Heard::Print(1);
/// And of the greeting of the carrier's voicemail.
const MAILBOX: Heard = Heard::Print(2);

fn of_a_list(message: bool) -> Dial {
    let on_person = OnPerson {
        bridge: None,
        within_millis: 8000,
        machine_from_percent: Some(80),
        message: message.then(|| MachineMessage { prompt: "welcome".into(), wait_millis: 20_000 }),
        keep: None,
        otherwise: Otherwise::SafeHarbour("sorry".into()),
    };
    Dial { on_person: Some(on_person), ..dial_to("5551") }
}

/// A dialled call to which the network says something: PROGRESS with in-band information.
fn spoken_to(bench: &mut Bench, dial: Dial) -> (LegId, LegKey, Channel) {
    let (leg, key, timeslot) = bench.dialled(dial);
    bench.tell(0, Event::Proceeding { key, timeslot, in_band: false });
    bench.tell(0, Event::Progress { key, in_band: true, cause: None });
    (leg, key, at(timeslot.index()))
}

#[test]
fn a_recognised_announcement_ends_a_call_of_a_list_at_once_with_its_outcome() {
    for (print, means, outcome) in
        [(VACANT, Meaning::Vacant, Outcome::Vacant), (OFF, Meaning::Off, Outcome::NoAnswer)]
    {
        let mut bench = Bench::new(settings(1));
        let (leg, key, channel) = spoken_to(&mut bench, of_a_list(false));
        assert!(bench.lane(channel).listen.prints);
        bench.pass(1700);
        bench.hear(channel, print);
        let announced = bench.events.iter().find_map(|event| match event {
            CallEvent::Announced { leg: l, means, .. } if *l == leg => Some(*means),
            _ => None,
        });
        assert_eq!(announced, Some(means));
        // The exchange agrees with a cause that says nothing.
        bench.hangs_up(key, Cause::NORMAL_UNSPECIFIED);
        let summary = bench.summary(leg);
        assert_eq!(summary.outcome, Some(outcome));
        assert!(summary.reason.contains(means.word()), "{}", summary.reason);
        assert!(summary.answered_us.is_none() && summary.cleared_by_us);
    }
}

#[test]
fn an_announcement_for_somebody_who_waits_is_heard_to_its_end() {
    let mut bench = Bench::new(settings(1));
    let (agent, _) = bench.talker(1);
    let dial = Dial { bridge: Some(agent), ..dial_to("5551") };
    let (leg, key, channel) = spoken_to(&mut bench, dial);
    bench.hear(channel, VACANT);
    assert!(!bench.has_ended(leg));
    assert_eq!(bench.lane(at(1)).source, Some(channel));
    bench.hangs_up(key, Cause::NORMAL_UNSPECIFIED);
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Vacant));
}

#[test]
fn an_announcement_in_a_disconnect_is_left_as_soon_as_it_is_known() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, channel) = spoken_to(&mut bench, dial_to("5551"));
    let clearing = theirs(Cause::NORMAL_UNSPECIFIED);
    bench.tell(0, Event::DisconnectInBand { key, clearing });
    bench.pass(1000);
    // Somebody speaks: which words they are shows a little later.
    bench.hear_sound(channel, Sound::Announcement);
    bench.pass(1500);
    assert!(!bench.orders(0).contains(&Order::Release { key }));
    bench.hear(channel, OFF);
    assert!(bench.orders(0).contains(&Order::Release { key }));
    bench.tell(0, Event::Ended { key, timeslot: None, clearing, glare: false });
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::NoAnswer));
}

#[test]
fn words_in_a_disconnect_that_nobody_knows_are_left_after_three_seconds() {
    let mut bench = Bench::new(settings(1));
    let (_, key, channel) = spoken_to(&mut bench, dial_to("5551"));
    let clearing = theirs(Cause::NORMAL_UNSPECIFIED);
    bench.tell(0, Event::DisconnectInBand { key, clearing });
    bench.hear_sound(channel, Sound::Announcement);
    bench.pass(2999);
    assert!(!bench.orders(0).contains(&Order::Release { key }));
    bench.pass(1);
    assert!(bench.orders(0).contains(&Order::Release { key }));
}

/// Nobody asked whether a conversation may be recorded: the call server does not wait for a call centre to stop it.
#[test]
fn words_before_an_answer_that_are_being_recorded_are_thrown_away_by_the_answer_itself() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, channel) = spoken_to(&mut bench, of_a_list(false));
    let name = String::from("unknown-1");
    let record = CallCommand::Record { leg, name: name.clone(), early: true };
    bench.must(record.clone());
    let recorder = bench.lane(channel).recorder.unwrap();
    bench.pass(900);
    bench.controller(false);
    bench.tell(0, Event::Connected { key, timeslot: channel.timeslot });
    assert_eq!(bench.lane(channel).recorder, None);
    assert_eq!(bench.recorders.last(), Some(&RecorderOrder::Close { recorder, drop: true }));
    let recorded = CallEvent::Recorded { leg, name, millis: 900, lost_millis: 0, dropped: true };
    assert!(bench.events.contains(&recorded));
    // A command that was on its way comes too late.
    bench.controller(true);
    assert_eq!(bench.command(record).unwrap_err().state.as_deref(), Some("answered"));
}

#[test]
fn words_before_an_answer_are_kept_unless_they_turn_out_to_be_known() {
    for known in [false, true] {
        let mut bench = Bench::new(settings(1));
        let (leg, key, channel) = spoken_to(&mut bench, of_a_list(false));
        bench.hear_sound(channel, Sound::Announcement);
        bench.must(CallCommand::Record { leg, name: "unknown-1".into(), early: true });
        let recorder = bench.lane(channel).recorder.unwrap();
        if known {
            bench.hear(channel, VACANT);
        }
        bench.hangs_up(key, Cause::NORMAL_UNSPECIFIED);
        assert_eq!(bench.recorders.last(), Some(&RecorderOrder::Close { recorder, drop: known }));
    }
}

#[test]
fn a_recording_that_cannot_be_written_is_reported_as_none_and_its_recorder_is_free() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(4);
    bench.must(CallCommand::Record { leg, name: "full".into(), early: false });
    bench.media.recording_fails(bench.now, "full");
    bench.drain();
    let is_dropped = |event: &CallEvent| matches!(event, CallEvent::Recorded { dropped: true, .. });
    assert_eq!(bench.events.iter().filter(|event| is_dropped(event)).count(), 1);
    assert_eq!(bench.lane(at(4)).recorder, None);
    bench.must(CallCommand::Record { leg, name: "again".into(), early: false });
    // Nobody knows of it any more.
    bench.media.recording_fails(bench.now, "full");
    bench.drain();
    assert!(bench.lane(at(4)).recorder.is_some());
}

#[test]
fn tones_with_a_code_in_a_disconnect_say_all_and_those_without_wait_for_the_words_behind() {
    for (code, outcome) in
        [(SitCode::ReorderLocal, Outcome::Congestion), (SitCode::Intercept, Outcome::Vacant)]
    {
        let mut bench = Bench::new(settings(1));
        let (leg, key, channel) = spoken_to(&mut bench, of_a_list(false));
        let clearing = theirs(Cause::NORMAL_UNSPECIFIED);
        bench.tell(0, Event::DisconnectInBand { key, clearing });
        bench.hear(channel, Heard::SitCode(code));
        bench.hear_sound(channel, Sound::Sit);
        assert!(bench.orders(0).contains(&Order::Release { key }), "{code:?}");
        let coded = |event: &CallEvent| matches!(event, CallEvent::Tone { sit: Some(_), .. });
        assert!(bench.events.iter().any(coded));
        bench.tell(0, Event::Ended { key, timeslot: None, clearing, glare: false });
        assert_eq!(bench.summary(leg).outcome, Some(outcome));
    }
    for (words, outcome) in [(Some(OFF), Outcome::NoAnswer), (None, Outcome::Vacant)] {
        let mut bench = Bench::new(settings(1));
        let (leg, key, channel) = spoken_to(&mut bench, of_a_list(false));
        let clearing = theirs(Cause::NORMAL_UNSPECIFIED);
        bench.tell(0, Event::DisconnectInBand { key, clearing });
        bench.hear(channel, Heard::SitCode(SitCode::International));
        bench.hear_sound(channel, Sound::Sit);
        assert!(!bench.orders(0).contains(&Order::Release { key }));
        bench.hear_sound(channel, Sound::Announcement);
        bench.pass(1800);
        words.into_iter().for_each(|known| bench.hear(channel, known));
        bench.pass(1200);
        assert!(bench.orders(0).contains(&Order::Release { key }));
        bench.tell(0, Event::Ended { key, timeslot: None, clearing, glare: false });
        assert_eq!(bench.summary(leg).outcome, Some(outcome));
    }
}

#[test]
fn the_greeting_of_a_carriers_voicemail_is_a_machine_as_soon_as_it_is_known() {
    for message in [false, true] {
        let mut bench = Bench::new(settings(1));
        let (leg, _, channel) = bench.connected(of_a_list(message));
        assert!(bench.lane(channel).listen.prints);
        bench.pass(1500);
        bench.hear(channel, MAILBOX);
        bench.verdict(channel, Answerer::Machine);
        if message {
            bench.hear(channel, Heard::SpeakNow(1000));
            assert_eq!(bench.plays(channel), ["welcome"]);
            bench.play_ends(channel, pipeline::PlayEnd::Finished);
        }
        let summary = bench.summary(leg);
        assert_eq!(summary.outcome, Some(Outcome::Machine));
        assert!(
            summary.reason.starts_with("announcement mailbox: voicemail"),
            "{}",
            summary.reason
        );
    }
}

#[test]
fn a_message_is_left_at_a_machine_in_the_block_in_which_its_beep_ends() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(of_a_list(true));
    assert_eq!(bench.lane(channel).listen.machine_from_percent, 80);
    bench.pass(3000);
    let mut features = [0.0; dsp::answer::rhythm::FEATURES];
    features[0] = 0.32;
    bench.hear(channel, Heard::AnswerReason(features));
    bench.verdict(channel, Answerer::Machine);
    let named = bench.events.iter().find_map(|event| match event {
        CallEvent::Verdict { features, .. } => features.get(dsp::answer::rhythm::NAMES[0]).copied(),
        _ => None,
    });
    assert_eq!(named, Some(320));
    assert!(bench.lane(channel).listen.answer, "it listens on for the beep");
    bench.pass(2500);
    assert!(bench.plays(channel).is_empty());
    bench.hear(channel, Heard::SpeakNow(1400));
    assert_eq!(bench.plays(channel), ["welcome"]);
    bench.play_ends(channel, pipeline::PlayEnd::Finished);
    let summary = bench.summary(leg);
    assert_eq!((summary.outcome, summary.cause), (Some(Outcome::Machine), Cause(16)));
    assert!(summary.reason.contains("message left"), "{}", summary.reason);
}

#[test]
fn a_machine_that_does_not_beep_in_time_is_released_without_a_message() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(of_a_list(true));
    bench.verdict(channel, Answerer::Machine);
    bench.pass(19_999);
    assert!(!bench.has_ended(leg));
    bench.pass(1);
    let summary = bench.summary(leg);
    assert_eq!(summary.outcome, Some(Outcome::Machine));
    assert!(!summary.reason.contains("message left"), "{}", summary.reason);
}

#[test]
fn a_machine_that_talks_back_is_a_person_after_all_and_hears_the_safe_harbour_prompt() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(of_a_list(true));
    bench.verdict(channel, Answerer::Machine);
    bench.hear(channel, Heard::AnswerRevised { who: Answerer::Human, score: 0.1 });
    let is_revised = |event: &CallEvent| {
        matches!(event, CallEvent::VerdictRevised { verdict: Verdict::Human, .. })
    };
    assert!(bench.events.iter().any(is_revised));
    // The controller may have another agent for him.
    bench.pass(700);
    assert_eq!(bench.plays(channel), ["sorry"]);
    bench.hear(channel, Heard::SpeakNow(1000));
    assert_eq!(bench.plays(channel), ["sorry"], "no message for a person");
    bench.play_ends(channel, pipeline::PlayEnd::Finished);
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Person));
}

#[test]
fn after_a_verdict_on_request_its_change_and_the_beep_are_told() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(dial_to("1"));
    bench.must(CallCommand::Judge { leg, within_millis: 4000 });
    bench.verdict(channel, Answerer::Human);
    bench.said();
    bench.hear(channel, Heard::AnswerRevised { who: Answerer::Machine, score: 0.98 });
    bench.hear(channel, Heard::SpeakNow(850));
    assert!(matches!(
        bench.said()[..],
        [
            CallEvent::VerdictRevised { verdict: Verdict::Machine, .. },
            CallEvent::SpeakNow { hz: 850, acted: false, .. }
        ]
    ));
    bench.pass(30_000);
    assert!(!bench.lane(channel).listen.answer && !bench.has_ended(leg));
}

/// Tones without a code stand before all kinds of words, and each may bring the other again: the listening ends all
/// the same.
#[test]
fn words_and_tones_that_take_turns_in_a_disconnect_hold_the_channel_for_three_seconds() {
    let mut bench = Bench::new(settings(1));
    let (_, key, channel) = spoken_to(&mut bench, dial_to("5551"));
    let clearing = theirs(Cause::NORMAL_UNSPECIFIED);
    bench.tell(0, Event::DisconnectInBand { key, clearing });
    let turn = |bench: &mut Bench| {
        bench.hear(channel, Heard::SitCode(SitCode::International));
        bench.hear_sound(channel, Sound::Sit);
        bench.pass(1000);
        bench.hear_sound(channel, Sound::Announcement);
        bench.pass(1000);
    };
    turn(&mut bench);
    assert!(!bench.orders(0).contains(&Order::Release { key }));
    turn(&mut bench);
    assert!(bench.orders(0).contains(&Order::Release { key }));
}

#[test]
fn tones_without_a_code_before_a_disconnect_leave_three_seconds_for_the_words_behind_them() {
    let mut bench = Bench::new(settings(1));
    let (_, key, channel) = spoken_to(&mut bench, dial_to("5551"));
    let clearing = theirs(Cause::NORMAL_UNSPECIFIED);
    bench.hear_sound(channel, Sound::Announcement);
    bench.hear(channel, Heard::SitCode(SitCode::International));
    bench.hear_sound(channel, Sound::Sit);
    bench.tell(0, Event::DisconnectInBand { key, clearing });
    bench.pass(2999);
    assert!(!bench.orders(0).contains(&Order::Release { key }));
    bench.pass(1);
    assert!(bench.orders(0).contains(&Order::Release { key }));
}

#[test]
fn who_is_in_a_conversation_is_judged_no_more_whatever_is_heard_in_it() {
    for asked in [false, true] {
        let mut bench = Bench::new(settings(1));
        let (agent, _) = bench.talker(1);
        let dial = if asked { dial_to("5551") } else { of_a_list(false) };
        let (leg, _, channel) = bench.connected(dial);
        if asked {
            bench.must(CallCommand::Judge { leg, within_millis: 8000 });
        }
        bench.pass(500);
        bench.said();
        bench.must(CallCommand::Bridge { a: leg, b: agent, beep: false });
        let listen = bench.lane(channel).listen;
        assert!(!listen.prints && !listen.answer && !listen.fax && listen.dtmf);
        bench.hear(channel, MAILBOX);
        bench.verdict(channel, Answerer::Machine);
        bench.pass(10_000);
        let said = bench.said();
        let of_judging = |event: &CallEvent| {
            matches!(event, CallEvent::Verdict { .. } | CallEvent::Announced { .. })
        };
        assert!(!said.iter().any(of_judging), "{said:?}");
        // Whoever asked learns that no verdict comes.
        let failed = |event: &&CallEvent| matches!(event, CallEvent::Failed { .. });
        assert_eq!(said.iter().filter(failed).count(), usize::from(asked));
        assert!(!bench.has_ended(leg));
    }
}
