//! What differs between the boards of the family to the host. Register map A.1, B.3, C.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::model::Model;
use firmware_headers::{dma, falc, wct4xxp as regs};

/// Octets of the largest buffer.
pub const BUFFER_OCTETS_MAX: usize = dma::BUFFER_OCTETS_OCTAL;

/// What a board's model means to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Ports of the framer chip, also those without a connector: all are put on the highway.
    pub framer_ports: usize,
    /// Octets of a buffer: a millisecond of all framer ports.
    pub buffer_octets: usize,
    /// Generation 5: a ring of buffers that says how far it is. Before: one buffer.
    pub ring: bool,
    /// The bits of DMACTRL that never change.
    pub control: u32,
    /// The octal chip, whose board authenticates itself.
    pub octal: bool,
    /// The framer wants the extended reset after power-up.
    pub extended_reset: bool,
}

impl Layout {
    /// The layout of `model`; nothing for the first generation, whose octets lie otherwise.
    pub const fn of(model: &Model) -> Option<Self> {
        let (framer_ports, buffer_octets) = match model.spans {
            2 | 4 => (falc::PORTS_QUAD, dma::BUFFER_OCTETS_QUAD),
            8 => (falc::PORTS_OCTAL, dma::BUFFER_OCTETS_OCTAL),
            _ => return None,
        };
        if !matches!(model.generation, 2..=5) {
            return None;
        }
        Some(Self {
            framer_ports,
            buffer_octets,
            ring: model.generation == 5,
            control: if model.bursts { 0 } else { regs::DMACTRL_NO_BURSTS },
            octal: model.spans == 8,
            extended_reset: model.extended_reset,
        })
    }

    /// Buffers in each direction when the setting says `ring`.
    pub fn buffers(&self, ring: u8) -> usize {
        if self.ring { ring.into() } else { 1 }
    }

    /// The command of the timeslot switch that lets slot `to` (port × 32 + slot) send what DMA brings.
    pub const fn switch_command(to: u32) -> u32 {
        const SLOT: u32 = 0x7F;
        let low = (to & SLOT).wrapping_shl(regs::DMACTRL_SWITCH_TO_SHIFT);
        let high = if to > SLOT { regs::DMACTRL_SWITCH_TO_UPPER } else { 0 };
        regs::DMACTRL_SWITCH_VALID | low | high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware_headers::model::{MODELS, TE410P_GEN2, TE410P_GEN5, TE820};

    #[test]
    fn every_board_but_the_first_generation_has_a_layout() {
        for model in &MODELS {
            assert_eq!(Layout::of(model).is_some(), model.generation > 1, "{model:?}");
        }
    }

    #[test]
    fn generation_and_ports_decide_ring_buffer_and_bursts() {
        let layout = |model| Layout::of(model).map(|l| (l.ring, l.buffer_octets, l.control));
        assert_eq!(layout(&TE410P_GEN2), Some((false, 1024, 0x0400_0000)));
        assert_eq!(layout(&TE410P_GEN5), Some((true, 1024, 0)));
        assert_eq!(layout(&TE820), Some((true, 2048, 0)));
        let single = Layout::of(&TE410P_GEN2).map(|layout| layout.buffers(8));
        assert_eq!(single, Some(1));
    }

    #[test]
    fn the_switch_takes_the_eighth_bit_of_a_slot_elsewhere() {
        assert_eq!(Layout::switch_command(0), 0x4000);
        assert_eq!(Layout::switch_command(127), 0x4000 | 127 << 7);
        assert_eq!(Layout::switch_command(128), 0xC000);
        assert_eq!(Layout::switch_command(255), 0xC000 | 127 << 7);
    }
}
