//! How calls begin. Q.931, §5.1 and §5.2.

use call::{Cause, Number, Presentation};
use tdm::{Instant, Timeslot};

use super::call::{Call, CallId, Phase, Timer};
use super::channels::ChannelId;
use super::engine::Engine;
use super::facility::CallingName;
use super::header::MessageType;
use super::message::{Bearer, Body, Found, ProgressElement};
use crate::{ChannelChoice, ChannelWish, Event, Failure, IncomingCall, Outgoing, Side, Timeslots};

/// Ends a number that is dialled digit by digit, where nobody knows its length.
const TERMINATOR: char = '#';

impl Engine {
    /// SETUP. Without link or channel the call ends at once: the next trunk may have one.
    pub(super) fn order_call(&mut self, now: Instant, outgoing: Outgoing) {
        let Outgoing { key, channel, mut called, calling, name, redirecting, law } = outgoing;
        let ChannelWish { timeslot, exclusive } = channel;
        let exclusive = self.settings.choice.is_exclusive(exclusive);
        self.counters.outgoing += 1;
        let taken = self.occupant(timeslot).is_some();
        let refusal = if !self.link_up {
            Some(Cause::NETWORK_OUT_OF_ORDER)
        } else if taken || !self.may_call(timeslot) {
            Some(Cause::CHANNEL_NOT_AVAILABLE)
        } else {
            None
        };
        if let Some(cause) = refusal {
            let clearing = self.own(cause);
            if !self.link_up {
                self.tell(Event::Failed { key, why: Failure::Link });
            }
            let glare = taken && self.link_up;
            self.tell(Event::Ended { key, timeslot: Some(timeslot), clearing, glare });
            return;
        }
        let mut call = Call::outgoing(self.next_reference(), key, timeslot, exclusive);
        let at_first = self.settings.overlap.send_first.map_or(usize::MAX, usize::from);
        if let Some((at, _)) = called.digits.char_indices().nth(at_first) {
            call.digits_left = called.digits.split_off(at);
        }
        let dialect = &self.settings.dialect;
        call.said_complete = dialect.sending_complete && self.settings.overlap.send_first.is_none();
        // A withheld number does not go out with its owner's name.
        let shown = |number: &Number| number.presentation == Presentation::Allowed;
        let name = name.as_deref().filter(|_| calling.as_ref().is_none_or(shown));
        let facility = self.settings.network_facility.filter(|_| self.settings.side == Side::User);
        call.setup = self
            .compose(&call, MessageType::Setup)
            .sending_complete(call.said_complete)
            .voice(self.settings.bearer, law)
            .channel(self.wish(timeslot, exclusive))
            .channel_contents(if self.leaves_open() { &ChannelId::ANY } else { &[] })
            .name_in_facility(name, dialect)
            .network_facility(facility)
            .name_in_display(name, dialect, self.settings.side)
            .calling(calling.as_ref())
            .called(&called)
            .redirecting(redirecting.as_ref())
            .finish();
        self.send_setup(now, &mut call);
        self.keep(Some(call));
    }
    /// Whether our calls leave their channel to the far end: only where a SETUP may. Q.931, §5.1.2, §5.2.3.
    fn leaves_open(&self) -> bool {
        let may = self.settings.side == Side::User || self.settings.dialect.symmetric;
        may && self.settings.choice == ChannelChoice::Any
    }
    fn wish(&self, timeslot: Timeslot, exclusive: bool) -> Option<(u8, bool)> {
        (!self.leaves_open()).then(|| self.named(timeslot, exclusive))
    }
    fn send_setup(&mut self, now: Instant, call: &mut Call) {
        self.outputs.push_back(super::engine::EngineOutput::Send(call.setup.clone()));
        call.timer = Timer::T303.from(now, &self.settings.timers);
    }
    /// T303: once more, then nobody is there. §5.1.1.
    pub(super) fn on_setup_timeout(&mut self, now: Instant, mut call: Call) -> Option<Call> {
        if call.attempts < 2 {
            call.attempts = 2;
            self.send_setup(now, &mut call);
            return Some(call);
        }
        let message = self
            .compose(&call, MessageType::ReleaseComplete)
            .cause(Cause::TIMER_EXPIRY, self.settings.location);
        self.send(message);
        self.explain(&call, Failure::Timer("T303"));
        self.end(now, call, Cause::NO_USER_RESPONDING);
        None
    }

    /// The first answer settles the channel. §5.1.2, §5.2.3. `None`: the call is kept here, on its way out.
    fn settle(&mut self, now: Instant, mut call: Call, body: &Body<'_>) -> Option<Call> {
        let named = body.channel.good().and_then(ChannelId::single);
        // A first answer without a channel takes the one we thought of, unless a later one says otherwise.
        if call.settled && (call.named || named.is_none() || named == call.timeslot) {
            call.named |= named.is_some();
            return Some(call);
        }
        let acceptable = match (named, call.timeslot) {
            (None, own) => own.is_some(),
            (Some(named), Some(own)) if named == own => true,
            // Moved: only when we left it open, and not onto somebody else's channel.
            (Some(named), _) => {
                let may_move = (!call.exclusive || call.collided) && self.is_ours(named);
                may_move && self.make_room(named)
            }
        };
        if !acceptable {
            let cause = Cause::CHANNEL_UNACCEPTABLE;
            self.explain(&call, Failure::Contradiction);
            let clearing = *call.clearing.get_or_insert(self.own(cause));
            self.tell(Event::Clearing { key: call.key, clearing });
            let kept = self.release(now, call, Some(cause));
            self.keep(kept);
            return None;
        }
        if let Some(named) = named.filter(|named| call.timeslot != Some(*named)) {
            call.timeslot = Some(self.proved(named));
        }
        call.named = named.is_some();
        call.settled = true;
        Some(call)
    }
    /// Whether a call can be moved to `timeslot` by the peer. A call of ours that asked for the same channel and
    /// has no answer yet loses it: the peer has just given it away, and moves that call too, or refuses it.
    fn make_room(&mut self, timeslot: Timeslot) -> bool {
        let Some(rival) = self.occupant(timeslot) else { return true };
        let Some(rival) = self.calls.get_mut(&rival) else { return true };
        if !rival.id.ours || rival.phase != Phase::Setup {
            return false;
        }
        (rival.collided, rival.timeslot) = (true, None);
        self.counters.glare += 1;
        true
    }
    pub(super) fn on_setup_acknowledge(
        &mut self,
        now: Instant,
        call: Call,
        body: &Body<'_>,
    ) -> Option<Call> {
        let call = self.on_early_answer(now, call, body, Phase::Overlap, Timer::T304)?;
        Some(self.rest_of_number(now, call))
    }
    /// INFORMATION with what is left of the number, as soon as the peer takes it. §5.1.3.
    fn rest_of_number(&mut self, now: Instant, mut call: Call) -> Call {
        // §5.1.3: the mark goes with the last digits; a dialect without it just stops.
        let mark = !call.said_complete && self.settings.dialect.sending_complete;
        if call.digits_left.is_empty() && !mark {
            return call;
        }
        call.said_complete |= mark;
        let number = Number::unknown(std::mem::take(&mut call.digits_left));
        let message =
            self.compose(&call, MessageType::Information).sending_complete(mark).called(&number);
        self.send(message);
        call.timer = Timer::T304.from(now, &self.settings.timers);
        call
    }
    pub(super) fn on_call_proceeding(
        &mut self,
        now: Instant,
        call: Call,
        body: &Body<'_>,
    ) -> Option<Call> {
        self.on_early_answer(now, call, body, Phase::Proceeding, Timer::T310)
    }
    fn on_early_answer(
        &mut self,
        now: Instant,
        call: Call,
        body: &Body<'_>,
        phase: Phase,
        timer: Timer,
    ) -> Option<Call> {
        let first = !call.settled;
        let mut call = self.settle(now, call, body)?;
        call.phase = phase;
        call.timer = timer.from(now, &self.settings.timers);
        if body.is_in_band() {
            self.stop_t310(&mut call);
        }
        let (key, in_band) = (call.key, body.is_in_band());
        match call.timeslot {
            // Left open, it is ours to listen to once the far end has said where it is.
            Some(timeslot) if first && (call.named || !self.leaves_open()) => {
                self.tell(Event::Proceeding { key, timeslot, in_band });
            }
            _ if in_band => self.tell(Event::Progress { key, in_band, cause: None }),
            _ => {}
        }
        Some(call)
    }
    /// A user does not hurry a call it can hear. §5.1.6; where both ends are alike, neither does. ECMA-143, §10.1.
    fn stop_t310(&self, call: &mut Call) {
        let may = self.settings.side == Side::User || self.settings.dialect.symmetric;
        if may && matches!(call.timer, Some((Timer::T310, _))) {
            call.timer = None;
        }
    }
    pub(super) fn on_alerting(
        &mut self,
        now: Instant,
        call: Call,
        body: &Body<'_>,
    ) -> Option<Call> {
        let mut call = self.settle(now, call, body)?;
        call.phase = Phase::Alerting;
        call.timer = Timer::T301.from(now, &self.settings.timers);
        if let Some(timeslot) = call.timeslot {
            self.tell(Event::Alerting { key: call.key, timeslot, in_band: body.is_in_band() });
        }
        Some(call)
    }
    pub(super) fn on_progress(&mut self, mut call: Call, body: &Body<'_>) -> Option<Call> {
        match body.progress.demand() {
            Err(cause) => self.bad_element(&call, cause),
            Ok(ProgressElement { .. }) => {
                let in_band = body.is_in_band();
                if in_band {
                    self.stop_t310(&mut call);
                }
                let cause = body.cause.good().map(|element| element.cause);
                self.tell(Event::Progress { key: call.key, in_band, cause });
            }
        }
        Some(call)
    }
    pub(super) fn on_connect(&mut self, now: Instant, call: Call, body: &Body<'_>) -> Option<Call> {
        let call = self.settle(now, call, body)?;
        self.acknowledge_connect(&call);
        self.on_connected(call)
    }
    /// CONNECT ACKNOWLEDGE, from whom it is due. §5.1.8.
    pub(super) fn acknowledge_connect(&mut self, call: &Call) {
        let dialect = self.settings.dialect;
        let always = self.settings.side == Side::Network || dialect.symmetric;
        if always || dialect.user_acknowledges_connect {
            let message = self.compose(call, MessageType::ConnectAcknowledge);
            self.send(message);
        }
    }
    /// Into the active state, from either end.
    pub(super) fn on_connected(&mut self, mut call: Call) -> Option<Call> {
        call.phase = Phase::Active;
        call.timer = None;
        if let Some(timeslot) = call.timeslot {
            self.tell(Event::Connected { key: call.key, timeslot });
        }
        Some(call)
    }

    /// A call of the peer. §5.1.1 and §5.2.1.
    pub(super) fn on_setup(&mut self, now: Instant, id: CallId, body: &Body<'_>) {
        match self.examine(now, body) {
            Err(cause) => {
                self.refuse(id, cause);
                let called = body.called.good().cloned().unwrap_or_default();
                let timeslot = body.channel.good().and_then(ChannelId::single);
                let calling = body.calling.good().cloned();
                self.tell(Event::Refused { timeslot, called, calling, cause });
            }
            Ok((timeslot, called)) => {
                let offer = IncomingCall {
                    key: self.next_key(),
                    timeslot,
                    called,
                    calling: body.calling.good().cloned(),
                    name: body.calling_name(),
                    redirecting: body.diverted_from(),
                };
                self.counters.incoming += 1;
                let digits = &offer.called.digits;
                let wait = self.settings.overlap.receive || digits.is_empty();
                let complete = body.sending_complete || self.is_complete(digits);
                let mut call = Call::incoming(id, offer);
                if complete && self.settings.overlap.receive {
                    call.end_number();
                }
                let kept = if wait && !complete {
                    self.ask_for_digits(now, call)
                } else {
                    self.announce(call)
                };
                self.keep(kept);
            }
        }
    }
    fn refuse(&mut self, id: CallId, cause: Cause) {
        let complete = super::compose::Composer::new(id.reference(), MessageType::ReleaseComplete)
            .cause(cause, self.settings.location);
        self.send(complete);
    }
    /// Whether a SETUP can be taken, and on which channel. §5.8.6, §5.1.2, §5.2.3.
    fn examine(&mut self, now: Instant, body: &Body<'_>) -> Result<(Timeslot, Number), Cause> {
        let user = self.settings.side == Side::User;
        let checked = self.check_elements(body);
        if checked.is_err() {
            self.counters.bad_element += 1;
        }
        checked?;
        if body.bearer == Found::Good(Bearer::Other) {
            // A telephone cannot take it; an exchange has not got it.
            return Err(if user { Cause::INCOMPATIBLE_DESTINATION } else { Cause(65) });
        }
        let called = match &body.called {
            Found::Bad => return Err(Cause::INVALID_NUMBER),
            Found::Good(number) => number.clone(),
            Found::Absent => Number::unknown(digits(body.keypad)),
        };
        Ok((self.claim(now, body.channel.good())?, called))
    }
    fn check_elements(&self, body: &Body<'_>) -> Result<(), Cause> {
        if body.not_comprehended.is_some() {
            return Err(Cause::MANDATORY_ELEMENT_MISSING);
        }
        body.bearer.demand()?;
        // A network always names the channel; a user may leave it open, and so may anybody where both are alike.
        if self.settings.side == Side::User && !self.settings.dialect.symmetric {
            body.channel.demand()?;
        }
        Ok(())
    }
    /// The channel for a call of the peer, or why there is none.
    fn claim(&mut self, now: Instant, wish: Option<&ChannelId>) -> Result<Timeslot, Cause> {
        let Some((id, named)) = wish.and_then(|id| id.single().map(|named| (id, named))) else {
            return self.other_channel(now);
        };
        if !self.is_ours(named) {
            let refused = Err(Cause::CHANNEL_NOT_AVAILABLE);
            return if id.exclusive { refused } else { self.other_channel(now) };
        }
        let rival = self.occupant(named);
        if rival.is_none() {
            return Ok(self.proved(named));
        }
        let collided = rival
            .and_then(|rival| self.calls.get(&rival))
            .filter(|rival| rival.id.ours && rival.phase == Phase::Setup)
            .map(|rival| (rival.id, rival.exclusive));
        if let Some((rival, exclusive)) = collided {
            return self.collide(now, rival, exclusive, id.exclusive, named);
        }
        if id.exclusive { Err(Cause::CHANNEL_NOT_AVAILABLE) } else { self.other_channel(now) }
    }
    /// A channel for a call of the peer that leaves it open. One that failed is better than none: the peer lives.
    fn other_channel(&mut self, now: Instant) -> Result<Timeslot, Cause> {
        let idle = |t: &Timeslot| self.is_ours(*t) && self.occupant(*t).is_none();
        let last_resort = || self.settings.channels.iter().find(idle);
        let found = self.free_channel(now).or_else(last_resort).ok_or(Cause::NO_CIRCUIT)?;
        Ok(self.proved(found))
    }
    /// The far end calls on `timeslot`: whatever we thought of the channel, to the far end it is idle and in
    /// service, and so it is to us. A RESTART that has no answer yet does not stand against it.
    fn proved(&mut self, timeslot: Timeslot) -> Timeslot {
        let channel = Timeslots::NONE.with(timeslot, true);
        self.back_in_service(channel);
        let was_restarting = self.restarts.forgive(timeslot);
        if was_restarting || self.failed.has(timeslot) {
            self.in_order(timeslot);
        }
        timeslot
    }
    /// Both ends took the same channel. Annex D: the network keeps it, unless only the user insists.
    fn collide(
        &mut self,
        now: Instant,
        rival: CallId,
        ours_exclusive: bool,
        theirs_exclusive: bool,
        named: Timeslot,
    ) -> Result<Timeslot, Cause> {
        self.counters.glare += 1;
        let user = self.settings.side == Side::User;
        let (user_insists, network_insists) = if user {
            (ours_exclusive, theirs_exclusive)
        } else {
            (theirs_exclusive, ours_exclusive)
        };
        let network_keeps = network_insists || !user_insists;
        let theirs = user == network_keeps;
        if let Some(rival) = self.calls.get_mut(&rival) {
            rival.collided = true;
            if theirs {
                rival.timeslot = None;
            }
        }
        if theirs {
            Ok(named)
        } else if theirs_exclusive {
            Err(self.settings.dialect.glare_cause)
        } else {
            self.other_channel(now)
        }
    }
    fn announce(&mut self, mut call: Call) -> Option<Call> {
        call.timer = None;
        if let Some(offer) = call.offer.take() {
            call.announced = true;
            self.tell(Event::Incoming(offer));
        }
        Some(call)
    }
    fn ask_for_digits(&mut self, now: Instant, mut call: Call) -> Option<Call> {
        self.answer(&mut call, MessageType::SetupAcknowledge, false);
        call.phase = Phase::Overlap;
        call.timer = Timer::T302.from(now, &self.settings.timers);
        Some(call)
    }
    pub(super) fn on_information(
        &mut self,
        now: Instant,
        mut call: Call,
        body: &Body<'_>,
    ) -> Option<Call> {
        if call.announced {
            return Some(call);
        }
        match body.called.good() {
            Some(number) => call.add_digits(&number.digits),
            None => call.add_digits(&digits(body.keypad)),
        }
        let so_far = call.offer.as_ref().map_or("", |offer| offer.called.digits.as_str());
        if body.sending_complete || self.is_complete(so_far) {
            call.end_number();
            return self.announce(call);
        }
        call.timer = Timer::T302.from(now, &self.settings.timers);
        Some(call)
    }
    /// Whether a number that is dialled digit by digit is complete by itself. §5.2.4.
    fn is_complete(&self, digits: &str) -> bool {
        let enough = self.settings.overlap.digits.is_some_and(|n| digits.len() >= usize::from(n));
        self.settings.overlap.receive && (enough || digits.ends_with(TERMINATOR))
    }
    /// The caller's name may come after SETUP: NI-2, QSIG.
    pub(super) fn on_facility(&mut self, mut call: Call, body: &Body<'_>) -> Option<Call> {
        let Some(CallingName::Allowed(name)) = &body.facility.name else { return Some(call) };
        match &mut call.offer {
            Some(offer) if !call.announced => offer.name = Some(name.clone()),
            _ if !call.id.ours => self.tell(Event::Named { key: call.key, name: name.clone() }),
            _ => {}
        }
        Some(call)
    }
    /// T302: what is there must do. §5.2.4.
    pub(super) fn on_number_timeout(&mut self, now: Instant, call: Call) -> Option<Call> {
        if call.has_no_digits() {
            return self.fail(now, call, Cause::INVALID_NUMBER);
        }
        self.announce(call)
    }

    /// Sends an answer to SETUP; the first of them names the channel.
    fn answer(&mut self, call: &mut Call, message: MessageType, in_band: bool) {
        let channel = call.timeslot.filter(|_| !call.settled);
        let channel = channel.map(|timeslot| self.named(timeslot, true));
        call.settled = true;
        let message =
            self.compose(call, message).channel(channel).in_band(in_band, self.settings.location);
        self.send(message);
    }
    const fn is_offered(call: &Call) -> bool {
        !call.id.ours && call.announced && call.is_establishing()
    }
    pub(super) fn proceed(&mut self, mut call: Call) -> Option<Call> {
        if Self::is_offered(&call) && matches!(call.phase, Phase::Setup | Phase::Overlap) {
            self.answer(&mut call, MessageType::CallProceeding, false);
            call.phase = Phase::Proceeding;
        }
        Some(call)
    }
    pub(super) fn alert(&mut self, mut call: Call, in_band: bool) -> Option<Call> {
        if Self::is_offered(&call) && call.phase != Phase::Alerting {
            self.answer(&mut call, MessageType::Alerting, in_band);
            call.phase = Phase::Alerting;
        }
        Some(call)
    }
    /// PROGRESS never is the first answer: CALL PROCEEDING goes before it.
    pub(super) fn progress(&mut self, call: Call, cause: Option<Cause>) -> Option<Call> {
        let call = self.proceed(call)?;
        if Self::is_offered(&call) {
            let location = self.settings.location;
            let message = self
                .compose(&call, MessageType::Progress)
                .cause_if(cause, location)
                .in_band(true, location);
            self.send(message);
        }
        Some(call)
    }
    pub(super) fn connect(&mut self, now: Instant, mut call: Call) -> Option<Call> {
        if !Self::is_offered(&call) {
            return Some(call);
        }
        self.answer(&mut call, MessageType::Connect, false);
        // §5.1.8: a network does not wait for an acknowledgement; §5.2.8: a user does.
        // Where both are alike both wait. ECMA-143, §10.1.7.
        let waits = self.settings.side == Side::User || self.settings.dialect.symmetric;
        if !waits {
            return self.on_connected(call);
        }
        call.phase = Phase::Connecting;
        call.timer = Timer::T313.from(now, &self.settings.timers);
        Some(call)
    }
}

/// The digits among IA5 octets.
fn digits(octets: &[u8]) -> String {
    let digits = octets.iter().filter(|octet| matches!(octet, b'0'..=b'9' | b'*' | b'#'));
    digits.take(32).map(|&octet| char::from(octet)).collect()
}
