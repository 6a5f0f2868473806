//! Spans, their channels, and the groups that hunt over them.

use std::collections::BTreeMap;

use call::ChannelState;
use signalling::{LegKey, Side, Timeslots};
use tdm::{Alarms, Channel, Instant, Law, SpanId, TIMESLOTS, Timeslot};

use crate::bucket::Bucket;
use crate::trouble::Troubles;
use crate::{Engine, GroupSettings, Hunt, SpanSettings};

/// One B-channel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot {
    /// The trunk group whose calls it carries.
    pub(crate) group: Option<usize>,
    /// Who has it.
    pub(crate) leg: Option<call::LegId>,
    /// When it was last given back; `None`: never taken.
    pub(crate) released: Option<Instant>,
    /// By the operator.
    pub(crate) blocked: bool,
    /// By the operator: the last call may end.
    pub(crate) draining: bool,
    /// It failed and was not restarted yet.
    pub(crate) failed: bool,
    /// The far end took it out of service by a maintenance message.
    pub(crate) far_out: bool,
}

/// A span with calls.
pub(crate) struct Span {
    pub(crate) id: SpanId,
    pub(crate) side: Side,
    pub(crate) law: Law,
    pub(crate) engine: Box<dyn Engine + Send>,
    /// The physical line carries calls.
    pub(crate) up: bool,
    /// Layer 2 is up.
    pub(crate) link: bool,
    pub(crate) alarms: Alarms,
    /// RESTART of the interface is owed as soon as the link is up.
    pub(crate) restart_owed: bool,
    /// It was sent, and on these channels it has not come to an end.
    pub(crate) restarting: Timeslots,
    pub(crate) blocked: bool,
    pub(crate) draining: bool,
    /// What is wrong although the line is sound.
    pub(crate) troubles: Troubles,
    /// RESTART goes out when the link is up for the first time.
    pub(crate) restarts: bool,
    /// How calls on it ended, by cause.
    pub(crate) causes: BTreeMap<u8, u64>,
    slots: [Option<Slot>; TIMESLOTS],
    last_key: Option<u32>,
}

impl Span {
    pub(crate) fn new(
        settings: &SpanSettings,
        group_of: impl Fn(Timeslot) -> Option<usize>,
        engine: Box<dyn Engine + Send>,
    ) -> Self {
        let mut slots = [None; TIMESLOTS];
        for t in settings.channels().iter() {
            if let Some(slot) = slots.get_mut(t.index()) {
                *slot = Some(Slot { group: group_of(t), ..Slot::default() });
            }
        }
        Self {
            id: settings.span,
            side: settings.side(),
            law: settings.law,
            engine,
            up: false,
            link: false,
            alarms: Alarms::NONE,
            restart_owed: true,
            restarting: Timeslots::NONE,
            blocked: false,
            draining: false,
            troubles: Troubles::new(),
            restarts: settings.restarts(),
            causes: BTreeMap::new(),
            slots,
            last_key: None,
        }
    }
    /// The next key for an outgoing call: odd, never used before.
    pub(crate) fn next_key(&mut self) -> LegKey {
        let key = self.last_key.map_or(1, |k| k.wrapping_add(2));
        self.last_key = Some(key);
        LegKey(key)
    }
    pub(crate) fn slot(&self, t: Timeslot) -> Option<&Slot> {
        self.slots.get(t.index())?.as_ref()
    }
    pub(crate) fn slot_mut(&mut self, t: Timeslot) -> Option<&mut Slot> {
        self.slots.get_mut(t.index())?.as_mut()
    }
    /// The B-channels, low to high.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (Timeslot, &Slot)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(n, slot)| Some((Timeslot::new(n)?, slot.as_ref()?)))
    }
    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = (Timeslot, &mut Slot)> {
        self.slots
            .iter_mut()
            .enumerate()
            .filter_map(|(n, slot)| Some((Timeslot::new(n)?, slot.as_mut()?)))
    }
    pub(crate) const fn channel(&self, timeslot: Timeslot) -> Channel {
        Channel { span: self.id, timeslot }
    }
    /// The trunk group of a call that has no channel yet: that of the first one.
    pub(crate) fn group(&self) -> Option<usize> {
        self.slots().find_map(|(_, slot)| slot.group)
    }
    /// New calls can be carried at all.
    pub(crate) fn in_use(&self) -> bool {
        self.up && self.link && self.slots().any(|(timeslot, _)| !self.restarting.has(timeslot))
    }
    /// New calls of a group can be.
    fn in_use_for(&self, group: usize) -> bool {
        let carries = |(timeslot, slot): (Timeslot, &Slot)| {
            slot.group == Some(group) && !self.restarting.has(timeslot)
        };
        self.up && self.link && self.slots().any(carries)
    }
    /// Channels of a group that could be taken now.
    pub(crate) fn idle_of(&self, group: usize) -> usize {
        let idle = |timeslot, slot| self.state(timeslot, slot) == ChannelState::Idle;
        self.slots().filter(|(t, slot)| slot.group == Some(group) && idle(*t, slot)).count()
    }
    /// What a channel can be used for.
    pub(crate) fn state(&self, timeslot: Timeslot, slot: &Slot) -> ChannelState {
        let is_restarting = self.restarting.has(timeslot) || !self.engine.may_call(timeslot);
        self.state_where(slot, self.in_use() && !is_restarting)
    }
    /// What a call that comes in finds there. That a RESTART of ours is still out is no reason to refuse it: who
    /// calls has done with that RESTART or knows none, and one that crossed it is ended by the far end itself.
    pub(crate) fn state_for_caller(&self, slot: &Slot) -> ChannelState {
        self.state_where(slot, self.up && self.link)
    }
    const fn state_where(&self, slot: &Slot, carries_calls: bool) -> ChannelState {
        if self.blocked || slot.blocked {
            ChannelState::Blocked
        } else if self.draining || slot.draining {
            ChannelState::Draining
        } else if slot.leg.is_some() {
            ChannelState::Busy
        } else if slot.failed || slot.far_out || !carries_calls {
            ChannelState::OutOfService
        } else {
            ChannelState::Idle
        }
    }
    /// Legs on this span.
    pub(crate) fn busy(&self) -> usize {
        self.slots().filter(|(_, s)| s.leg.is_some()).count()
    }
    /// The channels new calls may have, as far as the operator has a say.
    pub(crate) fn open(&self) -> Timeslots {
        let closed = self.blocked || self.draining;
        let open = self.slots().filter(|(_, slot)| !closed && !slot.blocked && !slot.draining);
        open.map(|(timeslot, _)| timeslot).collect()
    }
    /// The best channel of this span for an outgoing call of a group, with its rank; lower is better.
    fn best(
        &self,
        group: usize,
        hunt: Hunt,
        now: Instant,
        guard_millis: u32,
        but: &[Channel],
    ) -> Option<(Rank, Timeslot)> {
        let ours = || self.slots().filter(|(_, slot)| slot.group == Some(group));
        let len = ours().count();
        let ranked = ours().enumerate().filter_map(|(n, (timeslot, slot))| {
            let rests = slot
                .released
                .is_some_and(|at| now.micros_since(at) < u64::from(guard_millis) * 1000);
            let excluded = but.contains(&self.channel(timeslot));
            if self.state(timeslot, slot) != ChannelState::Idle || rests || excluded {
                return None;
            }
            let from_top = len - 1 - n;
            let from_our_edge = match (hunt, self.side) {
                (Hunt::Up, _) | (Hunt::Opposite | Hunt::LongestIdle, Side::Network) => n,
                (Hunt::Down, _) | (Hunt::Opposite | Hunt::LongestIdle, Side::User) => from_top,
            };
            let far_half = hunt == Hunt::Opposite && from_our_edge >= len.div_ceil(2);
            let rests_count = matches!(hunt, Hunt::Opposite | Hunt::LongestIdle);
            let released = slot.released.filter(|_| rests_count);
            Some((Rank { far_half, released, from_our_edge }, timeslot))
        });
        ranked.min_by_key(|&(rank, _)| rank)
    }
}

/// In which order channels are hunted. Both ends hunt from opposite edges, so that they seldom meet; within our
/// half the one that rested longest comes first, so that a bad channel is not hit by every second call. (Least
/// recently used over *all* channels would make both ends want the same one.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    far_half: bool,
    released: Option<Instant>,
    from_our_edge: usize,
}

/// A trunk group.
pub(crate) struct Group {
    /// Which one it is.
    pub(crate) index: usize,
    pub(crate) settings: GroupSettings,
    pub(crate) capacity: u16,
    /// The spans it has channels on, as indices.
    pub(crate) spans: Vec<usize>,
    pub(crate) bucket: Option<Bucket>,
    pub(crate) in_use: u16,
    pub(crate) offered: u64,
    pub(crate) refused: u64,
    pub(crate) dialled: u64,
    pub(crate) answered: u64,
    /// Calls that went to the overflow group instead.
    pub(crate) overflowed: u64,
}

impl Group {
    /// The channel for an outgoing call: index of the span, timeslot.
    pub(crate) fn hunt(
        &self,
        spans: &[Span],
        now: Instant,
        guard_millis: u32,
        but: &[Channel],
    ) -> Option<(usize, Timeslot)> {
        self.spans
            .iter()
            .filter_map(|&index| {
                let span = spans.get(index)?;
                let (rank, timeslot) =
                    span.best(self.index, self.settings.hunt, now, guard_millis, but)?;
                Some((rank, index, timeslot))
            })
            .min_by_key(|&(rank, index, _)| (rank, index))
            .map(|(_, index, timeslot)| (index, timeslot))
    }
    /// Whether any of its channels carries calls.
    pub(crate) fn any_up(&self, spans: &[Span]) -> bool {
        self.spans.iter().filter_map(|&i| spans.get(i)).any(|span| span.in_use_for(self.index))
    }
}
