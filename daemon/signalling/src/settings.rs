//! What an interface is told before it starts: its side, its channels, every timer and counter.

use call::{Cause, Location};
use tdm::{TIMESLOTS, Timeslot};

use crate::Side;

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

/// What differs between the national and vendors' kinds of Q.931, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// As configurations name it.
    pub name: &'static str,
    /// SETUP says that the number is complete (element A1).
    pub sending_complete: bool,
    /// A user acknowledges the network's CONNECT; it need not. Q.931, §5.1.8.
    pub user_acknowledges_connect: bool,
    /// Wait for more digits unless SETUP says that the number is complete; otherwise only a SETUP
    /// without any digit is answered by SETUP ACKNOWLEDGE.
    pub overlap_receiving: bool,
    /// A channel is asked for as preferred although the order said exclusive.
    pub always_preferred: bool,
    /// What a call is refused with that insists on a channel both sides have just taken: 34 by annex D,
    /// 44 by §5.1.2 and by what engines in the field understand as a collision.
    pub glare_cause: Cause,
}

impl Dialect {
    /// EN 300 403.
    pub const EURO_ISDN: Self = Self {
        name: "euroisdn",
        sending_complete: true,
        user_acknowledges_connect: true,
        overlap_receiving: false,
        always_preferred: false,
        glare_cause: Cause::CHANNEL_NOT_AVAILABLE,
    };
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

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            t200_millis: 1000,
            t203_millis: 10_000,
            n200: 3,
            k: 7,
            n201: 260,
            retry_millis: 1000,
        }
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
            t316_millis: 120_000,
            t322_millis: 4000,
            n316: 2,
            n322: 3,
        }
    }
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
    /// Layer 2.
    pub link: LinkSettings,
    /// Layer 3.
    pub timers: CallTimers,
    /// The location our causes carry.
    pub location: Location,
    /// A channel rests this long after a call before we choose it ourselves.
    pub guard_millis: u32,
}

impl PriSettings {
    /// An E1 interface with EuroISDN and the usual timers.
    pub const fn e1(side: Side) -> Self {
        Self {
            side,
            dialect: Dialect::EURO_ISDN,
            channels: Timeslots::E1_PRI,
            link: LinkSettings {
                t200_millis: 1000,
                t203_millis: 10_000,
                n200: 3,
                k: 7,
                n201: 260,
                retry_millis: 1000,
            },
            timers: CallTimers::of(side),
            location: match side {
                Side::User => Location::User,
                Side::Network => Location::PublicLocal,
            },
            guard_millis: 100,
        }
    }
}
