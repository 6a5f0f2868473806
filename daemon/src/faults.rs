//! The names of what can be broken on emulated boards, for `ctl emulate fault` and for `[[emulate.fault]]`.

use emulator::{BoardFault, Fault};

/// Faults of a port, as they are named.
const OF_A_PORT: &str = "of a port: loss_of_signal, loss_of_frame, alarm_indication, remote_alarm, cut, no_multiframe, \
     dead_timeslot_16, multiframe_alarm, slip, slip_skipped, bit_errors, crc_errors, clock_offset";
/// Faults of a board.
const OF_A_BOARD: &str = "of a board: frozen_clock, missed_interrupts, dead_interrupt, pulled, dma_stopped, clock_offset";
/// Clocks that are further off are none.
const PPM_MAX: f64 = 1000.0;

fn between(name: &str, value: Option<f64>, low: f64, high: f64) -> Result<f64, String> {
    let inside = value.filter(|value| (low..=high).contains(value));
    inside.ok_or_else(|| format!("`{name}` takes a `value` from {low} to {high}"))
}

/// The fault of a port that is named so.
///
/// # Errors
/// What there is, or which value it takes.
pub fn of_port(name: Option<&str>, value: Option<f64>) -> Result<Fault, String> {
    Ok(match name.unwrap_or_default() {
        "loss_of_signal" => Fault::LossOfSignal,
        "loss_of_frame" => Fault::LossOfFrame,
        "alarm_indication" => Fault::AlarmIndication,
        "remote_alarm" => Fault::RemoteAlarm,
        "cut" => Fault::Cut,
        "no_multiframe" => Fault::NoMultiframe,
        "dead_timeslot_16" => Fault::DeadTimeslot16,
        "multiframe_alarm" => Fault::MultiframeAlarm,
        "slip" => Fault::Slip,
        "slip_skipped" => Fault::SlipSkipped,
        "bit_errors" => match value {
            Some(rate) if rate > 0.0 && rate <= 0.5 => Fault::BitErrors(rate),
            _ => return Err("`bit_errors` takes a `value` above 0 and up to 0.5".to_owned()),
        },
        "crc_errors" => Fault::CrcErrors(between("crc_errors", value, 1.0, 1000.0)? as u16),
        "clock_offset" => Fault::ClockOffset(between("clock_offset", value, -PPM_MAX, PPM_MAX)?),
        _ => return Err(OF_A_PORT.to_owned()),
    })
}

/// The fault of a board that is named so.
///
/// # Errors
/// What there is, or which value it takes.
pub fn of_board(name: Option<&str>, value: Option<f64>) -> Result<BoardFault, String> {
    Ok(match name.unwrap_or_default() {
        "frozen_clock" => BoardFault::FrozenClock,
        "missed_interrupts" => {
            BoardFault::MissedInterrupts(between("missed_interrupts", value, 1.0, 1e6)? as u32)
        }
        "dead_interrupt" => BoardFault::DeadInterrupt,
        "pulled" => BoardFault::Pulled,
        "dma_stopped" => BoardFault::DmaStopped,
        "clock_offset" => {
            BoardFault::ClockOffset(between("clock_offset", value, -PPM_MAX, PPM_MAX)?)
        }
        _ => return Err(OF_A_BOARD.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word of the lists is one that is understood, and with a value where it takes one.
    #[test]
    fn every_fault_that_is_listed_can_be_had() {
        let names = |list: &'static str| list.split_once(": ").unwrap().1.split(", ");
        for name in names(OF_A_PORT) {
            assert!(
                of_port(Some(name), Some(0.5)).is_ok() || of_port(Some(name), Some(2.0)).is_ok(),
                "{name}"
            );
        }
        for name in names(OF_A_BOARD) {
            assert!(of_board(Some(name), Some(2.0)).is_ok(), "{name}");
        }
        assert!(of_port(Some("clock_offset"), Some(4.6)) == Ok(Fault::ClockOffset(4.6)));
        for (name, value) in [("clock_offset", f64::NAN), ("crc_errors", 0.0), ("bit_errors", 1.0)]
        {
            assert!(of_port(Some(name), Some(value)).is_err(), "{name}");
        }
        assert!(of_port(None, None).is_err() && of_board(Some("cut"), None).is_err());
    }
}
