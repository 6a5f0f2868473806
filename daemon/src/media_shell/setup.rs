//! From the configuration to what the threads are built of.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use call::Number;
use driver::span::Debounce;
use driver::{Acknowledge, PortSettings};
use dsp::ears::EarsSettings;
use dsp::fingerprint::Index;
use dsp::generate::ToneSpec;
use dsp::pipeline::{Library, Pipeline, PipelineSettings, Recorded};
use dsp::zones::{Zone, tone_steps};
use media::{
    CallRate, GroupSettings, Hunt, MediaSettings, Numbers, Pattern, Rewrite, Rule, SpanSettings,
};
use signalling::{
    Bearer, ChannelChoice, ChannelNumbers, Dialect, Maintenance, Overlap, PriSettings, RestartForm,
    Side,
};
use tdm::{Law, SpanId};

use super::rings::PortPlan;
use crate::announcements::{self, Known};
use crate::config::{self, BoardAddress, Config, Line};
use crate::image;

/// Recordings at once.
const RECORDERS: u16 = 256;
/// The beep before a conversation, in the notation of tone plans.
const BEEP: &str = "1000/200 once";
/// Framer accesses a millisecond over a socket, where each is a message there and back.
const SOCKET_FRAMER_BUDGET: u8 = 1;
/// Buffers of the ring when the file does not say.
const RING: u8 = 8;

/// Prompts by name, linear at 8 kHz.
pub type Prompts = Vec<(String, Vec<i16>)>;

/// A board to be driven.
#[derive(Clone, Debug)]
pub struct BoardPlan {
    /// Where it is.
    pub address: BoardAddress,
    /// How it is driven.
    pub settings: driver::Settings,
    /// Its spans in the order of the ports.
    pub ports: Vec<PortPlan>,
    /// What its VERSION should read.
    pub image: Option<u32>,
}

/// Everything the call server's threads are built of.
pub struct Plan {
    /// The boards; the first in service ticks.
    pub boards: Vec<BoardPlan>,
    /// Spans of the pipeline: the highest number in use.
    pub spans: usize,
    /// The call server's settings.
    pub media: MediaSettings,
    /// What can be played.
    pub library: Arc<Library>,
    /// The host's zone.
    pub zone: &'static Zone,
    /// The announcements that the ears know.
    pub prints: Arc<Index>,
}

impl Plan {
    /// The plan of `config` with these prompts.
    ///
    /// # Errors
    /// What does not fit together although each part was checked.
    pub fn new(config: &Config, prompts: &Prompts) -> Result<Self> {
        let key = config.host.zone.get_ref();
        let zone = Zone::by_key(key).with_context(|| format!("there is no zone `{key}`"))?;
        let tones = tones(zone)?;
        let library = Library::new(prompts, &tones).context("prompts and tones")?;
        let boards: Vec<BoardPlan> = config
            .spans
            .board
            .iter()
            .map(|b| board(b, config.host.lockstep))
            .collect::<Result<_>>()?;
        let highest = boards.iter().flat_map(|b| &b.ports).map(|p| p.span.number()).max();
        let names = tones
            .iter()
            .filter_map(|(name, _)| Some((name.clone(), library.tone(name)?)))
            .collect();
        let mut media = MediaSettings::new(names);
        media.digit_prefix = "digit_".into();
        media.prompts = prompts.iter().map(|(name, _)| name.clone()).collect();
        media.limits.recorders = RECORDERS;
        let given = &config.media;
        let guard = given.guard_millis.as_ref().map(|millis| *millis.get_ref());
        media.timing.guard_millis = guard.unwrap_or(media.timing.guard_millis);
        let retries = given.glare_retries.as_ref().map(|times| *times.get_ref());
        media.limits.glare_retries = retries.unwrap_or(media.limits.glare_retries);
        groups(config, &mut media);
        watches(&mut media);
        lines(config, &mut media);
        media.check().context("the call server's settings")?;
        let (spans, library) = (highest.unwrap_or(0), Arc::new(library));
        Ok(Self { boards, spans, media, library, zone, prints: Arc::default() })
    }

    /// The same, with these announcements known.
    #[must_use]
    pub fn knowing(mut self, announcements: &[Known]) -> Self {
        let names = announcements.iter().map(|known| &known.announcement);
        self.media.announcements = names.map(|a| (a.name.clone(), a.means)).collect();
        self.prints = announcements::index(announcements);
        self
    }

    /// The pipeline of this plan with the reading ends of its recorders.
    pub fn pipeline(&self) -> (Pipeline, Vec<rtrb::Consumer<Recorded>>) {
        let ears =
            EarsSettings { law: Law::A, zones: vec![self.zone], prints: Arc::clone(&self.prints) };
        let mut spans = vec![ears; self.spans];
        for port in self.boards.iter().flat_map(|board| &board.ports) {
            if let Some(ears) = spans.get_mut(port.span.index()) {
                ears.law = port.law;
            }
        }
        Pipeline::new(PipelineSettings {
            spans,
            library: Arc::clone(&self.library),
            recorders: usize::from(RECORDERS),
        })
    }
}

/// The zone's tones and the beep.
fn tones(zone: &Zone) -> Result<Vec<(String, ToneSpec)>> {
    let mut seen = BTreeSet::new();
    let mut tones: Vec<(String, ToneSpec)> = zone
        .tones
        .iter()
        .filter(|tone| !tone.is_variant && seen.insert(tone.name))
        .map(|tone| (tone.name.to_owned(), tone.spec))
        .collect();
    if !seen.contains("ringback") {
        bail!("zone `{}` has no ring-back tone", zone.key);
    }
    if !seen.contains("beep") {
        let beep = tone_steps(BEEP).ok().and_then(|specs| specs.first().copied());
        tones.push(("beep".to_owned(), beep.context("the beep is no tone")?));
    }
    Ok(tones)
}

fn board(board: &config::Board, lockstep: bool) -> Result<BoardPlan> {
    let default = Debounce::default();
    let red = board.alarm_raise_millis.map_or(default.signal_millis, u64::from);
    let settings = driver::Settings {
        ring: board.ring.as_ref().map_or(RING, |ring| *ring.get_ref()),
        framer_budget: match board.address() {
            BoardAddress::VfioUser(_) => SOCKET_FRAMER_BUDGET,
            BoardAddress::Pci(_) => driver::Settings::default().framer_budget,
        },
        acknowledge: if lockstep { Acknowledge::Last } else { Acknowledge::First },
        debounce: Debounce {
            signal_millis: red,
            frame_millis: board.alarm_raise_millis.map_or(default.frame_millis, u64::from),
            indication_millis: board
                .alarm_raise_millis
                .map_or(default.indication_millis, u64::from),
            remote_millis: board.alarm_yellow_millis.map_or(default.remote_millis, u64::from),
            clear_millis: board.alarm_clear_millis.map_or(default.clear_millis, u64::from),
            clear_t1_millis: board.alarm_clear_millis.map_or(default.clear_t1_millis, u64::from),
        },
        ..driver::Settings::default()
    };
    let image = board.image.as_deref().map(|path| image::version(path.as_ref())).transpose()?;
    let mut plan = BoardPlan { address: board.address(), settings, ports: Vec::new(), image };
    for (port, line) in board.lines.iter().enumerate() {
        let place = plan.settings.ports.get_mut(port).context("a board has 8 ports at most")?;
        *place = Some(PortSettings { mode: line.mode(), timing: line.span.timing });
        plan.ports.push(PortPlan {
            span: line.span.span,
            line: line.to_string(),
            law: line.law(),
            d_channel: line.channels.d_channel(),
            idle: line.channels.with_bits().collect(),
        });
    }
    Ok(plan)
}

fn groups(config: &Config, media: &mut MediaSettings) {
    for group in &config.media.group {
        let spans: Vec<SpanId> = group.whole_spans().collect();
        let side = match group.side {
            Some(config::Side::Network) => Side::Network,
            // None only where there is no span either.
            Some(config::Side::User) | None => Side::User,
        };
        let line =
            |span| config.spans.board.iter().flat_map(|b| &b.lines).find(|l| l.span.span == span);
        media.spans.extend(spans.iter().filter_map(|&span| {
            let line = line(span)?;
            let signalling = media::Signalling::Pri(interface(group, side, line));
            Some(SpanSettings { span, signalling, law: line.law() })
        }));
        let rate = group.calls_per_second.as_ref().map(|per_second| {
            let per_second = *per_second.get_ref();
            CallRate {
                per_second,
                burst: group.burst.as_ref().map_or(per_second, |b| *b.get_ref()),
            }
        });
        media.groups.push(GroupSettings {
            name: group.name.get_ref().clone(),
            spans,
            channels: group.own_channels().collect(),
            capacity: group.capacity.as_ref().map(|c| *c.get_ref()),
            rate,
            number: group.number.as_ref().map(|n| Number::unknown(n.get_ref().as_str())),
            number_always: group.number_always,
            hunt: match group.hunt {
                config::Hunt::Opposite => Hunt::Opposite,
                config::Hunt::Up => Hunt::Up,
                config::Hunt::Down => Hunt::Down,
                config::Hunt::LongestIdle => Hunt::LongestIdle,
            },
            numbers: numbers(group),
            overflow: group.overflow.as_ref().map(|name| name.get_ref().clone()),
            no_answer_millis: group.no_answer_seconds.as_ref().map(|s| s.get_ref() * 1000),
        });
    }
}

/// The watch over stuck calls comes after every timer of Q.931 that ends them, however long those are set.
fn watches(media: &mut MediaSettings) {
    /// For the line, and for a thread that comes late.
    const MARGIN_MILLIS: u32 = 5000;
    for span in &media.spans {
        let media::Signalling::Pri(pri) = &span.signalling;
        let timers = &pri.timers;
        let twice = |millis: u32| millis.saturating_mul(2);
        let clearing = timers.t305_millis.max(timers.t306_millis);
        for (watch, millis) in [
            (&mut media.timing.stuck_dialling_millis, twice(timers.t303_millis)),
            (&mut media.timing.stuck_answering_millis, timers.t313_millis),
            (
                &mut media.timing.stuck_ending_millis,
                clearing.saturating_add(twice(timers.t308_millis)),
            ),
        ] {
            *watch = (*watch).max(millis.saturating_add(MARGIN_MILLIS));
        }
    }
}

/// How Q.931 and LAPD are spoken on a span of a group, over the line that it is, whatever the dialect is used to.
fn interface(group: &config::Group, side: Side, line: &Line) -> PriSettings {
    let named = group.dialect.as_ref().and_then(|name| Dialect::by_name(name.get_ref()));
    let mut pri = PriSettings::new(side, named.unwrap_or(Dialect::EURO_ISDN));
    pri.channels = line.channels.bearers();
    pri.numbers = match group.channel_numbers {
        config::ChannelNumbers::Timeslot => ChannelNumbers::Timeslot,
        config::ChannelNumbers::Logical => ChannelNumbers::Logical,
    };
    pri.choice = match group.channel_choice.as_ref().map(|choice| *choice.get_ref()) {
        None | Some(config::ChannelChoice::BySide) => ChannelChoice::AsWished,
        Some(config::ChannelChoice::Exclusive) => ChannelChoice::Exclusive,
        Some(config::ChannelChoice::Preferred) => ChannelChoice::Preferred,
        Some(config::ChannelChoice::Any) => ChannelChoice::Any,
    };
    let config::Overlap { send_first, receive, digits } = &group.overlap;
    let digits = digits.as_ref().map(|digits| *digits.get_ref());
    pri.overlap = Overlap { send_first: *send_first, receive: *receive, digits };
    pri.restart_at_start = group.restart;
    pri.restart_form = match group.restart_form {
        config::RestartForm::Interface => RestartForm::Interface,
        config::RestartForm::List => RestartForm::List,
        config::RestartForm::OneByOne => RestartForm::OneByOne,
    };
    pri.bearer = match group.bearer {
        config::Bearer::Speech => Bearer::Speech,
        config::Bearer::Audio => Bearer::Audio,
    };
    pri.network_facility = group.network_facility.as_ref().map(|octet| *octet.get_ref());
    // Only where the dialect has such messages at all.
    pri.dialect.maintenance = match (pri.dialect.maintenance, group.service_messages) {
        (Some(_), Some(config::ServiceMessages::Discriminator03)) => {
            Some(Maintenance::Discriminator03)
        }
        (Some(_), Some(config::ServiceMessages::Discriminator43)) => {
            Some(Maintenance::Discriminator43)
        }
        (usual, _) => usual,
    };
    timers(&group.timers, &mut pri);
    pri
}

/// The timers and counters that are given, in the place of the dialect's.
fn timers(given: &config::Timers, pri: &mut PriSettings) {
    let (link, timers) = (&mut pri.link, &mut pri.timers);
    for (place, value) in [
        (&mut link.t200_millis, &given.t200_millis),
        (&mut link.t203_millis, &given.t203_millis),
        (&mut link.retry_millis, &given.link_retry_millis),
        (&mut timers.t301_millis, &given.t301_millis),
        (&mut timers.t302_millis, &given.t302_millis),
        (&mut timers.t303_millis, &given.t303_millis),
        (&mut timers.t304_millis, &given.t304_millis),
        (&mut timers.t305_millis, &given.t305_millis),
        (&mut timers.t306_millis, &given.t306_millis),
        (&mut timers.t308_millis, &given.t308_millis),
        (&mut timers.t309_millis, &given.t309_millis),
        (&mut timers.t310_millis, &given.t310_millis),
        (&mut timers.t313_millis, &given.t313_millis),
        (&mut timers.t314_millis, &given.t314_millis),
        (&mut timers.t316_millis, &given.t316_millis),
        (&mut timers.t322_millis, &given.t322_millis),
    ] {
        *place = value.as_ref().map_or(*place, |value| *value.get_ref());
    }
    // The file was checked: these are small.
    let small = |place: &mut u8, value: &Option<toml::Spanned<u32>>| {
        let given = value.as_ref().and_then(|value| u8::try_from(*value.get_ref()).ok());
        *place = given.unwrap_or(*place);
    };
    small(&mut link.n200, &given.n200);
    small(&mut link.k, &given.k);
    small(&mut timers.n316, &given.n316);
    small(&mut timers.n322, &given.n322);
    let n201 = given.n201.as_ref().and_then(|value| u16::try_from(*value.get_ref()).ok());
    link.n201 = n201.unwrap_or(link.n201);
}

/// The rules of a group. What cannot be read was refused with the file.
pub fn numbers(group: &config::Group) -> Numbers {
    let rules = |list: &[config::Rule]| {
        let rule = |rule: &config::Rule| {
            Some(Rule {
                pattern: Pattern::parse(rule.pattern.get_ref()).ok()?,
                when: rule.when,
                strip: rule.strip,
                prepend: rule.prepend.as_ref().map_or_else(String::new, |p| p.get_ref().clone()),
                kind: rule.kind,
                plan: rule.plan,
                presentation: rule.presentation,
            })
        };
        Rewrite(list.iter().filter_map(rule).collect())
    };
    Numbers {
        called_out: rules(&group.called_out),
        calling_out: rules(&group.calling_out),
        called_in: rules(&group.called_in),
        calling_in: rules(&group.calling_in),
    }
}

/// Prompts the call server plays by itself: those of the file, else those of the house when they are there.
fn lines(config: &Config, media: &mut MediaSettings) {
    let known: BTreeSet<&str> = media.prompts.iter().map(String::as_str).collect();
    let pick = |chosen: &Option<toml::Spanned<String>>, usual: &[&str]| {
        chosen.as_ref().map(|c| c.get_ref().clone()).or_else(|| {
            usual.iter().find(|name| known.contains(**name)).map(|name| (*name).to_owned())
        })
    };
    let music = pick(&config.media.music, &["music"]);
    let announcement = pick(&config.media.announcement, &["announce", "orphan"]);
    let safe_harbour = pick(&config.media.safe_harbour, &["safe_harbour"]);
    (media.music, media.announcement, media.safe_harbour) = (music, announcement, safe_harbour);
    media.orphan = match config.media.orphan {
        config::Orphan::Ring => media::Orphan::Ring,
        config::Orphan::Reject => media::Orphan::Reject,
        config::Orphan::Announce => media::Orphan::Announce,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_over_stuck_calls_comes_after_the_timers_that_are_set() {
        let span = SpanId::new(0).expect("a span");
        let mut media = MediaSettings::new(Vec::new());
        let usual = media.timing;
        media.spans = vec![SpanSettings::e1(span, Side::User)];
        watches(&mut media);
        assert_eq!(media.timing, usual, "as it is with the standard's timers");
        let mut pri = PriSettings::e1(Side::User);
        (pri.timers.t303_millis, pri.timers.t305_millis) = (60_000, 200_000);
        (pri.timers.t308_millis, pri.timers.t313_millis) = (10_000, 40_000);
        let signalling = media::Signalling::Pri(pri);
        media.spans.push(SpanSettings { span, signalling, law: Law::A });
        watches(&mut media);
        let set = media.timing;
        assert_eq!((set.stuck_dialling_millis, set.stuck_answering_millis), (125_000, 45_000));
        assert_eq!(set.stuck_ending_millis, 225_000);
    }
}
