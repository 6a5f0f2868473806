//! Information elements as they stand in a message. Q.931, §4.5.1 to §4.5.4.

#[allow(missing_docs)]
pub mod code {
    //! Codes of codeset 0. Q.931, table 4-3.
    pub const SEGMENTED_MESSAGE: u8 = 0x00;
    pub const CHANGE_STATUS: u8 = 0x01;
    pub const BEARER_CAPABILITY: u8 = 0x04;
    pub const CAUSE: u8 = 0x08;
    pub const CALL_STATE: u8 = 0x14;
    pub const CHANNEL_IDENTIFICATION: u8 = 0x18;
    pub const FACILITY: u8 = 0x1C;
    pub const PROGRESS_INDICATOR: u8 = 0x1E;
    pub const NETWORK_FACILITIES: u8 = 0x20;
    pub const DISPLAY: u8 = 0x28;
    pub const KEYPAD: u8 = 0x2C;
    pub const CALLING_NUMBER: u8 = 0x6C;
    pub const CALLED_NUMBER: u8 = 0x70;
    pub const REDIRECTING_NUMBER: u8 = 0x74;
    pub const RESTART_INDICATOR: u8 = 0x79;
    /// One octet, no contents.
    pub const SENDING_COMPLETE: u8 = 0xA1;
}

/// One information element, borrowed from its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// 0 for the standard ones; 4 to 7 for others' own.
    pub codeset: u8,
    /// Which it is. A single-octet element keeps its value in the low bits.
    pub code: u8,
    /// What it says; empty for a single octet.
    pub contents: &'a [u8],
}

/// The elements of a message in their order. Ends early where the last one runs past the message:
/// trailing garbage is ignored rather than the call rejected.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    codeset: u8,
    once: Option<u8>,
}

impl<'a> Elements<'a> {
    /// Over what stands behind the header.
    pub const fn of(octets: &'a [u8]) -> Self {
        Self { rest: octets, codeset: 0, once: None }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let (&code, rest) = self.rest.split_first()?;
            if code & 0xF0 == 0x90 {
                // Shift, §4.5.3 and §4.5.4: bit 4 says for one element only.
                self.rest = rest;
                if code & 0x08 != 0 {
                    self.once = Some(code & 7);
                } else {
                    self.codeset = code & 7;
                }
                continue;
            }
            let codeset = self.once.take().unwrap_or(self.codeset);
            if code & 0x80 != 0 {
                self.rest = rest;
                return Some(Element { codeset, code, contents: &[] });
            }
            let (&len, rest) = rest.split_first()?;
            let Some((contents, rest)) = rest.split_at_checked(usize::from(len)) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            return Some(Element { codeset, code, contents });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(octets: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
        Elements::of(octets).map(|e| (e.codeset, e.code, e.contents.to_vec())).collect()
    }

    #[test]
    fn shifts_hold_for_one_element_or_for_the_rest() {
        let octets = [0xA1, 0x9E, 0x1C, 1, 5, 0x70, 1, 0x81, 0x96, 0x32, 1, 9, 0x33, 0];
        let expected = [
            (0, 0xA1, vec![]),
            (6, 0x1C, vec![5]),
            (0, 0x70, vec![0x81]),
            (6, 0x32, vec![9]),
            (6, 0x33, vec![]),
        ];
        assert_eq!(all(&octets), expected);
    }

    #[test]
    fn element_that_runs_past_the_end_ends_the_list_and_keeps_what_came_before() {
        let octets = [0x08, 2, 0x80, 0x90, 0x70, 9, 0x81];
        for len in 4..octets.len() {
            assert_eq!(all(octets.get(..len).unwrap_or_default()).len(), 1);
        }
        assert!(all(&[0x08, 2, 0x80]).is_empty());
    }
}
