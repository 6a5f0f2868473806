//! Recordings: names, recorder ids, lengths. The samples never come here.

use call::{Accepted, CallEvent, Direction, LegId, Refusal};
use dsp::pipeline::Command;

use crate::RecorderOrder;
use crate::leg::{Recording, State};
use crate::machine::{Media, OperationKind, wrong_state};
use crate::names::{bad_value, limit};

/// Characters a name may have.
const NAME_MAX: usize = 64;

impl Media {
    pub(crate) fn record(&mut self, id: LegId, name: String) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        // Before the answer there may be words of the network to be kept.
        let is_early = leg.direction == Direction::Outbound && leg.settled;
        let hears = match leg.state {
            State::Answered => true,
            State::Dialling | State::Listening => is_early,
            State::Offered | State::Answering | State::Ending => false,
        };
        if !hears {
            let state = crate::leg::state_name(leg.state);
            return Err(wrong_state("leg", state, format!("leg {id} is not answered")));
        }
        if leg.recording.is_some() {
            return Err(wrong_state("leg", "recording", format!("leg {id} is recorded already")));
        }
        check_name(&name)?;
        let used = |leg: &crate::leg::Leg| leg.recording.as_ref().is_some_and(|r| r.name == name);
        if self.legs.values().any(used) {
            return Err(bad_value("name", format!("{name} is being recorded already")));
        }
        let Some(on) = leg.channel else {
            return Err(wrong_state("leg", "no channel", format!("leg {id} has no channel")));
        };
        let Some(recorder) = self.recorders.pop_front() else {
            let most = u64::from(self.settings.limits.recorders);
            return Err(limit("recorders", most, format!("at most {most} recordings at a time")));
        };
        let operation = self.begin_operation(id, OperationKind::Record);
        let since = self.now;
        if let Some(leg) = self.legs.get_mut(&id) {
            let name = name.clone();
            leg.recording = Some(Recording { operation, recorder, name, since, lost_samples: 0 });
        }
        self.recorder(RecorderOrder::Open { recorder, leg: id, name });
        self.pipeline(Command::Record { on, recorder });
        Ok(Accepted { operation: Some(operation), ..Accepted::default() })
    }

    pub(crate) fn stop_record(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        if self.live(id)?.recording.is_none() {
            return Err(wrong_state("leg", "not recording", format!("leg {id} is not recorded")));
        }
        self.end_recording(id);
        Ok(Accepted::default())
    }

    /// Ends the recording of a leg, if there is one.
    pub(crate) fn end_recording(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (Some(recording), on) = (leg.recording.take(), leg.channel) else { return };
        if let Some(on) = on {
            self.pipeline(Command::StopRecord { on });
        }
        self.recorder(RecorderOrder::Close { recorder: recording.recorder });
        self.recorders.push_back(recording.recorder);
        self.end_operation(recording.operation);
        let millis = u32::try_from(self.now.millis_since(recording.since)).unwrap_or(u32::MAX);
        let lost_millis = u32::try_from(recording.lost_samples / 8).unwrap_or(u32::MAX);
        let name = recording.name;
        self.event(CallEvent::Recorded { leg: id, name, millis, lost_millis });
    }
}

/// A name, never a path: letters, digits, `-`, `_` and points that do not lead.
fn check_name(name: &str) -> Result<(), Refusal> {
    if name.len() > NAME_MAX {
        let what = format!("a name has at most {NAME_MAX} characters");
        return Err(limit("name", NAME_MAX as u64, what));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(good) {
        let what = "a name has letters, digits, '-', '_' and '.', and does not begin with '.'";
        return Err(bad_value("name", String::from(what)));
    }
    Ok(())
}
