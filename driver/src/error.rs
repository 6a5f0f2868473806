//! Why a board cannot carry calls.

use bus::BusError;

/// Why a board cannot carry calls.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// Unplugged, without power, or the process behind it ended: registers read as all ones, or the
    /// bus says so.
    #[error("the board is gone: {why}")]
    Gone {
        /// What was seen.
        why: String,
    },
    /// The PCI identity is no board of the family.
    #[error(
        "PCI {vendor:04x}:{device:04x} (sub-vendor {sub_vendor:04x}) is no board this driver knows"
    )]
    Unknown {
        /// PCI vendor.
        vendor: u16,
        /// PCI device.
        device: u16,
        /// PCI sub-vendor, which carries the generation.
        sub_vendor: u16,
    },
    /// A board of the family that is not built.
    #[error(
        "{name} generation {generation} with {spans} spans is known but not driven: generations 2 to 5 are"
    )]
    NotBuilt {
        /// As printed on the board.
        name: &'static str,
        /// Of the FPGA.
        generation: u8,
        /// Ports.
        spans: u8,
    },
    /// The VERSION register is not one of the family: another device, or a board without its image.
    #[error("VERSION reads {version:#010x}; a board of this family reads 0xc01a0000 and above")]
    Version {
        /// What was read.
        version: u32,
    },
    /// The board with eight ports did not authenticate itself. A cold start usually helps.
    #[error(
        "the board did not authenticate itself within {waited_millis} ms; switch the machine off and on"
    )]
    NotAuthentic {
        /// How long it was waited for.
        waited_millis: u64,
    },
    /// The framer did not take a command in time. A cold start usually helps.
    #[error("the framer of port {port} still works on a command after {reads} reads")]
    FramerBusy {
        /// Port, counted from 0.
        port: usize,
        /// How often its status was read.
        reads: u32,
    },
    /// A setting that cannot be.
    #[error("{what} is {value}, but must be {low} to {high}")]
    Setting {
        /// Which.
        what: &'static str,
        /// As given.
        value: usize,
        /// Smallest that works.
        low: usize,
        /// Largest that works.
        high: usize,
    },
    /// A J1 beside an E1: nobody knows how the framer is set up for both.
    #[error(
        "J1 lines and E1 lines on one board are not driven: every line of a board with a J1 is a T1 or J1"
    )]
    MixedJ1,
    /// No memory the board can reach.
    #[error("no DMA memory: {0}")]
    Memory(#[source] BusError),
}

impl From<BusError> for BoardError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Gone(why) => Self::Gone { why },
            memory @ BusError::NoDma { .. } => Self::Memory(memory),
        }
    }
}

/// What most calls return.
pub type Result<T> = core::result::Result<T, BoardError>;
