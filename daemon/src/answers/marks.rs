//! What people heard in recordings of decisions: one line each, the last one of a recording counts.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

/// What a recording was, to somebody who has listened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Is {
    /// Somebody to talk to.
    Person,
    /// A recording.
    Machine,
    /// Silence, noise, music, tones, a fax.
    Nobody,
}

impl Is {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Person, Self::Machine, Self::Nobody];

    /// The word in files and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Machine => "machine",
            Self::Nobody => "nobody",
        }
    }
    /// The one of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|is| is.word() == word.trim())
    }
}

/// By the recording's name.
pub type Marks = BTreeMap<String, Is>;

/// The first line of the file.
const HEADER: &str = "recording,is\n";

/// All marks so far; none when nobody has marked anything. What is no mark (a line cut off by a full disk) is passed
/// over.
///
/// # Errors
/// The file is there and cannot be read.
pub fn read(file: &Path) -> Result<Marks> {
    let text = match std::fs::read(file) {
        Ok(octets) => String::from_utf8_lossy(&octets).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    let mark = |line: &str| {
        let (name, is) = line.split_once(',')?;
        Some((name.to_owned(), Is::of_word(is)?))
    };
    Ok(text.lines().filter_map(mark).collect())
}

/// Adds marks to the file. Whoever does so first, it belongs to whom its folder belongs to.
///
/// # Errors
/// It cannot be written, or is a link.
pub fn add(file: &Path, marks: &[(String, Is)]) -> Result<()> {
    let context = || file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new("."));
    let owner = crate::alone::Owner::of_private(folder).with_context(context)?;
    let mut options = std::fs::OpenOptions::new();
    let mut to = options
        .create(true)
        .append(true)
        .read(true)
        .mode(0o640)
        .custom_flags(libc::O_NOFOLLOW)
        .open(file)
        .with_context(context)?;
    owner.hand_over(file).with_context(context)?;
    let mut before = Vec::new();
    to.read_to_end(&mut before).with_context(context)?;
    let mut text = String::new();
    match before.last() {
        None => text.push_str(HEADER),
        Some(b'\n') => {}
        // A line that was cut off ends here.
        Some(_) => text.push('\n'),
    }
    for (name, is) in marks {
        text.push_str(&format!("{name},{}\n", is.word()));
    }
    to.write_all(text.as_bytes()).and_then(|()| to.sync_data()).with_context(context)
}

/// The marks in a table that somebody has filled in: a recording (its name or file) and what it is, separated by a
/// comma; a first line with `recording` is a heading.
///
/// # Errors
/// Every line that is no such row, by its number; nothing of the table counts then.
pub fn table(text: &str, is_known: impl Fn(&str) -> bool) -> Result<Vec<(String, Is)>> {
    let mut rows = csv::ReaderBuilder::new();
    let rows = rows.has_headers(false).flexible(true).trim(csv::Trim::All);
    let rows = rows.delimiter(b',');
    let (mut marks, mut faults) = (Vec::new(), Vec::new());
    for (n, row) in rows.from_reader(text.as_bytes()).records().enumerate() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                faults.push(error.to_string());
                continue;
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        let (first, second) =
            (row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default().to_lowercase());
        let name = name_of(first);
        match Is::of_word(&second) {
            None if n == 0 && first.eq_ignore_ascii_case("recording") => {}
            None => {
                faults.push(format!("line {line}: `{second}` is not person, machine or nobody"))
            }
            Some(_) if !is_known(&name) => {
                faults.push(format!("line {line}: there is no recording `{name}`"));
            }
            Some(is) => marks.push((name, is)),
        }
    }
    ensure!(faults.is_empty(), "nothing was marked: {}", faults.join("; "));
    Ok(marks)
}

/// The name of a recording that was given as its name or as its file.
pub fn name_of(given: &str) -> String {
    let file = Path::new(given).file_name().map_or(given.into(), |name| name.to_string_lossy());
    file.strip_suffix(".wav").unwrap_or(&file).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_of_a_recording_counts_and_a_line_cut_off_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("decisions/marks.csv");
        assert_eq!(read(&file).unwrap(), Marks::new());
        add(&file, &[("answer-a-c1.1".into(), Is::Person), ("answer-a-c1.2".into(), Is::Person)])
            .unwrap();
        let mut text = std::fs::read_to_string(&file).unwrap();
        text.push_str("answer-a-c1.3,mach");
        std::fs::write(&file, text).unwrap();
        add(&file, &[("answer-a-c1.2".into(), Is::Machine)]).unwrap();
        let wanted = [("answer-a-c1.1", Is::Person), ("answer-a-c1.2", Is::Machine)];
        assert_eq!(read(&file).unwrap(), wanted.map(|(n, is)| (n.to_owned(), is)).into());
    }

    /// What can be seen of it only by who may give files away.
    #[test]
    fn what_root_marks_first_is_the_folders_owners() {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = tempfile::tempdir().unwrap();
        let mut owner = nix::unistd::geteuid().as_raw();
        if owner == 0 {
            owner = 4711;
            chown(folder.path(), Some(owner), Some(owner)).unwrap();
        }
        let file = folder.path().join("var/decisions/marks.csv");
        add(&file, &[("answer-a-c1.1".into(), Is::Person)]).unwrap();
        for made in [file.as_path(), file.parent().unwrap(), &folder.path().join("var")] {
            assert_eq!(std::fs::metadata(made).unwrap().uid(), owner, "{}", made.display());
        }
        // It is written through no link.
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "x").unwrap();
        let link = folder.path().join("marks.csv");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert!(add(&link, &[("answer-a-c1.1".into(), Is::Person)]).is_err());
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"x");
    }

    #[test]
    fn a_table_counts_as_a_whole_and_its_bad_lines_are_named() {
        let known = |name: &str| name.starts_with("answer-");
        let good = "recording,is\n/var/x/answer-a-c1.1.wav, Person\nanswer-a-c1.2,nobody\n";
        let wanted = [("answer-a-c1.1", Is::Person), ("answer-a-c1.2", Is::Nobody)];
        assert_eq!(table(good, known).unwrap(), wanted.map(|(n, is)| (n.to_owned(), is)));
        let bad = "answer-a-c1.1,person\nanswer-a-c1.2,perhaps\nother,person\nanswer-a-c1.3\n";
        let why = table(bad, known).unwrap_err().to_string();
        for part in ["line 2: `perhaps`", "line 3: there is no recording `other`", "line 4: ``"] {
            assert!(why.contains(part), "{why}");
        }
    }
}
