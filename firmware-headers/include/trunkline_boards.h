/*
 * Registers and layouts of the boards, as C. Made from the crate firmware-headers, whose test holds it equal.
 * A register's name stands for its offset in bytes within its space.
 */
#ifndef TRUNKLINE_BOARDS_H
#define TRUNKLINE_BOARDS_H

/* pci */
#define PCI_CONFIG_OCTETS 0x100u /* Octets of a conventional function's configuration space. §6.1. */
#define PCI_VENDOR_ID 0x0u /* Who made the board. All ones when nobody answers. §6.2.1. */
#define PCI_DEVICE_ID 0x2u /* Which board of that maker. §6.2.1. */
#define PCI_COMMAND 0x4u /* Device control. §6.2.2, table 6-1. */
#define PCI_COMMAND_IO 0x1u /* The board answers accesses to its I/O BARs. */
#define PCI_COMMAND_MEMORY 0x2u /* The board answers accesses to its memory BARs. */
#define PCI_COMMAND_BUS_MASTER 0x4u /* Lets the board master the bus. Without it no sample ever reaches memory. */
#define PCI_COMMAND_INTX_DISABLE 0x400u /* Keeps INTx deasserted. Since PCI 2.3; older boards hold it at zero. */
#define PCI_STATUS 0x6u /* Device status. §6.2.3, table 6-2. */
#define PCI_STATUS_INTERRUPT 0x8u /* The function wants an interrupt, whether or not INTx is disabled. Since PCI 2.3. */
#define PCI_STATUS_CAPABILITIES 0x10u /* A list of capabilities begins at CAPABILITIES. */
#define PCI_STATUS_DEVSEL_MEDIUM 0x200u /* DEVSEL timing "medium". */
#define PCI_REVISION 0x8u /* Stepping of the silicon. §6.2.1. */
#define PCI_CLASS 0x8u /* Class, sub-class and interface in bits 31:8, the revision below. §6.2.1. */
#define PCI_CLASS_COMMUNICATION_OTHER 0x78000u /* "Communication controller, other". Appendix D. */
#define PCI_CACHE_LINE 0xCu /* In dwords. §6.2.4. */
#define PCI_LATENCY_TIMER 0xDu /* In bus clocks. §6.2.4. */
#define PCI_HEADER_TYPE 0xEu /* 0x00: an ordinary function. §6.2.1. */
#define PCI_BAR0 0x10u /* Where the first region is. All ones written here read back as the size mask. §6.2.5.1. */
#define PCI_SUBSYSTEM_VENDOR_ID 0x2Cu /* Which generation of the family the board is of, on the boards of this crate. §6.2.4. */
#define PCI_SUBSYSTEM_ID 0x2Eu /* Not tested by anybody for the boards of this crate. §6.2.4. */
#define PCI_CAPABILITIES 0x34u /* Start of the capability list; zero on boards without one. §6.7. */
#define PCI_INTERRUPT_LINE 0x3Cu /* Scratch octet for the host. §6.2.4. */
#define PCI_INTERRUPT_PIN 0x3Du /* 1 = INTA. §6.2.4. */
#define PCI_MIN_GNT 0x3Eu /* How long a burst takes, in 250 ns. §6.2.4. */
#define PCI_MAX_LAT 0x3Fu /* How often the bus is wanted, in 250 ns. §6.2.4. */

/* wct4xxp */
#define WCT4XXP_BAR0_OCTETS 0x80u /* Octets of BAR 0: 32-bit, not prefetchable memory. */
#define WCT4XXP_RDADDR 0x0u /* Bus address of the receive area, which the board writes. */
#define WCT4XXP_WRADDR 0x4u /* Bus address of the transmit area, which the board reads. */
#define WCT4XXP_COUNT 0x8u /* Generation 1: last dword of the ring in both fields; zero stops DMA. Not used from generation 2 on. */
#define WCT4XXP_COUNT_GENERATION_1 0x7FC07FCu /* What generation 1 writes to COUNT: 512 dwords in each direction. */
#define WCT4XXP_DMACTRL 0xCu /* DMA run, clock source, timeslot switch. */
#define WCT4XXP_DMACTRL_RUN 0xC0000000u /* DMA and its interrupt run when both bits are set and stand still when both are clear. */
#define WCT4XXP_DMACTRL_CLOCK_RECOVERED 0x20000000u /* The system clock is the recovered one (framer pin RCLK); clear: the board's oscillator. */
#define WCT4XXP_DMACTRL_ECHO_MODULE 0x10000000u /* The echo canceller module is in the path. */
#define WCT4XXP_DMACTRL_NO_BURSTS 0x4000000u /* PCI bursts are off. */
#define WCT4XXP_DMACTRL_CABLE_SLAVE 0x2000000u /* The system clock follows the timing cable. */
#define WCT4XXP_DMACTRL_CABLE_MASTER 0x1000000u /* This board drives the timing cable. */
#define WCT4XXP_DMACTRL_SWITCH 0x1FFFFu /* The command of the timeslot switch, from generation 2 on. */
#define WCT4XXP_DMACTRL_SWITCH_VALID 0x4000u /* Timeslot switch: the command is valid. */
#define WCT4XXP_DMACTRL_SWITCH_TO_SHIFT 0x7u /* Timeslot switch: where the destination slot (port × 32 + slot) begins. */
#define WCT4XXP_DMACTRL_SWITCH_TO_UPPER 0x8000u /* Timeslot switch of the eight-port board: the eighth bit of the destination. */
#define WCT4XXP_INTR 0x10u /* Interrupt status; any write acknowledges everything latched. */
#define WCT4XXP_INTR_FRAMER 0x1u /* The framer's interrupt pin is active: a level. */
#define WCT4XXP_INTR_TICK 0x2u /* A millisecond has been transferred. */
#define WCT4XXP_INTR_OURS 0x7u /* The bits that make an interrupt this board's. */
#define WCT4XXP_INTR_IDENT 0x7F0000u /* Generation 5: completed milliseconds modulo dma::IDENTS, shifted by INTR_IDENT_SHIFT. */
#define WCT4XXP_INTR_IDENT_SHIFT 0x10u /* Lowest bit of INTR_IDENT. */
#define WCT4XXP_INTR_ACKNOWLEDGE 0x0u /* Acknowledges, deasserts INTx. */
#define WCT4XXP_INTR_START 0xCu /* Written once before the run bits are set. */
#define WCT4XXP_RING 0x14u /* Write: length of the ring and milliseconds per interrupt. Read: the buffer being worked on. */
#define WCT4XXP_RING_BUFFERS 0x7Fu /* Write: buffers of 1 ms in the ring of each direction. 1 before generation 5. */
#define WCT4XXP_RING_MILLIS_SHIFT 0x10u /* Write: lowest bit of the milliseconds per interrupt. */
#define WCT4XXP_RING_INDEX 0x7F00u /* Read, generation 5: index of the buffer the board is working on; the last complete one is before it. */
#define WCT4XXP_RING_INDEX_SHIFT 0x8u /* Lowest bit of RING_INDEX. */
#define WCT4XXP_VERSION 0x18u /* Which image the FPGA runs. Reading it is also how writes are flushed and time is passed. */
#define WCT4XXP_VERSION_FAMILY 0xC01A0000u /* Upper half of VERSION on every board of the family. */
#define WCT4XXP_VERSION_FAMILY_MASK 0xFFFF0000u /* The bits that must be VERSION_FAMILY. */
#define WCT4XXP_VERSION_WIDE_ECHO_PATH 0xC01A0165u /* From this revision on the echo canceller has a data path of 16 bits. */
#define WCT4XXP_LEDS 0x1Cu /* Read: jumpers and ident switch. Write: lamps and the framer's reset. */
#define WCT4XXP_LEDS_ACTIVE 0x1000u /* Write: the framer is out of reset. Must stay set in every later write. */
#define WCT4XXP_LEDS_LAMPS 0xFFu /* Write: the lamps of spans 1 to 4, two bits a span. */
#define WCT4XXP_LAMP_OFF 0x0u /* Lamp: dark. */
#define WCT4XXP_LAMP_RED 0x1u /* Lamp: red. */
#define WCT4XXP_LAMP_GREEN 0x2u /* Lamp: green. */
#define WCT4XXP_LAMP_YELLOW 0x3u /* Lamp: both. */
#define WCT4XXP_LEDS_E1 0xF00u /* Read: E1 jumpers of spans 1 to 4, shifted by LEDS_E1_SHIFT; 1 = E1, 0 = T1. */
#define WCT4XXP_LEDS_E1_SHIFT 0x8u /* Lowest bit of LEDS_E1. */
#define WCT4XXP_LEDS_SWITCH_SHIFT 0x1Cu /* Read: lowest bit of the card's rotary switch (0 to 15). */
#define WCT4XXP_GPIOCTL 0x20u /* Direction of the GPIO pins, 1 = output. */
#define WCT4XXP_GPIOCTL_START 0x20000u /* Written at start-up; purpose unknown. */
#define WCT4XXP_GPIOCTL_OUTPUTS 0x200FFu /* Written at start-up after GPIOCTL_START: the low eight pins are outputs. */
#define WCT4XXP_GPIOCTL_ECHO 0x1000000u /* The pins and the data path serve the echo canceller module. */
#define WCT4XXP_GPIO 0x24u /* Levels of the GPIO pins. */
#define WCT4XXP_LADDR 0x28u /* Local bus: address and strobes. */
#define WCT4XXP_LADDR_REGISTER 0xFFu /* Local bus: register of the framer. */
#define WCT4XXP_LADDR_PORT_SHIFT 0x8u /* Local bus: lowest bit of the port (two bits). */
#define WCT4XXP_LADDR_PORT 0x300u /* Local bus: the two bits of the port. */
#define WCT4XXP_LADDR_FRAMER 0x400u /* Local bus: chip select of the framer. */
#define WCT4XXP_LADDR_ECHO 0x800u /* Local bus: chip select of the echo canceller. */
#define WCT4XXP_LADDR_ECHO_LATCH 0x2000u /* Local bus: address latch enable of the echo canceller. */
#define WCT4XXP_LADDR_LOWER_PORTS 0x4000u /* Local bus: set for ports 0 to 3, clear for ports 4 to 7. */
#define WCT4XXP_LADDR_READ 0x8000u /* Local bus: read strobe. */
#define WCT4XXP_LADDR_WRITE 0x10000u /* Local bus: write strobe. */
#define WCT4XXP_EXTENDED_RESET_ARM 0x42000000u /* Extended reset: bits of INTR, of LADDR, and the two states the line is toggled between. */
#define WCT4XXP_EXTENDED_RESET_LOW 0x80000u /* Extended reset: low. */
#define WCT4XXP_EXTENDED_RESET_HIGH 0x180000u /* Extended reset: high. */
#define WCT4XXP_LDATA 0x2Cu /* Local bus: data. */
#define WCT4XXP_LDATA_ECHO_ADDRESS 0x10000u /* Local bus: what is written is an address of the echo canceller module. */
#define WCT4XXP_FRAMER_DATA 0x2Cu /* The octet the framer was read of: a read of one octet at LDATA. */
#define WCT4XXP_LEDS2 0x30u /* The eight-port board: jumpers, lamps of spans 5 to 8, authentication. */
#define WCT4XXP_LEDS2_AUTHENTICATE 0x100000u /* Write: start the authentication. */
#define WCT4XXP_LEDS2_AUTHENTICATED 0x1000u /* Read: the authentication is done. */
#define WCT4XXP_SPI 0x34u /* The eight-port board: pins of the configuration flash. */

/* falc */
#define FALC_PORT_REGISTERS 0x100u /* Registers of one port. */
#define FALC_PORTS_QUAD 0x4u /* Ports of the quad chip. Boards with two connectors carry the quad chip all the same. */
#define FALC_PORTS_OCTAL 0x8u /* Ports of the octal chip (PEF 22558). */
#define FALC_RFIFO 0x0u /* Receive FIFO of the HDLC controller: reading pops. */
#define FALC_XFIFO 0x0u /* Transmit FIFO of the HDLC controller. */
#define FALC_CMDR 0x2u /* Commands. */
#define FALC_CMDR_RMC 0x80u /* Received message taken: frees the FIFO block. */
#define FALC_CMDR_RRES 0x40u /* Resets the receiver. */
#define FALC_CMDR_XRES 0x10u /* Resets the transmitter. */
#define FALC_CMDR_XHF 0x8u /* Sends the HDLC frame or part in the FIFO. */
#define FALC_CMDR_XME 0x2u /* The frame ends with this part. */
#define FALC_CMDR_SRES 0x1u /* Resets the HDLC transmitter. */
#define FALC_CMDR_XTF 0x4u /* Sends what is in the FIFO as it is, without frame. */
#define FALC_MODE 0x3u /* Mode of the HDLC controller. */
#define FALC_MODE_HRAC 0x8u /* The HDLC receiver is on. */
#define FALC_MODE_NO_ADDRESS 0x80u /* HDLC without address comparison. */
#define FALC_IPC 0x8u /* Chip: interrupt pin. */
#define FALC_IPC_PUSH_PULL_LOW 0x1u /* INT drives both ways and is active low. */
#define FALC_CCR1 0x9u /* Common configuration 1 of the HDLC controller. */
#define FALC_CCR1_EITS 0x10u /* The HDLC controller works in the slots of RTR1 and TTR1. */
#define FALC_CCR1_ITF 0x8u /* Flags fill the time between frames; otherwise ones. */
#define FALC_CCR2 0xAu /* Common configuration 2 of the HDLC controller. */
#define FALC_CCR2_RCRC 0x4u /* The received check sequence goes into the FIFO with the frame. */
#define FALC_SLOTS_A_REGISTER 0x8u /* Slots of a register of RTR1 or TTR1. */
#define FALC_RTR1 0xCu /* Receive slots of the HDLC controller, timeslots 0 to 7 (bit 7 first); three more follow. */
#define FALC_TTR1 0x10u /* Transmit slots of the HDLC controller, timeslots 0 to 7 (bit 7 first); three more follow. */
#define FALC_IMR0 0x14u /* Interrupt masks, 1 = masked, same bits as ISR0. */
#define FALC_IMR1 0x15u /* Interrupt masks of ISR1. */
#define FALC_IMR2 0x16u /* Interrupt masks of ISR2. */
#define FALC_IMR3 0x17u /* Interrupt masks of ISR3. */
#define FALC_IMR4 0x18u /* Interrupt masks of ISR4. */
#define FALC_IERR 0x1Bu /* Inserts one error a bit written. */
#define FALC_IERR_FAS 0x20u /* One wrong frame alignment signal. */
#define FALC_IERR_MULTIFRAME 0x10u /* One wrong multiframe alignment signal. */
#define FALC_IERR_CRC 0x8u /* One wrong CRC. */
#define FALC_IERR_CAS 0x4u /* One wrong CAS multiframe. */
#define FALC_IERR_BIPOLAR 0x1u /* One bipolar violation. */
#define FALC_FMR0 0x1Cu /* Framer mode 0: line codes, alarm simulation. */
#define FALC_FMR0_XC 0xC0u /* Transmit line code. */
#define FALC_FMR0_XC_HDB3 0xC0u /* Transmit HDB3. */
#define FALC_FMR0_XC_AMI 0x80u /* Transmit AMI. */
#define FALC_FMR0_RC 0x30u /* Receive line code. */
#define FALC_FMR0_RC_HDB3 0x30u /* Receive HDB3. */
#define FALC_FMR0_RC_AMI 0x20u /* Receive AMI. */
#define FALC_FMR0_FRS 0x2u /* Forces a new search for the frame when it goes from 0 to 1. */
#define FALC_FMR0_SIM 0x1u /* Alarm simulation. */
#define FALC_FMR1 0x1Du /* Framer mode 1: E1 or T1, transmit framing, counters. */
#define FALC_FMR1_CTM 0x80u /* T1: channel n of the line is slot n of the system. */
#define FALC_FMR1_AFR 0x40u /* Searches for the frame again by itself. */
#define FALC_FMR1_PMOD_T1 0x10u /* T1/J1; clear: E1. */
#define FALC_FMR1_XFS 0x8u /* E1: sends CRC-4 multiframes. */
#define FALC_FMR1_CRC 0x8u /* T1: CRC-6 is sent and checked. */
#define FALC_FMR1_ECM 0x4u /* Latches and clears the error counters every second. */
#define FALC_FMR1_SSD0 0x2u /* Low bit of the system data rate; see SIC1. */
#define FALC_FMR1_XAIS 0x1u /* Sends AIS to the line. */
#define FALC_FMR2 0x1Eu /* Framer mode 2: receive framing, automatic reactions. */
#define FALC_FMR2_RFS 0xC0u /* Receive framing. */
#define FALC_FMR2_RFS_DOUBLEFRAME 0x0u /* Receive framing: doubleframe. */
#define FALC_FMR2_RFS_CRC4 0x80u /* Receive framing: CRC-4 multiframe. */
#define FALC_FMR2_RFS_CRC4_AUTO 0xC0u /* Receive framing: CRC-4 multiframe, interworking by itself with a far end without it. */
#define FALC_FMR2_SSP 0x20u /* T1: the frame search looks at the candidate's neighbours. */
#define FALC_FMR2_SAIS 0x8u /* Sends AIS to the system side. */
#define FALC_FMR2_PLB 0x4u /* Payload loop: received slots go back to the line. */
#define FALC_FMR2_AXRA 0x2u /* Sends the remote alarm by itself while frame alignment is lost. */
#define FALC_FMR2_ALMF 0x1u /* Declares loss of multiframe by itself. */
#define FALC_LOOP 0x1Fu /* Loop of a single channel. */
#define FALC_LOOP_ECLB 0x20u /* The loop of the channel in bits 4:0 is on. */
#define FALC_XSW 0x20u /* Transmit service word. */
#define FALC_XSW_XSIS 0x80u /* Si bit of the service word. */
#define FALC_XSW_XTM 0x40u /* Transparent timeslot 0. */
#define FALC_XSW_XRA 0x20u /* Sends the remote alarm (A bit). */
#define FALC_XSW_SA 0x1Fu /* Sa4 to Sa8, sent as they stand. */
#define FALC_FMR4 0x20u /* T1: framer mode 4, at the address of XSW. */
#define FALC_FMR4_XRA 0x20u /* T1: sends the yellow alarm; the same bit as XSW_XRA. */
#define FALC_FMR4_SSC_2_OF_5 0x8u /* T1: frame lost with two wrong of five framing bits. */
#define FALC_FMR4_AUTO 0x4u /* T1: searches for the frame again by itself. */
#define FALC_FMR4_FM 0x3u /* T1: the two bits of the frame format. */
#define FALC_FMR4_FM_D4 0x0u /* T1: frames of twelve (D4). */
#define FALC_FMR4_FM_ESF 0x2u /* T1: frames of 24 (ESF). */
#define FALC_FMR5 0x21u /* T1: framer mode 5, at the address of XSP. */
#define FALC_FMR5_EIBR 0x40u /* T1: robbed-bit signalling on channels that are not clear (CCB1). */
#define FALC_FMR5_XLD 0x20u /* T1: sends the loop-down code. */
#define FALC_FMR5_XLU 0x10u /* T1: sends the loop-up code. */
#define FALC_XSP 0x21u /* Transmit spare bits. */
#define FALC_XSP_CASEN 0x40u /* Channel associated signalling in timeslot 16. */
#define FALC_XSP_EBP 0x10u /* Polarity of the E bits. */
#define FALC_XSP_AXS 0x8u /* Sends E bits by itself. */
#define FALC_XSP_XSIF 0x4u /* Si bit of the frame alignment signal. */
#define FALC_XC0 0x22u /* Transmit offset, bits 10:8, and sources of the Sa bits. */
#define FALC_XC1 0x23u /* Transmit offset, bits 7:0. */
#define FALC_RC0 0x24u /* Receive offset, bits 10:8. */
#define FALC_RC1 0x25u /* Receive offset, bits 7:0. */
#define FALC_OFFSET_HIGH 0x7u /* The bits of the offset in XC0 and RC0. */
#define FALC_RC0_SJR 0x80u /* RC0, T1: the line is a J1. */
#define FALC_XPM0 0x26u /* Transmit pulse mask, first octet. */
#define FALC_XPM1 0x27u /* Transmit pulse mask, second octet. */
#define FALC_XPM2 0x28u /* Transmit pulse mask, last octet, and the driver's switch. */
#define FALC_XPM2_XLT 0x40u /* The line transmitter is off (high impedance). */
#define FALC_TSWM 0x29u /* Transparency of timeslot 0, bit by bit. */
#define FALC_IDLE 0x2Bu /* Pattern of idle slots. */
#define FALC_XSA4 0x2Cu /* Transmit Sa4 bits of a multiframe; XSA5 to XSA8 follow. */
#define FALC_XSA7 0x2Fu /* Transmit Sa7 bits of a multiframe. */
#define FALC_XSA8 0x30u /* Transmit Sa8 bits of a multiframe. */
#define FALC_CCB1 0x2Fu /* T1: clear channels 1 to 8 (bit 7 first): no robbed bit, no zero suppression; two more follow. At the address of XSA7. */
#define FALC_FMR3 0x31u /* Framer mode 3. */
#define FALC_FMR3_EXTIW 0x1u /* Goes on searching for CRC-4 after 400 ms. */
#define FALC_ICB1 0x32u /* Idle code insertion for timeslots 0 to 7; three more follow. */
#define FALC_LIM0 0x36u /* Line interface mode 0. */
#define FALC_LIM0_EQON 0x8u /* The receive equalizer is on. */
#define FALC_LIM0_LL 0x2u /* Local loop: what is sent comes back as received. */
#define FALC_LIM0_MAS 0x1u /* Master mode. */
#define FALC_LIM1 0x37u /* Line interface mode 1. */
#define FALC_LIM1_CLOS 0x80u /* Clears the data while the signal is lost. */
#define FALC_LIM1_RIL 0x70u /* Level below which the signal is lost, a code of three bits. */
#define FALC_LIM1_JATT 0x4u /* Remote loop through the jitter attenuator. */
#define FALC_LIM1_RL 0x2u /* Remote (line) loop: what is received goes back to the line. */
#define FALC_PCD 0x38u /* The signal is lost after 16 × (PCD + 1) zeros. */
#define FALC_PCR 0x39u /* The signal is back with PCR + 1 ones in that window. */
#define FALC_LIM2 0x3Au /* Line interface mode 2. */
#define FALC_LIM2_LOS1 0x1u /* T1: the signal is lost by its level too. */
#define FALC_LIM2_SLICE_HALF 0x20u /* The slicer decides at half of the pulse. */
#define FALC_LCR1 0x3Bu /* Loop code and pseudo-random patterns. */
#define FALC_SIC1 0x3Eu /* System interface 1: clock, rate, elastic buffers. */
#define FALC_SIC2 0x3Fu /* System interface 2: channel phase. */
#define FALC_SIC2_CRB 0x20u /* Centres the receive buffer. */
#define FALC_SIC2_SICS_SHIFT 0x1u /* Lowest bit of the channel phase, which is the port. */
#define FALC_SIC3 0x40u /* System interface 3: clock edges. */
#define FALC_CMR1 0x44u /* Clock mode 1. Through port 0: which port's recovered clock drives RCLK. */
#define FALC_CMR1_RCLK 0x38u /* The bits of CMR1 besides the source: RCLK from DCO-R at 8.192 MHz, no switch to SYNC. */
#define FALC_CMR1_DRSS_SHIFT 0x6u /* Lowest bit of the source port. */
#define FALC_CMR4 0x41u /* The octal chip: which frequency RCLK has. */
#define FALC_CMR4_16_MHZ 0x5u /* CMR4 for 16.384 MHz. */
#define FALC_CMR5 0x42u /* The octal chip, through port 0: which port's recovered clock drives RCLK, in bits 7:5. */
#define FALC_CMR5_DRSS_SHIFT 0x5u /* Lowest bit of the source port in CMR5. */
#define FALC_CMR2 0x45u /* Clock mode 2. */
#define FALC_GCR 0x46u /* Global configuration. */
#define FALC_GCR_VIS 0x80u /* Masked interrupts show in the interrupt status registers all the same. */
#define FALC_GCR_SCI 0x40u /* LOS, AIS and their like interrupt on both edges. */
#define FALC_ESM 0x47u /* Which errors make an errored second; 0 = all. */
#define FALC_ESM_LFA 0x80u /* Loss of frame alignment. */
#define FALC_ESM_FER 0x40u /* Framing errors. */
#define FALC_ESM_CER 0x20u /* CRC errors. */
#define FALC_ESM_AIS 0x10u /* Alarm indication signal. */
#define FALC_ESM_LOS 0x8u /* Loss of signal. */
#define FALC_ESM_CVE 0x4u /* Code violations. */
#define FALC_ESM_SLIP 0x2u /* Slips. */
#define FALC_ESM_EBE 0x1u /* E bits. */
#define FALC_RBD 0x49u /* Delay of the receive buffer. */
#define FALC_VSTR 0x4Au /* Chip: version of the silicon. */
#define FALC_VSTR_2_1 0x5u /* Version 2.1 or older, and any chip in its compatibility mode. */
#define FALC_VSTR_3_1 0x20u /* Version 3.1; shows while GPC6_COMP_DIS is set. */
#define FALC_UNNAMED_4A 0x4Au /* Chip: unnamed to the writer at the address of VSTR. */
#define FALC_UNNAMED_4A_START 0xAAu /* What is written there after the version was read. */
#define FALC_RES 0x4Bu /* Status of the receive equalizer. */
#define FALC_FRS0 0x4Cu /* Framer receive status 0: the alarms. 0x00 on a healthy line. */
#define FALC_FRS0_LOS 0x80u /* Loss of signal. */
#define FALC_FRS0_AIS 0x40u /* Alarm indication signal: at most two zeros in 250 µs without frame alignment. */
#define FALC_FRS0_LFA 0x20u /* Loss of frame alignment. */
#define FALC_FRS0_RRA 0x10u /* Remote alarm received. */
#define FALC_FRS0_NMF 0x4u /* No CRC-4 multiframe found within 400 ms. */
#define FALC_FRS0_LMFA 0x2u /* E1: loss of multiframe alignment. */
#define FALC_FRS1 0x4Du /* Framer receive status 1. */
#define FALC_FRS1_TS16RA 0x40u /* Remote alarm of the CAS multiframe. */
#define FALC_FRS1_TS16LOS 0x20u /* Loss of signal in timeslot 16. */
#define FALC_FRS1_TS16AIS 0x10u /* All ones in timeslot 16. */
#define FALC_FRS1_TS16LFA 0x8u /* Loss of the CAS multiframe. */
#define FALC_FRS1_LLBDD 0x10u /* T1: the loop-down code is received. */
#define FALC_FRS1_LLBAD 0x8u /* T1: the loop-up code is received. */
#define FALC_RSW 0x4Eu /* Received service word. */
#define FALC_RSP 0x4Fu /* Received spare bits. */
#define FALC_FECL 0x50u /* Framing errors of the last second, low octet; the high one follows, as with every counter. */
#define FALC_FECH 0x51u /* Framing errors, high octet. */
#define FALC_CVCL 0x52u /* Code violations, low octet. */
#define FALC_CVCH 0x53u /* Code violations, high octet. */
#define FALC_CEC1L 0x54u /* CRC errors, low octet. */
#define FALC_CEC1H 0x55u /* CRC errors, high octet. */
#define FALC_EBCL 0x56u /* E bits (errors the far end saw), low octet. */
#define FALC_EBCH 0x57u /* E bits, high octet. */
#define FALC_CEC2L 0x58u /* Second CRC error counter, low octet. */
#define FALC_CEC3L 0x5Au /* Third CRC error counter, low octet. */
#define FALC_DEC 0x60u /* Freezes counters for reading; needed only without FMR1_ECM. */
#define FALC_RSP1 0x62u /* Which of RS1 to RS8 changed. */
#define FALC_RSP2 0x63u /* Which of RS9 to RS16 changed. */
#define FALC_SIS 0x64u /* Signalling status. */
#define FALC_SIS_XFW 0x40u /* The transmit FIFO may be written. */
#define FALC_SIS_CEC 0x4u /* A command is being carried out: wait for 0 before CMDR. */
#define FALC_SIS_SFS 0x2u /* The received signalling bits are frozen. */
#define FALC_RSIS 0x65u /* Status of the received frame; its last octet in the FIFO is laid out the same. */
#define FALC_RSIS_VFR 0x80u /* The frame is a whole number of octets, and not too short. */
#define FALC_RSIS_RDO 0x40u /* The FIFO ran over: the frame is not whole. */
#define FALC_RSIS_CRC16 0x20u /* The check sequence is right. */
#define FALC_RSIS_RAB 0x10u /* The sender gave the frame up. */
#define FALC_RBCL 0x66u /* Octets received, low octet. */
#define FALC_RBCH 0x67u /* Octets received, high bits. */
#define FALC_ISR0 0x68u /* Interrupt status 0; every interrupt status clears when read. */
#define FALC_ISR0_RME 0x80u /* End of a received HDLC frame. */
#define FALC_ISR0_CASC 0x8u /* A received signalling bit changed (RSC on a T1). */
#define FALC_ISR0_RPF 0x1u /* 32 octets of a frame were received. */
#define FALC_ISR1 0x69u /* Interrupt status 1. */
#define FALC_ISR1_ALLS 0x20u /* Everything was sent. */
#define FALC_ISR1_XDU 0x10u /* The transmit FIFO ran dry. */
#define FALC_ISR1_XPR 0x1u /* The transmit FIFO has room for 32 octets. */
#define FALC_ISR2 0x6Au /* Interrupt status 2: the alarms. */
#define FALC_ISR2_FAR 0x80u /* Frame alignment recovered. */
#define FALC_ISR2_LFA 0x40u /* Frame alignment lost. */
#define FALC_ISR2_MFAR 0x20u /* Multiframe alignment recovered. */
#define FALC_ISR2_T400MS 0x10u /* No CRC-4 multiframe within 400 ms. */
#define FALC_ISR2_AIS 0x8u /* Alarm indication signal. */
#define FALC_ISR2_LOS 0x4u /* Loss of signal. */
#define FALC_ISR2_RAR 0x2u /* Remote alarm ended. */
#define FALC_ISR2_RA 0x1u /* Remote alarm. */
#define FALC_ISR3 0x6Bu /* Interrupt status 3. */
#define FALC_ISR3_ES 0x80u /* The last second was an errored one. */
#define FALC_ISR3_SEC 0x40u /* A second has passed; the counters are latched. */
#define FALC_ISR3_LMFA16 0x20u /* CAS multiframe lost. */
#define FALC_ISR3_AIS16 0x10u /* All ones in timeslot 16. */
#define FALC_ISR3_RA16 0x8u /* Remote alarm in timeslot 16. */
#define FALC_ISR3_RSN 0x2u /* Receive slip, negative: a frame was repeated or dropped. */
#define FALC_ISR3_RSP 0x1u /* Receive slip, positive. */
#define FALC_ISR4 0x6Cu /* Interrupt status 4. */
#define FALC_ISR4_XSP 0x80u /* Transmit slip, positive. */
#define FALC_ISR4_XSN 0x40u /* Transmit slip, negative. */
#define FALC_GIS 0x6Eu /* Bit n: interrupt status n has something. */
#define FALC_CIS 0x6Fu /* Chip: bit p: port p has something. Bit 7 of the quad chip is no port: the PLL is locked. */
#define FALC_CIS_PORTS_QUAD 0xFu /* The bits of CIS that are ports of the quad chip. */
#define FALC_RS1 0x70u /* First received signalling register: the multiframe word of timeslot 16. */
#define FALC_XS1 0x70u /* First signalling register to send. */
#define FALC_SIGNALLING_REGISTERS 0x10u /* Signalling registers of an E1 port. */
#define FALC_XS1_ALIGNED 0xBu /* XS1: alignment 0000, X bits 1, no multiframe alarm. */
#define FALC_XS1_Y 0x4u /* XS1: the multiframe remote alarm (Y bit). */
#define FALC_PC1 0x80u /* Multi-function pins 1. */
#define FALC_PC2 0x81u /* Multi-function pins 2. */
#define FALC_PC3 0x82u /* Multi-function pins 3. */
#define FALC_PC4 0x83u /* Multi-function pins 4. */
#define FALC_PC5 0x84u /* Pin RCLK. */
#define FALC_PC5_CRP 0x1u /* RCLK is an output. */
#define FALC_GPC1 0x85u /* Chip: multiplexed highway. */
#define FALC_GPC2 0x8Au /* The octal chip: general purpose configuration 2. */
#define FALC_PC6 0x86u /* Series resistor of the transmitter; version 3.1 only. */
#define FALC_PC6_SERIES_E1 0x40u /* The 7.5 Ω of an E1 line are in series. */
#define FALC_GCM1 0x92u /* Chip: master clock synthesizer, first of eight. */
#define FALC_TSEO 0xA0u /* Slots of the HDLC controller: which frames. */
#define FALC_TSBS1 0xA1u /* Slots of the HDLC controller: which bits. */
#define FALC_EQUALIZER_POINTER 0xBBu /* Access to the receive equalizer's table: pointer. */
#define FALC_EQUALIZER_DATA 0xBCu /* Access to the receive equalizer's table: data. */
#define FALC_ERRATUM_BD 0xBDu /* T1, version 3.1: an erratum is worked around with 0x05. */
#define FALC_GPC6 0xD6u /* Chip: general purpose configuration 6. */
#define FALC_GPC6_COMP_DIS 0x20u /* Leaves the compatibility with version 2.1. */
#define FALC_GPC6_SSI16 0x10u /* The octal chip: the multiplexed highway runs at 16 MHz. */

/* dma */
#define DMA_SLOT_OCTETS 0x8u /* Samples (octets) of one slot in one buffer. */
#define DMA_SLOTS 0x20u /* Slots of a port. E1: slot = timeslot; slot 0 is the framer's. */
#define DMA_PORT_OCTETS 0x100u /* Octets of one port in one buffer. */
#define DMA_BUFFER_OCTETS_QUAD 0x400u /* Octets of a buffer of boards with two and four ports. */
#define DMA_BUFFER_OCTETS_OCTAL 0x800u /* Octets of a buffer of boards with eight ports. */
#define DMA_RING_BUFFERS_MIN 0x2u /* Generation 5: fewest buffers of a ring. */
#define DMA_RING_BUFFERS_MAX 0x7Fu /* Generation 5: most buffers of a ring. */
#define DMA_IDENTS 0x80u /* Generation 5: the ident counts completed milliseconds modulo this. */
#define DMA_T1_SLOT_OFFSET 0x4u /* Slots a channel is moved up by when every span of the board is T1: channel n sits in slot n + 4. */

/* image */
#define IMAGE_CRC 0x6u /* Where the CRC-32 is. */
#define IMAGE_SUMMED 0xAu /* Where what it sums up begins. */
#define IMAGE_VERSION 0x1Cu /* Where the version is. */
#define IMAGE_VERSION_IN_SUMMED 0x12u /* Where the version is in what is summed up. */
#define IMAGE_PAYLOAD 0x20u /* Where what goes to the flash begins. */

/* model */
#define MODEL_DIGIUM 0xD161u /* Maker of the later boards. */
#define MODEL_XILINX 0x10EEu /* Maker of the first FPGA, whose identity the first generation kept. */
#define IMAGE_MAGIC "DIGIUM" /* What a file begins with. */

/*
 * Every board: MODEL_MODELS(X) is X(vendor, device, sub-vendor or -1 for any other, name, generation, spans,
 * bursts allowed, extended reset) for each. The first row that matches wins.
 */
#define MODEL_MODELS(X) \
    X(0x10EE, 0x0314, -1, "TE410P/TE405P", 1, 4, 0, 0) \
    X(0xD161, 0x1820, -1, "TE820", 5, 8, 1, 1) \
    X(0xD161, 0x1420, 0x0005, "TE420", 5, 4, 1, 1) \
    X(0xD161, 0x1410, 0x0005, "TE410P", 5, 4, 1, 0) \
    X(0xD161, 0x1405, 0x0005, "TE405P", 5, 4, 1, 0) \
    X(0xD161, 0x0420, 0x0004, "TE420", 4, 4, 1, 1) \
    X(0xD161, 0x0410, 0x0004, "TE410P", 4, 4, 1, 0) \
    X(0xD161, 0x0405, 0x0004, "TE405P", 4, 4, 1, 0) \
    X(0xD161, 0x0410, 0x0003, "TE410P", 3, 4, 0, 0) \
    X(0xD161, 0x0405, 0x0003, "TE405P", 3, 4, 0, 0) \
    X(0xD161, 0x0410, -1, "TE410P", 2, 4, 0, 0) \
    X(0xD161, 0x0405, -1, "TE405P", 2, 4, 0, 0) \
    X(0xD161, 0x1220, 0x0005, "TE220", 5, 2, 1, 1) \
    X(0xD161, 0x1205, 0x0005, "TE205P", 5, 2, 1, 0) \
    X(0xD161, 0x1210, 0x0005, "TE210P", 5, 2, 1, 0) \
    X(0xD161, 0x0220, 0x0004, "TE220", 4, 2, 1, 1) \
    X(0xD161, 0x0205, 0x0004, "TE205P", 4, 2, 1, 0) \
    X(0xD161, 0x0210, 0x0004, "TE210P", 4, 2, 1, 0) \
    X(0xD161, 0x0205, 0x0003, "TE205P", 3, 2, 0, 0) \
    X(0xD161, 0x0210, 0x0003, "TE210P", 3, 2, 0, 0) \
    X(0xD161, 0x0205, -1, "TE205P", 2, 2, 0, 0) \
    X(0xD161, 0x0210, -1, "TE210P", 2, 2, 0, 0)
/* Single rows, for a macro of eight arguments. */
#define MODEL_TE405P_GEN5 0xD161, 0x1405, 0x0005, "TE405P", 5, 4, 1, 0
#define MODEL_TE410P_GEN5 0xD161, 0x1410, 0x0005, "TE410P", 5, 4, 1, 0
#define MODEL_TE410P_GEN2 0xD161, 0x0410, -1, "TE410P", 2, 4, 0, 0
#define MODEL_TE210P_GEN5 0xD161, 0x1210, 0x0005, "TE210P", 5, 2, 1, 0
#define MODEL_TE820 0xD161, 0x1820, -1, "TE820", 5, 8, 1, 1

#endif
