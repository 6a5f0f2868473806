//! What an agent types on his telephone: `*` codes. The table stands at the crate's root.

use call::{Accepted, CallCommand, Cause, LegId, Number, OperationId, Refusal, TransferKind};

use crate::Acd;
use crate::action::Was;
use crate::limits::{CODE_DIGIT_MICROS, CODE_DIGITS_MAX};
use crate::state::{AgentState, Purpose, Role, Stage, Transfer, Typed, Work};

/// A code, complete.
#[derive(Debug, PartialEq, Eq)]
enum Code {
    Ready,
    Hold,
    Blind(String),
    Consult(String),
    Connect,
    Release,
    GiveUp,
    Pause,
    Machine,
}

/// What keys from a star on mean so far.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Whole(Code),
    Unfinished,
    Nonsense,
}

fn read(keys: &str) -> Reading {
    let Some(rest) = keys.strip_prefix('*') else { return Reading::Nonsense };
    let Some(kind) = rest.chars().next() else { return Reading::Unfinished };
    let number = rest.get(1..).unwrap_or_default();
    match kind {
        '0' => Reading::Whole(Code::Ready),
        '1' => Reading::Whole(Code::Hold),
        '4' => Reading::Whole(Code::Connect),
        '5' => Reading::Whole(Code::Release),
        '7' => Reading::Whole(Code::Machine),
        '8' => Reading::Whole(Code::GiveUp),
        '9' => Reading::Whole(Code::Pause),
        '2' | '3' => match number.strip_suffix('#') {
            Some("") => Reading::Nonsense,
            Some(whole) if kind == '2' => Reading::Whole(Code::Blind(whole.into())),
            Some(whole) => Reading::Whole(Code::Consult(whole.into())),
            None if number.len() > CODE_DIGITS_MAX => Reading::Nonsense,
            None if number.bytes().all(|c| c.is_ascii_digit()) => Reading::Unfinished,
            None => Reading::Nonsense,
        },
        _ => Reading::Nonsense,
    }
}

impl Acd {
    /// A key on a telephone. Only agents' codes are ours: a caller's digits are collected by media.
    pub(crate) fn dtmf(&mut self, leg: LegId, digit: char) {
        let Some(Role::Agent(name)) = self.role(leg) else { return };
        let now = self.now_us();
        let Some(agent) = self.state.agents.get_mut(&name) else { return };
        if now.saturating_sub(agent.typed.last_us) > CODE_DIGIT_MICROS {
            agent.typed.keys.clear();
        }
        if agent.typed.keys.is_empty() && digit != '*' {
            return;
        }
        agent.typed.keys.push(digit);
        agent.typed.last_us = now;
        match read(&agent.typed.keys) {
            Reading::Unfinished => {}
            Reading::Nonsense => {
                // A star in the middle begins anew.
                agent.typed.keys = if digit == '*' { "*".into() } else { String::new() };
            }
            Reading::Whole(code) => {
                agent.typed = Typed::default();
                self.obey(&name, leg, code);
            }
        }
    }

    fn obey(&mut self, name: &str, leg: LegId, code: Code) {
        let Some(agent) = self.state.agents.get(name) else { return };
        let (state, consult) = (agent.state.clone(), agent.consult);
        match (code, state) {
            // In a wrong state a code does nothing, as on any telephone.
            (Code::Ready, AgentState::WrapUp { .. } | AgentState::Paused { .. }) => {
                let _ = self.ready(name);
            }
            (Code::Pause, _) => {
                let _ = self.pause(name, "telephone".into());
            }
            (Code::Hold, AgentState::Talking { held: true, .. }) if consult.is_none() => {
                self.ask(CallCommand::Retrieve { leg }, Purpose::Nothing);
            }
            (Code::Hold, AgentState::Talking { .. }) if consult.is_none() => {
                self.ask(CallCommand::Hold { leg }, Purpose::Nothing);
            }
            (Code::Blind(number), AgentState::Talking { work, .. }) if consult.is_none() => {
                self.send_on(name, leg, work, number, TransferKind::Blind);
            }
            (Code::Consult(number), AgentState::Talking { work, .. }) if consult.is_none() => {
                self.send_on(name, leg, work, number, TransferKind::Attended);
            }
            (Code::Connect, AgentState::Talking { work, .. }) => {
                if let (Some(to), Some(party)) = (consult, self.leg_of(work)) {
                    let bridge = CallCommand::Bridge { a: party, b: to, beep: false };
                    self.ask(bridge, Purpose::Nothing);
                    self.sent_on(name, work, Some(to));
                }
            }
            (Code::GiveUp, AgentState::Talking { .. }) => {
                if let Some(target) = consult {
                    self.with_agent(name, |agent| agent.consult = None);
                    self.hang_up(target, Cause::NORMAL_CLEARING);
                    self.ask(CallCommand::Retrieve { leg }, Purpose::Nothing);
                }
            }
            (Code::Machine, AgentState::Talking { work: work @ Work::Attempt(_), .. }) => {
                let _ = self.disposition(name, Was::Machine);
                if let Some(party) = self.leg_of(work) {
                    self.hang_up(party, Cause::NORMAL_CLEARING);
                }
            }
            (Code::Machine, AgentState::WrapUp { .. }) => {
                let _ = self.disposition(name, Was::Machine);
            }
            (Code::Release, AgentState::Talking { work, .. }) => match work {
                Work::Visit(call) => self.let_go(call, Cause::NORMAL_CLEARING),
                Work::Attempt(_) => {
                    if let Some(party) = self.leg_of(work) {
                        self.hang_up(party, Cause::NORMAL_CLEARING);
                    }
                }
            },
            _ => {}
        }
    }

    fn send_on(&mut self, name: &str, leg: LegId, work: Work, number: String, kind: TransferKind) {
        let group = self.settings.agent_group.clone();
        let called = Number::unknown(number);
        let transfer = Transfer { agent: name.into(), work, blind: kind == TransferKind::Blind };
        let command = CallCommand::Transfer { leg, group, called, kind };
        self.ask(command, Purpose::Transfer(transfer));
    }

    /// Accepted: a blind transfer frees the agent at once, a consultation has its leg. Refused: nothing changed.
    pub(crate) fn transfer_answered(
        &mut self,
        transfer: Transfer,
        answer: Result<Accepted, Refusal>,
    ) {
        let Ok(accepted) = answer else { return };
        if let Some(target) = accepted.leg {
            self.state.legs.insert(target, Role::Target(transfer.work));
        }
        if let Some(operation) = accepted.operation {
            self.state.transfers.insert(operation, transfer.clone());
        }
        if transfer.blind {
            self.sent_on(&transfer.agent, transfer.work, accepted.leg);
        } else if self.state.agents.get(&transfer.agent).and_then(|a| a.state.work())
            == Some(transfer.work)
        {
            self.with_agent(&transfer.agent, |agent| agent.consult = accepted.leg);
        } else if let Some(target) = accepted.leg {
            // The other party left in between.
            self.hang_up(target, Cause::NORMAL_CLEARING);
        }
    }

    /// The other party is somebody else's now, and the agent is free.
    fn sent_on(&mut self, name: &str, work: Work, to: Option<LegId>) {
        if let Some(to) = to {
            self.state.legs.insert(to, Role::Target(work));
        }
        self.with_agent(name, |agent| agent.consult = None);
        match work {
            Work::Visit(call) => self.set_stage(call, Stage::Talking { agent: None }),
            Work::Attempt(id) => self.attempt_sent_on(id),
        }
        self.work_over(name, work, true);
    }

    /// A transfer came to its end: `to` has the party, or nobody has.
    pub(crate) fn transferred(&mut self, operation: OperationId, to: Option<LegId>) {
        let Some(transfer) = self.state.transfers.remove(&operation) else { return };
        let Transfer { agent, work, blind } = transfer;
        match to {
            Some(to) if blind => {
                self.state.legs.insert(to, Role::Target(work));
            }
            Some(to) => {
                let still =
                    self.state.agents.get(&agent).and_then(|a| a.state.work()) == Some(work);
                if still {
                    self.sent_on(&agent, work, Some(to));
                }
            }
            None if blind => self.nobody_there(work),
            None => self.with_agent(&agent, |agent| agent.consult = None),
        }
    }

    /// Whom the party was sent to is gone.
    pub(crate) fn target_ended(&mut self, target: LegId, work: Work) {
        let consulting = self
            .state
            .agents
            .iter()
            .find(|(_, agent)| agent.consult == Some(target))
            .map(|(name, _)| name.clone());
        if let Some(name) = consulting {
            self.with_agent(&name, |agent| agent.consult = None);
            return;
        }
        let failed_blind = self.state.transfers.iter().any(|(_, t)| t.work == work && t.blind);
        if failed_blind {
            // `transferred` tells the rest.
            return;
        }
        match work {
            Work::Visit(call) => {
                if let Some(Stage::Talking { agent: None }) =
                    self.state.visits.get(&call).map(|v| &v.stage)
                {
                    self.let_go(call, Cause::NORMAL_CLEARING);
                }
            }
            Work::Attempt(_) => {
                if let Some(party) = self.leg_of(work) {
                    self.hang_up(party, Cause::NORMAL_CLEARING);
                }
            }
        }
    }

    /// A blind transfer reached nobody: a caller goes to the front of the queue he came from.
    fn nobody_there(&mut self, work: Work) {
        match work {
            Work::Visit(call) => {
                if let Some(Stage::Talking { agent: None }) =
                    self.state.visits.get(&call).map(|v| &v.stage)
                {
                    self.bring_to_front(call, false);
                }
            }
            Work::Attempt(_) => {
                if let Some(party) = self.leg_of(work) {
                    self.hang_up(party, Cause::NORMAL_CLEARING);
                }
            }
        }
    }

    /// The leg of the party an agent works for.
    pub(crate) fn leg_of(&self, work: Work) -> Option<LegId> {
        match work {
            Work::Visit(call) => self.state.visits.get(&call).map(|v| v.leg),
            Work::Attempt(id) => self.state.attempts.get(&id)?.leg,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Reading, read};

    #[test]
    fn codes_are_read_key_by_key() {
        assert_eq!(read("*"), Reading::Unfinished);
        assert_eq!(read("*0"), Reading::Whole(Code::Ready));
        assert_eq!(read("*7"), Reading::Whole(Code::Machine));
        assert_eq!(read("*2"), Reading::Unfinished);
        assert_eq!(read("*2800"), Reading::Unfinished);
        assert_eq!(read("*2800#"), Reading::Whole(Code::Blind("800".into())));
        assert_eq!(read("*31#"), Reading::Whole(Code::Consult("1".into())));
        assert_eq!(read("*2#"), Reading::Nonsense);
        assert_eq!(read("*2*"), Reading::Nonsense);
        assert_eq!(read("*6"), Reading::Nonsense);
        assert_eq!(read("**"), Reading::Nonsense);
        assert_eq!(read(&format!("*2{}", "1".repeat(21))), Reading::Nonsense);
    }
}
