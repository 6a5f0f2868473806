//! Redirecting number: from where and why a call was sent on. Q.931, §4.5.10 with octet 3b; ETS 300 207-1.

use crate::Redirecting;

use super::number::{compose_calling, parse_calling};

const EXTENSION: u8 = 0x80;

/// What the contents say; `None` when they make no sense.
///
/// Octets 3, 3a and 3b, of which the last one present has the extension bit, then digits. A reason that is not
/// there is 0, unknown.
pub fn parse_redirecting(contents: &[u8]) -> Option<Redirecting> {
    let reason = match contents {
        [third, a, b, ..] if (third | a) & EXTENSION == 0 => b & 0x0F,
        _ => 0,
    };
    Some(Redirecting { number: parse_calling(contents)?, reason })
}

/// The contents that say it.
pub fn compose_redirecting(redirecting: &Redirecting) -> Vec<u8> {
    let mut contents = compose_calling(&redirecting.number);
    // Octet 3a is followed by 3b, so it loses its mark.
    if let Some(shown) = contents.get_mut(1) {
        *shown &= !EXTENSION;
        contents.insert(2, EXTENSION | redirecting.reason & 0x0F);
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;
    use call::{Number, Presentation};

    #[test]
    fn number_presentation_and_reason_survive_their_own_octets() {
        for reason in 0..16 {
            let number =
                Number { presentation: Presentation::Restricted, ..Number::unknown("4711") };
            let redirecting = Redirecting { number, reason };
            let parsed = parse_redirecting(&compose_redirecting(&redirecting));
            assert_eq!(parsed.as_ref(), Some(&redirecting));
        }
    }

    #[test]
    fn reason_is_unknown_where_it_is_left_out() {
        for contents in [&[0xA1, b'9'][..], &[0x21, 0xA0, b'9']] {
            let parsed = parse_redirecting(contents).expect("sound");
            assert_eq!((parsed.number.digits.as_str(), parsed.reason), ("9", 0));
        }
        assert_eq!(parse_redirecting(&[0x21, 0x20]), None);
    }
}
