//! A person who calls us: listens, presses a key, waits with limited patience, talks, hangs up.

use crate::ledger::Standing;
use crate::mouth::Piece;
use crate::party::{Scene, Shared, Signal};
use crate::pilot::Pilot;

/// Sound that makes a prompt, for those who interrupt it.
const BARGE_IN_SOUND_MILLIS: [u64; 2] = [300, 1500];
/// Sound that makes a prompt, for those who hear it out, and the quiet that ends it.
const PROMPT_SOUND_MILLIS: u32 = 800;
const PROMPT_QUIET_MILLIS: u32 = 700;
/// Who hears nothing that ends presses the key after this.
const PROMPT_MILLIS_MAX: u64 = 10_000;
/// The information was heard when so much sound came after the key, and is over after so much quiet.
const INFORMATION_SOUND_MILLIS: u32 = 1000;
const INFORMATION_QUIET_MILLIS: u32 = 1500;
/// How soon those leave who do not like a telephone to ring for them.
const LEAVE_AT_RING_MILLIS: [u64; 2] = [200, 1000];
/// How long one who is about to leave stays because somebody may just be answering.
const SECOND_THOUGHT_MILLIS: u64 = 200;

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Agent,
    Information,
    /// Leaves before pressing anything, so long after the answer.
    Nothing {
        stays_millis: u64,
    },
    /// Presses nothing and waits.
    Silence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// SETUP is on its way, or it rings.
    Calling { until: u64 },
    /// Hears the flow.
    Listening { since: u64, sound_wanted: u32 },
    /// Waits for an agent.
    Waiting { until: u64 },
    /// Listens to the information.
    Informed { until: u64 },
    /// Talks to an agent.
    Talking { until: u64 },
    /// Hung up, or was hung up on.
    Gone,
}

/// A caller.
#[derive(Clone, Debug)]
pub struct Caller {
    number: String,
    want: Want,
    barges_in: bool,
    leaves_at_ring: bool,
    patience_millis: u64,
    talk_millis: u64,
    state: State,
}

impl Caller {
    /// A caller with this number, whose SETUP leaves now.
    pub fn new(number: String, now_millis: u64, shared: &mut Shared) -> Self {
        let times = *shared.times();
        let callers = shared.scenario.callers.clone();
        let die = shared.rng.below(100);
        let leaves = u64::from(callers.leave_in_ivr_percent);
        let informed = leaves + u64::from(callers.information_percent);
        let silent = informed + u64::from(callers.silent_percent);
        let want = if die < leaves {
            Want::Nothing { stays_millis: times.ivr_patience.draw(&mut shared.rng) }
        } else if die < informed {
            Want::Information
        } else if die < silent {
            Want::Silence
        } else {
            Want::Agent
        };
        Self {
            number,
            want,
            barges_in: shared.percent(callers.barge_in_percent),
            leaves_at_ring: shared.percent(callers.leave_at_ring_percent),
            patience_millis: times.patience.draw(&mut shared.rng),
            talk_millis: times.talk.draw(&mut shared.rng),
            state: State::Calling { until: now_millis + u64::from(times.unanswered_patience) },
        }
    }

    /// The number it calls from.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Its channel was lost to a call of the other side before anything was said: calls anew.
    pub fn begin_again(&mut self, now_millis: u64, shared: &Shared) {
        let until = now_millis + u64::from(shared.times().unanswered_patience);
        self.state = State::Calling { until };
    }

    /// Something came by signalling.
    pub fn signal(&mut self, signal: Signal, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        match (signal, self.state) {
            (Signal::Proceeding, _) => {
                scene.shared.ledger.with(scene.record, |call| call.reached = true);
            }
            (Signal::Connected, State::Calling { .. }) => {
                scene.shared.ledger.with(scene.record, |call| {
                    call.reached = true;
                    call.answered_millis = Some(now);
                });
                self.stand(Standing::InFlow, scene);
                scene.ear.forget();
                let [least, most] = BARGE_IN_SOUND_MILLIS;
                let sound_wanted = if self.barges_in {
                    scene.shared.rng.between(least, most) as u32
                } else {
                    PROMPT_SOUND_MILLIS
                };
                self.state = State::Listening { since: now, sound_wanted };
            }
            (Signal::Connected, _) => {}
            (Signal::Clearing, _) => {
                scene.mouth.hush();
                scene.mouth.pilot(None);
                self.state = State::Gone;
            }
        }
    }

    /// One millisecond.
    pub fn tick(&mut self, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        match self.state {
            State::Calling { until } if now >= until => self.leave(scene),
            State::Listening { since, sound_wanted } => self.listen(since, sound_wanted, scene),
            State::Waiting { until } => self.wait(until, scene),
            State::Informed { until } => {
                let ear = &scene.ear;
                if ear.sound_millis >= INFORMATION_SOUND_MILLIS {
                    self.stand(Standing::Informed, scene);
                }
                let is_over = scene.ear.sound_millis >= INFORMATION_SOUND_MILLIS
                    && scene.ear.quiet_millis >= INFORMATION_QUIET_MILLIS;
                if is_over || now >= until {
                    self.leave(scene);
                }
            }
            State::Talking { until } => {
                scene.note_talk();
                if now >= until {
                    self.leave(scene);
                }
            }
            State::Calling { .. } | State::Gone => {}
        }
    }

    /// One millisecond after hanging up, until the other side has cleared: whether an agent came in just then. Until
    /// then he was not heard because he was not there: the wait is no gap in a conversation.
    pub fn linger(&self, scene: &mut Scene<'_>) {
        let was = scene.shared.ledger.standing(scene.record);
        if matches!(was, Standing::Queued | Standing::Rung) && scene.ear.suspects_pilot() {
            self.stand(Standing::Talked, scene);
            scene.note_heard();
        }
    }

    fn listen(&mut self, since: u64, sound_wanted: u32, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        if scene.ear.hears_pilot() {
            return self.talk(scene);
        }
        if let Want::Nothing { stays_millis } = self.want {
            if now >= since + stays_millis {
                self.leave(scene);
            }
            return;
        }
        let has_heard = scene.ear.sound_millis >= sound_wanted
            && (self.barges_in || scene.ear.quiet_millis >= PROMPT_QUIET_MILLIS);
        if !has_heard && now < since + PROMPT_MILLIS_MAX {
            return;
        }
        let callers = &scene.shared.scenario.callers;
        let (agent, information) = (callers.agent_key, callers.information_key);
        let patience = self.patience_millis;
        scene.ear.forget();
        match self.want {
            Want::Information => {
                scene.mouth.say(Piece::Key(information as u8));
                let most = u64::from(scene.shared.times().information_patience);
                self.state = State::Informed { until: now + most };
            }
            want => {
                if want == Want::Agent {
                    scene.mouth.say(Piece::Key(agent as u8));
                }
                self.stand(Standing::Queued, scene);
                self.state = State::Waiting { until: now + patience };
            }
        }
    }

    fn wait(&mut self, until: u64, scene: &mut Scene<'_>) {
        let now = scene.now_millis;
        if scene.ear.hears_pilot() {
            return self.talk(scene);
        }
        if now >= until && scene.ear.suspects_pilot() {
            self.state = State::Waiting { until: now + SECOND_THOUGHT_MILLIS };
            return;
        }
        let was = scene.shared.ledger.standing(scene.record);
        let rings = scene.shared.rings_for(&self.number) || scene.ear.hears_ringback();
        if rings && was == Standing::Queued {
            self.stand(Standing::Rung, scene);
            if self.leaves_at_ring {
                let [least, most] = LEAVE_AT_RING_MILLIS;
                let soon = now + scene.shared.rng.between(least, most);
                self.state = State::Waiting { until: until.min(soon) };
                return;
            }
        } else if !rings && was == Standing::Rung {
            self.stand(Standing::Queued, scene);
        }
        if now >= until {
            self.leave(scene);
        }
    }

    fn talk(&mut self, scene: &mut Scene<'_>) {
        self.stand(Standing::Talked, scene);
        scene.converse(Pilot::Caller);
        scene.note_talk();
        self.state = State::Talking { until: scene.now_millis + self.talk_millis };
    }

    fn leave(&mut self, scene: &mut Scene<'_>) {
        scene.hang_up();
        self.state = State::Gone;
    }

    fn stand(&self, standing: Standing, scene: &mut Scene<'_>) {
        scene.shared.ledger.with(scene.record, |call| call.standing = standing);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dsp::g711;
    use dsp::zones::Zone;
    use tdm::{Law, Rng};

    use super::*;
    use crate::ear::Ear;
    use crate::ledger::{CallTruth, Ledger, PartyKind};
    use crate::mouth::Mouth;
    use crate::party::Tones;
    use crate::pilot::PilotSource;
    use crate::{Scenario, Voices};

    /// Who waits in vain, hangs up and is answered in that very moment has talked, and his wait was no gap.
    #[test]
    fn the_wait_of_one_who_hangs_up_as_an_agent_comes_is_no_gap_in_a_conversation() {
        let zone = Zone::by_key("cn").expect("China has a plan");
        let mut shared = Shared {
            scenario: Arc::new(Scenario::demo()),
            seed: 1,
            voices: Voices::embedded(),
            tones: Tones::of(zone).expect("tones"),
            rng: Rng::from_seed(1),
            ledger: Ledger::default(),
            ringing: Default::default(),
            engaged: Default::default(),
        };
        let record = shared.ledger.open(CallTruth::new(PartyKind::Caller, 1, "100", 0));
        let mut caller = Caller::new("5551".into(), 0, &mut shared);
        let mut ear = Ear::new(Law::A, Pilot::Agent);
        let mut mouth = Mouth::new(Law::A, Arc::from([0.0]), &mut Rng::from_seed(2));
        let mut wishes = Vec::new();
        for now_millis in 0..8_000 {
            ear.hear(&[g711::encode_f32(Law::A, 0.0); 8]);
            assert!(!ear.suspects_pilot(), "at {now_millis} ms");
        }
        let mut pilot = PilotSource::new(Pilot::Agent);
        for now_millis in 8_000..8_040 {
            ear.hear(&core::array::from_fn(|_| g711::encode_f32(Law::A, pilot.next_sample())));
            let (ear, mouth, wishes) = (&mut ear, &mut mouth, &mut wishes);
            let shared = &mut shared;
            let mut scene = Scene { now_millis, ear, mouth, shared, record, wishes };
            if now_millis == 8_000 {
                caller.stand(Standing::Queued, &mut scene);
                caller.leave(&mut scene);
            }
            caller.linger(&mut scene);
        }
        let truth = &shared.ledger.calls()[record];
        assert!(truth.talked && truth.standing == Standing::Talked, "{truth:?}");
        assert_eq!(truth.longest_gap_millis, 0);
    }
}
