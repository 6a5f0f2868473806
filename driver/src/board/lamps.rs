//! The lamps at the connectors. Register map B.7.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::wct4xxp as regs;
use tdm::SpanStatus;

/// Red blinks with this period, in milliseconds of the board: dark for the first third.
const BLINK_MILLIS: u64 = 480;

/// The lamp of one port: green in service, yellow with a remote alarm, blinking red out of service.
pub fn lamp(status: &SpanStatus, suspect: bool, millisecond: u64) -> u32 {
    let dark = millisecond % BLINK_MILLIS < BLINK_MILLIS / 3;
    match (status.in_service && !suspect, status.alarms.is_empty()) {
        (true, true) => regs::LAMP_GREEN,
        (true, false) => regs::LAMP_YELLOW,
        (false, _) if dark => regs::LAMP_OFF,
        (false, _) => regs::LAMP_RED,
    }
}
