//! The framer: QuadFALC (PEF 22554) and OctalFALC (PEF 22558). PEF 22554 register map.
//!
//! Offsets are within one port's 256 registers; the local bus ([`crate::wct4xxp::LADDR`]) selects the
//! port. Registers marked "chip" exist once and are reached through port 0. Some addresses are one
//! register to the reader and another to the writer.

use crate::{ReadOnly, ReadWrite, Reg, WriteOnly};

/// Registers of one port.
pub const PORT_REGISTERS: usize = 256;
/// Ports of the quad chip. Boards with two connectors carry the quad chip all the same.
pub const PORTS_QUAD: usize = 4;
/// Ports of the octal chip (PEF 22558).
pub const PORTS_OCTAL: usize = 8;

/// Receive FIFO of the HDLC controller: reading pops.
pub const RFIFO: Reg<u8, ReadOnly> = Reg::at(0x00);
/// Transmit FIFO of the HDLC controller.
pub const XFIFO: Reg<u8, WriteOnly> = Reg::at(0x00);

/// Commands.
pub const CMDR: Reg<u8, WriteOnly> = Reg::at(0x02);
/// Received message taken: frees the FIFO block.
pub const CMDR_RMC: u8 = 0x80;
/// Resets the receiver.
pub const CMDR_RRES: u8 = 0x40;
/// Resets the transmitter.
pub const CMDR_XRES: u8 = 0x10;
/// Sends the HDLC frame or part in the FIFO.
pub const CMDR_XHF: u8 = 0x08;
/// The frame ends with this part.
pub const CMDR_XME: u8 = 0x02;
/// Resets the HDLC transmitter.
pub const CMDR_SRES: u8 = 0x01;
/// Sends what is in the FIFO as it is, without frame.
pub const CMDR_XTF: u8 = 0x04;

/// Mode of the HDLC controller.
pub const MODE: Reg<u8, ReadWrite> = Reg::at(0x03);
/// The HDLC receiver is on.
pub const MODE_HRAC: u8 = 0x08;
/// HDLC without address comparison.
pub const MODE_NO_ADDRESS: u8 = 0x80;

/// Chip: interrupt pin.
pub const IPC: Reg<u8, ReadWrite> = Reg::at(0x08);
/// INT drives both ways and is active low.
pub const IPC_PUSH_PULL_LOW: u8 = 0x01;
/// Common configuration 1 of the HDLC controller.
pub const CCR1: Reg<u8, ReadWrite> = Reg::at(0x09);
/// The HDLC controller works in the slots of [`RTR1`] and [`TTR1`].
pub const CCR1_EITS: u8 = 0x10;
/// Flags fill the time between frames; otherwise ones.
pub const CCR1_ITF: u8 = 0x08;
/// Common configuration 2 of the HDLC controller.
pub const CCR2: Reg<u8, ReadWrite> = Reg::at(0x0A);
/// The received check sequence goes into the FIFO with the frame.
pub const CCR2_RCRC: u8 = 0x04;
/// Slots of a register of [`RTR1`] or [`TTR1`].
pub const SLOTS_A_REGISTER: usize = 8;
/// Receive slots of the HDLC controller, timeslots 0 to 7 (bit 7 first); three more follow.
pub const RTR1: Reg<u8, ReadWrite> = Reg::at(0x0C);
/// Transmit slots of the HDLC controller, timeslots 0 to 7 (bit 7 first); three more follow.
pub const TTR1: Reg<u8, ReadWrite> = Reg::at(0x10);

/// Interrupt masks, 1 = masked, same bits as [`ISR0`].
pub const IMR0: Reg<u8, ReadWrite> = Reg::at(0x14);
/// Interrupt masks of [`ISR1`].
pub const IMR1: Reg<u8, ReadWrite> = Reg::at(0x15);
/// Interrupt masks of [`ISR2`].
pub const IMR2: Reg<u8, ReadWrite> = Reg::at(0x16);
/// Interrupt masks of [`ISR3`].
pub const IMR3: Reg<u8, ReadWrite> = Reg::at(0x17);
/// Interrupt masks of [`ISR4`].
pub const IMR4: Reg<u8, ReadWrite> = Reg::at(0x18);

/// Inserts one error a bit written.
pub const IERR: Reg<u8, ReadWrite> = Reg::at(0x1B);
/// One wrong frame alignment signal.
pub const IERR_FAS: u8 = 0x20;
/// One wrong multiframe alignment signal.
pub const IERR_MULTIFRAME: u8 = 0x10;
/// One wrong CRC.
pub const IERR_CRC: u8 = 0x08;
/// One wrong CAS multiframe.
pub const IERR_CAS: u8 = 0x04;
/// One bipolar violation.
pub const IERR_BIPOLAR: u8 = 0x01;

/// Framer mode 0: line codes, alarm simulation.
pub const FMR0: Reg<u8, ReadWrite> = Reg::at(0x1C);
/// Transmit line code.
pub const FMR0_XC: u8 = 0xC0;
/// Transmit HDB3.
pub const FMR0_XC_HDB3: u8 = 0xC0;
/// Transmit AMI.
pub const FMR0_XC_AMI: u8 = 0x80;
/// Receive line code.
pub const FMR0_RC: u8 = 0x30;
/// Receive HDB3.
pub const FMR0_RC_HDB3: u8 = 0x30;
/// Receive AMI.
pub const FMR0_RC_AMI: u8 = 0x20;
/// Forces a new search for the frame when it goes from 0 to 1.
pub const FMR0_FRS: u8 = 0x02;
/// Alarm simulation.
pub const FMR0_SIM: u8 = 0x01;

/// Framer mode 1: E1 or T1, transmit framing, counters.
pub const FMR1: Reg<u8, ReadWrite> = Reg::at(0x1D);
/// T1: channel n of the line is slot n of the system.
pub const FMR1_CTM: u8 = 0x80;
/// Searches for the frame again by itself.
pub const FMR1_AFR: u8 = 0x40;
/// T1/J1; clear: E1.
pub const FMR1_PMOD_T1: u8 = 0x10;
/// E1: sends CRC-4 multiframes.
pub const FMR1_XFS: u8 = 0x08;
/// T1: CRC-6 is sent and checked.
pub const FMR1_CRC: u8 = 0x08;
/// Latches and clears the error counters every second.
pub const FMR1_ECM: u8 = 0x04;
/// Low bit of the system data rate; see [`SIC1`].
pub const FMR1_SSD0: u8 = 0x02;
/// Sends AIS to the line.
pub const FMR1_XAIS: u8 = 0x01;

/// Framer mode 2: receive framing, automatic reactions.
pub const FMR2: Reg<u8, ReadWrite> = Reg::at(0x1E);
/// Receive framing.
pub const FMR2_RFS: u8 = 0xC0;
/// Receive framing: doubleframe.
pub const FMR2_RFS_DOUBLEFRAME: u8 = 0x00;
/// Receive framing: CRC-4 multiframe.
pub const FMR2_RFS_CRC4: u8 = 0x80;
/// Receive framing: CRC-4 multiframe, interworking by itself with a far end without it.
pub const FMR2_RFS_CRC4_AUTO: u8 = 0xC0;
/// T1: the frame search looks at the candidate's neighbours.
pub const FMR2_SSP: u8 = 0x20;
/// Sends AIS to the system side.
pub const FMR2_SAIS: u8 = 0x08;
/// Payload loop: received slots go back to the line.
pub const FMR2_PLB: u8 = 0x04;
/// Sends the remote alarm by itself while frame alignment is lost.
pub const FMR2_AXRA: u8 = 0x02;
/// Declares loss of multiframe by itself.
pub const FMR2_ALMF: u8 = 0x01;

/// Loop of a single channel.
pub const LOOP: Reg<u8, ReadWrite> = Reg::at(0x1F);
/// The loop of the channel in bits 4:0 is on.
pub const LOOP_ECLB: u8 = 0x20;

/// Transmit service word.
pub const XSW: Reg<u8, ReadWrite> = Reg::at(0x20);
/// Si bit of the service word.
pub const XSW_XSIS: u8 = 0x80;
/// Transparent timeslot 0.
pub const XSW_XTM: u8 = 0x40;
/// Sends the remote alarm (A bit).
pub const XSW_XRA: u8 = 0x20;
/// Sa4 to Sa8, sent as they stand.
pub const XSW_SA: u8 = 0x1F;

/// T1: framer mode 4, at the address of [`XSW`].
pub const FMR4: Reg<u8, ReadWrite> = Reg::at(0x20);
/// T1: sends the yellow alarm; the same bit as [`XSW_XRA`].
pub const FMR4_XRA: u8 = 0x20;
/// T1: frame lost with two wrong of five framing bits.
pub const FMR4_SSC_2_OF_5: u8 = 0x08;
/// T1: searches for the frame again by itself.
pub const FMR4_AUTO: u8 = 0x04;
/// T1: the two bits of the frame format.
pub const FMR4_FM: u8 = 0x03;
/// T1: frames of twelve (D4).
pub const FMR4_FM_D4: u8 = 0x00;
/// T1: frames of 24 (ESF).
pub const FMR4_FM_ESF: u8 = 0x02;
/// T1: framer mode 5, at the address of [`XSP`].
pub const FMR5: Reg<u8, ReadWrite> = Reg::at(0x21);
/// T1: robbed-bit signalling on channels that are not clear ([`CCB1`]).
pub const FMR5_EIBR: u8 = 0x40;
/// T1: sends the loop-down code.
pub const FMR5_XLD: u8 = 0x20;
/// T1: sends the loop-up code.
pub const FMR5_XLU: u8 = 0x10;

/// Transmit spare bits.
pub const XSP: Reg<u8, ReadWrite> = Reg::at(0x21);
/// Channel associated signalling in timeslot 16.
pub const XSP_CASEN: u8 = 0x40;
/// Polarity of the E bits.
pub const XSP_EBP: u8 = 0x10;
/// Sends E bits by itself.
pub const XSP_AXS: u8 = 0x08;
/// Si bit of the frame alignment signal.
pub const XSP_XSIF: u8 = 0x04;

/// Transmit offset, bits 10:8, and sources of the Sa bits.
pub const XC0: Reg<u8, ReadWrite> = Reg::at(0x22);
/// Transmit offset, bits 7:0.
pub const XC1: Reg<u8, ReadWrite> = Reg::at(0x23);
/// Receive offset, bits 10:8.
pub const RC0: Reg<u8, ReadWrite> = Reg::at(0x24);
/// Receive offset, bits 7:0.
pub const RC1: Reg<u8, ReadWrite> = Reg::at(0x25);

/// The bits of the offset in [`XC0`] and [`RC0`].
pub const OFFSET_HIGH: u8 = 0x07;
/// [`RC0`], T1: the line is a J1.
pub const RC0_SJR: u8 = 0x80;

/// Transmit pulse mask, first octet.
pub const XPM0: Reg<u8, ReadWrite> = Reg::at(0x26);
/// Transmit pulse mask, second octet.
pub const XPM1: Reg<u8, ReadWrite> = Reg::at(0x27);
/// Transmit pulse mask, last octet, and the driver's switch.
pub const XPM2: Reg<u8, ReadWrite> = Reg::at(0x28);
/// The line transmitter is off (high impedance).
pub const XPM2_XLT: u8 = 0x40;

/// Transparency of timeslot 0, bit by bit.
pub const TSWM: Reg<u8, ReadWrite> = Reg::at(0x29);
/// Pattern of idle slots.
pub const IDLE: Reg<u8, ReadWrite> = Reg::at(0x2B);
/// Transmit Sa4 bits of a multiframe; XSA5 to XSA8 follow.
pub const XSA4: Reg<u8, ReadWrite> = Reg::at(0x2C);
/// Transmit Sa7 bits of a multiframe.
pub const XSA7: Reg<u8, ReadWrite> = Reg::at(0x2F);
/// Transmit Sa8 bits of a multiframe.
pub const XSA8: Reg<u8, ReadWrite> = Reg::at(0x30);
/// T1: clear channels 1 to 8 (bit 7 first): no robbed bit, no zero suppression; two more follow. At the
/// address of [`XSA7`].
pub const CCB1: Reg<u8, ReadWrite> = Reg::at(0x2F);
/// Framer mode 3.
pub const FMR3: Reg<u8, ReadWrite> = Reg::at(0x31);
/// Goes on searching for CRC-4 after 400 ms.
pub const FMR3_EXTIW: u8 = 0x01;
/// Idle code insertion for timeslots 0 to 7; three more follow.
pub const ICB1: Reg<u8, ReadWrite> = Reg::at(0x32);

/// Line interface mode 0.
pub const LIM0: Reg<u8, ReadWrite> = Reg::at(0x36);
/// The receive equalizer is on.
pub const LIM0_EQON: u8 = 0x08;
/// Local loop: what is sent comes back as received.
pub const LIM0_LL: u8 = 0x02;
/// Master mode.
pub const LIM0_MAS: u8 = 0x01;
/// Line interface mode 1.
pub const LIM1: Reg<u8, ReadWrite> = Reg::at(0x37);
/// Clears the data while the signal is lost.
pub const LIM1_CLOS: u8 = 0x80;
/// Level below which the signal is lost, a code of three bits.
pub const LIM1_RIL: u8 = 0x70;
/// Remote loop through the jitter attenuator.
pub const LIM1_JATT: u8 = 0x04;
/// Remote (line) loop: what is received goes back to the line.
pub const LIM1_RL: u8 = 0x02;
/// The signal is lost after 16 × (PCD + 1) zeros.
pub const PCD: Reg<u8, ReadWrite> = Reg::at(0x38);
/// The signal is back with PCR + 1 ones in that window.
pub const PCR: Reg<u8, ReadWrite> = Reg::at(0x39);
/// Line interface mode 2.
pub const LIM2: Reg<u8, ReadWrite> = Reg::at(0x3A);
/// T1: the signal is lost by its level too.
pub const LIM2_LOS1: u8 = 0x01;
/// The slicer decides at half of the pulse.
pub const LIM2_SLICE_HALF: u8 = 0x20;
/// Loop code and pseudo-random patterns.
pub const LCR1: Reg<u8, ReadWrite> = Reg::at(0x3B);

/// System interface 1: clock, rate, elastic buffers.
pub const SIC1: Reg<u8, ReadWrite> = Reg::at(0x3E);
/// System interface 2: channel phase.
pub const SIC2: Reg<u8, ReadWrite> = Reg::at(0x3F);
/// Centres the receive buffer.
pub const SIC2_CRB: u8 = 0x20;
/// Lowest bit of the channel phase, which is the port.
pub const SIC2_SICS_SHIFT: u32 = 1;
/// System interface 3: clock edges.
pub const SIC3: Reg<u8, ReadWrite> = Reg::at(0x40);
/// Clock mode 1. Through port 0: which port's recovered clock drives RCLK.
pub const CMR1: Reg<u8, ReadWrite> = Reg::at(0x44);
/// The bits of [`CMR1`] besides the source: RCLK from DCO-R at 8.192 MHz, no switch to SYNC.
pub const CMR1_RCLK: u8 = 0x38;
/// Lowest bit of the source port.
pub const CMR1_DRSS_SHIFT: u32 = 6;
/// The octal chip: which frequency RCLK has.
pub const CMR4: Reg<u8, ReadWrite> = Reg::at(0x41);
/// [`CMR4`] for 16.384 MHz.
pub const CMR4_16_MHZ: u8 = 0x05;
/// The octal chip, through port 0: which port's recovered clock drives RCLK, in bits 7:5.
pub const CMR5: Reg<u8, ReadWrite> = Reg::at(0x42);
/// Lowest bit of the source port in [`CMR5`].
pub const CMR5_DRSS_SHIFT: u32 = 5;
/// Clock mode 2.
pub const CMR2: Reg<u8, ReadWrite> = Reg::at(0x45);
/// Global configuration.
pub const GCR: Reg<u8, ReadWrite> = Reg::at(0x46);
/// Masked interrupts show in the interrupt status registers all the same.
pub const GCR_VIS: u8 = 0x80;
/// LOS, AIS and their like interrupt on both edges.
pub const GCR_SCI: u8 = 0x40;
/// Which errors make an errored second; 0 = all.
pub const ESM: Reg<u8, ReadWrite> = Reg::at(0x47);
/// Loss of frame alignment.
pub const ESM_LFA: u8 = 0x80;
/// Framing errors.
pub const ESM_FER: u8 = 0x40;
/// CRC errors.
pub const ESM_CER: u8 = 0x20;
/// Alarm indication signal.
pub const ESM_AIS: u8 = 0x10;
/// Loss of signal.
pub const ESM_LOS: u8 = 0x08;
/// Code violations.
pub const ESM_CVE: u8 = 0x04;
/// Slips.
pub const ESM_SLIP: u8 = 0x02;
/// E bits.
pub const ESM_EBE: u8 = 0x01;

/// Delay of the receive buffer.
pub const RBD: Reg<u8, ReadOnly> = Reg::at(0x49);
/// Chip: version of the silicon.
pub const VSTR: Reg<u8, ReadOnly> = Reg::at(0x4A);
/// Version 2.1 or older, and any chip in its compatibility mode.
pub const VSTR_2_1: u8 = 0x05;
/// Version 3.1; shows while [`GPC6_COMP_DIS`] is set.
pub const VSTR_3_1: u8 = 0x20;
/// Chip: unnamed to the writer at the address of [`VSTR`].
pub const UNNAMED_4A: Reg<u8, WriteOnly> = Reg::at(0x4A);
/// What is written there after the version was read.
pub const UNNAMED_4A_START: u8 = 0xAA;
/// Status of the receive equalizer.
pub const RES: Reg<u8, ReadOnly> = Reg::at(0x4B);

/// Framer receive status 0: the alarms. 0x00 on a healthy line.
pub const FRS0: Reg<u8, ReadOnly> = Reg::at(0x4C);
/// Loss of signal.
pub const FRS0_LOS: u8 = 0x80;
/// Alarm indication signal: at most two zeros in 250 µs without frame alignment.
pub const FRS0_AIS: u8 = 0x40;
/// Loss of frame alignment.
pub const FRS0_LFA: u8 = 0x20;
/// Remote alarm received.
pub const FRS0_RRA: u8 = 0x10;
/// No CRC-4 multiframe found within 400 ms.
pub const FRS0_NMF: u8 = 0x04;
/// E1: loss of multiframe alignment.
pub const FRS0_LMFA: u8 = 0x02;
/// Framer receive status 1.
pub const FRS1: Reg<u8, ReadOnly> = Reg::at(0x4D);
/// Remote alarm of the CAS multiframe.
pub const FRS1_TS16RA: u8 = 0x40;
/// Loss of signal in timeslot 16.
pub const FRS1_TS16LOS: u8 = 0x20;
/// All ones in timeslot 16.
pub const FRS1_TS16AIS: u8 = 0x10;
/// Loss of the CAS multiframe.
pub const FRS1_TS16LFA: u8 = 0x08;
/// T1: the loop-down code is received.
pub const FRS1_LLBDD: u8 = 0x10;
/// T1: the loop-up code is received.
pub const FRS1_LLBAD: u8 = 0x08;
/// Received service word.
pub const RSW: Reg<u8, ReadOnly> = Reg::at(0x4E);
/// Received spare bits.
pub const RSP: Reg<u8, ReadOnly> = Reg::at(0x4F);

/// Framing errors of the last second, low octet; the high one follows, as with every counter.
pub const FECL: Reg<u8, ReadOnly> = Reg::at(0x50);
/// Framing errors, high octet.
pub const FECH: Reg<u8, ReadOnly> = Reg::at(0x51);
/// Code violations, low octet.
pub const CVCL: Reg<u8, ReadOnly> = Reg::at(0x52);
/// Code violations, high octet.
pub const CVCH: Reg<u8, ReadOnly> = Reg::at(0x53);
/// CRC errors, low octet.
pub const CEC1L: Reg<u8, ReadOnly> = Reg::at(0x54);
/// CRC errors, high octet.
pub const CEC1H: Reg<u8, ReadOnly> = Reg::at(0x55);
/// E bits (errors the far end saw), low octet.
pub const EBCL: Reg<u8, ReadOnly> = Reg::at(0x56);
/// E bits, high octet.
pub const EBCH: Reg<u8, ReadOnly> = Reg::at(0x57);
/// Second CRC error counter, low octet.
pub const CEC2L: Reg<u8, ReadOnly> = Reg::at(0x58);
/// Third CRC error counter, low octet.
pub const CEC3L: Reg<u8, ReadOnly> = Reg::at(0x5A);
/// Freezes counters for reading; needed only without [`FMR1_ECM`].
pub const DEC: Reg<u8, WriteOnly> = Reg::at(0x60);

/// Which of RS1 to RS8 changed.
pub const RSP1: Reg<u8, ReadOnly> = Reg::at(0x62);
/// Which of RS9 to RS16 changed.
pub const RSP2: Reg<u8, ReadOnly> = Reg::at(0x63);
/// Signalling status.
pub const SIS: Reg<u8, ReadOnly> = Reg::at(0x64);
/// The transmit FIFO may be written.
pub const SIS_XFW: u8 = 0x40;
/// A command is being carried out: wait for 0 before [`CMDR`].
pub const SIS_CEC: u8 = 0x04;
/// The received signalling bits are frozen.
pub const SIS_SFS: u8 = 0x02;
/// Status of the received frame; its last octet in the FIFO is laid out the same.
pub const RSIS: Reg<u8, ReadOnly> = Reg::at(0x65);
/// The frame is a whole number of octets, and not too short.
pub const RSIS_VFR: u8 = 0x80;
/// The FIFO ran over: the frame is not whole.
pub const RSIS_RDO: u8 = 0x40;
/// The check sequence is right.
pub const RSIS_CRC16: u8 = 0x20;
/// The sender gave the frame up.
pub const RSIS_RAB: u8 = 0x10;
/// Octets received, low octet.
pub const RBCL: Reg<u8, ReadOnly> = Reg::at(0x66);
/// Octets received, high bits.
pub const RBCH: Reg<u8, ReadOnly> = Reg::at(0x67);

/// Interrupt status 0; every interrupt status clears when read.
pub const ISR0: Reg<u8, ReadOnly> = Reg::at(0x68);
/// End of a received HDLC frame.
pub const ISR0_RME: u8 = 0x80;
/// A received signalling bit changed (RSC on a T1).
pub const ISR0_CASC: u8 = 0x08;
/// 32 octets of a frame were received.
pub const ISR0_RPF: u8 = 0x01;
/// Interrupt status 1.
pub const ISR1: Reg<u8, ReadOnly> = Reg::at(0x69);
/// Everything was sent.
pub const ISR1_ALLS: u8 = 0x20;
/// The transmit FIFO ran dry.
pub const ISR1_XDU: u8 = 0x10;
/// The transmit FIFO has room for 32 octets.
pub const ISR1_XPR: u8 = 0x01;
/// Interrupt status 2: the alarms.
pub const ISR2: Reg<u8, ReadOnly> = Reg::at(0x6A);
/// Frame alignment recovered.
pub const ISR2_FAR: u8 = 0x80;
/// Frame alignment lost.
pub const ISR2_LFA: u8 = 0x40;
/// Multiframe alignment recovered.
pub const ISR2_MFAR: u8 = 0x20;
/// No CRC-4 multiframe within 400 ms.
pub const ISR2_T400MS: u8 = 0x10;
/// Alarm indication signal.
pub const ISR2_AIS: u8 = 0x08;
/// Loss of signal.
pub const ISR2_LOS: u8 = 0x04;
/// Remote alarm ended.
pub const ISR2_RAR: u8 = 0x02;
/// Remote alarm.
pub const ISR2_RA: u8 = 0x01;
/// Interrupt status 3.
pub const ISR3: Reg<u8, ReadOnly> = Reg::at(0x6B);
/// The last second was an errored one.
pub const ISR3_ES: u8 = 0x80;
/// A second has passed; the counters are latched.
pub const ISR3_SEC: u8 = 0x40;
/// CAS multiframe lost.
pub const ISR3_LMFA16: u8 = 0x20;
/// All ones in timeslot 16.
pub const ISR3_AIS16: u8 = 0x10;
/// Remote alarm in timeslot 16.
pub const ISR3_RA16: u8 = 0x08;
/// Receive slip, negative: a frame was repeated or dropped.
pub const ISR3_RSN: u8 = 0x02;
/// Receive slip, positive.
pub const ISR3_RSP: u8 = 0x01;
/// Interrupt status 4.
pub const ISR4: Reg<u8, ReadOnly> = Reg::at(0x6C);
/// Transmit slip, positive.
pub const ISR4_XSP: u8 = 0x80;
/// Transmit slip, negative.
pub const ISR4_XSN: u8 = 0x40;
/// Bit n: interrupt status n has something.
pub const GIS: Reg<u8, ReadOnly> = Reg::at(0x6E);
/// Chip: bit p: port p has something. Bit 7 of the quad chip is no port: the PLL is locked.
pub const CIS: Reg<u8, ReadOnly> = Reg::at(0x6F);
/// The bits of [`CIS`] that are ports of the quad chip.
pub const CIS_PORTS_QUAD: u8 = 0x0F;

/// First received signalling register: the multiframe word of timeslot 16.
pub const RS1: Reg<u8, ReadOnly> = Reg::at(0x70);
/// First signalling register to send.
pub const XS1: Reg<u8, WriteOnly> = Reg::at(0x70);
/// Signalling registers of an E1 port.
pub const SIGNALLING_REGISTERS: u32 = 16;
/// [`XS1`]: alignment 0000, X bits 1, no multiframe alarm.
pub const XS1_ALIGNED: u8 = 0x0B;
/// [`XS1`]: the multiframe remote alarm (Y bit).
pub const XS1_Y: u8 = 0x04;

/// Received ABCD of timeslot t (1 to 15) in the high, of timeslot t + 16 in the low half.
pub const fn received_signalling(t: u32) -> Reg<u8, ReadOnly> {
    Reg::at(RS1.offset + t)
}
/// ABCD to send of timeslot t (1 to 15) in the high, of timeslot t + 16 in the low half.
pub const fn sent_signalling(t: u32) -> Reg<u8, WriteOnly> {
    Reg::at(XS1.offset + t)
}

/// Multi-function pins 1.
pub const PC1: Reg<u8, ReadWrite> = Reg::at(0x80);
/// Multi-function pins 2.
pub const PC2: Reg<u8, ReadWrite> = Reg::at(0x81);
/// Multi-function pins 3.
pub const PC3: Reg<u8, ReadWrite> = Reg::at(0x82);
/// Multi-function pins 4.
pub const PC4: Reg<u8, ReadWrite> = Reg::at(0x83);
/// Pin RCLK.
pub const PC5: Reg<u8, ReadWrite> = Reg::at(0x84);
/// RCLK is an output.
pub const PC5_CRP: u8 = 0x01;
/// Chip: multiplexed highway.
pub const GPC1: Reg<u8, ReadWrite> = Reg::at(0x85);
/// The octal chip: general purpose configuration 2.
pub const GPC2: Reg<u8, ReadWrite> = Reg::at(0x8A);
/// Series resistor of the transmitter; version 3.1 only.
pub const PC6: Reg<u8, ReadWrite> = Reg::at(0x86);
/// The 7.5 Ω of an E1 line are in series.
pub const PC6_SERIES_E1: u8 = 0x40;
/// Chip: master clock synthesizer, first of eight.
pub const GCM1: Reg<u8, ReadWrite> = Reg::at(0x92);
/// Slots of the HDLC controller: which frames.
pub const TSEO: Reg<u8, ReadWrite> = Reg::at(0xA0);
/// Slots of the HDLC controller: which bits.
pub const TSBS1: Reg<u8, ReadWrite> = Reg::at(0xA1);
/// Access to the receive equalizer's table: pointer.
pub const EQUALIZER_POINTER: Reg<u8, WriteOnly> = Reg::at(0xBB);
/// Access to the receive equalizer's table: data.
pub const EQUALIZER_DATA: Reg<u8, WriteOnly> = Reg::at(0xBC);
/// T1, version 3.1: an erratum is worked around with 0x05.
pub const ERRATUM_BD: Reg<u8, WriteOnly> = Reg::at(0xBD);
/// Chip: general purpose configuration 6.
pub const GPC6: Reg<u8, ReadWrite> = Reg::at(0xD6);
/// Leaves the compatibility with version 2.1.
pub const GPC6_COMP_DIS: u8 = 0x20;
/// The octal chip: the multiplexed highway runs at 16 MHz.
pub const GPC6_SSI16: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeslot_31_signals_in_the_low_half_of_the_last_register() {
        assert_eq!(received_signalling(15).offset, RS1.offset + SIGNALLING_REGISTERS - 1);
        assert_eq!(sent_signalling(15).offset, 0x7F);
    }
}
