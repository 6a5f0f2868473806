//! How a line is framed, coded and signalled on.

use tdm::{Law, LineMode};

use super::bits;

/// Frames of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// 32 timeslots at 2,048 kbit/s. G.704, §2.3.
    E1 {
        /// With the CRC-4 multiframe, interworking by itself with a far end without it. G.706.
        crc4: bool,
    },
    /// 24 channels at 1,544 kbit/s in superframes of twelve. ANSI T1.403.
    D4,
    /// The same in extended superframes of 24. ANSI T1.403; G.704, §2.1.
    Esf,
}

/// How a line is framed, coded and signalled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode {
    /// Its frames.
    pub framing: Framing,
    /// Runs of zeros are replaced: HDB3 on an E1, B8ZS on a T1. Otherwise AMI.
    pub zeros_replaced: bool,
    /// Each channel has signalling bits of its own: in timeslot 16 of an E1, robbed of all channels of a T1.
    pub associated: bool,
    /// T1: the line build-out, 0 to 3 for 0, -7.5, -15 and -22.5 dB.
    pub build_out: u8,
    /// T1 with signalling bits: the channels that keep all their bits all the same, channel n in bit n. A D-channel
    /// is one of these.
    pub clear: u32,
    /// T1: as in Japan, the check of the extended superframe over other bits. Every line of such a board has to be
    /// a T1.
    pub j1: bool,
}

impl Mode {
    /// An E1 with HDB3 and common channel signalling.
    pub const fn e1(crc4: bool) -> Self {
        let framing = Framing::E1 { crc4 };
        Self { framing, zeros_replaced: true, associated: false, build_out: 0, clear: 0, j1: false }
    }
    /// A T1 in extended superframes with B8ZS and common channel signalling.
    pub const fn t1() -> Self {
        Self { framing: Framing::Esf, ..Self::e1(false) }
    }
    /// The same with signalling bits in each channel.
    #[must_use]
    pub const fn with_bits(self) -> Self {
        Self { associated: true, ..self }
    }

    /// The same with these channels of a T1 left whole: channel n in bit n.
    #[must_use]
    pub const fn with_clear(self, clear: u32) -> Self {
        Self { clear, ..self }
    }
    /// Whether `channel` has signalling bits of its own.
    pub fn has_bits(self, channel: u8) -> bool {
        let is_clear = self.is_t1() && self.clear.checked_shr(channel.into()).unwrap_or(0) & 1 == 1;
        self.associated && !is_clear && bits::channels(self.framing).any(|one| one == channel)
    }

    /// 24 channels, at 1,544 kbit/s.
    pub const fn is_t1(self) -> bool {
        !matches!(self.framing, Framing::E1 { .. })
    }
    /// Whether CRC-4 is asked for.
    pub const fn has_crc4(self) -> bool {
        matches!(self.framing, Framing::E1 { crc4: true })
    }
    /// How speech is coded on such a line, and what is sent when there is none.
    pub const fn law(self) -> Law {
        if self.is_t1() { Law::Mu } else { Law::A }
    }
}

impl From<LineMode> for Mode {
    fn from(mode: LineMode) -> Self {
        Self::e1(mode.crc4)
    }
}
