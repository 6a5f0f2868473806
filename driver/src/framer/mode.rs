//! How a line is framed, coded and signalled on.

use tdm::{Law, LineMode};

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
}

impl Mode {
    /// An E1 with HDB3 and common channel signalling.
    pub const fn e1(crc4: bool) -> Self {
        let framing = Framing::E1 { crc4 };
        Self { framing, zeros_replaced: true, associated: false, build_out: 0 }
    }
    /// A T1 in extended superframes with B8ZS and common channel signalling.
    pub const fn t1() -> Self {
        Self { framing: Framing::Esf, zeros_replaced: true, associated: false, build_out: 0 }
    }
    /// The same with signalling bits in each channel.
    #[must_use]
    pub const fn with_bits(self) -> Self {
        Self { associated: true, ..self }
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
