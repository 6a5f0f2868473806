//! Lists of numbers: CSV text to rows, and every bad row by its line.

use crate::limits::CONTACTS_MAX;

/// A row that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line in the text, from 1.
    pub line: u32,
    /// Digits; a leading `+` was kept.
    pub number: String,
}

/// A row that cannot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BadRow {
    /// The line in the text, from 1.
    pub line: u32,
    /// What is wrong with it, with the text.
    pub what: String,
}

/// The rows of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// In the order of the text, each number once.
    pub rows: Vec<Row>,
    /// All that was wrong.
    pub bad: Vec<BadRow>,
}

/// Reads the first column of `csv`. A first line without any digit is a heading; empty lines are nothing; blanks,
/// hyphens, points and brackets inside a number are left out.
pub fn parse(csv: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut seen = std::collections::BTreeMap::new();
    let text = csv.strip_prefix('\u{feff}').unwrap_or(csv);
    for (index, whole) in text.lines().enumerate() {
        let line = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        let field = first_field(whole);
        if field.is_empty() && whole.trim_matches([' ', '\t', ',']).is_empty() {
            continue;
        }
        if line == 1 && !field.bytes().any(|c| c.is_ascii_digit()) {
            continue;
        }
        match number(&field) {
            Err(what) => parsed.bad.push(BadRow { line, what }),
            Ok(number) => {
                if let Some(first) = seen.get(&number) {
                    let what = format!("{number} stands in line {first} already");
                    parsed.bad.push(BadRow { line, what });
                } else if parsed.rows.len() >= CONTACTS_MAX {
                    let what = format!("more than {CONTACTS_MAX} rows");
                    parsed.bad.push(BadRow { line, what });
                    break;
                } else {
                    seen.insert(number.clone(), line);
                    parsed.rows.push(Row { line, number });
                }
            }
        }
    }
    parsed
}

/// The first field of a line, its quotes taken off.
fn first_field(line: &str) -> String {
    let line = line.trim_start();
    match line.strip_prefix('"') {
        None => line.split(',').next().unwrap_or_default().trim().to_owned(),
        Some(quoted) => {
            let mut field = String::new();
            let mut rest = quoted.chars().peekable();
            while let Some(c) = rest.next() {
                match c {
                    '"' if rest.peek() == Some(&'"') => {
                        rest.next();
                        field.push('"');
                    }
                    '"' => break,
                    c => field.push(c),
                }
            }
            field.trim().to_owned()
        }
    }
}

/// A number fit to be dialled, or what is wrong with it.
fn number(field: &str) -> Result<String, String> {
    let mut number = String::new();
    for (index, c) in field.chars().enumerate() {
        match c {
            '0'..='9' => number.push(c),
            '+' if index == 0 => number.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            c => return Err(format!("{:?} is no number: {c:?} in it", shortened(field))),
        }
    }
    let digits = number.trim_start_matches('+').len();
    match digits {
        0 => Err(format!("{:?} is no number: no digit in it", shortened(field))),
        1..=30 => Ok(number),
        more => Err(format!("{more} digits are more than 30")),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::{BadRow, Row, parse};
    use tdm::Rng;

    #[test]
    fn a_row_with_letters_is_named_by_its_line_and_the_rest_is_read() {
        let parsed = parse(
            "\u{feff}number,name\r\n010-555 1234,\"Li, Wei\"\r\n\r\n12ab34,x\r\n\"+86 (10) 1\"\n0105551234\n,\n",
        );
        let row = |line, number: &str| Row { line, number: number.into() };
        assert_eq!(parsed.rows, [row(2, "0105551234"), row(5, "+86101")]);
        let bad = |line, what: &str| BadRow { line, what: what.into() };
        assert_eq!(
            parsed.bad,
            [
                bad(4, "\"12ab34\" is no number: 'a' in it"),
                bad(6, "0105551234 stands in line 2 already")
            ]
        );
    }

    #[test]
    fn arbitrary_text_never_yields_a_row_that_is_no_number() {
        let mut rng = Rng::from_seed(11);
        let letters = ['1', '2', '+', '-', '"', ',', '\n', '\r', 'a', '号', ' ', '\0'];
        for _ in 0..1_000_000 {
            let text: String = (0..rng.below(24))
                .map(|_| letters[rng.below(letters.len() as u64) as usize])
                .collect();
            for row in parse(&text).rows {
                let digits = row.number.strip_prefix('+').unwrap_or(&row.number);
                assert!(
                    !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()),
                    "{text:?} gave {row:?}"
                );
            }
        }
    }
}
