//! What became of a dialled call: the signalled cause, the sound before it, our own reason, in that order.
//!
//! | the call was | and | outcome |
//! |---|---|---|
//! | answered | judged | `Outcome::of_verdict` |
//! | answered | ended before the verdict that was asked for | other |
//! | answered | never judged, or bridged before the verdict | none |
//! | cleared by the far end | a cause that says enough (in PROGRESS, DISCONNECT or RELEASE; not 16, 31, 127) | `Outcome::of_cause` |
//! | … or by us, for whatever reason | a known announcement was recognised, and the cause says no more than *other* | `Meaning::outcome` |
//! | cleared by the far end, or by us because nobody answered | busy tone heard last | busy |
//! | | congestion tone heard last | congestion |
//! | | vacant tone heard last | vacant |
//! | | special information tone heard last | `SitCode::outcome` |
//! | | an announcement or speech, no tone | other |
//! | | ring-back tone or music, or ALERTING | no answer |
//! | | nothing | no answer when our timer ran out, else other |
//! | cleared by us for another reason | one of these tones heard | as heard |
//! | | it rang | no answer |
//! | | it did not ring | other |
//! | given up by the engine: a timer, a lost link | it rang | no answer |
//! | | SETUP was not answered, or the link was down | congestion |
//! | | else | other |

use call::{Cause, Meaning, Outcome, SitCode, ToneClass, Verdict};
use signalling::Failure;

use crate::trouble;

/// Early media of a call, as far as it says anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sounds {
    /// The last tone that says where the call went.
    verdict: Option<ToneClass>,
    /// Which special information tone was the last; none was heard, or none that said it.
    code: Option<SitCode>,
    voice: bool,
    rings: bool,
    /// A known announcement was recognised; it says this.
    announced: Option<Meaning>,
}

impl Sounds {
    pub(crate) fn hear(&mut self, class: ToneClass) {
        match class {
            ToneClass::Busy | ToneClass::Congestion | ToneClass::Vacant | ToneClass::Sit => {
                self.verdict = Some(class);
            }
            ToneClass::Announcement | ToneClass::Talk => self.voice = true,
            ToneClass::Ringback | ToneClass::Music => self.rings = true,
            ToneClass::Dial | ToneClass::Fax => {}
        }
    }
    pub(crate) const fn announced(&mut self, means: Meaning) {
        self.announced = Some(means);
    }
    /// The special information tone that comes next.
    pub(crate) const fn coded(&mut self, code: SitCode) {
        self.code = Some(code);
    }
    pub(crate) fn sit_code(self) -> SitCode {
        self.code.unwrap_or(SitCode::International)
    }
    /// Something was heard after which nothing better can come. Behind special information tones without a code words
    /// say what is wrong, and may be known.
    pub(crate) fn is_final(self, knows_words: bool) -> bool {
        self.announced.is_some() || (self.verdict.is_some() && !self.waits_for_words(knows_words))
    }
    /// Special information tones without a code were heard last: the words behind them may be known.
    pub(crate) fn waits_for_words(self, knows_words: bool) -> bool {
        knows_words
            && self.verdict == Some(ToneClass::Sit)
            && self.sit_code() == SitCode::International
    }
    fn outcome(self) -> Option<(Outcome, String)> {
        if let Some(means) = self.announced {
            return Some((means.outcome(), format!("announcement: {means}")));
        }
        let (outcome, words) = match self.verdict? {
            ToneClass::Busy => (Outcome::Busy, "busy tone"),
            ToneClass::Congestion => (Outcome::Congestion, "congestion tone"),
            ToneClass::Vacant => (Outcome::Vacant, "vacant-number tone"),
            ToneClass::Sit => {
                let code = self.sit_code();
                return Some((
                    code.outcome(),
                    format!("special information tone: {}", code.word()),
                ));
            }
            _ => return None,
        };
        Some((outcome, String::from(words)))
    }
}

/// Why we cleared a leg, when we did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// A controller asked for it.
    Command,
    /// Nobody answered for so long.
    NoAnswer { millis: u32 },
    /// The stuck-call watch, and what the leg was stuck in.
    Stuck(&'static str),
    /// No controller was there.
    ControllerLost,
    /// The armed action after a verdict.
    Verdict,
    /// The safe-harbour prompt was played.
    SafeHarbour,
    /// The leg it was dialled for is gone, or the transfer was given up.
    NobodyWaits,
    /// The channel the far end wanted is not free.
    ChannelUnacceptable,
    /// The board of its span is gone.
    BoardGone,
    /// A known announcement said that nobody will answer.
    Announced,
    /// The message for the machine was left.
    MessageLeft,
    /// The machine's beep did not come.
    NoBeep,
}

impl Note {
    pub(crate) fn words(self) -> String {
        match self {
            Self::Command => String::from("released by command"),
            Self::NoAnswer { millis } => format!("no answer within {millis} ms"),
            Self::Stuck(state) => format!("stuck: {state} for too long"),
            Self::ControllerLost => String::from("no controller"),
            Self::Verdict => String::from("released after the verdict"),
            Self::SafeHarbour => String::from("released after the safe-harbour prompt"),
            Self::NobodyWaits => String::from("nobody waits for it any more"),
            Self::ChannelUnacceptable => String::from("the far end moved it to a taken channel"),
            Self::BoardGone => String::from("board gone"),
            Self::Announced => String::from("released after the announcement"),
            Self::MessageLeft => String::from("released after the message"),
            Self::NoBeep => String::from("released, the machine did not beep"),
        }
    }
}

/// What is known of a dialled call that ended unanswered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unanswered {
    /// The far end's cause, when it named one.
    pub(crate) cause: Option<Cause>,
    pub(crate) sounds: Sounds,
    /// ALERTING came.
    pub(crate) alerted: bool,
    /// Why we cleared, when we did.
    pub(crate) note: Option<Note>,
    /// Why the engine gave it up, when it did.
    pub(crate) failure: Option<Failure>,
}

/// Outcome and reason of a call that was not answered.
pub(crate) fn unanswered(call: Unanswered) -> (Outcome, String) {
    if let Some(cause) = call.cause
        && let Some(outcome) = Outcome::of_cause(cause)
        && (outcome != Outcome::Other || call.sounds.announced.is_none())
    {
        return (outcome, format!("cause {cause}"));
    }
    if let Some(heard) = call.sounds.outcome() {
        return heard;
    }
    let rings = call.alerted || call.sounds.rings;
    if let Some(why) = call.failure.filter(|_| call.note.is_none()) {
        let outcome = match why {
            _ if rings => Outcome::NoAnswer,
            Failure::Timer("T303" | "T304") | Failure::Link => Outcome::Congestion,
            _ => Outcome::Other,
        };
        return (outcome, trouble::words(why));
    }
    match call.note {
        Some(note @ Note::NoAnswer { .. }) if call.sounds.voice && !rings => {
            (Outcome::Other, format!("{}, announcement", note.words()))
        }
        Some(note @ Note::NoAnswer { .. }) => (Outcome::NoAnswer, note.words()),
        Some(note @ (Note::Command | Note::NobodyWaits)) if rings => {
            (Outcome::NoAnswer, format!("{} while it rang", note.words()))
        }
        Some(note) => (Outcome::Other, note.words()),
        None => {
            let cause = call.cause.map_or_else(String::new, |c| format!("cause {c}, "));
            match (call.sounds.voice, rings) {
                (true, _) => (Outcome::Other, format!("{cause}announcement")),
                (false, true) => (Outcome::NoAnswer, format!("{cause}it rang")),
                (false, false) => (Outcome::Other, format!("{cause}nothing heard")),
            }
        }
    }
}

/// Outcome and reason of a call that was answered; `asked`: a verdict was asked for.
pub(crate) fn answered(
    verdict: Option<&(Verdict, String)>,
    asked: bool,
) -> (Option<Outcome>, String) {
    match verdict {
        Some((verdict, reason)) => (Some(Outcome::of_verdict(*verdict)), reason.clone()),
        None if asked => (Some(Outcome::Other), String::from("answered, ended before a verdict")),
        None => (None, String::from("answered, not judged")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(cause: u8, heard: &[ToneClass]) -> Unanswered {
        let mut sounds = Sounds::default();
        heard.iter().for_each(|&class| sounds.hear(class));
        Unanswered { cause: Some(Cause(cause)), sounds, alerted: false, note: None, failure: None }
    }

    #[test]
    fn a_telling_cause_beats_what_was_heard() {
        assert_eq!(unanswered(call(17, &[ToneClass::Congestion])).0, Outcome::Busy);
        assert_eq!(unanswered(call(1, &[ToneClass::Ringback])).0, Outcome::Vacant);
        assert_eq!(unanswered(call(34, &[])).0, Outcome::Congestion);
    }

    #[test]
    fn causes_16_31_and_127_leave_it_to_the_ear() {
        for cause in [16, 31, 127] {
            for (heard, outcome) in [
                (&[ToneClass::Ringback, ToneClass::Busy][..], Outcome::Busy),
                (&[ToneClass::Congestion], Outcome::Congestion),
                (&[ToneClass::Sit, ToneClass::Announcement], Outcome::Vacant),
                (&[ToneClass::Vacant], Outcome::Vacant),
                (&[ToneClass::Announcement], Outcome::Other),
                (&[ToneClass::Music], Outcome::NoAnswer),
                (&[ToneClass::Ringback], Outcome::NoAnswer),
                (&[], Outcome::Other),
            ] {
                assert_eq!(unanswered(call(cause, heard)).0, outcome, "{cause} {heard:?}");
            }
        }
    }

    #[test]
    fn a_known_announcement_beats_tones_and_causes_that_say_nothing() {
        for meaning in Meaning::ALL {
            let after = |cause, heard: &[ToneClass]| {
                let mut call = call(cause, heard);
                call.sounds.announced(meaning);
                unanswered(call).0
            };
            // 20 and 27 mean no more than "other"; 17 is clearer than any announcement.
            for cause in [16, 31, 127, 20, 27] {
                assert_eq!(after(cause, &[ToneClass::Announcement]), meaning.outcome());
                assert_eq!(after(cause, &[ToneClass::Sit, ToneClass::Busy]), meaning.outcome());
            }
            assert_eq!(after(17, &[]), Outcome::Busy);
            assert_eq!(after(34, &[]), Outcome::Congestion);
        }
    }

    #[test]
    fn a_special_information_tone_says_by_its_code_whether_the_number_or_the_network_is_at_fault() {
        for code in SitCode::ALL {
            let outcome = match code {
                SitCode::International | SitCode::Intercept | SitCode::VacantCode => {
                    Outcome::Vacant
                }
                SitCode::Ineffective => Outcome::Other,
                _ => Outcome::Congestion,
            };
            for cause in [16, 31, 127] {
                let mut call = call(cause, &[]);
                call.sounds.coded(code);
                call.sounds.hear(ToneClass::Sit);
                let (heard, reason) = unanswered(call);
                assert_eq!(heard, outcome, "{code:?}");
                assert!(reason.contains(code.word()), "{reason}");
                let ends_listening = code != SitCode::International;
                assert_eq!(call.sounds.is_final(true), ends_listening, "words may follow");
                assert!(call.sounds.is_final(false));
                // Words that are known say it better, and so does a cause.
                call.sounds.announced(Meaning::Off);
                assert_eq!(unanswered(call).0, Outcome::NoAnswer);
                assert_eq!(
                    unanswered(Unanswered { cause: Some(Cause(17)), ..call }).0,
                    Outcome::Busy
                );
            }
        }
    }

    #[test]
    fn our_timer_means_no_answer_unless_the_ear_knows_better() {
        let timer = |heard: &[ToneClass]| {
            let note = Some(Note::NoAnswer { millis: 12_000 });
            unanswered(Unanswered { cause: None, note, ..call(16, heard) }).0
        };
        assert_eq!(timer(&[]), Outcome::NoAnswer);
        assert_eq!(timer(&[ToneClass::Busy]), Outcome::Busy);
        assert_eq!(timer(&[ToneClass::Announcement]), Outcome::Other);
    }
}
