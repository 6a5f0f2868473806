//! Recordings: names, recorder ids, lengths. The samples never come here.

use call::{Accepted, CallEvent, Direction, LegId, OperationId, Refusal};
use dsp::pipeline::Command;
use tdm::{Channel, Law};

use crate::RecorderOrder;
use crate::leg::{Recording, State};
use crate::machine::{Media, OperationKind, RecordingKind, wrong_state};
use crate::names::{bad_value, limit};

/// Characters a name may have.
const NAME_MAX: usize = 64;

impl Media {
    pub(crate) fn record(
        &mut self,
        id: LegId,
        name: String,
        early: bool,
    ) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        // Before the answer there may be words of the network to be kept.
        let is_early = leg.direction == Direction::Outbound && leg.settled;
        let hears = match leg.state {
            State::Answered => !early,
            State::Dialling | State::Listening => is_early,
            State::Offered | State::Answering | State::Ending => false,
        };
        if !hears {
            let state = crate::leg::state_name(leg.state);
            let what = if early { "answered" } else { "not answered" };
            return Err(wrong_state("leg", state, format!("leg {id} is {what}")));
        }
        // What is kept of an answer gives way.
        if leg.recording.as_ref().is_some_and(|running| running.kind == RecordingKind::Asked) {
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
        self.end_keeping(id);
        if self.recorders.is_empty() {
            let most = u64::from(self.settings.limits.recorders);
            return Err(limit("recorders", most, format!("at most {most} recordings at a time")));
        }
        let operation = self.begin_operation(id, OperationKind::Record);
        self.open_recording(id, on, name, Some(operation));
        if let Some(recording) = self.legs.get_mut(&id).and_then(|leg| leg.recording.as_mut()) {
            recording.early = early;
        }
        Ok(Accepted { operation: Some(operation), ..Accepted::default() })
    }

    /// Begins a recording with a free recorder: of what was asked for by an operation, else of an answer.
    pub(crate) fn open_recording(
        &mut self,
        id: LegId,
        on: Channel,
        name: String,
        operation: Option<OperationId>,
    ) {
        let Some(recorder) = self.recorders.pop_front() else { return };
        let since = self.now;
        let kind = if operation.is_some() { RecordingKind::Asked } else { RecordingKind::Answer };
        let law = self.spans.iter().find(|s| s.id == on.span).map_or(Law::A, |s| s.law);
        if let Some(leg) = self.legs.get_mut(&id) {
            let (name, lost_samples, early) = (name.clone(), 0, false);
            let new = Recording { operation, recorder, kind, name, since, lost_samples, early };
            leg.recording = Some(new);
        }
        self.recorder(RecorderOrder::Open { recorder, leg: id, name, kind, law });
        self.pipeline(Command::Record { on, recorder });
    }

    pub(crate) fn stop_record(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        // What is kept of an answer nobody asked for with `record`.
        let running = self.live(id)?.recording.as_ref();
        if !running.is_some_and(|running| running.kind == RecordingKind::Asked) {
            return Err(wrong_state("leg", "not recording", format!("leg {id} is not recorded")));
        }
        self.end_recording(id);
        Ok(Accepted::default())
    }

    /// Ends the recording of a leg, if there is one.
    pub(crate) fn end_recording(&mut self, id: LegId) {
        self.close_recording(id, false);
    }

    /// Ends and throws away what was recorded of a leg before its answer. The call server does so by itself, in the same
    /// millisecond: nobody is recorded because a call centre was slow, or away.
    pub(crate) fn drop_early_recording(&mut self, id: LegId) {
        let recording = self.legs.get(&id).and_then(|leg| leg.recording.as_ref());
        if recording.is_some_and(|recording| recording.early) {
            self.close_recording(id, true);
        }
    }

    /// The writer could not make the file of a recording: there is none.
    pub(crate) fn recording_failed(&mut self, name: &str) {
        let of = |leg: &&crate::leg::Leg| leg.recording.as_ref().is_some_and(|r| r.name == name);
        if let Some(id) = self.legs.values().find(of).map(|leg| leg.id) {
            self.close_recording(id, true);
        }
    }

    fn close_recording(&mut self, id: LegId, dropped: bool) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (Some(recording), on) = (leg.recording.take(), leg.channel) else { return };
        if let Some(on) = on {
            self.pipeline(Command::StopRecord { on });
        }
        self.recorder(RecorderOrder::Close { recorder: recording.recorder, drop: dropped });
        self.recorders.push_back(recording.recorder);
        recording.operation.into_iter().for_each(|operation| self.end_operation(operation));
        let millis = u32::try_from(self.now.millis_since(recording.since)).unwrap_or(u32::MAX);
        let lost_millis = u32::try_from(recording.lost_samples / 8).unwrap_or(u32::MAX);
        let name = recording.name;
        self.event(CallEvent::Recorded { leg: id, name, millis, lost_millis, dropped });
    }
}

/// A name, never a path: letters, digits, `-`, `_` and points that do not lead.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
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
