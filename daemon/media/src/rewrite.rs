//! Number rewriting: what a trunk group makes of numbers on their way in and out.
//!
//! A rule has a pattern, and says what becomes of the numbers it matches. The first rule that matches decides; a
//! number that none matches stays as it is. Patterns are those operators know: `X` is any digit, `Z` 1 to 9, `N` 2
//! to 9, `[2-46]` one of these; everything else stands for itself. A `.` at the end stands for the rest, which may
//! be empty.
//!
//! ```
//! use call::{Number, NumberType};
//! use media::{Pattern, Rewrite, Rule};
//!
//! let abroad = Rule {
//!     pattern: Pattern::parse("00.").unwrap(),
//!     when: None,
//!     strip: 2,
//!     prepend: String::new(),
//!     kind: Some(NumberType::International),
//!     plan: None,
//!     presentation: None,
//! };
//! let rules = Rewrite(vec![abroad]);
//! let number = rules.apply(&Number::unknown("00861012345678"));
//! assert_eq!((number.digits.as_str(), number.kind), ("861012345678", NumberType::International));
//! ```

use call::{Number, NumberType, Plan, Presentation};

/// Digits a number may have. Q.931 leaves more, but nobody dials it.
const DIGITS_MAX: usize = 32;

/// One place of a pattern: the digits that fit, a bit each in the order of [`DIGITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fits(u16);

/// What a number is made of.
const DIGITS: &[u8; 12] = b"0123456789*#";

impl Fits {
    fn of(digit: char) -> Option<Self> {
        let at = DIGITS.iter().position(|&known| char::from(known) == digit)?;
        Some(Self(1 << at))
    }
    /// From one digit to another, both included.
    fn range(from: u8, to: u8) -> Self {
        Self((from..=to).fold(0, |bits, digit| bits | 1 << digit))
    }
    fn has(self, digit: char) -> bool {
        Self::of(digit).is_some_and(|one| self.0 & one.0 != 0)
    }
}

/// Which numbers a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    places: Vec<Fits>,
    /// More digits may follow.
    open: bool,
}

/// Why a pattern cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum PatternError {
    #[error("`{found}` is no digit and no X, Z, N, [..] or final `.`")]
    NotADigit { found: char },
    #[error("a `[` without its `]`")]
    Unclosed,
    #[error("`[]` names no digit, or a range runs backwards")]
    EmptyChoice,
    #[error("nothing may follow a `.`")]
    BehindTheRest,
    #[error("a pattern has at most 32 places")]
    TooLong,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (mut places, mut open) = (Vec::new(), false);
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if open {
                return Err(PatternError::BehindTheRest);
            }
            match character {
                'X' | 'x' => places.push(Fits::range(0, 9)),
                'Z' | 'z' => places.push(Fits::range(1, 9)),
                'N' | 'n' => places.push(Fits::range(2, 9)),
                '.' => open = true,
                '[' => places.push(choice(&mut characters)?),
                digit => {
                    let found = PatternError::NotADigit { found: digit };
                    places.push(Fits::of(digit).ok_or(found)?);
                }
            }
        }
        if places.len() > DIGITS_MAX {
            return Err(PatternError::TooLong);
        }
        Ok(Self { text: text.to_owned(), places, open })
    }
    /// Whether these digits fit.
    pub fn matches(&self, digits: &str) -> bool {
        let mut given = digits.chars();
        let fits = self.places.iter().all(|place| given.next().is_some_and(|d| place.has(d)));
        fits && (self.open || given.next().is_none())
    }
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What stands between brackets: digits and ranges of them.
fn choice(characters: &mut impl Iterator<Item = char>) -> Result<Fits, PatternError> {
    let mut inside = String::new();
    loop {
        match characters.next().ok_or(PatternError::Unclosed)? {
            ']' => break,
            character => inside.push(character),
        }
    }
    let mut bits = 0;
    let mut given = inside.chars().peekable();
    while let Some(from) = given.next() {
        let from = Fits::of(from).ok_or(PatternError::NotADigit { found: from })?;
        if given.peek() != Some(&'-') {
            bits |= from.0;
            continue;
        }
        given.next();
        let to = given.next().ok_or(PatternError::Unclosed)?;
        let to = Fits::of(to).ok_or(PatternError::NotADigit { found: to })?;
        if to.0 < from.0 {
            return Err(PatternError::EmptyChoice);
        }
        bits |= (to.0 << 1) - from.0;
    }
    if bits == 0 { Err(PatternError::EmptyChoice) } else { Ok(Fits(bits)) }
}

/// What becomes of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which digits it is for.
    pub pattern: Pattern,
    /// Only numbers of this type; of any when absent.
    pub when: Option<NumberType>,
    /// So many digits are taken off the front.
    pub strip: u8,
    /// Then these are put there.
    pub prepend: String,
    /// The type it has from now on.
    pub kind: Option<NumberType>,
    /// The plan it has from now on.
    pub plan: Option<Plan>,
    /// Whether it may be shown from now on.
    pub presentation: Option<Presentation>,
}

impl Rule {
    fn apply(&self, number: &Number) -> Option<Number> {
        let of_type = self.when.is_none_or(|kind| kind == number.kind);
        if !of_type || !self.pattern.matches(&number.digits) {
            return None;
        }
        let kept = number.digits.get(usize::from(self.strip)..).unwrap_or_default();
        let digits = self.prepend.chars().chain(kept.chars()).collect();
        Some(Number {
            digits,
            kind: self.kind.unwrap_or(number.kind),
            plan: self.plan.unwrap_or(number.plan),
            presentation: self.presentation.unwrap_or(number.presentation),
            screening: number.screening,
        })
    }
}

/// Why a rule's number cannot be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule} makes a number of {digits} digits; it takes 1 to 32")]
pub struct Undialable {
    /// Which rule, counted from 1.
    pub rule: usize,
    /// What it makes.
    pub digits: usize,
}

/// Rules in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite(pub Vec<Rule>);

impl Rewrite {
    /// What becomes of a number that comes in. One that a rule would make too long stays as it came.
    pub fn apply(&self, number: &Number) -> Number {
        let fits = |becomes: &Number| becomes.digits.len() <= DIGITS_MAX;
        let becomes = self.explain(number).map(|(_, becomes)| becomes);
        becomes.filter(fits).unwrap_or_else(|| number.clone())
    }
    /// What becomes of a number that goes out, with at least so many digits.
    ///
    /// # Errors
    /// A rule makes a number of it that cannot be dialled: cutting it would call somebody else.
    pub fn dialled(&self, number: &Number, at_least: usize) -> Result<Number, Undialable> {
        let Some((rule, becomes)) = self.explain(number) else { return Ok(number.clone()) };
        let digits = becomes.digits.len();
        if (at_least..=DIGITS_MAX).contains(&digits) {
            return Ok(becomes);
        }
        Err(Undialable { rule, digits })
    }
    /// The rule that decides, counted from 1, and what it makes of `number`; `None` when none matches.
    pub fn explain(&self, number: &Number) -> Option<(usize, Number)> {
        let mut rules = self.0.iter().enumerate();
        rules.find_map(|(n, rule)| Some((n + 1, rule.apply(number)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::Rng;

    fn rule(pattern: &str, strip: u8, prepend: &str) -> Rule {
        Rule {
            pattern: Pattern::parse(pattern).expect("a pattern"),
            when: None,
            strip,
            prepend: prepend.into(),
            kind: None,
            plan: None,
            presentation: None,
        }
    }

    #[test]
    fn patterns_match_what_operators_mean_by_them() {
        for (pattern, fits, fails) in [
            ("110", &["110"][..], &["11", "1100", ""][..]),
            ("0.", &["0", "01", "0100"], &["10", ""]),
            ("1[3-9]XXXXXXXXX", &["13800138000", "19912345678"], &["12800138000", "1380013800"]),
            ("NXX", &["200", "999"], &["100", "20"]),
            ("Z.", &["1", "90"], &["0", ""]),
            ("[*#]X", &["*1", "#9"], &["11"]),
            ("[0-9*]", &["0", "9", "*"], &["#"]),
            (".", &["", "5"], &[]),
        ] {
            let parsed = Pattern::parse(pattern).expect(pattern);
            assert!(fits.iter().all(|digits| parsed.matches(digits)), "{pattern}");
            assert!(!fails.iter().any(|digits| parsed.matches(digits)), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_reason() {
        use PatternError::*;
        for (pattern, error) in [
            ("12a", NotADigit { found: 'a' }),
            ("+49.", NotADigit { found: '+' }),
            ("[3-", Unclosed),
            ("[]", EmptyChoice),
            ("[9-3]", EmptyChoice),
            ("0.1", BehindTheRest),
            ("XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", TooLong),
        ] {
            assert_eq!(Pattern::parse(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_others_leave_the_number_alone() {
        let rules = Rewrite(vec![rule("00.", 2, ""), rule("0.", 1, "86"), rule("0755.", 0, "9")]);
        for (digits, n, becomes) in [("0049", 1, "49"), ("075512", 2, "8675512")] {
            let (which, number) = rules.explain(&Number::unknown(digits)).expect("matches");
            assert_eq!((which, number.digits.as_str()), (n, becomes));
        }
        assert_eq!(rules.explain(&Number::unknown("8001")), None);
        assert_eq!(rules.apply(&Number::unknown("8001")).digits, "8001");
    }

    #[test]
    fn type_plan_and_presentation_are_asked_for_and_set() {
        let international = Rule {
            when: Some(NumberType::International),
            kind: Some(NumberType::Unknown),
            presentation: Some(Presentation::Restricted),
            ..rule(".", 0, "00")
        };
        let rules = Rewrite(vec![international]);
        let number = Number { kind: NumberType::International, ..Number::unknown("4930") };
        let became = rules.apply(&number);
        assert_eq!((became.digits.as_str(), became.kind), ("004930", NumberType::Unknown));
        assert_eq!(became.shown(), None);
        assert_eq!(rules.apply(&Number::unknown("4930")).digits, "4930");
    }

    #[test]
    fn stripping_all_and_prepending_too_much_dial_nobody_and_say_which_rule() {
        let number = Number::unknown("23456789");
        let rules = Rewrite(vec![rule("0.", 1, ""), rule("2.", 9, "")]);
        assert_eq!(rules.dialled(&number, 1), Err(Undialable { rule: 2, digits: 0 }));
        assert_eq!(rules.dialled(&number, 0).map(|n| n.digits), Ok(String::new()));
        let rules = Rewrite(vec![rule(".", 0, &"1".repeat(30))]);
        assert_eq!(rules.dialled(&number, 1), Err(Undialable { rule: 1, digits: 38 }));
        // On the way in it stays what it was: a number cut short is another one.
        assert_eq!(rules.apply(&number).digits, "23456789");
        let exactly = Rewrite(vec![rule(".", 0, &"1".repeat(24))]);
        assert_eq!(exactly.dialled(&number, 1).map(|n| n.digits.len()), Ok(32));
    }

    #[test]
    fn a_million_arbitrary_patterns_are_read_or_refused() {
        let mut rng = Rng::from_seed(9);
        let alphabet: Vec<char> = "0123456789*#XZN[]-. a\u{e4}".chars().collect();
        let mut read = 0;
        for _ in 0..1_000_000 {
            let pattern: String = (0..rng.below(12))
                .map(|_| alphabet[rng.below(alphabet.len() as u64) as usize])
                .collect();
            let Ok(parsed) = Pattern::parse(&pattern) else { continue };
            read += 1;
            let _ = parsed.matches("0049301234");
        }
        assert!(read > 10_000, "{read}");
    }
}
