//! The companding law of a line. G.711.

/// Which of G.711's laws a line speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Law {
    /// A-law, with the even-bit inversion of the line. E1.
    #[default]
    A,
    /// µ-law. T1.
    Mu,
}

impl Law {
    /// The octet of silence.
    pub const fn idle(self) -> u8 {
        match self {
            Self::A => 0xD5,
            Self::Mu => 0xFF,
        }
    }
}
