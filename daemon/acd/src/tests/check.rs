//! What must hold after every step, and of what a step wants done.

use std::collections::{BTreeMap, BTreeSet};

use call::CallCommand;

use crate::index::Index;
use crate::settings::AgentKind;
use crate::state::{AgentState, Purpose, Role, Stage, Work};
use crate::{Acd, AcdEvent, Action};

pub fn check(acd: &Acd) -> Result<(), String> {
    agents_and_calls_belong_to_each_other(acd)?;
    legs_belong_to_somebody(acd)?;
    sums_close(acd)?;
    nobody_idles_while_somebody_waits(acd)?;
    campaigns_are_precise(acd)?;
    if !acd.index.same_as(&Index::of(&acd.settings, &acd.state)) {
        return Err("the index has left the state".into());
    }
    Ok(())
}

/// The agents before a step.
pub struct Before {
    words: Vec<&'static str>,
    tag: u64,
}

impl Before {
    pub fn of(acd: &Acd) -> Self {
        let words = acd.state.agents.iter().map(|(_, agent)| agent.state.word()).collect();
        Self { words, tag: acd.state.core.tag }
    }

    /// Only who was ready the moment before is reserved or rung; a list is dialled only for a nailed agent who is
    /// reserved at that moment, never twice for one of them, and not before the journal is on the disk.
    pub fn check(&self, acd: &Acd, actions: &[Action]) -> Result<(), String> {
        let names = acd.state.agents.iter().map(|(name, _)| name.as_str());
        let mut words: BTreeMap<&str, &str> = names.zip(self.words.iter().copied()).collect();
        for action in actions {
            match action {
                Action::Publish(AcdEvent::Agent { agent, state, .. }) => {
                    let was = words.insert(agent, state).unwrap_or_default();
                    if matches!(state.as_str(), "reserved" | "ringing") && was != "ready" {
                        return Err(format!("agent {agent} was {was} and is {state}"));
                    }
                }
                Action::Command { tag, command: CallCommand::Dial(dial), promise } => {
                    if *promise != dial.on_person.is_some() {
                        return Err(format!("promise: {promise}: {dial:?}"));
                    }
                    let Some(on_person) = dial.on_person.as_ref().filter(|_| *tag > self.tag)
                    else {
                        continue;
                    };
                    let agent = acd.state.agents.iter().find(|(_, agent)| {
                        agent.up && agent.leg.is_some() && agent.leg == on_person.bridge
                    });
                    let word = agent.and_then(|(name, _)| words.insert(name, "dialled for"));
                    if word != Some("reserved") {
                        return Err(format!(
                            "{word:?} is who {} is dialled for",
                            dial.called.digits
                        ));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn agents_and_calls_belong_to_each_other(acd: &Acd) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    for (name, agent) in acd.state.agents.iter() {
        let Some(work) = agent.state.work() else { continue };
        if !taken.insert(work) {
            return Err(format!("two agents have {work:?}"));
        }
        let back = match work {
            Work::Visit(call) => acd.state.visits.get(&call).is_some_and(|v| match &v.stage {
                Stage::Offered { agent, .. } => {
                    agent == name
                        && !matches!(
                            acd.state.agents.get(name).map(|a| &a.state),
                            Some(AgentState::Talking { .. })
                        )
                }
                Stage::Talking { agent } => agent.as_ref() == Some(name),
                _ => false,
            }),
            Work::Attempt(id) => {
                acd.state.attempts.get(&id).is_some_and(|a| a.agent.as_ref() == Some(name))
            }
        };
        if !back {
            return Err(format!("agent {name} has {work:?}, which does not have him"));
        }
    }
    for (call, visit) in acd.state.visits.iter() {
        let (Stage::Offered { agent, .. } | Stage::Talking { agent: Some(agent) }) = &visit.stage
        else {
            continue;
        };
        if acd.state.agents.get(agent).and_then(|a| a.state.work()) != Some(Work::Visit(*call)) {
            return Err(format!("call {call} has agent {agent}, who does not have it"));
        }
    }
    Ok(())
}

fn legs_belong_to_somebody(acd: &Acd) -> Result<(), String> {
    for (leg, role) in acd.state.legs.iter() {
        let owned = match role {
            Role::Caller(call) => acd.state.visits.get(call).is_some_and(|v| v.leg == *leg),
            Role::Agent(name) => acd.state.agents.get(name).is_some_and(|a| a.leg == Some(*leg)),
            Role::Contact(id) => acd.state.attempts.get(id).is_some_and(|a| a.leg == Some(*leg)),
            Role::Target(_) => true,
        };
        if !owned {
            return Err(format!("leg {leg} is {role:?} and nobody's"));
        }
    }
    Ok(())
}

fn sums_close(acd: &Acd) -> Result<(), String> {
    let counts = &acd.state.core.counts;
    let here = acd.state.visits.len() as u64;
    if counts.inbound.offered != counts.inbound.ended() + here {
        return Err(format!("{here} here, {:?}", counts.inbound));
    }
    let in_flight = acd.state.attempts.iter().filter(|(_, a)| a.leg.is_some()).count() as u64;
    if counts.outbound.dialled != counts.outbound.ended() + in_flight {
        return Err(format!("{in_flight} in flight, {:?}", counts.outbound));
    }
    Ok(())
}

fn nobody_idles_while_somebody_waits(acd: &Acd) -> Result<(), String> {
    match acd.index.matches().next() {
        Some((queue, _)) if acd.state.core.present => {
            Err(format!("an agent idles and a call waits in {queue}"))
        }
        _ => Ok(()),
    }
}

/// Each dialled call that may bring a person has an agent, nailed and reserved for it alone: so there are never
/// more of them than agents who would idle. Only an agent whose telephone failed meanwhile leaves his call without.
fn campaigns_are_precise(acd: &Acd) -> Result<(), String> {
    for (id, attempt) in acd.state.attempts.iter() {
        let (Some(agent), Some(_)) = (&attempt.agent, &attempt.campaign) else { continue };
        let dialled = acd.state.pending.iter().any(|(_, p)| p.purpose == Purpose::Attempt(*id));
        if attempt.leg.is_none() && !dialled {
            return Err(format!("attempt {id} has no leg and no dial"));
        }
        if acd.index.kind(agent) != Some(AgentKind::Nailed) {
            return Err(format!("attempt {id} is for {agent}, who is not nailed"));
        }
        let Some(agent) = acd.state.agents.get(agent) else { continue };
        if agent.state.work() != Some(Work::Attempt(*id)) {
            return Err(format!("attempt {id} is for {agent:?}, who is not reserved for it"));
        }
    }
    Ok(())
}
