//! Calls in and out, the trunk group, collisions, and what becomes of a dialled call.

use call::{
    CallCommand, CallEvent, Cause, DialAgain, Direction, Disposition, Outcome, Progress,
    RefusalCode, ToneClass,
};
use dsp::ears::Sound;
use media::CallRate;
use signalling::{Event, Order, Side};

use crate::bench::*;

#[test]
fn an_incoming_call_is_offered_rung_answered_and_summed_up() {
    let mut bench = Bench::new(settings(1));
    let (leg, key) = bench.caller(0, 7);
    assert_eq!(bench.orders(0).last(), Some(&Order::Proceed { key }));
    bench.pass(50);

    bench.must(CallCommand::Alert { leg });
    assert_eq!(bench.orders(0), [Order::Alert { key, in_band: true }]);
    assert_eq!(bench.plays(at(7)), ["ringback"]);
    bench.pass(2000);

    bench.must(CallCommand::Answer { leg });
    assert_eq!(bench.orders(0), [Order::Connect { key }]);
    assert!(bench.plays(at(7)).is_empty(), "our ring-back stops at the answer");
    assert!(bench.lane(at(7)).listen.dtmf);
    bench.pass(10_000);

    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    let summary = bench.summary(leg);
    assert_eq!(summary.direction, Direction::Inbound);
    assert_eq!(summary.channel, Some((1, 7)));
    assert_eq!(summary.called.digits, "4000");
    assert_eq!(summary.alerted_us, Some(1_050_000));
    assert_eq!(summary.answered_us, Some(3_050_000));
    assert_eq!(summary.ended_us, 13_050_000);
    assert_eq!(summary.disposition, Disposition::Answered);
    assert!(!summary.cleared_by_us);
    assert!(!bench.lanes.contains_key(&at(7)));
}

#[test]
fn a_dialled_call_is_heard_from_the_first_message_that_names_the_channel() {
    let mut bench = Bench::new(settings(1));
    let accepted = bench.must(CallCommand::Dial(dial_to("5551234")));
    let (leg, operation) = (accepted.leg.unwrap(), accepted.operation.unwrap());
    let (key, timeslot) = bench.last_call(0);
    let channel = at(timeslot.index());
    assert!(!bench.lane(channel).listen.progress);
    let dialling =
        CallEvent::Dialling { operation, leg, call: accepted.call.unwrap(), channel: (1, 31) };
    assert_eq!(bench.said(), [dialling]);

    bench.tell(0, Event::Proceeding { key, timeslot, in_band: false });
    assert!(bench.lane(channel).listen.progress);
    bench.hear_sound(channel, Sound::Ringback);
    bench.tell(0, Event::Alerting { key, timeslot, in_band: true });
    bench.tell(0, Event::Connected { key, timeslot });
    let progressed =
        |progress, in_band| CallEvent::Progressed { leg, progress, in_band, cause: None };
    let tone = CallEvent::Tone { leg, class: ToneClass::Ringback, answered: false, sit: None };
    assert_eq!(
        bench.said(),
        [
            progressed(Progress::Proceeding, false),
            tone,
            progressed(Progress::Alerting, true),
            CallEvent::Answered { leg },
        ]
    );
    let listen = bench.lane(channel).listen;
    assert!(listen.dtmf && !listen.progress);
}

#[test]
fn only_a_connect_is_an_answer_however_much_is_heard_before() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.tell(0, Event::Proceeding { key, timeslot, in_band: true });
    for sound in [Sound::Talk, Sound::Music, Sound::Announcement] {
        bench.hear_sound(at(timeslot.index()), sound);
    }
    bench.pass(29_999);
    assert!(!bench.events.contains(&CallEvent::Answered { leg }));
    bench.pass(1);
    let summary = bench.summary(leg);
    assert_eq!(summary.disposition, Disposition::NotAnswered);
    assert_eq!(summary.outcome, Some(Outcome::NoAnswer));
    assert!(summary.cleared_by_us);
}

#[test]
fn causes_and_sounds_become_outcomes() {
    let mut bench = Bench::new(settings(1));
    for (cause, sound, outcome) in [
        (17, None, Outcome::Busy),
        (17, Some(Sound::Congestion), Outcome::Busy),
        (1, Some(Sound::Vacant), Outcome::Vacant),
        (34, None, Outcome::Congestion),
        (18, None, Outcome::NoAnswer),
        (21, None, Outcome::Other),
        (16, Some(Sound::Busy), Outcome::Busy),
        (31, Some(Sound::Sit), Outcome::Vacant),
        (127, Some(Sound::Congestion), Outcome::Congestion),
        (16, Some(Sound::Announcement), Outcome::Other),
    ] {
        let (leg, key, timeslot) = bench.dialled(dial_to("1"));
        bench.tell(0, Event::Proceeding { key, timeslot, in_band: true });
        sound.into_iter().for_each(|s| bench.hear_sound(at(timeslot.index()), s));
        bench.hangs_up(key, Cause(cause));
        let summary = bench.summary(leg);
        assert_eq!(summary.outcome, Some(outcome), "cause {cause}, {sound:?}: {summary:?}");
        assert_eq!(summary.cause, Cause(cause));
        bench.pass(200);
    }
}

#[test]
fn a_cause_in_progress_decides_when_the_last_one_says_nothing() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.tell(0, Event::Proceeding { key, timeslot, in_band: false });
    bench.tell(0, Event::Progress { key, in_band: true, cause: Some(Cause(1)) });
    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Vacant));
}

#[test]
fn a_disconnect_with_sound_is_listened_to_until_it_is_classified() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.tell(0, Event::Proceeding { key, timeslot, in_band: false });
    bench.tell(0, Event::DisconnectInBand { key, clearing: theirs(Cause(31)) });
    assert!(bench.events.contains(&CallEvent::Disconnecting { leg, cause: Cause(31) }));
    bench.pass(3000);
    assert!(!bench.has_ended(leg));
    bench.hear_sound(at(timeslot.index()), Sound::Busy);
    let summary = bench.summary(leg);
    assert_eq!((summary.outcome, summary.cause), (Some(Outcome::Busy), Cause(31)));
    assert_eq!(summary.dial_again, Some(DialAgain::Soon));
    assert!(!summary.cleared_by_us);
    assert_eq!(bench.orders(0).last(), Some(&Order::Release { key }));
}

#[test]
fn a_disconnect_with_silence_is_listened_to_for_15_seconds() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    bench.tell(0, Event::DisconnectInBand { key, clearing: theirs(Cause(17)) });
    bench.pass(14_999);
    assert!(!bench.has_ended(leg));
    bench.pass(1);
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Busy));
}

#[test]
fn after_the_answer_nobody_listens_to_a_disconnect() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, _) = bench.connected(dial_to("1"));
    bench.tell(0, Event::DisconnectInBand { key, clearing: theirs(Cause(16)) });
    assert!(bench.has_ended(leg));
}

#[test]
fn a_user_hunts_from_the_top_a_network_from_the_bottom() {
    let mut bench = Bench::new(settings(1));
    let hunted: Vec<_> = (0..3).map(|_| bench.dialled(dial_to("1")).2.index()).collect();
    assert_eq!(hunted, [31, 30, 29]);

    let mut settings = settings(1);
    settings.spans[0] = media::SpanSettings::e1(span(0), Side::Network);
    let mut bench = Bench::new(settings);
    let hunted: Vec<_> = (0..3).map(|_| bench.dialled(dial_to("1")).2.index()).collect();
    assert_eq!(hunted, [1, 2, 3]);
}

#[test]
fn a_released_channel_rests_and_the_longest_rested_comes_first() {
    let mut bench = Bench::new(settings(1));
    let (_, key, _) = bench.dialled(dial_to("1"));
    bench.hangs_up(key, Cause::USER_BUSY);
    // 31 rests; then it is the most recently used of our half.
    let hunted: Vec<_> = (0..14).map(|_| bench.dialled(dial_to("1")).2.index()).collect();
    assert!(!hunted.contains(&31), "{hunted:?}");
    bench.pass(100);
    assert_eq!(bench.dialled(dial_to("1")).2.index(), 31);
}

#[test]
fn every_channel_is_found_and_the_next_call_is_refused_by_name() {
    let mut bench = Bench::new(settings(2));
    for n in 0..60 {
        assert!(bench.command(CallCommand::Dial(dial_to("1"))).is_ok(), "{n}");
    }
    let refusal = bench.command(CallCommand::Dial(dial_to("1"))).unwrap_err();
    assert_eq!((refusal.code, refusal.limit), (RefusalCode::Limit, Some(60)));
    assert_eq!(bench.media.status().legs, 60);
}

#[test]
fn a_collision_is_tried_again_at_once_elsewhere_and_no_failure_is_reported() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.said();
    let clearing = theirs(Cause::CHANNEL_NOT_AVAILABLE);
    bench.tell(0, Event::Ended { key, timeslot: Some(timeslot), clearing, glare: true });
    let (again, elsewhere) = bench.last_call(0);
    let moved = CallEvent::Moved { leg, channel: (1, elsewhere.index() as u8), glare: true };
    assert_eq!(bench.said(), [moved]);
    assert_ne!((again, elsewhere), (key, timeslot));
    bench.tell(0, Event::Connected { key: again, timeslot: elsewhere });
    assert_eq!(
        bench.said().last(),
        Some(&CallEvent::Answered { leg }),
        "the same leg, on another channel"
    );
    assert_eq!(bench.media.status().counters.glare_retries, 1);
}

#[test]
fn collisions_without_end_become_congestion() {
    let mut bench = Bench::new(settings(1));
    let (leg, mut key, mut timeslot) = bench.dialled(dial_to("1"));
    for _ in 0..5 {
        assert!(!bench.has_ended(leg));
        let clearing = theirs(Cause::CHANNEL_NOT_AVAILABLE);
        bench.tell(0, Event::Ended { key, timeslot: Some(timeslot), clearing, glare: true });
        (key, timeslot) = bench.last_call(0);
    }
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Congestion));
}

#[test]
fn an_incoming_call_takes_the_channel_of_ours_that_collided_with_it() {
    let mut bench = Bench::new(settings(1));
    let (ours, key, timeslot) = bench.dialled(dial_to("1"));
    let (theirs_leg, _) = bench.caller(0, timeslot.index());
    let clearing = theirs(Cause::NO_CIRCUIT);
    bench.tell(0, Event::Ended { key, timeslot: Some(timeslot), clearing, glare: true });
    let (key, elsewhere) = bench.last_call(0);
    assert_ne!(elsewhere, timeslot);
    bench.tell(0, Event::Connected { key, timeslot: elsewhere });
    assert!(bench.events.contains(&CallEvent::Answered { leg: ours }));
    bench.must(CallCommand::Answer { leg: theirs_leg });
    assert!(bench.events.contains(&CallEvent::Answered { leg: theirs_leg }));
}

#[test]
fn the_network_may_move_our_call_to_a_free_channel_but_not_to_a_taken_one() {
    let mut bench = Bench::new(settings(1));
    let (_, key, timeslot) = bench.dialled(dial_to("1"));
    bench.tell(0, Event::Proceeding { key, timeslot: slot(3), in_band: false });
    assert!(bench.lane(at(3)).listen.progress);
    assert!(!bench.lanes.contains_key(&at(timeslot.index())));

    let (second, key, _) = bench.dialled(dial_to("2"));
    bench.tell(0, Event::Proceeding { key, timeslot: slot(3), in_band: false });
    assert_eq!(bench.summary(second).cause, Cause::CHANNEL_UNACCEPTABLE);
    assert!(bench.lane(at(3)).listen.progress, "the first one is not touched");
}

#[test]
fn at_the_door_each_reason_has_its_cause_and_its_counter() {
    let mut settings = settings(1);
    settings.groups[0].capacity = Some(2);
    settings.groups[0].rate = Some(CallRate { per_second: 1, burst: 3 });
    let mut bench = Bench::new(settings);
    let refused = |bench: &mut Bench, timeslot| {
        bench.setup(0, timeslot);
        let said = bench.said();
        said.iter().find_map(|event| match event {
            CallEvent::Refused { cause, .. } => Some(cause.0),
            _ => None,
        })
    };
    assert_eq!(refused(&mut bench, 1), None);
    assert_eq!(refused(&mut bench, 1), Some(44), "the channel is taken");
    assert_eq!(refused(&mut bench, 2), None);
    assert_eq!(refused(&mut bench, 3), Some(17), "the group is full");
    bench.media.queue_age(200_001);
    assert_eq!(refused(&mut bench, 4), Some(42), "signalling is behind");
    bench.media.queue_age(200_000);
    let legs: Vec<_> = bench.media.snapshot().iter().filter_map(leg_of).collect();
    for leg in legs {
        bench.must(CallCommand::Hangup { leg, cause: Cause::NORMAL_CLEARING });
    }
    bench.said();
    assert_eq!(refused(&mut bench, 5), None);
    assert_eq!(refused(&mut bench, 6), Some(42), "too fast");
    bench.must(CallCommand::Block { span: 1, timeslot: Some(9) });
    assert_eq!(refused(&mut bench, 9), Some(34), "no such channel in use");
    let status = bench.media.status();
    let c = status.counters;
    assert_eq!(
        [
            c.refused_channel,
            c.refused_capacity,
            c.refused_overload,
            c.refused_rate,
            c.refused_no_channel
        ],
        [1; 5]
    );
    assert_eq!((status.groups[0].offered, status.groups[0].refused), (8, 5));
}

fn leg_of(item: &call::SnapshotItem) -> Option<call::LegId> {
    match item {
        call::SnapshotItem::Leg(leg) => Some(leg.leg),
        _ => None,
    }
}

#[test]
fn refusals_say_which_field_which_limit_or_which_state() {
    let mut bench = Bench::new(settings(1));
    let mut dial = |change: &dyn Fn(&mut call::Dial)| {
        let mut dial = dial_to("123");
        change(&mut dial);
        bench.command(CallCommand::Dial(dial)).unwrap_err()
    };
    let refusal = dial(&|d| d.group = "nowhere".into());
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::BadValue, Some("group")));
    let refusal = dial(&|d| d.called.digits = "12a".into());
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::BadValue, Some("called")));
    let refusal = dial(&|d| d.called.digits = "1".repeat(33));
    assert_eq!((refusal.code, refusal.limit), (RefusalCode::Limit, Some(32)));
    let refusal = dial(&|d| d.no_answer_millis = 0);
    assert_eq!(refusal.field.as_deref(), Some("no_answer_millis"));
    let refusal = dial(&|d| d.bridge = Some(call::LegId::new(INSTANCE, 77)));
    assert_eq!(refusal.code, RefusalCode::UnknownCall);
    let refusal = dial(&|d| d.call = Some(call::CallId::new(1, 1)));
    assert_eq!(refusal.code, RefusalCode::UnknownCall);

    let (leg, _) = bench.caller(0, 1);
    let refusal = bench.command(CallCommand::StopRecord { leg }).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::WrongState);
    let refusal = bench.command(CallCommand::Hangup { leg, cause: Cause(0) }).unwrap_err();
    assert_eq!(refusal.field.as_deref(), Some("cause"));
}

#[test]
fn a_span_that_is_down_is_said_to_be_down() {
    let mut bench = Bench::cold(settings(1));
    bench.controller(true);
    let refusal = bench.command(CallCommand::Dial(dial_to("1"))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::SpanDown);
}
