//! What of facility elements we use: the caller's name (ECMA-164, §6; ISO/IEC 13868; NI-2) and from where a call
//! was sent on (ETS 300 207-1; ECMA-174).
//!
//! A facility element holds a profile octet, headers, then components of remote operations in BER. An invoke
//! says by its operation what it carries. Everything else is skipped, whatever it is: later editions add to it.

use call::{Number, NumberType, Plan, Presentation};

use crate::{NameCarrier, Redirecting};

/// Profile: networking extensions. Q.932, §8.2.3.
const NETWORKING_EXTENSIONS: u8 = 0x9F;
/// From end to end. ECMA-165, §11.3.
const EXTENSION_END_TO_END: [u8; 8] = [0xAA, 6, 0x80, 1, 0, 0x82, 1, 0];
/// Who does not know it may throw it away.
const DISCARD_UNRECOGNISED: [u8; 3] = [0x8B, 1, 0];
const INVOKE: u8 = 0xA1;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0A;
const SEQUENCE: u8 = 0x30;
const DIVERTING_NUMBER: u8 = 0xA1;
const CALLING_NAME: u8 = 0;
const DIVERTING_LEG_2_ETSI: u8 = 15;
const DIVERTING_LEG_2_QSIG: u8 = 21;
/// 1.3.12.9.0: the same in the first edition of ECMA-164.
const CALLING_NAME_IDENTIFIER: [u8; 4] = [0x2B, 0x0C, 9, 0];

/// A name as the operation carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallingName {
    /// It may be shown.
    Allowed(String),
    /// It may not, or there is none.
    Withheld,
}

/// What we understand in the contents of a facility element: nothing else in it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facility {
    /// The caller's name.
    pub name: Option<CallingName>,
    /// From where the call was sent on.
    pub diversion: Option<Redirecting>,
}

impl Facility {
    /// Reads every component; the first of a kind counts.
    pub fn parse(contents: &[u8]) -> Self {
        let mut facility = Self::default();
        let Some((_, mut rest)) = contents.split_first() else { return facility };
        // Headers and components are all tagged values: what is no invoke is stepped over.
        while let Some((tag, value, after)) = tagged(rest) {
            match (tag == INVOKE).then(|| invoked(value)).flatten() {
                Some((CALLING_NAME, argument)) if facility.name.is_none() => {
                    facility.name = name_in(argument);
                }
                Some((DIVERTING_LEG_2_ETSI | DIVERTING_LEG_2_QSIG, argument)) => {
                    facility.diversion = facility.diversion.or_else(|| diversion_in(argument));
                }
                _ => {}
            }
            rest = after;
        }
        facility
    }
    /// Adds what an earlier element of the same message did not say.
    pub fn complete(&mut self, later: Self) {
        self.name = self.name.take().or(later.name);
        self.diversion = self.diversion.take().or(later.diversion);
    }
}

/// The contents of a facility element that carries `name`; `None` where the dialect uses none.
pub fn compose_calling_name(carrier: NameCarrier, name: &str) -> Option<Vec<u8>> {
    let extension: &[u8] = match carrier {
        NameCarrier::Facility => &[],
        NameCarrier::NetworkFacility => &EXTENSION_END_TO_END,
        NameCarrier::DisplayFromNetwork | NameCarrier::MarkedDisplay => return None,
    };
    // Names are cut to 50 octets at most, so that every length fits its short form.
    let octets = name.as_bytes();
    let len = u8::try_from(octets.len()).ok().filter(|len| (1..=100).contains(len))?;
    let mut contents = vec![NETWORKING_EXTENSIONS];
    contents.extend(extension);
    contents.extend(DISCARD_UNRECOGNISED);
    contents.extend([INVOKE, len + 8, INTEGER, 1, 1, INTEGER, 1, CALLING_NAME, 0x80, len]);
    contents.extend(octets);
    Some(contents)
}

/// Operation and argument of an invoke: invokeID, linkedID perhaps, operation, argument. Q.932, §8.2.3.1.
fn invoked(value: &[u8]) -> Option<(u8, &[u8])> {
    let (INTEGER, _, mut rest) = tagged(value)? else { return None };
    if let Some((0x80, _, after)) = tagged(rest) {
        rest = after;
    }
    let (tag, operation, argument) = tagged(rest)?;
    match (tag, operation) {
        (INTEGER, [operation]) => Some((*operation, argument)),
        (OBJECT_IDENTIFIER, identifier) if identifier == CALLING_NAME_IDENTIFIER => {
            Some((CALLING_NAME, argument))
        }
        _ => None,
    }
}

/// Name. ECMA-164, §6.2.
fn name_in(argument: &[u8]) -> Option<CallingName> {
    let (tag, value, _) = tagged(argument)?;
    match tag {
        0x80 => text(value).map(CallingName::Allowed),
        // With its character set: the name is the octet string inside.
        0xA1 => match tagged(value)? {
            (OCTET_STRING, name, _) => text(name).map(CallingName::Allowed),
            _ => None,
        },
        // Restricted, simple and with character set; restricted without a name; not available.
        0x82 | 0xA3 | 0x87 | 0x84 => Some(CallingName::Withheld),
        // The first edition wraps the choice in a sequence.
        0x30 | 0xA0 => invoked_choice(value),
        _ => None,
    }
}

/// DivertingLegInformation2: counter, reason, the number that sent the call on, when it says. ETS 300 207-1,
/// §7; ECMA-174, §6.2.
fn diversion_in(argument: &[u8]) -> Option<Redirecting> {
    let (SEQUENCE, value, _) = tagged(argument)? else { return None };
    let (INTEGER, _, rest) = tagged(value)? else { return None };
    let (ENUMERATED, [reason], mut rest) = tagged(rest)? else { return None };
    let mut number = Number { presentation: Presentation::NotAvailable, ..Number::default() };
    while let Some((tag, value, after)) = tagged(rest) {
        if tag == DIVERTING_NUMBER {
            number = presented_number(value).unwrap_or(number);
            break;
        }
        rest = after;
    }
    // As octet 3b of the redirecting number says it: unconditional, busy, no reply, deflection.
    let reason = match reason {
        1 => 15,
        2 => 1,
        3 => 2,
        4 | 5 => 4,
        _ => 0,
    };
    Some(Redirecting { number, reason })
}

/// PresentedNumberUnscreened: allowed, restricted with and without the number, not available.
fn presented_number(value: &[u8]) -> Option<Number> {
    let (tag, value, _) = tagged(value)?;
    let presentation = match tag {
        0xA0 => Presentation::Allowed,
        0x81 | 0xA3 => Presentation::Restricted,
        _ => return None,
    };
    let number = if tag == 0x81 { Number::default() } else { party_number(value)? };
    Some(Number { presentation, ..number })
}

/// PartyNumber: digits alone, or with their type in a public or private plan. ETS 300 196, annex D.
fn party_number(value: &[u8]) -> Option<Number> {
    let (tag, value, _) = tagged(value)?;
    let (plan, kind, digits) = match tag {
        0x80 => (Plan::Unknown, NumberType::Unknown, value),
        0xA1 | 0xA5 => {
            let (ENUMERATED, [kind], rest) = tagged(value)? else { return None };
            let (_, digits, _) = tagged(rest)?;
            let plan = if tag == 0xA1 { Plan::E164 } else { Plan::Private };
            let kind = match kind {
                1 => NumberType::International,
                2 => NumberType::National,
                3 => NumberType::NetworkSpecific,
                4 => NumberType::Subscriber,
                6 => NumberType::Abbreviated,
                _ => NumberType::Unknown,
            };
            (plan, kind, digits)
        }
        _ => return None,
    };
    let digits = digits.iter().filter(|octet| matches!(octet, b'0'..=b'9' | b'*' | b'#'));
    let digits = digits.take(32).map(|&octet| char::from(octet)).collect();
    Some(Number { digits, kind, plan, ..Number::default() })
}

fn invoked_choice(value: &[u8]) -> Option<CallingName> {
    match tagged(value)? {
        (0x80 | OCTET_STRING, name, _) => text(name).map(CallingName::Allowed),
        (0x82 | 0xA3 | 0x87 | 0x84, ..) => Some(CallingName::Withheld),
        _ => None,
    }
}

/// The first tag with its value and what is behind it; short and long lengths. `None`: nothing, or cut.
fn tagged(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81 => {
            let (&len, rest) = rest.split_first()?;
            (usize::from(len), rest)
        }
        // Two octets of length do not fit an element, and the indefinite form ends with the contents.
        0x80 => (rest.len(), rest),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(len)?;
    Some((tag, value, rest))
}

/// Text without control octets; octets above ASCII are Latin-1, as ISO 8859-1 is the default set.
fn text(octets: &[u8]) -> Option<String> {
    let text: String = octets
        .iter()
        .map(|&octet| char::from(octet))
        .filter(|character| !character.is_control())
        .collect();
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::Rng;

    fn calling_name(contents: &[u8]) -> Option<CallingName> {
        Facility::parse(contents).name
    }

    #[test]
    fn name_survives_its_own_octets_with_and_without_the_extension() {
        for carrier in [NameCarrier::Facility, NameCarrier::NetworkFacility] {
            let contents = compose_calling_name(carrier, "Ann Lee").expect("carried");
            assert_eq!(calling_name(&contents), Some(CallingName::Allowed("Ann Lee".into())));
        }
        assert_eq!(compose_calling_name(NameCarrier::MarkedDisplay, "Ann Lee"), None);
    }

    /// Seen on lines: an information-following component before the name, an object identifier, a character
    /// set, a long length.
    #[test]
    fn name_is_found_behind_other_components_and_in_its_other_codings() {
        let following = [0xA1, 5, 2, 1, 1, 2, 0];
        let name = [0xA1, 11, 2, 1, 2, 2, 1, 0, 0x80, 3, b'B', b'o', b'b'];
        let identified = [0xA1, 14, 2, 1, 2, 6, 4, 0x2B, 0x0C, 9, 0, 0x80, 3, b'B', b'o', b'b'];
        let extended = [0xA1, 0x81, 16, 2, 1, 2, 2, 1, 0, 0xA1, 8, 4, 3, b'B', b'o', b'b', 2, 1, 1];
        for component in [&name[..], &identified, &extended] {
            let contents = [&[0x9F, 0x8B, 1, 0][..], &following, component].concat();
            let expected = Some(CallingName::Allowed("Bob".into()));
            assert_eq!(calling_name(&contents), expected, "{contents:02X?}");
        }
    }

    #[test]
    fn restricted_and_missing_names_are_told_as_withheld() {
        for choice in [&[0x82, 1, b'X'][..], &[0x87, 0], &[0x84, 0]] {
            let len = 6 + choice.len() as u8;
            let contents = [&[0x91, INVOKE, len, 2, 1, 1, 2, 1, 0][..], choice].concat();
            assert_eq!(calling_name(&contents), Some(CallingName::Withheld));
        }
    }

    /// As an engine we did not write sends it, in both codings.
    #[test]
    fn diverted_call_says_its_number_and_reason_in_both_codings() {
        let argument = [
            0x30, 0x15, 2, 1, 1, 0x0A, 1, 1, 0xA1, 0x0D, 0xA0, 0x0B, 0xA1, 9, 0x0A, 1, 2, 0x12, 4,
            b'4', b'0', b'0', b'1',
        ];
        let number = Number { kind: NumberType::National, ..Number::unknown("4001") };
        let expected = Redirecting { number, reason: 15 };
        for operation in [DIVERTING_LEG_2_ETSI, DIVERTING_LEG_2_QSIG] {
            let invoke = [&[0x91, INVOKE, 29, 2, 1, 1, 2, 1, operation][..], &argument].concat();
            assert_eq!(Facility::parse(&invoke).diversion.as_ref(), Some(&expected));
            for len in 0..invoke.len() {
                assert_eq!(Facility::parse(&invoke[..len]).diversion, None);
            }
        }
    }

    #[test]
    fn every_prefix_and_a_million_mutations_are_a_name_or_none() {
        let whole = compose_calling_name(NameCarrier::NetworkFacility, "Ann Lee").expect("carried");
        for len in 0..whole.len() {
            assert_eq!(calling_name(whole.get(..len).unwrap_or_default()), None);
        }
        let mut rng = Rng::from_seed(3);
        let mut named = 0;
        for _ in 0..1_000_000 {
            let mut octets = whole.clone();
            for _ in 0..=rng.below(3) {
                let at = rng.below(octets.len() as u64) as usize;
                if let Some(octet) = octets.get_mut(at) {
                    *octet = rng.next_u64() as u8;
                }
            }
            named += u32::from(calling_name(&octets).is_some());
        }
        assert!(named > 1000, "{named}");
    }
}
