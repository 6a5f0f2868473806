//! How a millisecond of all ports lies in host memory, from generation 2 of the wct4xxp boards on.
//!
//! One contiguous block below 4 GiB: first the transmit buffers (the board reads them), directly after
//! them the receive buffers (the board writes them). A buffer is one millisecond of all ports:
//! `port × 256 + slot × 8 + sample`, sample 0 being the oldest. Octets are as on the line, most
//! significant bit first; a signalling octet stream is HDLC's when taken most significant bit first.

/// Samples (octets) of one slot in one buffer.
pub const SLOT_OCTETS: usize = 8;
/// Slots of a port. E1: slot = timeslot; slot 0 is the framer's.
pub const SLOTS: usize = 32;
/// Octets of one port in one buffer.
pub const PORT_OCTETS: usize = SLOTS * SLOT_OCTETS;
/// Octets of a buffer of boards with two and four ports.
pub const BUFFER_OCTETS_QUAD: usize = 4 * PORT_OCTETS;
/// Octets of a buffer of boards with eight ports.
pub const BUFFER_OCTETS_OCTAL: usize = 8 * PORT_OCTETS;
/// Generation 5: fewest buffers of a ring.
pub const RING_BUFFERS_MIN: usize = 2;
/// Generation 5: most buffers of a ring.
pub const RING_BUFFERS_MAX: usize = 127;
/// Generation 5: the ident counts completed milliseconds modulo this.
pub const IDENTS: u32 = 128;
/// Slots a channel is moved up by when every span of the board is T1: channel n sits in slot n + 4.
pub const T1_SLOT_OFFSET: usize = 4;

/// Where sample `sample` of slot `slot` of port `port` lies in its buffer.
pub const fn offset(port: usize, slot: usize, sample: usize) -> usize {
    port * PORT_OCTETS + slot * SLOT_OCTETS + sample
}

const _: () = assert!(offset(3, 31, 7) + 1 == BUFFER_OCTETS_QUAD);
const _: () = assert!(offset(7, 31, 7) + 1 == BUFFER_OCTETS_OCTAL);
