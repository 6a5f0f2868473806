//! A register as a constant: where it is, how wide, and what may be done with it.

use core::marker::PhantomData;

/// A register of width `W`, `offset` bytes into its space, usable the way `A` allows.
#[derive(Debug)]
pub struct Reg<W, A> {
    /// Bytes from the start of the space.
    pub offset: u32,
    kind: PhantomData<(W, A)>,
}

impl<W, A> Reg<W, A> {
    /// The register `offset` bytes into its space.
    pub const fn at(offset: u32) -> Self {
        Self { offset, kind: PhantomData }
    }
}

impl<W, A> Clone for Reg<W, A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W, A> Copy for Reg<W, A> {}

/// A width a bus access can have: `u8`, `u16` or `u32`.
pub trait Word: Copy + Eq + core::fmt::Debug {
    /// Octets of one access.
    const OCTETS: u8;
    /// The value in the low bits.
    fn to_u32(self) -> u32;
    /// The low bits of `value`.
    fn from_u32(value: u32) -> Self;
}

macro_rules! word {
    ($($t:ty = $octets:literal),*) => {$(
        impl Word for $t {
            const OCTETS: u8 = $octets;
            fn to_u32(self) -> u32 {
                u32::from(self)
            }
            fn from_u32(value: u32) -> Self {
                value as $t
            }
        }
    )*};
}
word!(u8 = 1, u16 = 2, u32 = 4);

/// How a register may be used: one of the three types below.
pub trait Access {}
/// May be read.
pub trait Readable: Access {}
/// May be written.
pub trait Writable: Access {}

/// Only reads mean something.
#[derive(Debug)]
pub enum ReadOnly {}
/// Only writes mean something.
#[derive(Debug)]
pub enum WriteOnly {}
/// Both.
#[derive(Debug)]
pub enum ReadWrite {}

impl Access for ReadOnly {}
impl Access for WriteOnly {}
impl Access for ReadWrite {}
impl Readable for ReadOnly {}
impl Readable for ReadWrite {}
impl Writable for WriteOnly {}
impl Writable for ReadWrite {}
