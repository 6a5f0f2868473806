//! The flow (IVR): a caller goes from node to node; a node speaks, asks, waits or lets go.

use call::{
    Accepted, CallCommand, CallId, Cause, LegId, OperationId, PlayEnd, PlayItem, Refusal, StopOn,
};

use crate::Acd;
use crate::settings::NodeKind;
use crate::state::{NodeStep, Purpose, Role, Sound, Stage};

/// A call for which this many commands failed is let go: nothing that is tried helps it.
const FAILURES_MAX: u8 = 8;

impl Acd {
    pub(crate) fn node(&self, flow: &str, name: &str) -> Option<&crate::NodeSettings> {
        self.settings.flows.iter().find(|f| f.name == flow)?.nodes.iter().find(|n| n.name == name)
    }

    /// The caller comes to a node.
    pub(crate) fn enter(&mut self, call: CallId, name: String) {
        let Some(visit) = self.state.visits.get(&call) else { return };
        let (leg, flow) = (visit.leg, visit.flow.clone());
        let Some(node) = self.node(&flow, &name).cloned() else {
            // The settings changed under the call.
            self.let_go(call, Cause::TEMPORARY_FAILURE);
            return;
        };
        if node.served
            && let Some(visit) = self.state.visits.get_mut(&call)
        {
            visit.served = true;
        }
        match node.kind {
            NodeKind::Announce { prompts, .. } => {
                self.say(call, leg, name, 0, prompts, StopOn::Never)
            }
            NodeKind::Menu { prompts, .. } => self.say(call, leg, name, 0, prompts, StopOn::Dtmf),
            NodeKind::Queue { queue, wait_max_millis, .. } => {
                self.enqueue(call, name, queue, wait_max_millis);
            }
            NodeKind::Hangup { cause } => self.let_go(call, Cause(cause)),
        }
    }

    /// The caller comes to the node again, after nobody was there for a while.
    pub(crate) fn enter_again(&mut self, call: CallId) {
        let Some(visit) = self.state.visits.get_mut(&call) else { return };
        visit.sound = Sound::Silence;
        let leg = visit.leg;
        let stage = visit.stage.clone();
        self.forget_sounds(leg);
        match stage {
            Stage::Node { node, .. } => {
                self.set_caller_fallback_of(call);
                self.enter(call, node);
            }
            Stage::Queued { .. } => {
                self.set_caller_fallback_of(call);
                self.sound_of_queue(call, true);
            }
            Stage::Arriving | Stage::Offered { .. } | Stage::Talking { .. } | Stage::Ending => {}
        }
    }

    /// What this leg was to be played or asked, and no answer tells of yet, is of no use any more.
    pub(crate) fn forget_sounds(&mut self, of: LegId) {
        let stale = |command: &CallCommand| matches!(command, CallCommand::Play { leg, .. } | CallCommand::Collect { leg, .. } if *leg == of);
        let pending = &self.state.pending;
        let tags = pending.iter().filter(|(_, p)| stale(&p.command)).map(|(&tag, _)| tag);
        for tag in tags.collect::<Vec<_>>() {
            self.drop_pending(tag);
        }
    }

    fn set_caller_fallback_of(&mut self, call: CallId) {
        if let Some(leg) = self.state.visits.get(&call).map(|v| v.leg) {
            self.set_caller_fallback(leg);
        }
    }

    fn say(
        &mut self,
        call: CallId,
        leg: LegId,
        node: String,
        tries: u8,
        prompts: Vec<String>,
        stop_on: StopOn,
    ) {
        self.set_stage(call, Stage::Node { node, step: NodeStep::Asked, tries });
        let items = prompts.into_iter().map(PlayItem::Prompt).collect();
        self.ask(CallCommand::Play { leg, items, repeat: false, stop_on }, Purpose::Prompts(call));
    }

    pub(crate) fn prompts_answered(&mut self, call: CallId, answer: Result<Accepted, Refusal>) {
        let Some((node, NodeStep::Asked, tries)) = self.at_node(call) else { return };
        match answer {
            Ok(Accepted { operation: Some(operation), .. }) => {
                let step = NodeStep::Playing(operation);
                self.set_step(call, Stage::Node { node, step, tries });
            }
            Ok(_) => self.spoken(call),
            Err(_) if self.failed_too_often(call) => {
                self.let_go(call, Cause::TEMPORARY_FAILURE);
            }
            // A prompt that cannot be played is skipped; a leg that is gone says so itself.
            Err(_) => self.spoken(call),
        }
    }

    pub(crate) fn play_ended(&mut self, operation: OperationId, leg: LegId, why: PlayEnd) {
        let Some(Role::Caller(call)) = self.role(leg) else { return };
        match self.at_node(call) {
            // Stopped: by a hang-up or a fallback, and both are told.
            Some((_, NodeStep::Playing(playing), _)) if playing == operation => {
                if why != PlayEnd::Stopped {
                    self.spoken(call);
                }
            }
            Some(_) => {}
            None => self.announcement_ended(call, operation, why),
        }
    }

    /// A node's prompts are through: on, or listen for the digit.
    fn spoken(&mut self, call: CallId) {
        let Some((name, _, tries)) = self.at_node(call) else { return };
        let Some(visit) = self.state.visits.get(&call) else { return };
        let (leg, flow) = (visit.leg, visit.flow.clone());
        match self.node(&flow, &name).map(|node| node.kind.clone()) {
            Some(NodeKind::Announce { next, .. }) => self.enter(call, next),
            Some(NodeKind::Menu { first_millis, .. }) => {
                self.set_step(call, Stage::Node { node: name, step: NodeStep::Asked, tries });
                let collect = CallCommand::Collect {
                    leg,
                    max_digits: 1,
                    first_millis,
                    next_millis: first_millis,
                    terminators: String::new(),
                    secret: false,
                };
                self.ask(collect, Purpose::Digit(call));
            }
            Some(NodeKind::Queue { .. } | NodeKind::Hangup { .. }) | None => {
                self.let_go(call, Cause::TEMPORARY_FAILURE);
            }
        }
    }

    pub(crate) fn digit_answered(&mut self, call: CallId, answer: Result<Accepted, Refusal>) {
        let Some((node, NodeStep::Asked, tries)) = self.at_node(call) else { return };
        match answer {
            Ok(Accepted { operation: Some(operation), .. }) => {
                let step = NodeStep::Collecting(operation);
                self.set_step(call, Stage::Node { node, step, tries });
            }
            _ if self.failed_too_often(call) => self.let_go(call, Cause::TEMPORARY_FAILURE),
            _ => self.chosen(call, None),
        }
    }

    pub(crate) fn collected(&mut self, operation: OperationId, leg: LegId, digits: Option<&str>) {
        let Some(Role::Caller(call)) = self.role(leg) else { return };
        if let Some((_, NodeStep::Collecting(running), _)) = self.at_node(call)
            && running == operation
        {
            self.chosen(call, digits.filter(|d| !d.is_empty()));
        }
    }

    /// A digit, or none in time.
    fn chosen(&mut self, call: CallId, digit: Option<&str>) {
        let Some((name, _, tries)) = self.at_node(call) else { return };
        let Some(visit) = self.state.visits.get(&call) else { return };
        let (leg, flow) = (visit.leg, visit.flow.clone());
        let Some(NodeKind::Menu { prompts, choices, tries: most, otherwise, .. }) =
            self.node(&flow, &name).map(|node| node.kind.clone())
        else {
            self.let_go(call, Cause::TEMPORARY_FAILURE);
            return;
        };
        if let Some(next) = digit.and_then(|digit| choices.get(digit)) {
            self.enter(call, next.clone());
        } else if tries.saturating_add(1) < most {
            self.say(call, leg, name, tries + 1, prompts, StopOn::Dtmf);
        } else {
            self.enter(call, otherwise);
        }
    }

    /// Media took a fallback for this leg; now somebody is here again.
    pub(crate) fn fell_back(&mut self, leg: LegId) {
        if let Some(Role::Caller(call)) = self.role(leg) {
            self.enter_again(call);
        }
    }

    fn at_node(&self, call: CallId) -> Option<(String, NodeStep, u8)> {
        match &self.state.visits.get(&call)?.stage {
            Stage::Node { node, step, tries } => Some((node.clone(), *step, *tries)),
            _ => None,
        }
    }

    /// Another step in the same node: nothing to tell anybody.
    fn set_step(&mut self, call: CallId, stage: Stage) {
        if let Some(visit) = self.state.visits.get_mut(&call) {
            visit.stage = stage;
        }
    }

    pub(crate) fn failed_too_often(&mut self, call: CallId) -> bool {
        self.state.visits.get_mut(&call).is_some_and(|visit| {
            visit.failures = visit.failures.saturating_add(1);
            visit.failures > FAILURES_MAX
        })
    }
}
