//! Lines, links, restarts, channels out of use, stuck calls, and the settings at the door.

use call::{CallCommand, CallEvent, Cause, ChannelState, RefusalCode, SnapshotItem};
use media::{Media, MediaSettings, Output, SettingsError};
use signalling::{Event, Order};
use tdm::{Alarm, Alarms, Instant};

use crate::bench::*;

fn block(span: u8, timeslot: Option<u8>) -> CallCommand {
    CallCommand::Block { span, timeslot }
}

#[test]
fn every_link_is_restarted_once_after_the_start_and_nothing_is_dialled_before() {
    let mut bench = Bench::cold(settings(1));
    bench.scripts[0].lock().unwrap().no_restart = true;
    bench.controller(true);
    bench.lines_up();
    assert_eq!(bench.orders(0), [Order::Line { up: true }, Order::Restart { timeslot: None }]);
    let refusal = bench.command(CallCommand::Dial(dial_to("1"))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::SpanDown);
    bench.tell(0, Event::Restarted { timeslot: None });
    bench.must(CallCommand::Dial(dial_to("1")));
    bench.tell(0, Event::LinkDown);
    bench.tell(0, Event::LinkUp);
    let again = bench.orders(0).iter().any(|o| matches!(o, Order::Restart { .. }));
    assert!(!again, "active calls survive a lost link");
}

/// An exchange that knows no RESTART of an interface gets one for each channel, and each is there again by itself.
#[test]
fn an_interface_restarted_channel_by_channel_carries_calls_as_its_channels_come_back() {
    let mut bench = Bench::cold(settings(1));
    bench.scripts[0].lock().unwrap().no_restart = true;
    bench.controller(true);
    bench.lines_up();
    assert!(bench.command(CallCommand::Dial(dial_to("1"))).is_err());
    bench.tell(0, Event::Restarted { timeslot: Some(slot(7)) });
    bench.must(CallCommand::Dial(dial_to("1")));
    assert_eq!(bench.last_call(0).1, slot(7));
    let refusal = bench.command(CallCommand::Dial(dial_to("1"))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::NoChannel, "the others are not back yet");
    // Who calls meanwhile has done with our RESTART, or never heard of it.
    bench.caller(0, 9);
    // What does not come back is out of service, and only that.
    bench.tell(0, Event::ChannelFailed { timeslot: slot(8) });
    bench.tell(0, Event::Restarted { timeslot: Some(slot(10)) });
    bench.must(CallCommand::Dial(dial_to("1")));
    assert_eq!(bench.last_call(0).1, slot(10));
}

/// The engine knows best which channels its own messages still name.
#[test]
fn a_channel_that_the_engine_keeps_for_itself_is_not_dialled_on() {
    let mut bench = Bench::new(settings(1));
    let kept = (1..32).filter_map(tdm::Timeslot::new).filter(|t| *t != slot(4)).collect();
    bench.scripts[0].lock().unwrap().kept = kept;
    bench.must(CallCommand::Dial(dial_to("1")));
    assert_eq!(bench.last_call(0).1, slot(4));
    assert!(bench.command(CallCommand::Dial(dial_to("1"))).is_err());
    let shown = bench.media.status().spans[0].channels.clone();
    assert!(shown.contains(&(5, ChannelState::OutOfService)), "{shown:?}");
}

#[test]
fn alarms_have_a_beginning_and_an_end_and_calls_wait_for_the_engine() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(1);
    bench.said();
    let red = Alarms::NONE.with(Alarm::LossOfSignal, true);
    bench.media.line(bench.now, span(0), false, red);
    bench.drain();
    let alarm = |on| CallEvent::Alarm { span: 1, alarm: "loss_of_signal".into(), on };
    assert_eq!(bench.said(), [alarm(true), CallEvent::Link { span: 1, up: false }]);
    assert!(bench.orders(0).contains(&Order::Line { up: false }));
    bench.media.line(bench.now, span(0), true, Alarms::NONE);
    bench.drain();
    assert_eq!(bench.said(), [alarm(false), CallEvent::Link { span: 1, up: true }]);
    assert!(!bench.has_ended(leg), "T309 is the engine's");
}

#[test]
fn when_the_board_is_gone_answered_calls_end_with_41_and_others_with_27() {
    let mut bench = Bench::new(settings(2));
    let (answered, _) = bench.talker(1);
    let (offered, _) = bench.caller(0, 2);
    let (elsewhere, _) = bench.caller(1, 2);
    bench.scripts[0].lock().unwrap().holds_on = true;
    let gone = Alarms::NONE.with(Alarm::BoardGone, true);
    bench.media.line(bench.now, span(0), false, gone);
    bench.drain();
    assert_eq!(bench.summary(answered).cause, Cause::TEMPORARY_FAILURE);
    assert_eq!(bench.summary(offered).cause, Cause::DESTINATION_OUT_OF_ORDER);
    assert!(!bench.has_ended(elsewhere));
    bench.orders(0);
    bench.media.line(bench.now, span(0), true, Alarms::NONE);
    bench.drain();
    assert!(bench.orders(0).contains(&Order::Restart { timeslot: None }));
    bench.pass(200);
    bench.caller(0, 1);
}

#[test]
fn a_blocked_channel_takes_no_new_call_and_an_unblocked_one_does() {
    let mut bench = Bench::new(settings(1));
    for timeslot in (1..31).filter(|&t| t != 16) {
        bench.must(block(1, Some(timeslot)));
    }
    assert_eq!(bench.dialled(dial_to("1")).2.index(), 31);
    let refusal = bench.command(CallCommand::Dial(dial_to("1"))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::NoChannel);
    let blocked = SnapshotItem::Channel { span: 1, timeslot: 7, state: ChannelState::Blocked };
    assert!(bench.media.snapshot().contains(&blocked));
    bench.must(CallCommand::Unblock { span: 1, timeslot: Some(7) });
    assert_eq!(bench.dialled(dial_to("1")).2.index(), 7);
    for (span, timeslot) in [(0, None), (9, None), (1, Some(16)), (1, Some(0)), (1, Some(200))] {
        let refusal = bench.command(block(span, timeslot)).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::BadValue);
    }
}

#[test]
fn a_drained_span_says_so_when_the_last_call_has_gone() {
    let mut bench = Bench::new(settings(1));
    let (a, b) = (bench.talker(1), bench.talker(2));
    bench.must(CallCommand::Drain { span: 1, timeslot: None });
    let drained = CallEvent::Drained { span: 1, timeslot: None };
    bench.hangs_up(a.1, Cause::NORMAL_CLEARING);
    assert!(!bench.events.contains(&drained));
    bench.setup(0, 5);
    assert!(bench.events.iter().any(|e| matches!(e, CallEvent::Refused { cause: Cause(34), .. })));
    bench.hangs_up(b.1, Cause::NORMAL_CLEARING);
    assert_eq!(bench.events.iter().filter(|e| **e == drained).count(), 1);
    // An idle channel is drained at once.
    bench.must(CallCommand::Unblock { span: 1, timeslot: None });
    bench.said();
    bench.must(CallCommand::Drain { span: 1, timeslot: Some(3) });
    assert!(bench.said().contains(&CallEvent::Drained { span: 1, timeslot: Some(3) }));
}

#[test]
fn a_failed_channel_is_out_of_service_until_it_was_restarted() {
    let mut bench = Bench::new(settings(1));
    bench.tell(0, Event::ChannelFailed { timeslot: slot(31) });
    assert_eq!(bench.dialled(dial_to("1")).2.index(), 30);
    bench.orders(0);
    bench.pass(60_000);
    assert!(bench.orders(0).contains(&Order::Restart { timeslot: Some(slot(31)) }));
    assert_eq!(bench.dialled(dial_to("1")).2.index(), 31);
}

#[test]
fn a_leg_that_does_not_end_is_found_cleared_and_its_channel_restarted() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(5);
    bench.scripts[0].lock().unwrap().holds_on = true;
    bench.must(CallCommand::Hangup { leg, cause: Cause::NORMAL_CLEARING });
    let refusal = bench.command(CallCommand::Hangup { leg, cause: Cause(16) }).unwrap_err();
    assert_eq!(refusal.state.as_deref(), Some("ending"));
    bench.orders(0);
    bench.pass(59_999);
    assert!(!bench.has_ended(leg));
    bench.pass(1);
    assert!(bench.has_ended(leg));
    assert!(bench.orders(0).contains(&Order::Restart { timeslot: Some(slot(5)) }));
    assert_eq!(bench.media.status().counters.stuck, 1);
}

#[test]
fn legs_without_progress_are_cleared_and_say_why() {
    let mut bench = Bench::new(settings(1));
    let (offered, _) = bench.caller(0, 1);
    let dial = call::Dial { no_answer_millis: 600_000, ..dial_to("1") };
    let (dialled, _, _) = bench.dialled(dial);
    bench.pass(60_000);
    assert!(bench.summary(dialled).reason.contains("stuck"));
    bench.pass(140_000);
    assert!(bench.summary(offered).reason.contains("stuck"));
    assert_eq!(bench.media.status().counters.stuck, 2);
}

#[test]
fn time_is_told_at_least_every_100_milliseconds() {
    let mut bench = Bench::new(settings(1));
    bench.media.utc_offset(42);
    let mut times = Vec::new();
    for _ in 0..1000 {
        bench.now = bench.now.plus_millis(1);
        bench.media.elapsed(bench.now);
        loop {
            match bench.media.poll() {
                Output::Event(CallEvent::Time { utc_offset_us: 42 }, _) => times.push(bench.now),
                Output::Wait(_) => break,
                _ => {}
            }
        }
    }
    assert!(times.len() >= 10);
    assert!(times.windows(2).all(|w| w[1].micros_since(w[0]) <= 100_000), "{times:?}");
}

#[test]
fn time_never_runs_back() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.caller(0, 1);
    bench.media.elapsed(Instant::millis(0));
    bench.must(CallCommand::Answer { leg });
    bench.must(CallCommand::Hangup { leg, cause: Cause::NORMAL_CLEARING });
    let summary = bench.summary(leg);
    assert!(summary.ended_us >= summary.started_us);
}

#[test]
fn settings_that_cannot_work_are_refused_with_what_is_wrong() {
    let refused = |change: &dyn Fn(&mut MediaSettings)| {
        let mut settings = settings(2);
        change(&mut settings);
        Media::new(settings, 1, Instant::millis(0)).err().expect("refused")
    };
    let error = refused(&|s| s.music = Some("nix".into()));
    assert_eq!(error, SettingsError::NoSuchPrompt { field: "music", prompt: "nix".into() });
    let error = refused(&|s| s.spans.push(s.spans[0].clone()));
    assert_eq!(error, SettingsError::SpanTwice { span: span(0) });
    let error = refused(&|s| s.groups.push(s.groups[0].clone()));
    assert_eq!(error, SettingsError::GroupTwice { group: "public".into() });
    let error = refused(&|s| s.groups[0].spans.push(span(7)));
    assert_eq!(error, SettingsError::NoSuchSpan { group: "public".into(), span: span(7) });
    let error = refused(&|s| s.tones.clear());
    assert_eq!(error, SettingsError::NoSuchTone { tone: "ringback" });
    let error = refused(&|s| s.tones.retain(|(name, _)| name != "beep"));
    assert_eq!(error, SettingsError::NoSuchTone { tone: "beep" });
    let error = refused(&|s| s.limits.recorders = 1025);
    assert!(error.to_string().contains("1024"), "{error}");
    let error = refused(&|s| s.timing.safe_harbour_millis = 2000);
    assert!(error.to_string().contains("safe_harbour_millis"));
    let error = refused(&|s| s.groups[0].capacity = Some(0));
    assert_eq!(error, SettingsError::NoCapacity { group: "public".into() });
}

#[test]
fn the_call_server_may_move_to_another_thread() {
    fn may_move<T: Send>(_: &T) {}
    may_move(&Bench::new(settings(1)).media);
}
