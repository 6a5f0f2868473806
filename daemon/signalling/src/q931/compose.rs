//! Writing a message: header, then elements in ascending order of their codes. Q.931, §4.5.1.

use call::{Cause, Location, Number};
use tdm::Law;

use super::channels::ChannelId;
use super::element::code;
use super::facility::compose_calling_name;
use super::header::{CallReference, DISCRIMINATOR, MessageType};
use super::number::{compose_called, compose_calling};
use super::redirecting::compose_redirecting;
use crate::{Bearer, Dialect, NameCarrier, Redirecting, Side};

/// A message in the making. Call the methods in the order in which they stand here: it is the standard's.
#[derive(Clone, Debug)]
pub struct Composer(Vec<u8>);

impl Composer {
    /// The header.
    pub fn new(call: CallReference, message: MessageType) -> Self {
        let [high, low] = (call.value | u16::from(call.to_originator) << 15).to_be_bytes();
        Self(vec![DISCRIMINATOR, 2, high, low, message.code()])
    }
    /// The number is complete.
    #[must_use]
    pub fn sending_complete(mut self, complete: bool) -> Self {
        self.0.extend(complete.then_some(code::SENDING_COMPLETE));
        self
    }
    /// A voice, circuit mode, 64 kbit/s, coded so. Q.931, §4.5.5.
    #[must_use]
    pub fn voice(self, bearer: Bearer, law: Law) -> Self {
        let capability = match bearer {
            Bearer::Speech => 0x80,
            Bearer::Audio => 0x90,
        };
        let coding = match law {
            Law::A => 0xA3,
            Law::Mu => 0xA2,
        };
        self.element(code::BEARER_CAPABILITY, &[capability, 0x90, coding])
    }
    /// Why.
    #[must_use]
    pub fn cause(self, cause: Cause, location: Location) -> Self {
        self.element(code::CAUSE, &[0x80 | location.bits(), 0x80 | cause.0])
    }
    /// Why, where it has to be said.
    #[must_use]
    pub fn cause_if(self, cause: Option<Cause>, location: Location) -> Self {
        match cause {
            Some(cause) => self.cause(cause, location),
            None => self,
        }
    }
    /// In which state we are. Q.931, §4.5.7.
    #[must_use]
    pub fn call_state(self, state: u8) -> Self {
        self.element(code::CALL_STATE, &[state & 0x3F])
    }
    /// On which channel, by its number on the line, and whether no other will do.
    #[must_use]
    pub fn channel(self, channel: Option<(u8, bool)>) -> Self {
        match channel {
            Some((number, exclusive)) => {
                self.element(code::CHANNEL_IDENTIFICATION, &ChannelId::contents(number, exclusive))
            }
            None => self,
        }
    }
    /// The caller's name in a facility element, where `dialect` has it there.
    #[must_use]
    pub fn name_in_facility(self, name: Option<&str>, dialect: &Dialect) -> Self {
        let contents = name.map(|name| ascii(name, dialect.name_octets_max));
        match contents.and_then(|name| compose_calling_name(dialect.names, &name)) {
            Some(contents) => self.element(code::FACILITY, &contents),
            None => self,
        }
    }
    /// Which of its services a network shall give. Q.931, §4.5.21.
    #[must_use]
    pub fn network_facility(self, coding: Option<u8>) -> Self {
        match coding {
            Some(coding) => self.element(code::NETWORK_FACILITIES, &[0, coding]),
            None => self,
        }
    }
    /// The caller's name as display text, where `dialect` has it there.
    #[must_use]
    pub fn name_in_display(self, name: Option<&str>, dialect: &Dialect, side: Side) -> Self {
        let Some(name) = name.map(|name| ascii(name, dialect.name_octets_max)) else { return self };
        match dialect.names {
            NameCarrier::DisplayFromNetwork if side == Side::Network && !name.is_empty() => {
                self.element(code::DISPLAY, name.as_bytes())
            }
            NameCarrier::MarkedDisplay if !name.is_empty() => {
                self.element(code::DISPLAY, &[&[0xB1], name.as_bytes()].concat())
            }
            _ => self,
        }
    }
    /// The channels as somebody else wrote them.
    #[must_use]
    pub fn channel_contents(self, contents: &[u8]) -> Self {
        if contents.is_empty() {
            return self;
        }
        self.element(code::CHANNEL_IDENTIFICATION, contents)
    }
    /// Something is to be heard.
    #[must_use]
    pub fn in_band(self, in_band: bool, location: Location) -> Self {
        if in_band {
            self.element(code::PROGRESS_INDICATOR, &[0x80 | location.bits(), 0x88])
        } else {
            self
        }
    }
    /// Who calls.
    #[must_use]
    pub fn calling(self, number: Option<&Number>) -> Self {
        match number {
            Some(number) => self.element(code::CALLING_NUMBER, &compose_calling(number)),
            None => self,
        }
    }
    /// Who is called; left out when there is no digit.
    #[must_use]
    pub fn called(self, number: &Number) -> Self {
        if number.digits.is_empty() {
            return self;
        }
        self.element(code::CALLED_NUMBER, &compose_called(number))
    }
    /// From where the call was sent on.
    #[must_use]
    pub fn redirecting(self, redirecting: Option<&Redirecting>) -> Self {
        match redirecting {
            Some(from) => self.element(code::REDIRECTING_NUMBER, &compose_redirecting(from)),
            None => self,
        }
    }
    /// What is restarted: 0 channels, 6 the interface. Q.931, §4.5.25.
    #[must_use]
    pub fn restart(self, class: u8) -> Self {
        self.element(code::RESTART_INDICATOR, &[0x80 | class])
    }
    /// The octets.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn element(mut self, which: u8, contents: &[u8]) -> Self {
        // No contents written here is longer than a name of 80 octets with its marks.
        let len = contents.len().min(usize::from(u8::MAX));
        self.0.extend([which, len as u8]);
        self.0.extend(contents.iter().take(len));
        self
    }
}

/// What of a name every display shows: printable ASCII, at most so many octets.
fn ascii(name: &str, octets_max: u8) -> String {
    let printable = name.chars().filter(|character| matches!(character, ' '..='~'));
    printable.take(usize::from(octets_max)).collect()
}
