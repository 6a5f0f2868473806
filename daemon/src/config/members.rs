//! Which channels a trunk group has: whole spans, and channels that it has to itself on spans of other groups.

use std::collections::BTreeMap;

use signalling::Timeslots;
use tdm::{SpanId, Timeslot};
use toml::Spanned;

use super::lines::Lines;
use super::shape::{Bearer, ChannelNumbers, Config, Group, RestartForm};
use super::{Check, channels};

/// What stands behind `channels`.
const SHAPE: &str = "`SPAN:TIMESLOTS` as in \"1:1-10,17\"";

/// Channels of one span, as `channels` of a group names them.
fn parse(text: &str) -> Result<(SpanId, Timeslots), String> {
    let wrong = || format!("channels are {SHAPE}, not `{text}`");
    let (span, timeslots) = text.split_once(':').ok_or_else(wrong)?;
    let number: usize = span.trim().parse().map_err(|_| wrong())?;
    let span = number.checked_sub(1).and_then(SpanId::new).ok_or_else(wrong)?;
    let mut all = Timeslots::NONE;
    for part in timeslots.split(',') {
        let (first, last) = channels::range(part).map_err(|_| wrong())?;
        for n in first..=last {
            all = all.with(Timeslot::new(usize::from(n)).ok_or_else(wrong)?, true);
        }
    }
    Ok((span, all))
}

impl Group {
    /// Its whole spans.
    pub fn whole_spans(&self) -> impl Iterator<Item = SpanId> {
        self.spans.iter().filter_map(|n| SpanId::new(usize::from(*n.get_ref()).checked_sub(1)?))
    }
    /// The channels it has to itself. Entries that cannot be read are left out: they are found when the file is
    /// checked.
    pub fn own_channels(&self) -> impl Iterator<Item = (SpanId, Timeslots)> {
        self.channels.iter().filter_map(|text| parse(text.get_ref()).ok())
    }
    /// Keys that say how a D-channel is spoken, as far as they are given.
    fn says_how_to_signal(&self) -> bool {
        self.side.is_some()
            || self.dialect.is_some()
            || self.overlap != Default::default()
            || self.channel_numbers != ChannelNumbers::default()
            || self.channel_choice.is_some()
            || !self.restart
            || self.restart_form != RestartForm::default()
            || self.bearer != Bearer::default()
            || self.network_facility.is_some()
            || self.service_messages.is_some()
            || self.timers.given().next().is_some()
    }
}

impl Check<'_> {
    /// The channels of all groups: they are there, nobody else has them, and how their D-channel is spoken stands
    /// in one place.
    pub(super) fn members(&mut self, config: &Config, lines: &Lines) {
        let groups = &config.media.group;
        let mut taken: BTreeMap<(SpanId, Timeslot), &str> = BTreeMap::new();
        for group in groups {
            let name = group.name.get_ref().as_str();
            if group.spans.is_empty() && group.channels.is_empty() {
                self.at(&group.name, format!("group `{name}` has neither spans nor channels"));
            } else if group.spans.is_empty() && group.says_how_to_signal() {
                let message = format!(
                    "group `{name}` has channels alone: side, dialect, timers and the like stand in the group that has \
                     their span"
                );
                self.at(&group.name, message);
            }
            if !group.spans.is_empty() && group.side.is_none() {
                let message = format!("group `{name}` wants `side = \"user\"` or `\"network\"`");
                self.at(&group.name, message);
            }
            for text in &group.channels {
                self.channels_of_other(text, group, config, lines, &mut taken);
            }
        }
        for group in groups.iter().filter(|group| !group.spans.is_empty()) {
            if channels_of(group, config, lines) == 0 {
                let name = group.name.get_ref();
                self.at(&group.name, format!("other groups have all channels of group `{name}`"));
            }
        }
    }

    fn channels_of_other<'c>(
        &mut self,
        text: &Spanned<String>,
        group: &'c Group,
        config: &Config,
        lines: &Lines,
        taken: &mut BTreeMap<(SpanId, Timeslot), &'c str>,
    ) {
        let name = group.name.get_ref().as_str();
        let (span, timeslots) = match parse(text.get_ref()) {
            Ok(channels) => channels,
            Err(why) => return self.at(text, format!("group `{name}`: {why}")),
        };
        let Some(line) = lines.of(span) else {
            return self.at(text, format!("group `{name}`: no board has a span {}", span.number()));
        };
        if !config.media.group.iter().any(|group| group.whole_spans().any(|s| s == span)) {
            let message = format!(
                "group `{name}`: no group has span {} in its `spans`, which says how it is spoken",
                span.number()
            );
            self.at(text, message);
        }
        let bearers = line.channels.bearers();
        for timeslot in timeslots.iter() {
            let (n, number) = (timeslot.index(), span.number());
            if !bearers.has(timeslot) {
                let message =
                    format!("group `{name}`: timeslot {n} of span {number} carries no calls");
                self.at(text, message);
            }
            if let Some(other) = taken.insert((span, timeslot), name) {
                let message =
                    format!("timeslot {n} of span {number} is in group `{other}` already");
                self.at(text, message);
            }
        }
    }
}

/// How many channels a group has: of its own, and of its spans what no other has to itself.
pub(super) fn channels_of(group: &Group, config: &Config, lines: &Lines) -> usize {
    let all = config.media.group.iter().flat_map(Group::own_channels);
    let named: Vec<(SpanId, Timeslots)> = all.collect();
    let is_named = |span, t| named.iter().any(|(s, set)| *s == span && set.has(t));
    let of_span = |span: SpanId| {
        let bearers = lines.of(span).map(|line| line.channels.bearers()).unwrap_or_default();
        bearers.iter().filter(|t| !is_named(span, *t)).count()
    };
    let own = group.own_channels().map(|(_, timeslots)| timeslots.iter().count());
    group.whole_spans().map(of_span).sum::<usize>() + own.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_a_span_are_read_and_what_is_none_is_refused() {
        let (span, timeslots) = parse("3: 1-3, 17").unwrap();
        let numbers: Vec<usize> = timeslots.iter().map(Timeslot::index).collect();
        assert_eq!((span.number(), numbers), (3, vec![1, 2, 3, 17]));
        for wrong in ["3", "0:1", "65:1", "x:1", "1:", "1:0", "1:32", "1:5-3", "1:1-40", ":1"] {
            assert!(parse(wrong).unwrap_err().contains("SPAN:TIMESLOTS"), "{wrong}");
        }
    }
}
