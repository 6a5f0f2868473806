//! A span line of DAHDI's `system.conf`: `<number>,<timing>,<build-out>,<framing>,<coding>[,crc4][,yellow]`.

pub use signalling::Carrier;
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
    /// Its frames, and on an E1 what timeslot 16 carries.
    pub framing: Framing,
    /// Its line code.
    pub coding: Coding,
    /// CRC-4 multiframe.
    pub crc4: bool,
    /// Asks for the remote alarm while nobody uses a channel. Somebody does as long as the call server runs.
    pub yellow: bool,
}

/// Frames of a line, in DAHDI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// E1, timeslot 16 as it is.
    Ccs,
    /// E1, signalling bits in timeslot 16.
    Cas,
    /// T1 in superframes.
    D4,
    /// T1 in extended superframes.
    Esf,
}

/// Line codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Coding {
    Ami,
    /// E1.
    Hdb3,
    /// T1.
    B8zs,
}

/// Why a line is no span of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanLineError {
    /// Too few or too many fields.
    #[error(
        "a span line has 5 to 7 fields, number,timing,build-out,framing,coding[,crc4][,yellow]; this has {0}"
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
    /// Words that do not go together.
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
        let [number, timing, build_out, framing, coding, rest @ ..] = fields.as_slice() else {
            return Err(SpanLineError::Fields(fields.len()));
        };
        if rest.len() > 2 {
            return Err(SpanLineError::Fields(fields.len()));
        }
        let number = in_range("the span's number", number, 1, 64)?;
        let span = SpanId::new(usize::from(number).saturating_sub(1))
            .ok_or(SpanLineError::Impossible("spans are numbered 1 to 64"))?;
        let mut line = Self {
            span,
            timing: in_range("timing", timing, 0, 64)?,
            build_out: in_range("line build-out", build_out, 0, 7)?,
            framing: Framing::parse(framing)?,
            coding: Coding::parse(coding)?,
            crc4: false,
            yellow: false,
        };
        for word in rest {
            match *word {
                "crc4" if !line.crc4 => line.crc4 = true,
                "yellow" if !line.yellow => line.yellow = true,
                other => return Err(self::word("what follows the coding", "crc4, yellow", other)),
            }
        }
        let why = match (line.carrier(), line.coding) {
            (Carrier::E1, Coding::B8zs) => {
                "b8zs is a T1 line code, and this framing an E1's: hdb3 or ami"
            }
            (Carrier::T1, Coding::Hdb3) => {
                "hdb3 is an E1 line code, and this framing a T1's: b8zs or ami"
            }
            (Carrier::T1, _) if line.crc4 => "crc4 belongs to an E1; esf has a check of its own",
            _ => return Ok(line),
        };
        Err(SpanLineError::Impossible(why))
    }

    /// What kind of line it is.
    pub const fn carrier(&self) -> Carrier {
        match self.framing {
            Framing::Ccs | Framing::Cas => Carrier::E1,
            Framing::D4 | Framing::Esf => Carrier::T1,
        }
    }
    /// Its channels, as DAHDI counts them: all but timeslot 0 of an E1.
    pub const fn channels(&self) -> u8 {
        match self.carrier() {
            Carrier::E1 => 31,
            Carrier::T1 => 24,
        }
    }
}

impl Framing {
    fn parse(text: &str) -> Result<Self, SpanLineError> {
        match text {
            "ccs" => Ok(Self::Ccs),
            "cas" => Ok(Self::Cas),
            "d4" | "sf" | "superframe" => Ok(Self::D4),
            "esf" => Ok(Self::Esf),
            other => Err(word("framing", "ccs, cas (E1), d4, esf (T1)", other)),
        }
    }
}

impl Coding {
    fn parse(text: &str) -> Result<Self, SpanLineError> {
        match text {
            "ami" => Ok(Self::Ami),
            "hdb3" => Ok(Self::Hdb3),
            "b8zs" => Ok(Self::B8zs),
            other => Err(word("coding", "hdb3 (E1), b8zs (T1), ami", other)),
        }
    }
    /// As `dahdi_scan` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ami => "AMI",
            Self::Hdb3 => "HDB3",
            Self::B8zs => "B8ZS",
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
        assert!(line.crc4 && line.carrier() == Carrier::E1 && line.channels() == 31);
        assert!(!SpanLine::parse("1, 0, 0, ccs, hdb3").unwrap().crc4);
        for (text, framing, coding) in [
            ("1,1,0,cas,hdb3,crc4", Framing::Cas, Coding::Hdb3),
            ("1,1,0,cas,ami", Framing::Cas, Coding::Ami),
            ("1,1,0,ccs,ami,yellow", Framing::Ccs, Coding::Ami),
            ("1,1,0,ccs,hdb3,yellow,crc4", Framing::Ccs, Coding::Hdb3),
            ("1,1,0,esf,b8zs", Framing::Esf, Coding::B8zs),
            ("1,1,5,d4,ami,yellow", Framing::D4, Coding::Ami),
        ] {
            let line = SpanLine::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((line.framing, line.coding), (framing, coding), "{text}");
        }
    }

    #[test]
    fn impossible_spans_are_refused_by_field() {
        for (text, needle) in [
            ("0,1,0,ccs,hdb3", "number"),
            ("65,1,0,ccs,hdb3", "number"),
            ("1,1,9,ccs,hdb3", "build-out"),
            ("1,1,0,ccs,b8zs", "T1 line code"),
            ("1,1,0,esf,hdb3", "E1 line code"),
            ("1,1,0,esf,b8zs,crc4", "of its own"),
            ("1,1,0,xyz,hdb3", "framing"),
            ("1,1,0,ccs,nrz", "coding"),
            ("1,1,0,ccs,hdb3,crc5", "crc4"),
            ("1,1,0,ccs,hdb3,crc4,crc4", "crc4"),
            ("1,1,0,ccs,hdb3,crc4,yellow,", "fields"),
            ("1,1,0", "fields"),
            ("", "fields"),
        ] {
            let error = SpanLine::parse(text).unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
    }
}
