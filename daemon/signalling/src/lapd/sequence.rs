//! Arithmetic modulo 128, in this one place. Q.921, §3.5.2.

/// A send or receive sequence number, 0 to 127.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence(u8);

impl Sequence {
    /// The low seven bits of `value`.
    pub const fn new(value: u8) -> Self {
        Self(value & 0x7F)
    }
    /// 0 to 127.
    pub const fn value(self) -> u8 {
        self.0
    }
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0.wrapping_add(1))
    }
    /// Steps from `earlier` up to this one, 0 to 127.
    pub const fn since(self, earlier: Self) -> u8 {
        self.0.wrapping_sub(earlier.0) & 0x7F
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn numbers_wrap_at_128_and_distances_with_them() {
        let last = Sequence::new(127);
        assert_eq!(last.next(), Sequence::new(0));
        assert_eq!(Sequence::new(3).since(Sequence::new(125)), 6);
        assert_eq!(Sequence::new(125).since(Sequence::new(3)), 122);
    }
}
