//! What plays to legs, and what the tick thread tells.

use call::{
    Accepted, CallEvent, Cause, LegId, PlayEnd, PlayItem, Refusal, SitCode, StopOn, ToneClass,
};
use dsp::ears::{self, Heard, Sound};
use dsp::pipeline::{self, Command, Score, What};
use signalling::Order;
use tdm::SampleTime;

use crate::leg::{Play, Purpose, State};
use crate::machine::{LegTimer, Media, OperationKind, Timer, wrong_state};
use crate::outcome::Note;

/// Words in a DISCONNECT with sound: a known announcement is recognised within 2.5 s of its start, others are not.
pub(crate) const RECOGNISED_WITHIN_MILLIS: u32 = 3_000;

impl Media {
    pub(crate) fn play(
        &mut self,
        id: LegId,
        items: &[PlayItem],
        repeat: bool,
        stop_on: StopOn,
    ) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        if !matches!(leg.state, State::Answered | State::Answering | State::Offered) {
            let state = crate::leg::state_name(leg.state);
            let what = format!("leg {id} cannot be played to: {state}");
            return Err(wrong_state("leg", state, what));
        }
        if self.hears_peer(leg) {
            let what = format!("leg {id} talks: hold it first");
            return Err(wrong_state("leg", "bridged", what));
        }
        let stop_on_dtmf = stop_on == StopOn::Dtmf;
        let longest = self.settings.limits.timer_millis;
        let score = self.names.play(items, repeat, stop_on_dtmf, longest)?;
        self.promise_sound(id);
        let operation = self.begin_operation(id, OperationKind::Play);
        self.start_play(id, Purpose::Operation(operation), score);
        Ok(Accepted { operation: Some(operation), ..Accepted::default() })
    }

    /// Tells the caller of an offered leg that there is something to hear, once.
    pub(crate) fn promise_sound(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.state == State::Offered && !leg.in_band {
            leg.in_band = true;
            let (span, key) = (leg.span, leg.key);
            self.order(span, Order::Progress { key, cause: None });
        }
    }

    /// Starts a play instead of the running one.
    pub(crate) fn start_play(&mut self, id: LegId, purpose: Purpose, score: Score) {
        let token = self.next_token();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(to) = leg.channel else { return };
        let (repeat, stop_on_dtmf) = (score.repeat, score.stop_on_dtmf);
        let old = leg.play.replace(Play { token, purpose, repeat, stop_on_dtmf });
        self.tell_play_end(id, old, PlayEnd::Stopped, None);
        self.pipeline(Command::Play { to, token, score });
        self.start_first_digit(id);
    }

    pub(crate) fn stop_play_command(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        self.live(id)?;
        self.stop_play(id);
        self.settle(id);
        Ok(Accepted::default())
    }

    /// Stops what plays, if anything does.
    pub(crate) fn stop_play(&mut self, id: LegId) {
        let to = self.legs.get(&id).and_then(|leg| leg.channel);
        if self.end_play(id, PlayEnd::Stopped).is_some()
            && let Some(to) = to
        {
            self.pipeline(Command::StopPlay { to });
        }
    }

    /// A play is over, whoever ended it.
    pub(crate) fn end_play(&mut self, id: LegId, why: PlayEnd) -> Option<Purpose> {
        self.end_play_at(id, why, None)
    }

    fn end_play_at(&mut self, id: LegId, why: PlayEnd, at: Option<SampleTime>) -> Option<Purpose> {
        let play = self.legs.get_mut(&id)?.play.take()?;
        self.tell_play_end(id, Some(play), why, at);
        self.start_first_digit(id);
        Some(play.purpose)
    }

    fn tell_play_end(
        &mut self,
        leg: LegId,
        play: Option<Play>,
        why: PlayEnd,
        at: Option<SampleTime>,
    ) {
        if let Some(Play { purpose: Purpose::Operation(operation), .. }) = play {
            self.end_operation(operation);
            let event = CallEvent::PlayEnded { operation, leg, why };
            match at {
                Some(at) => self.event_at(event, at),
                None => self.event(event),
            }
        }
    }

    /// Something from the tick thread. What belongs to a leg that is gone, or to a play that was replaced, is
    /// old news.
    pub(crate) fn pipeline_event(&mut self, event: pipeline::Event) {
        let Some(id) = self.leg_on(event.channel) else { return };
        let Some(leg) = self.legs.get(&id) else { return };
        if leg.state == State::Ending {
            if let What::Heard(heard) = event.what {
                self.judged_at_the_end(id, heard, event.at);
            }
            return;
        }
        match event.what {
            What::Heard(heard) => self.heard_on(id, heard, event.at),
            What::PlayEnded { token, why } => {
                let current = self.legs.get(&id).and_then(|leg| leg.play);
                if current.is_some_and(|play| play.token == token) {
                    self.play_over(id, why, event.at);
                }
            }
            What::RecorderOverflow { recorder, samples } => {
                if let Some(recording) =
                    self.legs.get_mut(&id).and_then(|leg| leg.recording.as_mut())
                    && recording.recorder == recorder
                {
                    recording.lost_samples += u64::from(samples);
                }
            }
        }
    }

    fn play_over(&mut self, id: LegId, why: pipeline::PlayEnd, at: SampleTime) {
        let why = match why {
            pipeline::PlayEnd::Finished => PlayEnd::Finished,
            pipeline::PlayEnd::Dtmf => PlayEnd::Dtmf,
            pipeline::PlayEnd::Stopped => PlayEnd::Stopped,
        };
        match self.end_play_at(id, why, Some(at)) {
            Some(Purpose::SafeHarbour) => self.safe_harbour_played(id),
            Some(Purpose::Message) => self.message_left(id),
            Some(Purpose::Fallback) => self.fallback_played(id),
            // An ambient sound has no end; if the pipeline thinks so, silence beats a loop.
            Some(Purpose::Ambient(_)) | None => {}
            Some(Purpose::Operation(_) | Purpose::Beep) => {
                self.settle(id);
                self.alone(id);
            }
        }
    }

    fn heard_on(&mut self, id: LegId, heard: Heard, at: SampleTime) {
        match heard {
            Heard::Dtmf(key) => self.digit(id, char::from(key), at),
            Heard::Progress(sound) => {
                if let Some(class) = tone_class(sound) {
                    self.tone(id, class, at);
                }
            }
            // Its tone follows at once.
            Heard::SitCode(code) => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.sounds.coded(sit_code(code));
                }
            }
            Heard::Fax(fax) => {
                self.tone(id, ToneClass::Fax, at);
                self.fax_judged(id, fax);
            }
            Heard::AnswerTends(machine) => self.leans(id, machine, at),
            Heard::Answer { who, score } => self.judged(id, who, score, at),
            Heard::AnswerReason(features) => self.reason_heard(id, &features),
            Heard::AnswerRevised { who, score } => self.revised(id, who, score, at),
            Heard::SpeakNow(hz) => self.speak_now(id, hz, at),
            Heard::Print(print) => self.announced(id, print, at),
            Heard::DtmfEnd(_) | Heard::Beep(_) | Heard::Mf(_) | Heard::MfEnd(_) => {}
        }
    }

    /// A known announcement of the network before the answer: nothing better will come. Known words after it are a
    /// machine's, whatever they say: the ear's verdict follows at once, with this for a reason.
    fn announced(&mut self, id: LegId, print: u16, at: SampleTime) {
        let Some((announcement, means)) =
            self.settings.announcements.get(usize::from(print)).cloned()
        else {
            return;
        };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.state == State::Answered && (leg.judgement.is_some() || leg.watch.is_some()) {
            leg.recognised = Some(format!("announcement {announcement}: {means}"));
            return self.event_at(CallEvent::Announced { leg: id, announcement, means }, at);
        }
        if !matches!(leg.state, State::Dialling | State::Listening) {
            return;
        }
        leg.sounds.announced(means);
        leg.in_band = true;
        let (promised, state) = (leg.promised, leg.state);
        let is_for_list = leg.dialled.on_person.is_some();
        self.event_at(CallEvent::Announced { leg: id, announcement, means }, at);
        // What is known need not be kept as unknown.
        self.drop_early_recording(id);
        match promised {
            Some(waiting) => self.settle(waiting),
            None if state == State::Listening => self.release(id),
            // Nobody of ours listens to it: the channel is of better use elsewhere.
            None if is_for_list => self.clear(id, Cause::NORMAL_CLEARING, Note::Announced),
            None => {}
        }
    }

    fn tone(&mut self, id: LegId, class: ToneClass, at: SampleTime) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let answered = leg.state == State::Answered;
        if !answered {
            leg.sounds.hear(class);
        }
        let sit = (class == ToneClass::Sit).then(|| leg.sounds.sit_code());
        self.event_at(CallEvent::Tone { leg: id, class, answered, sit }, at);
        let Some(leg) = self.legs.get_mut(&id).filter(|_| !answered) else { return };
        // Sound nobody promised is sound all the same.
        leg.in_band = true;
        let is_words = class == ToneClass::Announcement;
        let knows_words = !self.settings.announcements.is_empty();
        let is_final = leg.sounds.is_final(knows_words);
        let listens = leg.state == State::Listening;
        match leg.promised {
            Some(waiting) => self.settle(waiting),
            None if listens && is_words && !is_final && knows_words => {
                // Words and tones that take turns hold the channel no longer than the listening lasts.
                self.shorten_timer(Timer::Leg(id, LegTimer::Listen), RECOGNISED_WITHIN_MILLIS);
            }
            None if listens && (is_final || is_words) => self.release(id),
            None => {}
        }
    }
}

/// What the ears call a special information tone, in the words for calls.
pub const fn sit_code(code: ears::SitCode) -> SitCode {
    match code {
        ears::SitCode::International => SitCode::International,
        ears::SitCode::Intercept => SitCode::Intercept,
        ears::SitCode::VacantCode => SitCode::VacantCode,
        ears::SitCode::ReorderLocal => SitCode::ReorderLocal,
        ears::SitCode::ReorderLongDistance => SitCode::ReorderLongDistance,
        ears::SitCode::NoCircuitLocal => SitCode::NoCircuitLocal,
        ears::SitCode::NoCircuitLongDistance => SitCode::NoCircuitLongDistance,
        ears::SitCode::Ineffective => SitCode::Ineffective,
    }
}

const fn tone_class(sound: Sound) -> Option<ToneClass> {
    Some(match sound {
        Sound::Ringback => ToneClass::Ringback,
        Sound::Busy => ToneClass::Busy,
        Sound::Congestion => ToneClass::Congestion,
        Sound::Vacant => ToneClass::Vacant,
        Sound::Sit => ToneClass::Sit,
        Sound::Dial => ToneClass::Dial,
        Sound::Announcement => ToneClass::Announcement,
        Sound::Music => ToneClass::Music,
        Sound::Talk => ToneClass::Talk,
        Sound::CallWaiting => return None,
    })
}
