//! The ladder of a call: what went up and down a D-channel because of it, in words, with times.
//!
//! Reads what a capture holds, so that a call can be followed after the fact; knows nothing of engines.

use std::collections::BTreeMap;

use tdm::{Instant, Timeslot};

use crate::Side;
use crate::lapd::{Control, Frame};
use crate::q931::{Body, Header, MessageType};

/// Calls of a capture that are kept; the oldest goes first.
const CALLS_MAX: usize = 100_000;

/// One step of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// When.
    pub at: Instant,
    /// We sent it.
    pub sent: bool,
    /// The message and what it says.
    pub words: String,
}

/// A call as its messages tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// We began it.
    pub ours: bool,
    /// Its call reference.
    pub reference: u16,
    /// The channels that were named, as they are numbered on the line; the last is its own.
    pub channels: Vec<Timeslot>,
    /// Whom it wanted, as far as SETUP says.
    pub called: String,
    /// Its messages in their order.
    pub rungs: Vec<Rung>,
}

/// Sorts the frames of one D-channel into calls.
#[derive(Debug)]
pub struct Ladders {
    side: Side,
    /// Calls that are not over, by who began them and their reference: an index into `all`.
    open: BTreeMap<(bool, u16), usize>,
    all: Vec<Ladder>,
    /// N(S) of the last I frame each way: a repetition is no second message.
    last: [Option<u8>; 2],
}

impl Ladders {
    /// For a capture made on this side.
    pub const fn new(side: Side) -> Self {
        Self { side, open: BTreeMap::new(), all: Vec::new(), last: [None; 2] }
    }
    /// The calls so far, the earliest first.
    pub fn calls(&self) -> &[Ladder] {
        &self.all
    }
    /// A frame of the line, without FCS.
    pub fn frame(&mut self, at: Instant, sent: bool, octets: &[u8]) {
        let sender = match (self.side, sent) {
            (side, true) => side,
            (Side::User, false) => Side::Network,
            (Side::Network, false) => Side::User,
        };
        let Ok(Frame { sapi: 0, control, information, .. }) = Frame::parse(octets, sender) else {
            return;
        };
        let Some(last) = self.last.get_mut(usize::from(sent)) else { return };
        match control {
            Control::Information { ns, .. } => {
                // Repetitions come from the window behind: what lies up to 63 back was there already.
                let ns = ns.value();
                let is_new =
                    last.is_none_or(|last| (1..64).contains(&(ns.wrapping_sub(last) & 0x7F)));
                if is_new {
                    *last = Some(ns);
                    self.message(at, sent, information);
                }
            }
            Control::SetBalancedMode { .. } => self.last = [None; 2],
            _ => {}
        }
    }
    fn message(&mut self, at: Instant, sent: bool, message: &[u8]) {
        let Ok((header, elements)) = Header::parse(message) else { return };
        if header.call.is_global() {
            return;
        }
        let ours = header.call.to_originator != sent;
        let key = (ours, header.call.value);
        let body = Body::parse(elements);
        let kind = MessageType::from_code(header.code);
        let words = in_words(header.code, kind, &body);
        if kind == Some(MessageType::Setup)
            && !self.is_repeated(key, &words)
            && self.all.len() < CALLS_MAX
        {
            let called = body.called.good().map(|number| number.digits.clone()).unwrap_or_default();
            let (ours, reference) = key;
            self.open.insert(key, self.all.len());
            self.all.push(Ladder {
                ours,
                reference,
                channels: Vec::new(),
                called,
                rungs: Vec::new(),
            });
        }
        let Some(call) = self.open.get(&key).and_then(|at| self.all.get_mut(*at)) else { return };
        let named = body.channel.good().and_then(|channel| channel.single());
        call.channels.extend(named.filter(|named| call.channels.last() != Some(named)));
        call.rungs.push(Rung { at, sent, words });
        if kind == Some(MessageType::ReleaseComplete) {
            self.open.remove(&key);
        }
    }
    /// T303 sends a SETUP again: nothing but this SETUP so far. Another with its reference is another call, of a far
    /// end that began anew while the link was away.
    fn is_repeated(&self, key: (bool, u16), words: &str) -> bool {
        let call = self.open.get(&key).and_then(|at| self.all.get(*at));
        call.is_some_and(|call| call.rungs.iter().all(|rung| rung.words == words))
    }
}

/// A message in words.
fn in_words(code: u8, kind: Option<MessageType>, body: &Body<'_>) -> String {
    let mut words = kind.map_or_else(|| format!("message {code:02X}"), name);
    let mut say = |text: String| {
        words.push(' ');
        words.push_str(&text);
    };
    if let Some(channel) = body.channel.good() {
        match channel.single() {
            Some(timeslot) if channel.exclusive => say(format!("on {timeslot} and no other")),
            Some(timeslot) => say(format!("on {timeslot}")),
            None if channel.any => say("on any channel".into()),
            None => {}
        }
    }
    if let Some(number) = body.called.good() {
        say(format!("to {}", number.digits));
    }
    if let Some(number) = body.calling.good() {
        // What is restricted is kept for tracing in the capture, and not shown here.
        say(format!("from {}", number.shown().unwrap_or("a withheld number")));
    }
    if let Some(from) = body.diverted_from() {
        say(format!("sent on by {}", from.number.shown().unwrap_or("a withheld number")));
    }
    if body.sending_complete {
        say("complete".into());
    }
    if let Some(element) = body.cause.good() {
        say(format!("cause {} ({:?})", element.cause, element.location));
    }
    if let Some(state) = body.call_state.good() {
        say(format!("in state {state}"));
    }
    if body.is_in_band() {
        say("with something to hear".into());
    }
    words
}

/// SETUP ACKNOWLEDGE of `SetupAcknowledge`.
fn name(kind: MessageType) -> String {
    let mut name = String::new();
    for character in format!("{kind:?}").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push(' ');
        }
        name.push(character.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn i_frame(network: bool, ns: u8, message: &[u8]) -> Vec<u8> {
        [&[u8::from(network) << 1, 1, ns << 1, 0][..], message].concat()
    }

    #[test]
    fn the_messages_of_a_call_are_told_in_words_and_repetitions_once() {
        let mut ladders = Ladders::new(Side::User);
        let setup = [
            &[8, 2, 0, 7, 5, 0xA1, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x85][..],
            &[0x6C, 3, 0x21, 0xA0, b'9', 0x70, 3, 0x81, b'4', b'2'],
        ]
        .concat();
        let frames = [
            (true, i_frame(false, 0, &setup)),
            (true, i_frame(false, 0, &setup)),
            (false, i_frame(true, 0, &[8, 2, 0x80, 7, 2, 0x18, 3, 0xA9, 0x83, 0x86])),
            (false, i_frame(true, 1, &[8, 2, 0x80, 7, 1, 0x1E, 2, 0x82, 0x88])),
            (false, i_frame(true, 2, &[8, 2, 0x80, 7, 0x45, 8, 2, 0x82, 0x91])),
            (true, i_frame(false, 1, &[8, 2, 0, 7, 0x4D])),
            (false, i_frame(true, 3, &[8, 2, 0x80, 7, 0x5A])),
        ];
        for (n, (sent, frame)) in frames.iter().enumerate() {
            ladders.frame(Instant::millis(n as u64), *sent, frame);
        }
        let [call] = ladders.calls() else { panic!("{:?}", ladders.calls()) };
        assert!(call.ours && call.reference == 7 && call.called == "42");
        assert_eq!(call.channels, [5, 6].map(|n| Timeslot::new(n).unwrap()));
        let words: Vec<(bool, &str)> =
            call.rungs.iter().map(|rung| (rung.sent, rung.words.as_str())).collect();
        let expected = [
            (true, "SETUP on 5 and no other to 42 from a withheld number complete"),
            (false, "CALL PROCEEDING on 6 and no other"),
            (false, "ALERTING with something to hear"),
            (false, "DISCONNECT cause 17 (PublicLocal)"),
            (true, "RELEASE"),
            (false, "RELEASE COMPLETE"),
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_setup_again_is_the_same_call_and_another_setup_with_its_reference_is_another() {
        let mut ladders = Ladders::new(Side::User);
        let setup = |digit| [8, 2, 0, 1, 5, 4, 3, 0x80, 0x90, 0xA3, 0x70, 2, 0x81, digit];
        for (second, (ns, digit)) in [(0, b'1'), (1, b'1'), (0, b'2')].into_iter().enumerate() {
            if ns == 0 {
                ladders.frame(Instant::seconds(second as u64), false, &[2, 1, 0x7F]);
            }
            let frame = i_frame(true, ns, &setup(digit));
            ladders.frame(Instant::seconds(second as u64), false, &frame);
        }
        let told: Vec<(&str, usize)> =
            ladders.calls().iter().map(|call| (call.called.as_str(), call.rungs.len())).collect();
        assert_eq!(told, [("1", 2), ("2", 1)]);
    }

    #[test]
    fn calls_of_both_ends_with_one_reference_are_told_apart_and_a_reference_is_used_again() {
        let mut ladders = Ladders::new(Side::Network);
        let at = Instant::millis(0);
        let setup = [8, 2, 0, 1, 5, 4, 3, 0x80, 0x90, 0xA3];
        ladders.frame(at, true, &i_frame(true, 0, &setup));
        ladders.frame(at, false, &i_frame(false, 0, &setup));
        ladders.frame(at, false, &i_frame(false, 1, &[8, 2, 0x80, 1, 0x5A]));
        ladders.frame(at, true, &i_frame(true, 1, &setup));
        let told: Vec<(bool, usize)> =
            ladders.calls().iter().map(|call| (call.ours, call.rungs.len())).collect();
        assert_eq!(told, [(true, 2), (false, 1), (true, 1)]);
    }
}
