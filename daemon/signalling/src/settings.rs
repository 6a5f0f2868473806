//! What an interface is told before it starts: its side, its channels, every timer and counter.

use call::Location;
use tdm::{Law, TIMESLOTS, Timeslot};

use crate::{Dialect, Side};

/// A set of timeslots of one span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timeslots(u32);

impl Timeslots {
    /// None.
    pub const NONE: Self = Self(0);
    /// The B-channels of an E1 with its D-channel in 16: 1 to 15 and 17 to 31.
    pub const E1_PRI: Self = Self(0xFFFE_FFFE);
    /// The B-channels of a T1 with its D-channel in 24: 1 to 23.
    pub const T1_PRI: Self = Self(0x00FF_FFFE);

    /// Bit n stands for timeslot n.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
    /// Bit n stands for timeslot n.
    pub const fn bits(self) -> u32 {
        self.0
    }
    /// With `timeslot` in or out.
    #[must_use]
    pub const fn with(self, timeslot: Timeslot, on: bool) -> Self {
        let bit = 1 << timeslot.index();
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
    /// Whether `timeslot` is in it.
    pub const fn has(self, timeslot: Timeslot) -> bool {
        self.0 >> timeslot.index() & 1 == 1
    }
    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// From the lowest to the highest.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Timeslot> {
        (0..TIMESLOTS).filter_map(Timeslot::new).filter(move |&t| self.has(t))
    }
}

impl FromIterator<Timeslot> for Timeslots {
    fn from_iter<I: IntoIterator<Item = Timeslot>>(timeslots: I) -> Self {
        timeslots.into_iter().fold(Self::NONE, |set, t| set.with(t, true))
    }
}

/// The line below an interface: how many timeslots it has, and which of them is the D-channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// 2,048 kbit/s: 30 B-channels, D in 16. G.704, §5.1; I.431.
    #[default]
    E1,
    /// 1,544 kbit/s: 23 B-channels, D in 24. G.704, §3.1; T1.403.
    T1,
}

impl Carrier {
    /// The B-channels of an interface that has the line to itself.
    pub const fn channels(self) -> Timeslots {
        match self {
            Self::E1 => Timeslots::E1_PRI,
            Self::T1 => Timeslots::T1_PRI,
        }
    }
    /// The timeslot of the D-channel.
    pub const fn d_channel(self) -> Timeslot {
        match self {
            Self::E1 => const { Timeslot::new(16).expect("16 is a timeslot") },
            Self::T1 => const { Timeslot::new(24).expect("24 is a timeslot") },
        }
    }
    /// How speech is usually coded on it. G.711, §3.
    pub const fn law(self) -> Law {
        match self {
            Self::E1 => Law::A,
            Self::T1 => Law::Mu,
        }
    }
}

/// Layer 2: Q.921, §5.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// Retransmission and poll.
    pub t200_millis: u32,
    /// Idle supervision.
    pub t203_millis: u32,
    /// Repetitions before the link is given up.
    pub n200: u8,
    /// I frames outstanding, 1 to 127.
    pub k: u8,
    /// Octets of information in a frame.
    pub n201: u16,
    /// Pause before a refused or lost link is established anew, for ever.
    pub retry_millis: u32,
}

impl LinkSettings {
    /// Q.921, §5.9, on a primary rate access.
    pub const USUAL: Self = Self {
        t200_millis: 1000,
        t203_millis: 10_000,
        n200: 3,
        k: 7,
        n201: 260,
        retry_millis: 1000,
    };
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Layer 3: Q.931, tables 9-1 and 9-2. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CallTimers {
    /// ALERTING received.
    pub t301_millis: u32,
    /// Overlap receiving, from digit to digit.
    pub t302_millis: u32,
    /// SETUP sent.
    pub t303_millis: u32,
    /// SETUP ACKNOWLEDGE received.
    pub t304_millis: u32,
    /// DISCONNECT sent.
    pub t305_millis: u32,
    /// DISCONNECT with sound sent (network).
    pub t306_millis: u32,
    /// RELEASE sent.
    pub t308_millis: u32,
    /// Layer 2 lost below an active call; 0 clears at once.
    pub t309_millis: u32,
    /// CALL PROCEEDING received.
    pub t310_millis: u32,
    /// CONNECT sent (user).
    pub t313_millis: u32,
    /// RESTART sent.
    pub t316_millis: u32,
    /// A segment received, more to come.
    pub t314_millis: u32,
    /// STATUS ENQUIRY sent.
    pub t322_millis: u32,
    /// RESTARTs sent before a channel is given up.
    pub n316: u8,
    /// STATUS ENQUIRIES sent before a call is given up.
    pub n322: u8,
}

impl CallTimers {
    /// The usual values of `side`.
    pub const fn of(side: Side) -> Self {
        let user = matches!(side, Side::User);
        Self {
            t301_millis: 180_000,
            t302_millis: 15_000,
            t303_millis: 4000,
            t304_millis: if user { 30_000 } else { 20_000 },
            t305_millis: 30_000,
            t306_millis: 30_000,
            t308_millis: 4000,
            t309_millis: 30_000,
            t310_millis: if user { 60_000 } else { 10_000 },
            t313_millis: 4000,
            t314_millis: 4000,
            t316_millis: 120_000,
            t322_millis: 4000,
            n316: 2,
            n322: 3,
        }
    }
}

/// How digits cross that are not all in SETUP. Q.931, §5.1.3 and §5.2.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Digits of an outgoing call that stand in SETUP; the rest follows the peer's SETUP ACKNOWLEDGE.
    /// `None`: all of them (en bloc).
    pub send_first: Option<u8>,
    /// Wait for more digits unless SETUP says that the number is complete; otherwise only a SETUP without any
    /// digit is answered by SETUP ACKNOWLEDGE.
    pub receive: bool,
    /// A number received has so many digits and is complete with the last; `None`: nobody knows, so the
    /// peer says it, a `#` does, or T302.
    pub digits: Option<u8>,
}

/// How B-channels are numbered on the line. Q.931, §4.5.13; ECMA-143, §8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelNumbers {
    /// By their timeslot: 1 to 15 and 17 to 31.
    #[default]
    Timeslot,
    /// Without a hole: 1 to 30. One of the two habits of QSIG on an E1.
    Logical,
}

impl ChannelNumbers {
    /// The number of a timeslot on the line.
    pub const fn number(self, timeslot: Timeslot) -> u8 {
        let index = timeslot.index() as u8;
        match self {
            Self::Logical if index > 16 => index - 1,
            Self::Timeslot | Self::Logical => index,
        }
    }
    /// The timeslots that are meant when these numbers stand on the line.
    pub const fn timeslots(self, numbers: Timeslots) -> Timeslots {
        let bits = numbers.bits();
        match self {
            Self::Timeslot => numbers,
            Self::Logical => Timeslots::from_bits(bits & 0xFFFF | (bits & !0xFFFF) << 1),
        }
    }
}

/// How a call of ours names its channel. Q.931, §5.1.2 and §5.2.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelChoice {
    /// As the call server wishes it, call by call.
    #[default]
    AsWished,
    /// No other will do.
    Exclusive,
    /// Another will do.
    Preferred,
    /// None: the far end chooses. Only a user, or one of two alike, may say so.
    Any,
}

impl ChannelChoice {
    /// Whether a call may be moved to no other channel, where the call server wished so or not.
    pub const fn is_exclusive(self, wished: bool) -> bool {
        match self {
            Self::AsWished => wished,
            Self::Exclusive => true,
            Self::Preferred | Self::Any => false,
        }
    }
}

/// How an interface as a whole is restarted. Q.931, §5.5; not every exchange takes every form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartForm {
    /// One RESTART that names the interface.
    #[default]
    Interface,
    /// One RESTART that names every channel in a list.
    List,
    /// A RESTART for every channel, one after the other.
    OneByOne,
}

/// What our calls ask to carry. Q.931, §4.5.5: both are a voice to us; some networks route, tax or compress them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bearer {
    /// Speech.
    #[default]
    Speech,
    /// 3.1 kHz audio: modems and fax may pass, and no echo canceller is in the way.
    Audio,
}

/// One primary rate interface: a D-channel and its B-channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriSettings {
    /// Who we are.
    pub side: Side,
    /// How Q.931 is spoken.
    pub dialect: Dialect,
    /// The B-channels.
    pub channels: Timeslots,
    /// How they are numbered on the line.
    pub numbers: ChannelNumbers,
    /// Digits one after the other.
    pub overlap: Overlap,
    /// Layer 2.
    pub link: LinkSettings,
    /// Layer 3.
    pub timers: CallTimers,
    /// The location our causes carry.
    pub location: Location,
    /// A channel rests this long after a call before we choose it ourselves.
    pub guard_millis: u32,
    /// The call server restarts the interface when its link is up for the first time. Some exchanges take no RESTART.
    pub restart_at_start: bool,
    /// How that is said.
    pub restart_form: RestartForm,
    /// How a call of ours names its channel.
    pub choice: ChannelChoice,
    /// What a call of ours asks to carry.
    pub bearer: Bearer,
    /// The octet of a network specific facility that goes with every SETUP of a user, where the network wants one
    /// (4ESS: which of its services the call is for). Q.931, §4.5.21, without a network identification.
    pub network_facility: Option<u8>,
}

impl PriSettings {
    /// An interface of this dialect with its usual channels and timers.
    pub const fn new(side: Side, dialect: Dialect) -> Self {
        let user = matches!(side, Side::User);
        let mut timers = CallTimers::of(side);
        timers.t305_millis = dialect.t305_millis;
        if user || dialect.symmetric {
            timers.t310_millis = dialect.t310_user_millis;
        }
        Self {
            side,
            dialect,
            channels: dialect.carrier.channels(),
            numbers: ChannelNumbers::Timeslot,
            overlap: Overlap { send_first: None, receive: false, digits: None },
            link: LinkSettings { t203_millis: dialect.t203_millis, ..LinkSettings::USUAL },
            timers,
            location: match side {
                Side::User => Location::User,
                Side::Network if dialect.symmetric => Location::PrivateLocal,
                Side::Network => Location::PublicLocal,
            },
            guard_millis: 100,
            restart_at_start: true,
            restart_form: RestartForm::Interface,
            choice: ChannelChoice::AsWished,
            bearer: Bearer::Speech,
            network_facility: None,
        }
    }
    /// The same dialect, side and timers on a line of this kind, whatever the dialect is used to.
    #[must_use]
    pub const fn over(self, carrier: Carrier) -> Self {
        Self { channels: carrier.channels(), ..self }
    }
    /// An E1 interface with EuroISDN and the usual timers.
    pub const fn e1(side: Side) -> Self {
        Self::new(side, Dialect::EURO_ISDN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_numbers_have_no_hole_and_come_back_as_their_timeslots() {
        for timeslot in Timeslots::E1_PRI.iter() {
            for numbers in [ChannelNumbers::Timeslot, ChannelNumbers::Logical] {
                let number = usize::from(numbers.number(timeslot));
                let on_line: Timeslots = Timeslot::new(number).into_iter().collect();
                assert_eq!(numbers.timeslots(on_line).iter().next(), Some(timeslot));
            }
        }
        let last = Timeslot::new(31).map(|t| ChannelNumbers::Logical.number(t));
        assert_eq!(last, Some(30));
    }
}
