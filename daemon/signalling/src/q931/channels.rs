//! Channel identification. Q.931, §4.5.13.

use tdm::Timeslot;

use crate::{ChannelNumbers, Timeslots};

/// Which channel, or channels, a message speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelId {
    /// No other will do.
    pub exclusive: bool,
    /// The channels named, as timeslots. Empty when none is named or any will do.
    pub slots: Timeslots,
    /// Any channel will do; the other side chooses.
    pub any: bool,
}

/// A list of all channels is 33 octets long; what is longer would not fit its own acknowledgement.
const CONTENTS_MAX: usize = 64;
const EXTENSION: u8 = 0x80;
const INTERFACE_EXPLICIT: u8 = 0x40;
const PRIMARY_RATE: u8 = 0x20;
const EXCLUSIVE: u8 = 0x08;
const SELECTION: u8 = 0x03;
const AS_INDICATED: u8 = 0x01;
const ANY: u8 = 0x03;
const SLOT_MAP: u8 = 0x10;
const B_CHANNELS: u8 = 0x03;

impl ChannelId {
    /// The contents of an element that leaves the channel to the other side.
    pub const ANY: [u8; 1] = [EXTENSION | PRIMARY_RATE | ANY];

    /// One channel.
    pub const fn one(timeslot: Timeslot, exclusive: bool) -> Self {
        Self { exclusive, slots: Timeslots::NONE.with(timeslot, true), any: false }
    }
    /// The channel when exactly one is named.
    pub fn single(&self) -> Option<Timeslot> {
        let mut slots = self.slots.iter();
        slots.next().filter(|_| slots.next().is_none())
    }
    /// What the contents of the element say; `None` when they make no sense on a primary rate access.
    pub fn parse(contents: &[u8]) -> Option<Self> {
        let (&first, mut rest) = contents.split_first()?;
        if first & PRIMARY_RATE == 0 || contents.len() > CONTENTS_MAX {
            return None;
        }
        let exclusive = first & EXCLUSIVE != 0;
        if first & INTERFACE_EXPLICIT != 0 {
            let end = rest.iter().position(|octet| octet & EXTENSION != 0)?;
            rest = rest.get(end + 1..)?;
        }
        match first & SELECTION {
            AS_INDICATED => {}
            ANY => return Some(Self { exclusive: false, slots: Timeslots::NONE, any: true }),
            _ => return Some(Self { exclusive, slots: Timeslots::NONE, any: false }),
        }
        let slots = match rest {
            // The interface alone, in RESTART.
            [] => Timeslots::NONE,
            [coding, named @ ..] if coding & 0x0F == B_CHANNELS && !named.is_empty() => {
                if coding & SLOT_MAP != 0 { map(named)? } else { list(named)? }
            }
            _ => return None,
        };
        Some(Self { exclusive, slots, any: false })
    }
    /// The same with the numbers on the line read as `numbers` says.
    #[must_use]
    pub const fn numbered(self, numbers: ChannelNumbers) -> Self {
        Self { slots: numbers.timeslots(self.slots), ..self }
    }
    /// The contents of an element that names channels by their numbers on the line, one octet each, the last one with
    /// the extension bit. Empty for none.
    pub fn list(numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
        let first = EXTENSION | PRIMARY_RATE | EXCLUSIVE | AS_INDICATED;
        let mut contents = vec![first, EXTENSION | B_CHANNELS];
        contents.extend(numbers.into_iter().map(|number| number & !EXTENSION));
        match contents.get_mut(2..).and_then(<[u8]>::last_mut) {
            Some(last) => *last |= EXTENSION,
            None => contents.clear(),
        }
        contents
    }
    /// The contents of an element that names one channel by its number on the line.
    pub const fn contents(number: u8, exclusive: bool) -> [u8; 3] {
        let choice = if exclusive { EXCLUSIVE } else { 0 };
        let first = EXTENSION | PRIMARY_RATE | choice | AS_INDICATED;
        [first, EXTENSION | B_CHANNELS, EXTENSION | number]
    }
}

/// Numbers up to the one with the extension bit.
fn list(octets: &[u8]) -> Option<Timeslots> {
    let mut slots = Timeslots::NONE;
    for octet in octets {
        slots = slots.with(Timeslot::new(usize::from(octet & 0x7F))?, true);
        if octet & EXTENSION != 0 {
            return Some(slots);
        }
    }
    // The last number lacks its mark: some senders leave it out.
    Some(slots)
}

/// A bit a timeslot, the highest first: three octets on 1,544 kbit/s (24 to 1), four on 2,048 (31 to 0).
fn map(octets: &[u8]) -> Option<Timeslots> {
    match *octets {
        [a, b, c] => Some(Timeslots::from_bits(u32::from_be_bytes([0, a, b, c]) << 1)),
        [a, b, c, d] => Some(Timeslots::from_bits(u32::from_be_bytes([a, b, c, d]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(numbers: &[usize]) -> Timeslots {
        numbers.iter().filter_map(|&n| Timeslot::new(n)).collect()
    }

    #[test]
    fn single_channel_survives_its_own_octets() {
        for (n, exclusive) in (1..32).zip([true, false].into_iter().cycle()) {
            let timeslot = Timeslot::new(usize::from(n)).expect("below 32");
            let parsed = ChannelId::parse(&ChannelId::contents(n, exclusive));
            assert_eq!(parsed, Some(ChannelId::one(timeslot, exclusive)));
            assert_eq!(parsed.and_then(|id| id.single()), Some(timeslot));
        }
        let usual = ChannelId::contents(5, true);
        assert_eq!(usual, [0xA9, 0x83, 0x85]);
    }

    #[test]
    fn lists_and_maps_name_several_channels() {
        let list = ChannelId::parse(&[0xA9, 0x83, 0x01, 0x02, 0x9F]).expect("a list");
        assert_eq!(list.slots, slots(&[1, 2, 31]));
        let e1 = ChannelId::parse(&[0xA9, 0x93, 0x80, 0, 0, 0x02]).expect("a map");
        assert_eq!(e1.slots, slots(&[1, 31]));
        let t1 = ChannelId::parse(&[0xA9, 0x93, 0x80, 0, 0x01]).expect("a map");
        assert_eq!(t1.slots, slots(&[1, 24]));
    }

    #[test]
    fn a_list_of_ours_is_read_as_its_channels_and_one_of_a_single_channel_is_the_usual_element() {
        let all: Vec<u8> = Timeslots::E1_PRI.iter().map(|t| t.index() as u8).collect();
        let contents = ChannelId::list(all);
        assert_eq!((contents.len(), contents.last()), (32, Some(&0x9F)));
        assert_eq!(ChannelId::parse(&contents).map(|id| id.slots), Some(Timeslots::E1_PRI));
        assert_eq!(ChannelId::list([5]), ChannelId::contents(5, true));
        assert!(ChannelId::list([]).is_empty());
    }

    #[test]
    fn interface_identifier_is_skipped_and_any_channel_is_understood() {
        let explicit = ChannelId::parse(&[0xE9, 0x81, 0x83, 0x87]).expect("with interface");
        assert_eq!(explicit.single(), Timeslot::new(7));
        let any = ChannelId::parse(&[0xA3]).expect("any");
        assert!(any.any && any.slots.is_empty() && !any.exclusive);
    }

    #[test]
    fn basic_rate_cut_and_impossible_contents_are_refused() {
        for bad in [&[][..], &[0x89], &[0xE9, 0x01], &[0xA9, 0x83], &[0xA9, 0x83, 0xA0]] {
            assert_eq!(ChannelId::parse(bad), None, "{bad:02X?}");
        }
    }
}
