//! Standard output whose reader may leave: `trunkline status | head -1` ends quietly, as other commands do.

use std::fmt::Arguments;
use std::io::{self, Write};

/// What a shell reports of a command whose reader left: 128 and the number of SIGPIPE.
pub const NOBODY_READS: u8 = 141;

/// Nobody reads standard output any more; nothing is wrong with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub struct NobodyReads;

/// Standard output, or what stands in its place, with a broken pipe told apart from that of any socket.
pub struct Output<W>(pub W);

impl<W: Write> Write for Output<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(octets).map_err(told_apart)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(told_apart)
    }
}

fn told_apart(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, NobodyReads),
        _ => error,
    }
}

/// Writes a line to standard output.
///
/// # Errors
/// Nobody reads it ([`is_unread`]), or it cannot be written.
pub fn line(text: Arguments<'_>) -> io::Result<()> {
    writeln!(Output(io::stdout().lock()), "{text}")
}

/// Writes a line to standard error; where nobody reads that there is nobody to be told.
pub fn complain(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether a command failed for no other reason than that nobody reads what it says.
pub fn is_unread(error: &anyhow::Error) -> bool {
    let is_ours =
        |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<NobodyReads>());
    error.chain().any(|cause| {
        let in_csv = cause.downcast_ref::<csv::Error>().map(csv::Error::kind);
        match in_csv {
            Some(csv::ErrorKind::Io(error)) => is_ours(error),
            _ => cause.downcast_ref::<io::Error>().is_some_and(is_ours),
        }
    })
}

/// `println!` that returns an error where `println!` panics.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reader has left.
    fn unread() -> Output<io::PipeWriter> {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        Output(writer)
    }

    #[test]
    fn a_reader_who_left_is_told_apart_from_everything_else() {
        let error = anyhow::Error::new(writeln!(unread(), "x").unwrap_err()).context("status");
        assert!(is_unread(&error), "{error:#}");
        let mut csv = csv::Writer::from_writer(unread());
        csv.write_record(["x"]).unwrap();
        assert!(is_unread(&anyhow::Error::new(csv.flush().unwrap_err())));
        let mut csv = csv::WriterBuilder::new().buffer_capacity(8).from_writer(unread());
        assert!(is_unread(&anyhow::Error::new(csv.write_record(["x"; 99]).unwrap_err())));
        let socket = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(!is_unread(&anyhow::Error::new(socket)), "a socket's broken pipe is a fault");
    }
}
