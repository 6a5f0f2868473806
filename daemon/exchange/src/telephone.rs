//! An agent's telephone on the PBX: nailed (up all the time) or rung (for each call).

use call::Cause;

use crate::party::{Scene, Shared, Signal, Wish, count_down, count_up};
use crate::pilot::Pilot;
use crate::scenario::TelephoneKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The call has just come.
    Fresh,
    /// Rings until then; `None`: for ever.
    Ringing {
        until: Option<u64>,
    },
    /// Up, alone.
    Alone {
        since: u64,
    },
    /// Up, and somebody is there.
    Together,
    Gone,
}

/// A telephone.
#[derive(Clone, Debug)]
pub struct Telephone {
    extension: String,
    /// Who calls, as the call said.
    caller: Option<String>,
    kind: Option<TelephoneKind>,
    state: State,
}

impl Telephone {
    /// The telephone of an extension, at a call of `caller`.
    pub fn new(extension: &str, caller: Option<String>, shared: &Shared) -> Self {
        Self {
            extension: extension.to_owned(),
            caller,
            kind: shared.scenario.telephone(extension),
            state: State::Fresh,
        }
    }

    /// Something came by signalling.
    pub fn signal(&mut self, signal: Signal, scene: &mut Scene<'_>) {
        if signal == Signal::Clearing {
            scene.mouth.hush();
            scene.mouth.pilot(None);
            self.put_down(scene);
        }
    }

    /// One millisecond.
    pub fn tick(&mut self, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        match self.state {
            State::Fresh => self.begin(scene),
            State::Ringing { until: Some(until) } if now >= until => {
                self.stop_ringing(scene);
                self.answer(scene);
            }
            State::Alone { since } => {
                if scene.ear.hears_pilot() {
                    scene.converse(Pilot::Agent);
                    scene.note_talk();
                    self.state = State::Together;
                } else if self.kind == Some(TelephoneKind::Rung)
                    && now >= since + u64::from(scene.shared.times().lonely_telephone)
                {
                    self.put_down(scene);
                    scene.hang_up();
                }
            }
            State::Together if !scene.ear.hears_pilot() => {
                scene.mouth.hush();
                self.state = State::Alone { since: now };
            }
            State::Ringing { .. } | State::Together | State::Gone => {}
        }
    }

    fn begin(&mut self, scene: &mut Scene<'_>) {
        let refuse = |cause| Wish::Clear { cause, in_band: false };
        let Some(kind) = self.kind else {
            self.state = State::Gone;
            return scene.wish(refuse(Cause::UNALLOCATED_NUMBER));
        };
        if scene.shared.engaged.contains_key(&self.extension) {
            self.state = State::Gone;
            return scene.wish(refuse(Cause::USER_BUSY));
        }
        count_up(&mut scene.shared.engaged, &self.extension);
        match kind {
            TelephoneKind::Nailed => self.answer(scene),
            TelephoneKind::Rung => {
                scene.wish(Wish::Alert { in_band: false });
                if let Some(caller) = &self.caller {
                    count_up(&mut scene.shared.ringing, caller);
                }
                let never = scene.shared.scenario.pbx.never_answers_percent;
                let wait = scene.shared.times().telephone_answers;
                let until = (!scene.shared.percent(never))
                    .then(|| scene.now_millis + wait.draw(&mut scene.shared.rng));
                self.state = State::Ringing { until };
            }
        }
    }

    fn answer(&mut self, scene: &mut Scene<'_>) {
        scene.wish(Wish::Connect);
        scene.mouth.pilot(Some(Pilot::Agent));
        self.state = State::Alone { since: scene.now_millis };
    }

    fn stop_ringing(&mut self, scene: &mut Scene<'_>) {
        if let (State::Ringing { .. }, Some(caller)) = (self.state, &self.caller) {
            count_down(&mut scene.shared.ringing, caller);
        }
    }

    fn put_down(&mut self, scene: &mut Scene<'_>) {
        self.stop_ringing(scene);
        if !matches!(self.state, State::Fresh | State::Gone) {
            count_down(&mut scene.shared.engaged, &self.extension);
        }
        self.state = State::Gone;
    }
}
