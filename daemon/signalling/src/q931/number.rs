//! Called and calling party number. Q.931, §4.5.8 and §4.5.10.

use call::{Number, NumberType, Plan, Presentation, Screening};

/// Digits a number may have. Longer ones are bad contents.
const DIGITS_MAX: usize = 32;
const EXTENSION: u8 = 0x80;

/// The number in the contents of a called party number; `None` when they make no sense.
pub fn parse_called(contents: &[u8]) -> Option<Number> {
    let (kind, plan, _, digits) = split(contents)?;
    Some(Number { digits: text(digits)?, kind, plan, ..Number::default() })
}

/// The number in the contents of a calling party number; `None` when they make no sense.
///
/// Without octet 3a it may be shown and nobody screened it. Q.931, table 4-11.
pub fn parse_calling(contents: &[u8]) -> Option<Number> {
    let (kind, plan, shown, digits) = split(contents)?;
    let presentation = match shown.unwrap_or(0) >> 5 & 3 {
        0 => Presentation::Allowed,
        1 => Presentation::Restricted,
        _ => Presentation::NotAvailable,
    };
    let screening = match shown.unwrap_or(0) & 3 {
        0 => Screening::UserNotScreened,
        1 => Screening::UserPassed,
        2 => Screening::UserFailed,
        _ => Screening::Network,
    };
    Some(Number { digits: text(digits)?, kind, plan, presentation, screening })
}

/// The contents that say `number` was called.
pub fn compose_called(number: &Number) -> Vec<u8> {
    let mut contents = vec![EXTENSION | type_and_plan(number)];
    contents.extend(digits(number));
    contents
}

/// The contents that say `number` calls.
pub fn compose_calling(number: &Number) -> Vec<u8> {
    let presentation = match number.presentation {
        Presentation::Allowed => 0,
        Presentation::Restricted => 1,
        Presentation::NotAvailable => 2,
    };
    let screening = match number.screening {
        Screening::UserNotScreened => 0,
        Screening::UserPassed => 1,
        Screening::UserFailed => 2,
        Screening::Network => 3,
    };
    let mut contents = vec![type_and_plan(number), EXTENSION | presentation << 5 | screening];
    contents.extend(digits(number));
    contents
}

fn digits(number: &Number) -> impl Iterator<Item = u8> {
    number.digits.bytes().filter(|&octet| is_digit(octet)).take(DIGITS_MAX)
}

const fn is_digit(octet: u8) -> bool {
    matches!(octet, b'0'..=b'9' | b'*' | b'#')
}

/// What people write between digits, and some equipment sends: it dials nothing.
const fn is_filler(octet: u8) -> bool {
    matches!(octet, b'+' | b' ' | b'-' | b'.' | b'/' | b'(' | b')')
}

fn text(octets: &[u8]) -> Option<String> {
    let digits: Vec<u8> = octets.iter().copied().filter(|&octet| !is_filler(octet)).collect();
    let empty = digits.is_empty() && !octets.is_empty();
    let sound = digits.len() <= DIGITS_MAX && digits.iter().all(|&octet| is_digit(octet)) && !empty;
    sound.then(|| digits.into_iter().map(char::from).collect())
}

/// Type, plan, octet 3a when there is one, digits.
fn split(contents: &[u8]) -> Option<(NumberType, Plan, Option<u8>, &[u8])> {
    let (&first, mut rest) = contents.split_first()?;
    let (mut last, mut shown) = (first, None);
    while last & EXTENSION == 0 {
        (last, rest) = rest.split_first().map(|(&octet, rest)| (octet, rest))?;
        shown = shown.or(Some(last));
    }
    let kind = match first >> 4 & 7 {
        1 => NumberType::International,
        2 => NumberType::National,
        3 => NumberType::NetworkSpecific,
        4 => NumberType::Subscriber,
        6 => NumberType::Abbreviated,
        _ => NumberType::Unknown,
    };
    let plan = match first & 15 {
        1 => Plan::E164,
        8 => Plan::National,
        9 => Plan::Private,
        _ => Plan::Unknown,
    };
    Some((kind, plan, shown, rest))
}

const fn type_and_plan(number: &Number) -> u8 {
    let kind = match number.kind {
        NumberType::Unknown => 0,
        NumberType::International => 1,
        NumberType::National => 2,
        NumberType::NetworkSpecific => 3,
        NumberType::Subscriber => 4,
        NumberType::Abbreviated => 6,
    };
    let plan = match number.plan {
        Plan::Unknown => 0,
        Plan::E164 => 1,
        Plan::National => 8,
        Plan::Private => 9,
    };
    kind << 4 | plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_between_digits_is_left_out_and_other_octets_make_no_number() {
        let called = |text: &[u8]| parse_called(&[&[0x81], text].concat()).map(|n| n.digits);
        assert_eq!(called(b"+49 (30) 12-34"), Some("49301234".into()));
        assert_eq!(called(b"0123456789012345678901234567890123"), None);
        for wrong in [&b"4930A"[..], b"+", b"x", b"12\xff"] {
            assert_eq!(called(wrong), None);
        }
        assert_eq!(called(b""), Some(String::new()));
    }

    #[test]
    fn every_type_plan_presentation_and_screening_survives_its_own_octets() {
        use NumberType::*;
        let kinds = [Unknown, International, National, NetworkSpecific, Subscriber, Abbreviated];
        let plans = [Plan::Unknown, Plan::E164, Plan::National, Plan::Private];
        let shown = [Presentation::Allowed, Presentation::Restricted, Presentation::NotAvailable];
        let screened = [
            Screening::UserNotScreened,
            Screening::UserPassed,
            Screening::UserFailed,
            Screening::Network,
        ];
        for (n, kind) in kinds.into_iter().enumerate() {
            for (m, plan) in plans.into_iter().enumerate() {
                let number = Number {
                    digits: "0123456789*#".into(),
                    kind,
                    plan,
                    presentation: shown[(n + m) % 3],
                    screening: screened[(n + m) % 4],
                };
                assert_eq!(parse_calling(&compose_calling(&number)).as_ref(), Some(&number));
                let called = parse_called(&compose_called(&number)).expect("sound");
                assert_eq!((called.digits, called.kind), (number.digits, number.kind));
            }
        }
    }

    #[test]
    fn absent_octet_3a_means_allowed_and_not_screened() {
        let number = parse_calling(&[0xA1, b'4', b'2']).expect("sound");
        assert_eq!(number.shown(), Some("42"));
        assert_eq!(number.screening, Screening::UserNotScreened);
    }

    #[test]
    fn letters_overlong_and_cut_numbers_are_refused() {
        let long = [&[0x81][..], &[b'1'; DIGITS_MAX + 1]].concat();
        for bad in [&[][..], &[0x01], &[0x81, b'4', b'x'], &[0x81, 0xB1], &long] {
            assert_eq!(parse_called(bad), None, "{bad:02X?}");
        }
    }
}
