#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::bench::{BASE, Host};
use crate::{Link, Loopback};
use bus::Space;
use firmware_headers::{falc, model, wct4xxp as regs};
use std::sync::{Arc, Mutex};
use tdm::{Alarm, Block, heap};

#[global_allocator]
static WATCH: heap::Watch = heap::Watch;

const GEN5: model::Model = model::TE410P_GEN5;

fn looped(model: &model::Model, buffers: usize, crc4: bool) -> Host {
    let mut host = Host::with_ring(model, buffers);
    for port in 0..host.board.ports() {
        assert!(host.board.plug(port, Box::new(Loopback)));
    }
    host.ports_up(crc4);
    host.start();
    host
}

#[test]
fn the_first_generation_is_refused_by_name_and_every_later_board_is_built() {
    let first = model::MODELS[0];
    let refused = Board::new(&first, 1).err().unwrap();
    assert_eq!((refused.name, refused.generation), ("TE410P/TE405P", 1));
    for model in &model::MODELS[1..] {
        assert_eq!(Board::new(model, 1).unwrap().ports(), usize::from(model.spans));
    }
    let odd = model::Model { spans: 3, ..GEN5 };
    assert!(Board::new(&odd, 1).is_err());
}

#[test]
fn eight_ports_have_buffers_and_registers_of_their_own() {
    let mut host = looped(&model::TE820, 3, true);
    host.ticks(9);
    for port in 0..8 {
        assert_eq!(host.status(port), 0, "port {port}");
        for buffer in 0..3 {
            host.send(buffer, port as usize, 30, 6, 0x40 | port as u8);
        }
    }
    host.ticks(3);
    for port in 0..8 {
        assert_eq!(host.received(1, port, 30, 6), 0x40 | port as u8);
    }
    host.framer_put(6, &falc::IMR2, 0);
    host.framer_get(6, &falc::ISR2);
    host.board.inject(6, Fault::LossOfSignal);
    host.ticks(1);
    assert_eq!(host.framer_get(0, &falc::CIS), 0x40);
    assert_eq!((host.status(2), host.status(6)), (0, 0xA0));
    // Jumpers of spans 5 to 8, and the authentication.
    assert_eq!(host.get(&regs::LEDS2), 0xF00);
    host.put(&regs::LEDS2, regs::LEDS2_AUTHENTICATE);
    assert_eq!(host.get(&regs::LEDS2), 0xF00 | regs::LEDS2_AUTHENTICATED);
    host.put(&regs::LEDS2, regs::LAMP_GREEN << 6);
    assert_eq!((host.board.lamp(7), host.board.lamp(3)), (regs::LAMP_GREEN, regs::LAMP_OFF));
}

#[test]
fn a_board_that_is_not_enabled_answers_ones_and_moves_no_memory() {
    let mut host = looped(&GEN5, 2, false);
    host.ticks(1);
    assert_eq!(host.board.counters().refused, 0);
    host.board.write(Space::Config, pci::COMMAND.offset, 2, 0);
    assert_eq!(host.get(&regs::VERSION), u32::MAX);
    host.ticks(1);
    assert_eq!(host.board.counters().refused, 2, "neither fetched nor stored");
}

#[test]
fn ident_and_index_follow_the_ring_from_the_first_tick() {
    for buffers in [2, 3, 8, 127] {
        let mut host = Host::with_ring(&GEN5, buffers);
        host.ports_up(false);
        host.start();
        assert_eq!(host.position(), (0, 0, false));
        for k in 1..=400_u32 {
            host.ticks(1);
            assert_eq!(host.position(), (k % 128, k % buffers as u32, true), "ring of {buffers}");
            host.acknowledge();
            assert_eq!(host.position(), (k % 128, k % buffers as u32, false));
        }
    }
}

#[test]
fn a_stop_restarts_index_and_ident_and_a_second_start_disturbs_neither() {
    let mut host = Host::with_ring(&GEN5, 3);
    host.start();
    host.ticks(5);
    let running = host.position();
    // A further span starts, the clock source changes, a timeslot is switched.
    host.put(&regs::RING, 1 << regs::RING_MILLIS_SHIFT | 3);
    host.put(&regs::DMACTRL, regs::DMACTRL_RUN | regs::DMACTRL_CLOCK_RECOVERED);
    host.put(&regs::DMACTRL, regs::DMACTRL_RUN | regs::DMACTRL_SWITCH_VALID | 1 << 7);
    assert_eq!(host.position(), running);

    host.put(&regs::DMACTRL, 0);
    assert_eq!(host.position(), (0, 0, false));
    assert!(!host.board.interrupt());
    host.ticks(3);
    assert_eq!(host.position(), (0, 0, false), "nothing moves while stopped");
    host.put(&regs::DMACTRL, regs::DMACTRL_RUN);
    host.ticks(1);
    assert_eq!(host.position(), (1, 1, true));
    assert_eq!(host.board.counters().starts, 2);
}

#[test]
fn what_is_sent_in_a_buffer_comes_back_in_the_same_one() {
    let mut host = looped(&GEN5, 2, false);
    host.ticks(10);
    let (_, index, _) = host.position();
    let (before, slot) = (index as usize, 17);
    for port in 0..4 {
        for sample in 0..8 {
            host.send(before, port, slot, sample, (port * 16 + sample) as u8);
        }
    }
    host.ticks(1);
    for port in 0..4 {
        for sample in 0..8 {
            assert_eq!(host.received(before, port, slot, sample), (port * 16 + sample) as u8);
        }
        assert_eq!(host.received(before, port, 18, 0), 0);
        // Timeslot 0 is the framer's: alignment signal and service word in turn.
        let timeslot_0: Vec<u8> = (0..8).map(|n| host.received(before, port, 0, n)).collect();
        assert_eq!(timeslot_0, [0x9B, 0xDF].repeat(4));
    }
}

#[test]
fn generation_2_has_one_buffer_and_neither_ident_nor_index() {
    let mut host = looped(&model::TE410P_GEN2, 1, false);
    for _ in 0..200 {
        host.ticks(1);
        assert_eq!(host.position(), (0, 0, true));
        host.acknowledge();
    }
    host.send(0, 3, 31, 7, 0x42);
    host.ticks(1);
    assert_eq!(host.received(0, 3, 31, 7), 0x42);
    assert_eq!(host.board.counters().refused, 0);
}

#[test]
fn dual_boards_keep_the_layout_of_four_ports() {
    let mut host = looped(&model::TE210P_GEN5, 2, false);
    assert_eq!(host.get(&regs::LEDS) >> regs::LEDS_E1_SHIFT & 0xF, 0b0011);
    assert!(!host.board.plug(2, Box::new(Loopback)));
    host.ticks(9);
    host.send(1, 1, 5, 2, 0x33);
    host.ticks(1);
    assert_eq!(host.received(1, 1, 5, 2), 0x33);
    assert_eq!(host.received(1, 2, 5, 2), 0, "no port, nothing received");
}

#[test]
fn the_interrupt_is_a_level_that_follows_tick_and_acknowledge() {
    let mut host = Host::new(&GEN5);
    host.ticks(3);
    assert!(!host.board.interrupt(), "DMA does not run yet");
    host.start();
    assert!(!host.board.interrupt());
    host.ticks(1);
    assert!(host.board.interrupt());
    assert_eq!(host.board.read(Space::Config, pci::STATUS.offset, 2) & 8, 8);
    let disabled =
        u32::from(pci::COMMAND_MEMORY | pci::COMMAND_BUS_MASTER | pci::COMMAND_INTX_DISABLE);
    host.board.write(Space::Config, pci::COMMAND.offset, 2, disabled);
    assert!(!host.board.interrupt());
    assert_eq!(host.board.read(Space::Config, pci::STATUS.offset, 2) & 8, 8, "still wanted");
    host.enable();
    assert!(host.board.interrupt());
    host.acknowledge();
    assert!(!host.board.interrupt());
    assert_eq!(host.board.read(Space::Config, pci::STATUS.offset, 2) & 8, 0);
    host.ticks(2);
    assert_eq!(host.board.counters().unacknowledged, 1);
}

#[test]
fn milliseconds_per_interrupt_thin_the_interrupts_and_not_the_ring() {
    let mut host = Host::with_ring(&GEN5, 8);
    host.start();
    host.put(&regs::RING, 4 << regs::RING_MILLIS_SHIFT | 8);
    let mut interrupts = 0;
    for k in 1..=40_u32 {
        host.ticks(1);
        let (ident, index, tick) = host.position();
        assert_eq!((ident, index), (k % 128, k % 8));
        assert_eq!(tick, k % 4 == 0);
        interrupts += u32::from(tick);
        host.acknowledge();
    }
    assert_eq!(interrupts, 10);
}

#[test]
fn lockstep_waits_for_the_acknowledge_and_for_a_handler_at_work() {
    let mut host = looped(&GEN5, 2, false);
    let both = |host: &Host| {
        [Lockstep::Acknowledged, Lockstep::Served].map(|rule| host.board.tick_taken(rule))
    };
    assert_eq!(both(&host), [true, true]);
    host.ticks(1);
    assert_eq!(both(&host), [false, false]);
    host.get(&regs::INTR);
    host.acknowledge();
    assert_eq!(both(&host), [true, true]);
    // A handler reads the tick of the next millisecond and has yet to acknowledge it; the framer asks too.
    host.ticks(1);
    host.get(&regs::INTR);
    host.framer_put(0, &falc::IMR3, !falc::ISR3_SEC);
    host.ticks(1000);
    host.acknowledge();
    assert_eq!(both(&host), [true, false], "the framer's pin is active");
    host.get(&regs::INTR);
    assert_eq!(host.framer_get(0, &falc::ISR3) & falc::ISR3_SEC, falc::ISR3_SEC);
    assert_eq!(both(&host), [true, false], "the handler is at work");
    host.acknowledge();
    assert_eq!(both(&host), [true, true]);
}

#[test]
fn registers_keep_what_was_written_where_the_chip_does() {
    let mut host = Host::new(&GEN5);
    host.put(&regs::LEDS, regs::LEDS_ACTIVE);
    for offset in [0x1C, 0x1D, 0x1E, 0x20, 0x21, 0x36, 0x37, 0x3B, 0x14, 0x15, 0x17, 0x03, 0xD6] {
        let reg: bus::Reg<u8, bus::ReadWrite> = bus::Reg::at(offset);
        for port in 0..4 {
            host.framer_put(port, &reg, (offset as u8) ^ port as u8);
        }
        for port in 0..4 {
            assert_eq!(host.framer_get(port, &reg), (offset as u8) ^ port as u8, "{offset:#x}");
        }
    }
}

#[test]
fn the_framers_reset_forgets_everything_and_silences_the_line() {
    let mut host = looped(&GEN5, 2, false);
    host.ticks(10);
    assert_eq!(host.status(0), 0);
    host.put(&regs::LEDS, 0);
    assert_eq!(host.framer_get(0, &falc::FMR1), 0xFF, "nobody drives the local bus");
    host.ticks(2);
    host.put(&regs::LEDS, regs::LEDS_ACTIVE);
    assert_eq!(host.framer_get(0, &falc::FMR1), 0);
    assert_eq!(host.framer_get(0, &falc::IMR2), 0xFF);
    host.ticks(5);
    assert_eq!(host.status(0), falc::FRS0_LOS | falc::FRS0_LFA, "its own transmitter is off");
}

#[test]
fn a_strobe_acts_once() {
    let mut host = looped(&GEN5, 2, false);
    host.framer_put(0, &falc::GCR, falc::GCR_VIS);
    host.ticks(1000);
    let address = falc::ISR3.offset | regs::LADDR_LOWER_PORTS;
    let strobe = address | regs::LADDR_FRAMER | regs::LADDR_READ;
    host.put(&regs::LADDR, address);
    for _ in 0..3 {
        host.put(&regs::LADDR, strobe);
        assert_eq!(host.get(&regs::FRAMER_DATA) & falc::ISR3_SEC, falc::ISR3_SEC);
    }
    assert_eq!(host.framer_get(0, &falc::ISR3), 0, "the first strobe took it");
}

#[test]
fn addresses_without_the_framers_select_touch_nothing() {
    let mut host = looped(&GEN5, 2, false);
    let before = host.framer_get(2, &falc::FMR1);
    host.put(&regs::LDATA, 0x55);
    for junk in [0x4200_0000, 0x0008_0000, 0x0018_0000, 0x1_2000, 0x1_2800, 0x1_0000 | 0x421D] {
        host.put(&regs::LADDR, junk);
    }
    assert_eq!(host.framer_get(2, &falc::FMR1), before);
    // Ports 4 to 7 are on a board with eight.
    host.put(&regs::LADDR, 0x0200 | falc::FMR1.offset | regs::LADDR_FRAMER | regs::LADDR_WRITE);
    assert_eq!(host.framer_get(2, &falc::FMR1), before);
}

#[test]
fn the_version_of_the_silicon_shows_outside_the_compatibility_only() {
    let mut host = Host::new(&GEN5);
    host.put(&regs::LEDS, regs::LEDS_ACTIVE);
    assert_eq!(host.framer_get(0, &falc::VSTR), falc::VSTR_2_1);
    host.framer_put(0, &falc::GPC6, falc::GPC6_COMP_DIS);
    assert_eq!(host.framer_get(0, &falc::VSTR), falc::VSTR_3_1);
    host.framer_put(0, &falc::GPC6, 0);
    host.framer_put(0, &falc::UNNAMED_4A, falc::UNNAMED_4A_START);
    assert_eq!(host.framer_get(0, &falc::VSTR), falc::VSTR_2_1);
}

#[test]
fn a_port_without_a_plug_has_lost_signal_and_frame() {
    let mut host = looped(&GEN5, 2, true);
    assert!(host.board.unplug(2));
    host.ticks(10);
    assert_eq!([0, 1, 2, 3].map(|port| host.status(port)), [0, 0, 0xA0, 0]);
    assert_eq!(host.received(0, 2, 9, 3), 0xFF);
}

#[test]
fn each_fault_of_a_line_has_its_status_and_goes_with_the_repair() {
    let mut host = looped(&GEN5, 2, true);
    host.ticks(10);
    for (fault, status) in [
        (Fault::LossOfSignal, 0xA0),
        (Fault::Cut, 0xA0),
        (Fault::AlarmIndication, 0x60),
        (Fault::LossOfFrame, 0x20),
        (Fault::RemoteAlarm, 0x10),
    ] {
        assert!(host.board.inject(1, fault));
        host.ticks(3);
        assert_eq!(host.status(1), status, "{fault:?}");
        assert_eq!(host.status(0), 0, "{fault:?} spread");
        assert!(host.board.repair(1));
        // Two milliseconds to the frame, four more to the multiframe; the port's own remote alarm,
        // sent while the frame was lost, is over by then.
        host.ticks(7);
        assert_eq!(host.status(1), 0, "after {fault:?}");
    }
    assert!(!host.board.inject(4, Fault::Cut) && !host.board.repair(4));
}

#[test]
fn alarms_interrupt_at_their_edges_and_clear_when_read() {
    let mut host = looped(&GEN5, 2, false);
    host.ticks(10);
    host.framer_put(3, &falc::IMR2, 0);
    host.framer_get(3, &falc::ISR2);
    assert_eq!(host.get(&regs::INTR) & regs::INTR_FRAMER, 0);
    host.board.inject(3, Fault::LossOfSignal);
    host.ticks(1);
    assert_eq!(host.get(&regs::INTR) & regs::INTR_FRAMER, regs::INTR_FRAMER);
    assert_eq!(host.framer_get(0, &falc::CIS), 0b1000);
    assert_eq!(host.framer_get(3, &falc::GIS), 0b100);
    assert_eq!(host.framer_get(3, &falc::ISR2), falc::ISR2_LOS | falc::ISR2_LFA);
    assert_eq!(host.framer_get(3, &falc::ISR2), 0);
    assert_eq!(host.framer_get(0, &falc::CIS), 0);
    host.ticks(5);
    assert_eq!(host.framer_get(3, &falc::ISR2), 0, "the level does not interrupt again");
    host.board.repair(3);
    host.ticks(5);
    let back = host.framer_get(3, &falc::ISR2);
    assert_eq!(back & (falc::ISR2_FAR | falc::ISR2_LOS), falc::ISR2_FAR);
}

#[test]
fn masked_causes_show_only_when_they_are_made_visible_and_never_interrupt() {
    for (visible, expected) in [(0, 0), (falc::GCR_VIS, falc::ISR2_LOS | falc::ISR2_LFA)] {
        let mut host = looped(&GEN5, 2, false);
        host.ticks(10);
        host.framer_put(0, &falc::GCR, visible);
        host.board.inject(0, Fault::LossOfSignal);
        host.ticks(1);
        assert_eq!(host.framer_get(0, &falc::GIS), 0);
        assert_eq!(host.get(&regs::INTR) & regs::INTR_FRAMER, 0);
        assert_eq!(host.framer_get(0, &falc::ISR2), expected);
    }
}

#[test]
fn the_remote_alarm_is_sent_on_demand_and_by_itself_while_no_frame_is_found() {
    let (a, b) = Link::pair();
    let mut host = Host::new(&GEN5);
    host.board.plug(0, Box::new(a));
    host.board.plug(1, Box::new(b));
    host.ports_up(false);
    host.start();
    host.ticks(10);
    assert_eq!((host.status(0), host.status(1)), (0, 0));
    host.framer_put(0, &falc::XSW, 0xBF);
    host.ticks(3);
    assert_eq!((host.status(0), host.status(1)), (0, falc::FRS0_RRA));
    assert_eq!(host.received(0, 1, 0, 1), 0xFF, "the A bit in timeslot 0");
    host.framer_put(0, &falc::XSW, 0x9F);
    host.ticks(3);
    assert_eq!(host.status(1), 0);
    host.board.inject(0, Fault::LossOfFrame);
    host.ticks(3);
    assert_eq!((host.status(0), host.status(1)), (falc::FRS0_LFA, falc::FRS0_RRA));
}

#[test]
fn a_far_end_without_crc4_leaves_the_multiframe_unfound_and_is_known_after_400_ms() {
    let (a, b) = Link::pair();
    let mut host = Host::new(&GEN5);
    host.board.plug(0, Box::new(a));
    host.board.plug(1, Box::new(b));
    host.ports_up(true);
    host.framer_put(1, &falc::FMR1, falc::FMR1_ECM);
    host.framer_put(1, &falc::FMR2, falc::FMR2_AXRA);
    host.start();
    host.ticks(100);
    assert_eq!((host.status(0), host.status(1)), (falc::FRS0_LMFA, 0));
    host.ticks(320);
    assert_eq!(host.status(0), falc::FRS0_LMFA | falc::FRS0_NMF);
    // The far end learns it, the host forces the search.
    host.framer_put(1, &falc::FMR1, falc::FMR1_ECM | falc::FMR1_XFS);
    host.ticks(20);
    assert_eq!(host.status(0), falc::FRS0_LMFA | falc::FRS0_NMF);
    host.framer_put(0, &falc::FMR0, 0xF2);
    host.framer_put(0, &falc::FMR0, 0xF0);
    host.ticks(10);
    assert_eq!(host.status(0), 0);
}

#[test]
fn the_loops_return_what_they_should() {
    let mut host = Host::new(&GEN5);
    host.ports_up(true);
    host.start();
    // Nothing is plugged in: only the local loop can bring the frame.
    host.framer_put(0, &falc::LIM0, falc::LIM0_LL);
    host.ticks(10);
    assert_eq!([host.status(0), host.status(1)], [0, 0xA0]);
    host.send(0, 0, 4, 4, 0x77);
    host.ticks(2);
    assert_eq!(host.received(0, 0, 4, 4), 0x77);

    // A crossed neighbour with a loop towards the line, then one with a loop of the payload.
    let (a, b) = Link::pair();
    host.board.plug(2, Box::new(a));
    host.board.plug(3, Box::new(b));
    for (reg, on) in [(&falc::LIM1, falc::LIM1_RL), (&falc::FMR2, 0xC3 | falc::FMR2_PLB)] {
        let before = host.framer_get(3, reg);
        host.framer_put(3, reg, on);
        host.ticks(20);
        assert_eq!([host.status(2), host.status(3)], [0, 0]);
        for buffer in 0..2 {
            host.send(buffer, 2, 9, 1, 0x5A);
            host.send(buffer, 3, 9, 1, 0x11);
        }
        host.ticks(10);
        assert_eq!(host.received(0, 2, 9, 1), 0x5A);
        host.framer_put(3, reg, before);
        host.ticks(20);
        assert_eq!(host.received(0, 2, 9, 1), 0x11);
    }
}

#[test]
fn bit_errors_are_counted_in_the_next_second_and_clear_by_it() {
    let mut host = looped(&GEN5, 2, true);
    host.framer_put(0, &falc::GCR, falc::GCR_VIS);
    host.ticks(1000);
    host.framer_get(0, &falc::ISR3);
    host.board.inject(0, Fault::BitErrors(1e-4));
    host.ticks(1000);
    let count = |host: &mut Host, low: &bus::Reg<u8, bus::ReadOnly>| {
        let high = bus::Reg::<u8, bus::ReadOnly>::at(low.offset + 1);
        u32::from(host.framer_get(0, low)) | u32::from(host.framer_get(0, &high)) << 8
    };
    // 2,048,000 bits a second: 205 wrong ones, in about 186 of the 1000 sub-multiframes.
    let code = count(&mut host, &falc::CVCL);
    let crc = count(&mut host, &falc::CEC1L);
    let framing = count(&mut host, &falc::FECL);
    assert!((130..290).contains(&code), "{code}");
    assert!((110..code).contains(&crc), "{crc}");
    assert!(framing < 20, "{framing}");
    let far = count(&mut host, &falc::EBCL);
    assert!(far.abs_diff(crc) <= 1, "the loop returns its own E bits: {far}");
    assert_eq!(host.framer_get(0, &falc::ISR3), falc::ISR3_SEC | falc::ISR3_ES);
    assert_eq!(host.status(0), 0, "the frame holds");

    host.board.repair(0);
    host.ticks(2000);
    assert_eq!([&falc::CVCL, &falc::CEC1L, &falc::FECL].map(|r| count(&mut host, r)), [0; 3]);
    host.framer_get(0, &falc::ISR3);
    host.ticks(1000);
    assert_eq!(host.framer_get(0, &falc::ISR3), falc::ISR3_SEC, "no errored second");
}

#[test]
fn signalling_bits_cross_between_the_registers_of_two_spans() {
    let (a, b) = Link::pair();
    let mut host = Host::new(&GEN5);
    host.board.plug(0, Box::new(a));
    host.board.plug(1, Box::new(b));
    host.ports_up(false);
    for port in 0..2 {
        host.framer_put(port, &falc::XSP, 0x1C | falc::XSP_CASEN);
        host.framer_put(port, &falc::XS1, falc::XS1_ALIGNED);
        (1..16).for_each(|t| host.framer_put(port, &falc::sent_signalling(t), 0x99));
    }
    host.start();
    host.ticks(1);
    assert_eq!(host.framer_get(1, &falc::FRS1), falc::FRS1_TS16LFA);
    host.ticks(19);
    assert_eq!(host.framer_get(1, &falc::FRS1), 0);
    assert_eq!(host.framer_get(1, &falc::RS1), falc::XS1_ALIGNED);
    (1..16).for_each(|t| assert_eq!(host.framer_get(1, &falc::received_signalling(t)), 0x99));

    host.framer_put(1, &falc::IMR0, !falc::ISR0_CASC);
    host.framer_get(1, &falc::ISR0);
    // Timeslot 20 seizes: A to 0.
    host.framer_put(0, &falc::sent_signalling(4), 0x91);
    host.ticks(6);
    assert_eq!(host.framer_get(0, &falc::CIS), 0b10);
    assert_eq!(host.framer_get(1, &falc::ISR0), falc::ISR0_CASC);
    assert_eq!([host.framer_get(1, &falc::RSP1), host.framer_get(1, &falc::RSP2)], [0x10, 0]);
    assert_eq!(host.framer_get(1, &falc::received_signalling(4)), 0x91);
    assert_eq!(host.framer_get(1, &falc::RSP1), 0);
    // The host's timeslot 16 does not reach the line.
    host.send(0, 0, 16, 0, 0x00);
    host.ticks(20);
    assert_eq!(host.framer_get(1, &falc::ISR0), 0);
    // A lost frame freezes what was received.
    host.board.inject(1, Fault::LossOfSignal);
    host.ticks(5);
    assert_eq!(host.framer_get(1, &falc::SIS) & falc::SIS_SFS, falc::SIS_SFS);
    assert_eq!(host.framer_get(1, &falc::received_signalling(4)), 0x91);
}

#[test]
fn a_slip_repeats_one_frame_once_and_says_so() {
    let mut host = looped(&GEN5, 2, false);
    host.framer_put(0, &falc::GCR, falc::GCR_VIS);
    host.ticks(10);
    host.framer_get(0, &falc::ISR3);
    for buffer in 0..2 {
        (0..8).for_each(|sample| host.send(buffer, 0, 12, sample, sample as u8));
    }
    host.board.inject(0, Fault::Slip);
    host.ticks(2);
    let heard = [0, 1].map(|buffer| [0, 1, 2, 7].map(|n| host.received(buffer, 0, 12, n)));
    assert_eq!(heard, [[0, 0, 1, 6], [0, 1, 2, 7]]);
    assert_eq!(host.framer_get(0, &falc::ISR3), falc::ISR3_RSN);
    assert_eq!(host.status(0), 0, "the framer writes timeslot 0 behind its buffer");
}

#[test]
fn too_many_bit_errors_lose_the_frame() {
    let mut host = looped(&GEN5, 2, false);
    host.ticks(10);
    host.board.inject(0, Fault::BitErrors(0.2));
    let mut lost = 0;
    for _ in 0..100 {
        host.ticks(1);
        lost += u32::from(host.status(0) & falc::FRS0_LFA != 0);
    }
    assert!(lost > 80, "{lost}");
}

#[test]
fn an_inserted_error_is_counted_once_at_the_far_end() {
    let (a, b) = Link::pair();
    let mut host = Host::new(&GEN5);
    host.board.plug(0, Box::new(a));
    host.board.plug(1, Box::new(b));
    host.ports_up(true);
    host.start();
    host.ticks(500);
    for bit in [falc::IERR_FAS, falc::IERR_CRC, falc::IERR_BIPOLAR] {
        host.framer_put(0, &falc::IERR, bit);
    }
    host.ticks(500);
    let counts = |host: &mut Host, port| {
        [&falc::FECL, &falc::CEC1L, &falc::CVCL, &falc::EBCL].map(|r| host.framer_get(port, r))
    };
    assert_eq!(counts(&mut host, 1), [1, 1, 1, 0]);
    assert_eq!(counts(&mut host, 0), [0, 0, 0, 1], "port 1 answers with an E bit");
}

#[test]
fn swallowed_interrupts_leave_dma_and_ident_alone() {
    let mut host = looped(&GEN5, 8, false);
    host.board.fail(BoardFault::MissedInterrupts(3));
    host.ticks(3);
    assert_eq!(host.position(), (3, 3, false));
    assert!(!host.board.interrupt());
    assert!(host.board.tick_taken(Lockstep::Served), "a lockstep clock goes on");
    host.ticks(1);
    assert_eq!(host.position(), (4, 4, true));
    assert_eq!(host.board.counters().swallowed, 3);
}

#[test]
fn a_frozen_clock_stops_everything_and_goes_on_where_it_was() {
    let mut host = looped(&GEN5, 4, false);
    host.ticks(6);
    host.acknowledge();
    let before = (host.position(), host.board.clock());
    host.board.fail(BoardFault::FrozenClock);
    host.ticks(50);
    assert_eq!((host.position(), host.board.clock()), before);
    assert_eq!(host.get(&regs::VERSION) >> 16, 0xC01A, "registers still answer");
    host.board.heal();
    host.ticks(1);
    assert_eq!(host.position(), (7, 3, true));
}

#[test]
fn a_stopped_dma_engine_keeps_the_lines_alive() {
    let mut host = looped(&GEN5, 4, false);
    host.board.fail(BoardFault::DmaStopped);
    host.ticks(20);
    assert_eq!(host.position(), (0, 0, false));
    assert_eq!(host.status(0), 0, "the framer found its frame");
    host.board.heal();
    host.ticks(1);
    assert_eq!(host.position(), (1, 1, true));
}

#[test]
fn a_pulled_board_reads_ones_everywhere_and_comes_back_as_after_power_up() {
    let mut host = looped(&GEN5, 2, false);
    host.ticks(5);
    host.board.fail(BoardFault::Pulled);
    assert_eq!(host.get(&regs::INTR), u32::MAX);
    assert_eq!(host.framer_get(0, &falc::FRS0), 0xFF);
    assert_eq!(host.board.read(Space::Config, 0, 2), 0xFFFF);
    assert!(!host.board.interrupt() && !host.board.is_running());
    let ticks = host.board.counters().ticks;
    host.ticks(5);
    assert_eq!(host.board.counters().ticks, ticks);
    host.board.heal();
    assert_eq!(host.board.read(Space::Config, 0, 4), 0x1410_D161);
    assert_eq!(host.board.read(Space::Config, pci::COMMAND.offset, 2), 0);
    host.enable();
    host.ports_up(false);
    host.start();
    host.ticks(5);
    assert_eq!((host.position().0, host.status(0)), (5, 0));
}

#[test]
fn memory_that_is_not_there_is_counted_and_harms_nothing() {
    let mut host = looped(&GEN5, 2, false);
    host.put(&regs::RDADDR, BASE - 4096);
    host.ticks(4);
    assert_eq!(host.board.counters().refused, 4);
    assert_eq!(host.position().0, 4);
}

/// Remembers what the line told it.
struct Listener(Arc<Mutex<Vec<Option<Alarm>>>>);

impl FarEnd for Listener {
    fn millisecond(&mut self, _: SampleTime, sent: &Block, _: &mut Block) {
        let told = self.0.lock().unwrap();
        let framed =
            told.last().is_none_or(|last| !matches!(last, Some(a) if *a != Alarm::RemoteAlarm));
        assert!(framed || sent.octets[4] == [0xFF; 32], "no frames, no timeslots");
    }
    fn line(&mut self, condition: Option<Alarm>) {
        self.0.lock().unwrap().push(condition);
    }
}

#[test]
fn a_far_end_is_told_each_change_of_the_line_towards_it_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut host = Host::new(&GEN5);
    host.board.plug(0, Box::new(Listener(Arc::clone(&told))));
    host.ticks(5);
    host.ports_up(true);
    host.ticks(10);
    assert_eq!(host.status(0), 0, "it frames as it is framed to");
    host.framer_put(0, &falc::FMR1, falc::FMR1_ECM | falc::FMR1_XFS | falc::FMR1_XAIS);
    host.ticks(5);
    assert_eq!(
        host.status(0),
        falc::FRS0_RRA | falc::FRS0_LMFA,
        "and asks for help while it is not"
    );
    host.framer_put(0, &falc::XPM2, falc::XPM2_XLT);
    host.ticks(5);
    let told = told.lock().unwrap().clone();
    let (los, ais) = (Some(Alarm::LossOfSignal), Some(Alarm::AlarmIndication));
    assert_eq!(told, [los, Some(Alarm::RemoteAlarm), None, ais, los]);
}

#[test]
fn a_reset_is_power_up_for_registers_and_nothing_for_the_far_ends() {
    let mut host = looped(&GEN5, 2, false);
    host.ticks(10);
    host.board.reset();
    assert_eq!(host.get(&regs::VERSION), u32::MAX, "not enabled");
    host.enable();
    assert_eq!(host.position(), (0, 0, false));
    host.ports_up(false);
    host.start();
    host.ticks(10);
    assert_eq!(host.status(0), 0);
    assert_eq!(host.board.clock(), SampleTime::millis(20));
}

#[test]
fn accesses_of_every_width_and_place_are_answered() {
    let mut host = looped(&GEN5, 2, false);
    let mut rng = Rng::from_seed(77);
    for n in 0..200_000_u32 {
        let space = if rng.below(2) == 0 { Space::Config } else { Space::Bar0 };
        let offset = match rng.below(8) {
            0 => rng.next_u64() as u32,
            _ => rng.below(140) as u32,
        };
        let octets = [1, 2, 4, 0, 3, 255][rng.below(6) as usize];
        if rng.below(2) == 0 {
            host.board.write(space, offset, octets, rng.next_u64() as u32);
        } else {
            host.board.read(space, offset, octets);
        }
        if n.is_multiple_of(50) {
            host.ticks(1);
        }
    }
}

#[test]
fn a_millisecond_leaves_the_heap_alone() {
    let mut host = looped(&GEN5, 8, true);
    let (a, b) = Link::pair();
    host.board.plug(2, Box::new(a));
    host.board.plug(3, Box::new(b));
    host.board.inject(1, Fault::BitErrors(1e-3));
    heap::without_heap(|| {
        host.ticks(2100);
        host.acknowledge();
    });
    assert_eq!(host.position().0, 2100 % 128);
}

#[test]
fn a_board_runs_many_times_faster_than_the_line() {
    let mut host = looped(&GEN5, 8, true);
    let millis = 20_000;
    let start = std::time::Instant::now();
    host.ticks(millis);
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(millis);
    println!("a millisecond of four looped spans: {micros:.2} µs");
    assert_eq!(host.board.counters().ticks, u64::from(millis));
    assert!(micros < 100.0, "{micros}");
}
