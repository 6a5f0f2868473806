//! What a message says: its elements, understood. Q.931, §4.5 and §5.8.4 to §5.8.7.

use call::{Cause, Location, Number};

use super::channels::ChannelId;
use super::element::{Element, Elements, code};
use super::facility::{CallingName, Facility};
use super::number::{parse_called, parse_calling};
use super::redirecting::parse_redirecting;
use crate::{ChannelNumbers, PriSettings, Redirecting};

/// What became of the search for an element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Found<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It is there and its contents make no sense.
    Bad,
    /// What it says.
    Good(T),
}

impl<T> Found<T> {
    /// What it says, when it says something.
    pub fn good(&self) -> Option<&T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }
    /// Keeps the first of several: §5.8.5.3 of repeated elements.
    fn take(&mut self, value: Option<T>) {
        if matches!(self, Self::Absent) {
            *self = value.map_or(Self::Bad, Self::Good);
        }
    }
    /// §5.8.6: what is wrong when the element is mandatory.
    pub fn demand(&self) -> Result<&T, Cause> {
        match self {
            Self::Good(value) => Ok(value),
            Self::Absent => Err(Cause::MANDATORY_ELEMENT_MISSING),
            Self::Bad => Err(Cause::INVALID_ELEMENT),
        }
    }
}

/// Why, and who says so. Q.931, §4.5.12; Q.850, §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseElement {
    /// The value.
    pub cause: Cause,
    /// Who says so.
    pub location: Location,
}

impl CauseElement {
    fn parse(contents: &[u8]) -> Option<Self> {
        let (&first, rest) = contents.split_first()?;
        let value = match rest {
            // Octet 3a, the recommendation, is skipped.
            [value, ..] if first & 0x80 != 0 => *value,
            [_, value, ..] => *value,
            _ => return None,
        };
        Some(Self { cause: Cause(value & 0x7F), location: Location::from_bits(first & 0x0F) })
    }
}

/// What happens in the voice channel. Q.931, §4.5.23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressElement {
    /// The description: 1 not ISDN all the way, 8 something to hear, …
    pub description: u8,
}

impl ProgressElement {
    /// The call left ISDN: something may be heard.
    pub const NOT_END_TO_END: u8 = 1;
    /// Something is to be heard.
    pub const IN_BAND: u8 = 8;

    fn parse(contents: &[u8]) -> Option<Self> {
        match contents {
            [first, description, ..] if first & 0x80 != 0 => {
                Some(Self { description: description & 0x7F })
            }
            _ => None,
        }
    }
}

/// What is restarted. Q.931, §4.5.25.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartClass {
    /// The channels named.
    Channels,
    /// The interface.
    Interface,
    /// All interfaces of the D-channel.
    AllInterfaces,
}

/// What the bearer capability asks for. Q.931, §4.5.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// Speech or 3.1 kHz audio: what we carry.
    Voice,
    /// Data or something else.
    Other,
}

/// The elements of one message, understood. Absent, bad and repeated ones are as §5.8 wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Body<'a> {
    pub sending_complete: bool,
    pub bearer: Found<Bearer>,
    pub cause: Found<CauseElement>,
    pub call_state: Found<u8>,
    pub channel: Found<ChannelId>,
    /// As it came, to be sent back in RESTART ACKNOWLEDGE.
    pub channel_contents: &'a [u8],
    /// Two may occur; §4.5.23.
    pub progress: Found<ProgressElement>,
    pub progress_second: Found<ProgressElement>,
    pub display: &'a [u8],
    /// What facility elements say.
    pub facility: Facility,
    pub redirecting: Found<Redirecting>,
    pub keypad: &'a [u8],
    pub calling: Found<Number>,
    pub called: Found<Number>,
    pub restart: Found<RestartClass>,
    /// The first element nobody knows, when its code demands to be understood. §5.8.7.1.
    pub not_comprehended: Option<u8>,
    /// The first other element nobody knows.
    pub unknown: Option<u8>,
}

impl<'a> Body<'a> {
    /// Understands what stands behind the header, by the standard alone. Nothing a peer sends is an error here.
    pub fn parse(octets: &'a [u8]) -> Self {
        Self::parse_with(octets, ChannelNumbers::Timeslot, false)
    }
    /// As [`Body::parse`], with the habits of one interface.
    pub fn parse_for(octets: &'a [u8], settings: &PriSettings) -> Self {
        Self::parse_with(octets, settings.numbers, settings.dialect.has_maintenance())
    }
    fn parse_with(octets: &'a [u8], numbers: ChannelNumbers, has_maintenance: bool) -> Self {
        let mut body = Self::default();
        for element in Elements::of(octets).filter(|element| element.codeset == 0) {
            // Change status is known where there is maintenance, and as unknown as any other elsewhere.
            if element.code != code::CHANGE_STATUS || !has_maintenance {
                body.take(element, numbers);
            }
        }
        body
    }
    fn take(&mut self, element: Element<'a>, numbers: ChannelNumbers) {
        let Element { code: which, contents, .. } = element;
        match which {
            code::SENDING_COMPLETE => self.sending_complete = true,
            code::BEARER_CAPABILITY => self.bearer.take(bearer(contents)),
            code::CAUSE => self.cause.take(CauseElement::parse(contents)),
            code::CALL_STATE => self.call_state.take(contents.first().map(|octet| octet & 0x3F)),
            code::CHANNEL_IDENTIFICATION => {
                if self.channel == Found::Absent {
                    self.channel_contents = contents;
                }
                self.channel.take(ChannelId::parse(contents).map(|id| id.numbered(numbers)));
            }
            code::PROGRESS_INDICATOR if self.progress == Found::Absent => {
                self.progress.take(ProgressElement::parse(contents));
            }
            code::PROGRESS_INDICATOR => self.progress_second.take(ProgressElement::parse(contents)),
            code::DISPLAY if self.display.is_empty() => self.display = contents,
            code::DISPLAY => {}
            code::FACILITY => self.facility.complete(Facility::parse(contents)),
            code::REDIRECTING_NUMBER => self.redirecting.take(parse_redirecting(contents)),
            code::KEYPAD => self.keypad = contents,
            code::CALLING_NUMBER => self.calling.take(parse_calling(contents)),
            code::CALLED_NUMBER => self.called.take(parse_called(contents)),
            code::RESTART_INDICATOR => self.restart.take(restart_class(contents)),
            _ if which & 0x80 != 0 || is_known(which) => {}
            // §4.5.1 and §5.8.7.1: the upper half of the code 0000 demands comprehension.
            _ if which & 0xF0 == 0 => {
                self.not_comprehended.get_or_insert(which);
            }
            _ => {
                self.unknown.get_or_insert(which);
            }
        }
    }
    /// Whether a progress indicator says `description`.
    pub fn has_progress(&self, description: u8) -> bool {
        [&self.progress, &self.progress_second]
            .into_iter()
            .any(|found| found.good().is_some_and(|p| p.description == description))
    }
    /// Whether something may be heard: indicator 8, or 1 where the call leaves ISDN.
    pub fn is_in_band(&self) -> bool {
        self.has_progress(ProgressElement::IN_BAND)
            || self.has_progress(ProgressElement::NOT_END_TO_END)
    }
    /// The caller's name: that of a facility element, else the display text. `None` when it is withheld.
    pub fn calling_name(&self) -> Option<String> {
        match &self.facility.name {
            Some(CallingName::Allowed(name)) => Some(name.clone()),
            Some(CallingName::Withheld) => None,
            None => self.display_text(),
        }
    }
    /// From where the call was sent on, whatever element says it.
    pub fn diverted_from(&self) -> Option<Redirecting> {
        self.redirecting.good().cloned().or_else(|| self.facility.diversion.clone())
    }
    /// The display text without control octets; an initial B1 of North America does not count.
    pub fn display_text(&self) -> Option<String> {
        let text = match self.display {
            [0xB1, rest @ ..] => rest,
            all => all,
        };
        let text: String =
            text.iter().filter(|o| matches!(o, 0x20..=0x7E)).map(|&o| char::from(o)).collect();
        (!text.is_empty()).then_some(text)
    }
}

fn bearer(contents: &[u8]) -> Option<Bearer> {
    match contents {
        // Coding standard ITU-T, speech or 3.1 kHz audio.
        [0x80 | 0x90, _, ..] => Some(Bearer::Voice),
        [first, _, ..] if first & 0x80 != 0 => Some(Bearer::Other),
        _ => None,
    }
}

fn restart_class(contents: &[u8]) -> Option<RestartClass> {
    match contents.first()? & 0x07 {
        0 => Some(RestartClass::Channels),
        6 => Some(RestartClass::Interface),
        7 => Some(RestartClass::AllInterfaces),
        _ => None,
    }
}

/// Elements of Q.931, table 4-3, that are understood and not used here.
const fn is_known(which: u8) -> bool {
    matches!(
        which,
        code::SEGMENTED_MESSAGE
            | 0x10
            | 0x20
            | 0x24
            | 0x27
            | 0x29
            | 0x34
            | 0x40..=0x47
            | 0x4C
            | 0x4D
            | 0x6D
            | 0x71
            | 0x73
            | 0x76
            | 0x78
            | 0x7B..=0x7E
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_shown_without_control_octets_and_the_north_american_mark() {
        let body = |octets| Body::parse(octets);
        assert_eq!(body(&[0x28, 4, 0xB1, b'A', 7, b'b']).display_text().as_deref(), Some("Ab"));
        assert_eq!(body(&[0x28, 1, 0xB1]).display_text(), None);
        assert_eq!(body(&[]).display_text(), None);
    }

    #[test]
    fn cause_is_read_with_and_without_its_recommendation() {
        let busy = CauseElement { cause: Cause::USER_BUSY, location: Location::PublicRemote };
        for octets in [&[0x08, 2, 0x84, 0x91][..], &[0x08, 3, 0x04, 0x80, 0x91]] {
            assert_eq!(Body::parse(octets).cause, Found::Good(busy));
        }
        assert_eq!(Body::parse(&[0x08, 1, 0x84]).cause, Found::Bad);
        assert_eq!(Body::parse(&[]).cause, Found::Absent);
    }

    #[test]
    fn either_of_two_progress_indicators_says_that_something_is_to_be_heard() {
        let octets = [0x1E, 2, 0x84, 0x83, 0x1E, 2, 0x82, 0x88];
        let body = Body::parse(&octets);
        assert!(body.has_progress(3) && body.is_in_band());
        assert!(!Body::parse(&octets[..4]).is_in_band());
    }

    #[test]
    fn only_the_first_of_repeated_elements_counts() {
        let octets = [0x70, 2, 0x81, b'1', 0x70, 2, 0x81, b'2'];
        let digits = Body::parse(&octets).called.good().map(|number| number.digits.clone());
        assert_eq!(digits.as_deref(), Some("1"));
    }
}
