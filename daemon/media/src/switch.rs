//! The switch table: who hears whom. One function decides what a leg hears; everybody who changes anything about a
//! leg calls it, and only differences become commands.

use call::{Accepted, CallEvent, LegId, Refusal};
use dsp::ears::Listen;
use dsp::pipeline::Command;
use tdm::Channel;

use crate::leg::{Ambient, FallbackStage, Leg, Purpose, State};
use crate::machine::{Media, wrong_state};
use crate::names::bad_value;

impl Media {
    /// What a leg should hear: a lane, and a sound of our own when nothing else plays.
    fn wanted(&self, leg: &Leg) -> (Option<Channel>, Option<Ambient>) {
        match leg.state {
            State::Offered if leg.announced => (None, Some(Ambient::Announcement)),
            State::Offered if leg.alerted.is_some() => (None, Some(Ambient::Ringback)),
            State::Answered => self.wanted_answered(leg),
            _ => (None, None),
        }
    }

    fn wanted_answered(&self, leg: &Leg) -> (Option<Channel>, Option<Ambient>) {
        let parked = leg.transfer.and_then(|t| self.transfers.get(&t));
        if parked.is_some_and(|t| t.parks(leg.id)) {
            return (None, Some(Ambient::Music));
        }
        if let Some(peer) = leg.peer.and_then(|p| self.legs.get(&p)) {
            return match (leg.holding, peer.holding) {
                (true, _) => (None, None),
                (false, true) => (None, Some(Ambient::Music)),
                (false, false) => (peer.channel, None),
            };
        }
        if let Some(dialled) = leg.waits_for.and_then(|d| self.legs.get(&d)) {
            return match dialled {
                Leg { in_band: true, settled: true, .. } => (dialled.channel, None),
                Leg { alerted: Some(_), .. } => (None, Some(Ambient::Ringback)),
                _ => (None, None),
            };
        }
        match leg.falling {
            Some(FallbackStage::Hold) => (None, Some(Ambient::Music)),
            _ => (None, None),
        }
    }

    /// Whether a leg is in a conversation. Nobody is played to there: whoever decides that hears of the bridge a moment
    /// later than it was made, above all when it was armed, and an announcement meant for one who waits would come
    /// between two who talk.
    pub(crate) fn hears_peer(&self, leg: &Leg) -> bool {
        leg.peer.is_some() && self.wanted(leg).0.is_some()
    }

    /// Makes a leg hear what it should.
    pub(crate) fn settle(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (Some(to), false) = (leg.channel, leg.state == State::Ending) else { return };
        let (source, ambient) = self.wanted(leg);
        let (before, playing) = (leg.source, leg.play);
        if source != before {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.source = source;
            }
            self.pipeline(match source {
                Some(from) => Command::Connect { from, to },
                None => Command::Disconnect { to },
            });
        }
        match (playing.map(|p| p.purpose), ambient) {
            (Some(Purpose::Ambient(now)), Some(wanted)) if now == wanted => {}
            (Some(Purpose::Ambient(_)), None) => self.stop_play(id),
            (None | Some(Purpose::Ambient(_)), Some(wanted)) => self.start_ambient(id, wanted),
            _ => {}
        }
    }

    fn start_ambient(&mut self, id: LegId, ambient: Ambient) {
        let score = match ambient {
            Ambient::Music => self.names.music(),
            Ambient::Ringback => self.names.ringback(),
            Ambient::Announcement => self.names.announcement(),
        };
        match score {
            Some(score) => self.start_play(id, Purpose::Ambient(ambient), score),
            // Nothing to play: silence, not the sound before.
            None => self.stop_play(id),
        }
    }

    /// Switches detectors of a leg.
    pub(crate) fn listen(&mut self, id: LegId, listen: Listen) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(on) = leg.channel else { return };
        if leg.listen != listen {
            leg.listen = listen;
            self.pipeline(Command::Listen { on, listen });
        }
    }

    /// Connects two free legs both ways; `beep` to `b` before it hears `a`.
    pub(crate) fn join(&mut self, a: LegId, b: LegId, beep: bool) {
        for (leg, peer) in [(a, b), (b, a)] {
            self.stop_play(leg);
            self.end_watch(leg);
            // Who is in a conversation is judged no more.
            self.drop_judgement(leg, "bridged");
            self.end_keeping(leg);
            if let Some(leg) = self.legs.get_mut(&leg) {
                leg.peer = Some(peer);
                leg.was_bridged = true;
                leg.holding = false;
                leg.falling = None;
                leg.typed.clear();
            }
            self.cancel_waiting(leg);
        }
        self.settle(a);
        self.settle(b);
        if beep && let Some(score) = self.names.beep() {
            self.start_play(b, Purpose::Beep, score);
        }
        self.event(CallEvent::Bridged { a, b });
    }

    pub(crate) fn bridge_command(
        &mut self,
        a: LegId,
        b: LegId,
        beep: bool,
    ) -> Result<Accepted, Refusal> {
        if a == b {
            return Err(bad_value("b", String::from("a leg cannot be bridged to itself")));
        }
        if self.complete_transfer(a, b) {
            return Ok(Accepted::default());
        }
        self.free_leg(a)?;
        self.free_leg(b)?;
        self.join(a, b, beep);
        Ok(Accepted::default())
    }

    /// The peer of a bridged leg that is in no transfer.
    pub(crate) fn peer_of(&self, id: LegId) -> Result<LegId, Refusal> {
        let leg = self.live(id)?;
        if leg.transfer.is_some() {
            return Err(wrong_state("leg", "transfer", format!("leg {id} is being transferred")));
        }
        leg.peer.ok_or_else(|| wrong_state("leg", "alone", format!("leg {id} is not bridged")))
    }

    pub(crate) fn unbridge(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        let peer = self.peer_of(id)?;
        self.part(id, peer);
        self.alone(id);
        self.alone(peer);
        Ok(Accepted::default())
    }

    /// Parts two bridged legs; both stay up.
    pub(crate) fn part(&mut self, a: LegId, b: LegId) {
        for id in [a, b] {
            let Some(leg) = self.legs.get_mut(&id) else { continue };
            leg.peer = None;
            leg.typed.clear();
            if std::mem::take(&mut leg.holding) {
                self.event(CallEvent::Held { leg: id, on: false });
            }
        }
        self.settle(a);
        self.settle(b);
        self.event(CallEvent::Unbridged { a, b });
    }

    pub(crate) fn hold(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        let peer = self.peer_of(id)?;
        if self.live(id)?.holding {
            return Err(wrong_state("leg", "holding", format!("leg {id} holds already")));
        }
        self.set_holding(id, peer, true);
        Ok(Accepted::default())
    }

    pub(crate) fn retrieve(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        if let Some(transfer) = leg.transfer
            && self.transfers.get(&transfer).is_some_and(|t| t.asker == id)
        {
            self.give_up_transfer(transfer);
            return Ok(Accepted::default());
        }
        let peer = self.peer_of(id)?;
        if !self.live(id)?.holding {
            return Err(wrong_state("leg", "bridged", format!("leg {id} does not hold")));
        }
        self.set_holding(id, peer, false);
        Ok(Accepted::default())
    }

    fn set_holding(&mut self, id: LegId, peer: LegId, on: bool) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.holding = on;
        }
        self.settle(id);
        self.settle(peer);
        self.event(CallEvent::Held { leg: id, on });
    }
}
