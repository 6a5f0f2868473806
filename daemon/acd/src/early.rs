//! Ends that come before the answer which names the leg.
//!
//! A dial is sent again under its key when the call server is back, to learn its leg. Meanwhile that leg may have
//! ended: its summary comes before the answer does, and nothing comes after it. Such a summary is kept until the
//! answer claims it, or until no dial is left that could.

use call::{CallCommand, Direction, LegId, Summary};

use crate::Acd;
use crate::limits::CALLS_MAX;

impl Acd {
    /// Whether an unanswered command of ours may have made this leg.
    pub(crate) fn may_be_awaited(&self, summary: &Summary) -> bool {
        summary.direction == Direction::Outbound
            && self.state.early.len() < CALLS_MAX
            && self.state.pending.iter().any(|(_, pending)| match &pending.command {
                CallCommand::Dial(dial) => {
                    dial.group == summary.group && dial.called.digits == summary.called.digits
                }
                CallCommand::Transfer { called, .. } => called.digits == summary.called.digits,
                _ => false,
            })
    }

    pub(crate) fn keep_early(&mut self, summary: &Summary) {
        self.state.early.insert(summary.leg, summary.clone());
    }

    /// After an answer that named `leg`, or after pending commands were dropped: what is claimed ends now, what
    /// nothing can claim any more was a stranger.
    pub(crate) fn settle_early(&mut self, leg: Option<LegId>) {
        if let Some(summary) = leg.and_then(|leg| self.state.early.remove(&leg)) {
            self.leg_ended(&summary);
        }
        for leg in self.state.early.keys() {
            let unclaimed = self.state.early.get(&leg).filter(|s| !self.may_be_awaited(s)).cloned();
            if let Some(summary) = unclaimed {
                self.state.early.remove(&leg);
                self.leg_ended(&summary);
            }
        }
    }
}
