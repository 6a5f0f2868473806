//! Kept decisions: what is heard of whoever answered, from CONNECT on, so that people can say whether the ear was right.
//!
//! It ends when its time is up, with the call, or in the block that joins the leg to another: nothing of a conversation
//! is in it, whoever makes the bridge and whether a controller is there or not. Recordings that somebody asked for go
//! first: they end it, and it takes no recorder of the last quarter.

use call::{KeepDecision, LegId};

use crate::machine::{LegTimer, Media, RecordingKind, Timer};

impl Media {
    /// An answer is being kept from now on, if there is room for it.
    pub(crate) fn begin_keeping(&mut self, id: LegId, keep: &KeepDecision) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (Some(on), None) = (leg.channel, &leg.recording) else { return };
        let name = format!("{}-{}", keep.of, leg.call);
        let reserve = usize::from(self.settings.limits.recorders) / 4;
        if self.recorders.len() <= reserve {
            return;
        }
        self.open_recording(id, on, name, None);
        self.set_timer(Timer::Leg(id, LegTimer::Keep), keep.millis);
    }

    /// Nothing of this leg is kept any more.
    pub(crate) fn end_keeping(&mut self, id: LegId) {
        let recording = self.legs.get(&id).and_then(|leg| leg.recording.as_ref());
        if recording.is_some_and(|recording| recording.kind == RecordingKind::Answer) {
            self.timers.cancel(Timer::Leg(id, LegTimer::Keep));
            self.end_recording(id);
        }
    }
}
