//! What an operator sees: groups, spans, channels, counters.

use std::collections::BTreeMap;

use call::{ChannelState, LegNow, SnapshotItem};
use serde::Serialize;

use crate::Media;
use crate::leg::place;
use crate::trunk::{Group, Span};
use crate::upkeep::alarm_name;

/// How the call server stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The trunk groups in the order of the configuration.
    pub groups: Vec<GroupStatus>,
    /// The spans in the order of the configuration.
    pub spans: Vec<SpanStatus>,
    /// Legs now.
    pub legs: usize,
    /// Recordings now.
    pub recordings: usize,
    /// Whether a controller is there.
    pub controller: bool,
    /// What happened since the start.
    pub counters: Counters,
}

/// How a trunk group stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    /// Its name.
    pub name: String,
    /// Calls it may carry at a time.
    pub capacity: u16,
    /// Legs now, both directions.
    pub in_use: u16,
    /// Channels that could be taken now.
    pub idle: u16,
    /// Calls offered by the far end since the start.
    pub offered: u64,
    /// Of these, refused at the door.
    pub refused: u64,
    /// Calls dialled since the start.
    pub dialled: u64,
    /// Calls answered since the start, both directions.
    pub answered: u64,
    /// Calls that found no place here and went to the overflow group.
    pub overflowed: u64,
}

/// How a span stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanStatus {
    /// From 1.
    pub span: u8,
    /// The physical line is up.
    pub in_service: bool,
    /// Layer 2 is up.
    pub link: bool,
    /// Raised alarms.
    pub alarms: Vec<String>,
    /// Timeslot and what it can be used for.
    pub channels: Vec<(u8, ChannelState)>,
    /// What its D-channel counted.
    pub signalling: LinkCounters,
    /// How calls on it ended: Q.850's cause and how often.
    pub causes: BTreeMap<u8, u64>,
}

/// What the D-channel of a span counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkCounters {
    /// Frames we sent.
    pub frames_sent: u64,
    /// Frames that came, sound or not.
    pub frames_received: u64,
    /// Messages that had to be sent again.
    pub messages_repeated: u64,
    /// How often layer 2 came up or began anew.
    pub established: u64,
    /// How often it was lost.
    pub lost: u64,
    /// The far end takes no messages now: RNR.
    pub far_end_busy: bool,
    /// Messages it has not acknowledged yet.
    pub backlog: usize,
    /// What went wrong on layer 2, by the letters of Q.921, appendix II; only what did.
    pub faults: BTreeMap<&'static str, u64>,
    /// Calls of the far end.
    pub incoming: u64,
    /// Calls of ours.
    pub outgoing: u64,
    /// Both ends took the same channel.
    pub glare: u64,
    /// Timers of Q.931 that ended a call or a wait.
    pub timeouts: u64,
    /// Messages that are none.
    pub malformed: u64,
    /// Messages for a call nobody knows.
    pub unknown_reference: u64,
    /// Messages nobody knows, or not in this state.
    pub unexpected: u64,
    /// Elements absent, bad or not comprehended.
    pub bad_element: u64,
    /// Pieces of messages that fitted nowhere.
    pub segments_lost: u64,
    /// RESTARTs of the far end.
    pub restarts: u64,
    /// SERVICE messages of the far end.
    pub services: u64,
}

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Legs that began.
    pub legs_begun: u64,
    /// Legs that ended; `legs_begun` is this and the legs now.
    pub legs_ended: u64,
    /// Operations accepted.
    pub operations_begun: u64,
    /// Operations ended; `operations_begun` is this and the operations now.
    pub operations_ended: u64,
    /// Incoming calls refused for want of a channel or because the span is in no group (34).
    pub refused_no_channel: u64,
    /// Incoming calls refused because the group was full (17).
    pub refused_capacity: u64,
    /// Incoming calls refused because they came too fast (42).
    pub refused_rate: u64,
    /// Incoming calls refused because signalling was behind (42).
    pub refused_overload: u64,
    /// Incoming calls refused because the channel they named was taken (44).
    pub refused_channel: u64,
    /// Incoming calls refused by signalling itself: no voice, a bad number, no such channel.
    pub refused_signalling: u64,
    /// Calls tried again on another channel after a collision.
    pub glare_retries: u64,
    /// Legs cleared by the stuck-call watch.
    pub stuck: u64,
    /// Fallbacks taken.
    pub fell_back: u64,
    /// Signalling events about calls that are not known (any more).
    pub stray_events: u64,
    /// Frames of spans that are not configured.
    pub stray_frames: u64,
}

impl Media {
    /// Groups, spans, channels and counters.
    pub fn status(&self) -> Status {
        let idle = |group: &Group| {
            let spans = group.spans.iter().filter_map(|&i| self.spans.get(i));
            spans.map(|s| s.idle_of(group.index)).sum::<usize>()
        };
        let groups = self.groups.iter().map(|g| GroupStatus {
            name: g.settings.name.clone(),
            capacity: g.capacity,
            in_use: g.in_use,
            idle: u16::try_from(idle(g)).unwrap_or(u16::MAX),
            offered: g.offered,
            refused: g.refused,
            dialled: g.dialled,
            answered: g.answered,
            overflowed: g.overflowed,
        });
        let spans = self.spans.iter().map(|s| SpanStatus {
            span: s.id.number() as u8,
            in_service: s.up,
            link: s.link,
            alarms: alarms(s),
            channels: s.slots().map(|(t, slot)| (t.index() as u8, s.state(t, slot))).collect(),
            signalling: s.engine.counters(),
            causes: s.causes.clone(),
        });
        Status {
            groups: groups.collect(),
            spans: spans.collect(),
            legs: self.legs.len(),
            recordings: self.legs.values().filter(|leg| leg.recording.is_some()).count(),
            controller: self.lease.present,
            counters: self.counters,
        }
    }

    /// What is there now: every span, every channel that is not simply idle or busy, every leg. Digits never appear.
    pub fn snapshot(&self) -> Vec<SnapshotItem> {
        let mut items = Vec::new();
        for s in &self.spans {
            let span = s.id.number() as u8;
            items.push(SnapshotItem::Span {
                span,
                in_service: s.up,
                link: s.link,
                alarms: alarms(s),
            });
            items.extend(s.slots().filter_map(|(timeslot, slot)| {
                let state = s.state(timeslot, slot);
                let plain = matches!(state, ChannelState::Idle | ChannelState::Busy);
                let timeslot = timeslot.index() as u8;
                (!plain).then_some(SnapshotItem::Channel { span, timeslot, state })
            }));
        }
        items.extend(self.legs.values().map(|leg| {
            SnapshotItem::Leg(LegNow {
                leg: leg.id,
                call: leg.call,
                direction: leg.direction,
                group: self.group_name(leg.group),
                channel: leg.channel.map(place),
                state: leg.state_now(),
                peer: leg.peer,
                called: leg.called.clone(),
                calling: leg.calling.clone(),
                started_us: leg.started.as_micros(),
                answered_us: leg.answered.map(tdm::Instant::as_micros),
            })
        }));
        items
    }
}

fn alarms(span: &Span) -> Vec<String> {
    let troubles = span.troubles.iter().map(|trouble| String::from(trouble.name()));
    span.alarms.iter().map(|a| String::from(alarm_name(a))).chain(troubles).collect()
}
