//! A span line of DAHDI's `system.conf`: `<number>,<timing>,<build-out>,<framing>,<coding>[,crc4]`.

use tdm::SpanId;

/// What a span line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanLine {
    /// The span.
    pub span: SpanId,
    /// 0: we give the clock; otherwise the order in which spans are asked for theirs, 1 first.
    pub timing: u8,
    /// Line build-out code, 0 to 7.
    pub build_out: u8,
    /// CRC-4 multiframe.
    pub crc4: bool,
}

/// Why a line is no span of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanLineError {
    /// Too few or too many fields.
    #[error(
        "a span line has 5 or 6 fields, number,timing,build-out,framing,coding[,crc4]; this has {0}"
    )]
    Fields(usize),
    /// A field is no number of its range.
    #[error("{field} is a number from {low} to {high}, not `{found}`")]
    Number {
        /// Which field.
        field: &'static str,
        /// From.
        low: u8,
        /// To.
        high: u8,
        /// What stands there.
        found: String,
    },
    /// A word that is not one of the known.
    #[error("{field} is one of {known}, not `{found}`")]
    Word {
        /// Which field.
        field: &'static str,
        /// The words.
        known: &'static str,
        /// What stands there.
        found: String,
    },
    /// Words that do not go together, or a mode this version does not carry.
    #[error("{0}")]
    Impossible(&'static str),
}

impl SpanLine {
    /// Reads a line.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn parse(text: &str) -> Result<Self, SpanLineError> {
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let (number, timing, build_out, framing, coding, last) = match fields.as_slice() {
            [a, b, c, d, e] => (*a, *b, *c, *d, *e, None),
            [a, b, c, d, e, f] => (*a, *b, *c, *d, *e, Some(*f)),
            other => return Err(SpanLineError::Fields(other.len())),
        };
        let number = in_range("the span's number", number, 1, 64)?;
        let span = SpanId::new(usize::from(number).saturating_sub(1))
            .ok_or(SpanLineError::Impossible("spans are numbered 1 to 64"))?;
        let line = Self {
            span,
            timing: in_range("timing", timing, 0, 64)?,
            build_out: in_range("line build-out", build_out, 0, 7)?,
            crc4: match last {
                None => false,
                Some("crc4") => true,
                Some(other) => return Err(word("the last field", "crc4", other)),
            },
        };
        match (framing, coding) {
            ("ccs", "hdb3") => Ok(line),
            ("d4" | "esf", _) => Err(SpanLineError::Impossible("T1 framing is not carried yet")),
            ("cas", _) => Err(SpanLineError::Impossible("CAS is not carried yet; `ccs` is")),
            ("ccs", "ami") => Err(SpanLineError::Impossible("AMI is not carried yet; `hdb3` is")),
            ("ccs", "b8zs") => {
                Err(SpanLineError::Impossible("B8ZS is a T1 line code and CCS here is an E1"))
            }
            ("ccs", other) => Err(word("coding", "hdb3, ami, b8zs", other)),
            (other, _) => Err(word("framing", "ccs, cas, d4, esf", other)),
        }
    }
}

fn in_range(field: &'static str, text: &str, low: u8, high: u8) -> Result<u8, SpanLineError> {
    text.parse().ok().filter(|n| (low..=high).contains(n)).ok_or_else(|| SpanLineError::Number {
        field,
        low,
        high,
        found: text.to_owned(),
    })
}

fn word(field: &'static str, known: &'static str, found: &str) -> SpanLineError {
    SpanLineError::Word { field, known, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_lines_are_read_as_they_are() {
        let line = SpanLine::parse("2,1,0,ccs,hdb3,crc4").unwrap();
        assert_eq!((line.span.number(), line.timing, line.build_out), (2, 1, 0));
        assert!(line.crc4);
        assert!(!SpanLine::parse("1, 0, 0, ccs, hdb3").unwrap().crc4);
    }

    #[test]
    fn impossible_spans_are_refused_by_field() {
        for (text, needle) in [
            ("0,1,0,ccs,hdb3", "number"),
            ("65,1,0,ccs,hdb3", "number"),
            ("1,1,9,ccs,hdb3", "build-out"),
            ("1,1,0,ccs,b8zs", "T1 line code"),
            ("1,1,0,xyz,hdb3", "framing"),
            ("1,1,0,ccs,hdb3,crc5", "crc4"),
            ("1,1,0", "fields"),
            ("", "fields"),
        ] {
            let error = SpanLine::parse(text).unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
    }
}
