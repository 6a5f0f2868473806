//! The call centre's records, read as anybody reads them: from the export.

use anyhow::Context as _;

use crate::paths::Paths;

/// What the demonstration wants of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whether the call came to us.
    pub inbound: bool,
    /// Who was called.
    pub called: String,
    /// What became of it, in one word.
    pub result: String,
    /// Why it ended. Q.850.
    pub cause: u8,
}

/// All records so far.
///
/// # Errors
/// There is no database yet, or a row that cannot be read.
pub fn all(paths: &Paths) -> anyhow::Result<Vec<Record>> {
    let mut text = Vec::new();
    let file = paths.state_dir().join("records.db");
    crate::records::export(&file, i64::MIN, i64::MAX, &mut text)?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let columns = reader.headers()?.clone();
    let column = |name: &str| {
        columns.iter().position(|c| c == name).with_context(|| format!("no column {name}"))
    };
    let (direction, called) = (column("direction")?, column("called")?);
    let (result, cause) = (column("result")?, column("cause")?);
    let mut records = Vec::new();
    for row in reader.records() {
        let row = row?;
        let text = |column: usize| row.get(column).unwrap_or_default().to_owned();
        records.push(Record {
            inbound: text(direction) == "in",
            called: text(called),
            result: text(result),
            cause: text(cause).parse().context("cause")?,
        });
    }
    Ok(records)
}
