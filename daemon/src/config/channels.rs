//! Channel lines of DAHDI's `system.conf`: what each channel of a span is for.

use signalling::Timeslots;
use tdm::{TIMESLOTS, Timeslot};

use super::dahdi::{Framing, SpanLine};

/// Channels of the largest house: 64 spans of 31.
const CHANNEL_MAX: u16 = 64 * 31;
/// What a raw channel sends until somebody says otherwise: an idle register signal of R2 and of most others.
const IDLE: u8 = 0b1001;

/// What a channel is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// Nothing.
    #[default]
    None,
    /// Calls, signalled on a D-channel.
    Bearer,
    /// The D-channel.
    Signalling,
    /// A channel with signalling bits of its own, which begin as these (A = 8 to D = 1).
    Bits {
        /// What is sent at first.
        idle: u8,
    },
}

/// What the channels of one span are for, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels([Use; TIMESLOTS]);

impl Channels {
    /// Nothing is used.
    pub const NONE: Self = Self([Use::None; TIMESLOTS]);

    /// What the channels of a line are for that no channel line speaks of.
    pub fn usual(line: &SpanLine) -> Self {
        let mut all = Self::NONE;
        for channel in 1..=line.channels() {
            all.set(
                channel,
                match line.framing {
                    Framing::Cas if channel == 16 => Use::None,
                    Framing::Cas => Use::Bits { idle: IDLE },
                    _ if usize::from(channel) == line.carrier().d_channel().index() => {
                        Use::Signalling
                    }
                    _ => Use::Bearer,
                },
            );
        }
        all
    }
    /// What `channel` is for.
    pub fn of(&self, channel: u8) -> Use {
        self.0.get(usize::from(channel)).copied().unwrap_or_default()
    }
    /// From now on `channel` is for this.
    pub fn set(&mut self, channel: u8, what: Use) {
        if let Some(place) = self.0.get_mut(usize::from(channel)) {
            *place = what;
        }
    }
    /// Those that carry calls.
    pub fn bearers(&self) -> Timeslots {
        self.which(|what| what == Use::Bearer).collect()
    }
    /// The one that signals for the others.
    pub fn d_channel(&self) -> Option<Timeslot> {
        self.which(|what| what == Use::Signalling).next()
    }
    /// Those with bits of their own, and what they send at first.
    pub fn with_bits(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.0.iter().zip(0_u8..).filter_map(|(what, channel)| match what {
            Use::Bits { idle } => Some((channel, *idle)),
            _ => None,
        })
    }
    /// Those without, as a set: channel n in bit n.
    pub fn clear(&self) -> u32 {
        self.with_bits().fold(u32::MAX, |all, (channel, _)| all & !(1 << (channel & 31)))
    }
    fn which(&self, wanted: impl Fn(Use) -> bool) -> impl Iterator<Item = Timeslot> {
        let all = self.0;
        (0..TIMESLOTS).filter(move |&n| wanted(all[n])).filter_map(Timeslot::new)
    }
}

/// What a key says of the channels behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// What they are for.
    Use(Use),
    /// The signalling of another switch that we do not have: their bits are carried.
    NoEngine(&'static str, u8),
    /// A-law, µ-law, or the line's own.
    Law(Option<tdm::Law>),
    /// It has no effect here, and this is why.
    Ignored(&'static str),
}

/// A channel line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelLine {
    /// What it says.
    pub said: Said,
    /// Of which channels, counted through all spans from 1.
    pub channels: Vec<(u16, u16)>,
}

/// Why a line of channels cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelLineError {
    /// Nobody knows the key.
    #[error("`{0}` is no key of system.conf: span, bchan, dchan, cas, e&m, loadzone and so on")]
    Unknown(String),
    /// It would need what is not there.
    #[error("`{key}` is not there: {why}")]
    NotThere {
        /// The key.
        key: String,
        /// What it would need.
        why: &'static str,
    },
    /// No list of channels.
    #[error("channels are numbers from 1 to 1984 and ranges of them, `1-15,17-31`, not `{0}`")]
    Channels(String),
    /// No bits.
    #[error("behind the channels stand four idle bits, `:1101`, not `{0}`")]
    Bits(String),
}

impl ChannelLine {
    /// Reads `value` of `key`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn parse(key: &str, value: &str) -> Result<Self, ChannelLineError> {
        let said = meaning(key)?;
        let (channels, said) = match (said, value.split_once(':')) {
            (Said::Use(Use::Bits { .. }), Some((channels, bits))) => {
                let idle = idle_bits(bits)?;
                (channels, Said::Use(Use::Bits { idle }))
            }
            _ => (value, said),
        };
        if let Said::Ignored(_) = said {
            return Ok(Self { said, channels: Vec::new() });
        }
        let channels = channels.split(',').map(range).collect::<Result<_, _>>()?;
        Ok(Self { said, channels })
    }
}

fn meaning(key: &str) -> Result<Said, ChannelLineError> {
    let not_there = |why| Err(ChannelLineError::NotThere { key: key.to_owned(), why });
    Ok(match key {
        "bchan" | "clear" | "indclear" => Said::Use(Use::Bearer),
        // Who makes the frames is the same to the far end.
        "dchan" | "fcshdlc" | "hardhdlc" => Said::Use(Use::Signalling),
        "unused" => Said::Use(Use::None),
        "cas" => Said::Use(Use::Bits { idle: IDLE }),
        // Register map E.4.1: what each sends on hook.
        "e&m" | "sf" => Said::NoEngine("E&M", 0b0000),
        "e&me1" => Said::NoEngine("E&M", 0b0001),
        "fxsls" | "fxsgs" | "fxsks" => Said::NoEngine("FXS", 0b0101),
        "fxols" | "fxoks" => Said::NoEngine("FXO", 0b0101),
        "fxogs" => Said::NoEngine("FXO", 0b1111),
        "mtp2" | "nethdlc" | "rawhdlc" | "hdlc" => {
            return not_there("no engine speaks SS7 or data links; leave these channels `unused`");
        }
        "dacs" | "dacsrbs" => return not_there("channels are connected by calls only"),
        "dynamic" | "ctcss" | "dcsrx" | "rxdcs" | "tx" | "channel" | "debouncetime"
        | "bursttime" | "exttone" | "invertcor" | "corthresh" => {
            return not_there("spans over a network and radio are no boards");
        }
        "alaw" => Said::Law(Some(tdm::Law::A)),
        "mulaw" => Said::Law(Some(tdm::Law::Mu)),
        "deflaw" => Said::Law(None),
        "echocanceller" => Said::Ignored("no echo is cancelled yet"),
        other => return Err(ChannelLineError::Unknown(other.to_owned())),
    })
}

/// Numbers of a list: one, or from one to another.
pub fn range(text: &str) -> Result<(u16, u16), ChannelLineError> {
    let text = text.trim();
    let number = |text: &str| text.trim().parse().ok().filter(|n| (1..=CHANNEL_MAX).contains(n));
    let both = match text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(text).map(|n| (n, n)),
    };
    both.filter(|(first, last)| first <= last)
        .ok_or_else(|| ChannelLineError::Channels(text.to_owned()))
}

fn idle_bits(text: &str) -> Result<u8, ChannelLineError> {
    let text = text.trim();
    let are_bits = text.len() == 4 && text.bytes().all(|c| matches!(c, b'0' | b'1'));
    let bits = u8::from_str_radix(text, 2).ok().filter(|_| are_bits);
    bits.ok_or_else(|| ChannelLineError::Bits(text.to_owned()))
}

/// What does not fit: a use that this line cannot have.
pub fn misfit(line: &SpanLine, channel: u8, what: Use) -> Option<&'static str> {
    match (line.framing, what) {
        (Framing::Ccs, Use::Bits { .. }) => {
            Some("signalling bits need `cas` in the span line: with `ccs` timeslot 16 has none")
        }
        (Framing::Cas, _) if channel == 16 && what != Use::None => {
            Some("timeslot 16 carries the bits of the others with `cas`: a D-channel needs `ccs`")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_lines_are_read_as_they_are() {
        let line = |key, value| ChannelLine::parse(key, value).unwrap();
        let bearers = line("bchan", "1-15, 17-31");
        assert_eq!(bearers.channels, [(1, 15), (17, 31)]);
        assert_eq!(bearers.said, Said::Use(Use::Bearer));
        assert_eq!(line("cas", "1-15:1101").said, Said::Use(Use::Bits { idle: 0b1101 }));
        assert_eq!(line("cas", "7").said, Said::Use(Use::Bits { idle: IDLE }));
        assert_eq!(line("hardhdlc", "24").channels, [(24, 24)]);
        assert!(matches!(line("e&m", "1-24").said, Said::NoEngine("E&M", 0)));
        assert!(matches!(line("echocanceller", "mg2,1-15").said, Said::Ignored(_)));
    }

    #[test]
    fn channel_lines_that_cannot_be_are_refused_with_the_reason() {
        for (key, value, needle) in [
            ("bchan", "0", "1984"),
            ("bchan", "5-3", "5-3"),
            ("bchan", "1985", "1984"),
            ("bchan", "", "``"),
            ("cas", "1:11011", "four idle bits"),
            ("cas", "1:+101", "four idle bits"),
            ("mtp2", "16", "SS7"),
            ("dynamic", "eth,eth0", "no boards"),
            ("bchans", "1", "no key"),
        ] {
            let error = ChannelLine::parse(key, value).unwrap_err().to_string();
            assert!(error.contains(needle), "{key}={value}: {error}");
        }
    }

    #[test]
    fn a_line_nobody_speaks_of_has_the_usual_channels() {
        let usual = |text| Channels::usual(&SpanLine::parse(text).unwrap());
        let e1 = usual("1,1,0,ccs,hdb3");
        assert_eq!(e1.bearers(), Timeslots::E1_PRI);
        assert_eq!(e1.d_channel().map(Timeslot::index), Some(16));
        let t1 = usual("1,1,0,esf,b8zs");
        assert_eq!(t1.bearers(), Timeslots::T1_PRI);
        assert_eq!(t1.d_channel().map(Timeslot::index), Some(24));
        let cas = usual("1,1,0,cas,hdb3");
        assert_eq!((cas.with_bits().count(), cas.d_channel()), (30, None));
        assert!(cas.bearers().is_empty());
    }
}
