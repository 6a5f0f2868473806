//! Alarms with start, end and cause, a JSON object a line, in a file that survives restarts.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// UTC in µs since 1970.
    pub utc_us: i64,
    /// From 1; 0: the board or the process as a whole.
    pub span: u8,
    /// What, in the words of the `alarm` event; `gap` and `board_gone` besides.
    pub alarm: String,
    /// Raised, cleared, or a thing of one moment.
    pub state: State,
    /// What is known of the cause.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// When it was raised, with its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_utc_us: Option<i64>,
}

/// What happened to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum State {
    Raised,
    Cleared,
    Noted,
}

/// The file and what is raised in it.
pub struct AlarmLog {
    file: File,
    raised: BTreeMap<(u8, String), i64>,
}

impl AlarmLog {
    /// Opens or makes the file. Alarms an earlier process left raised get their end now: whether they still
    /// hold is seen, and said, anew.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: &Path, utc_us: i64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).mode(0o640).open(path)?;
        let mut raised = BTreeMap::new();
        let mut ends_well = true;
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            ends_well = line.ends_with(b"\n");
            // A line cut by a crash is no entry; the next begins on a line of its own.
            if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
                let key = (entry.span, entry.alarm);
                match entry.state {
                    State::Raised => drop(raised.insert(key, entry.utc_us)),
                    State::Cleared => drop(raised.remove(&key)),
                    State::Noted => {}
                }
            }
            line.clear();
        }
        if !ends_well {
            file.write_all(b"\n")?;
        }
        let mut log = Self { file, raised };
        for (span, alarm) in log.raised.keys().cloned().collect::<Vec<_>>() {
            log.clear(utc_us, span, &alarm, "the process ended while it was raised")?;
        }
        Ok(log)
    }

    /// An alarm was raised.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn raise(&mut self, utc_us: i64, span: u8, alarm: &str, cause: &str) -> io::Result<()> {
        self.raised.insert((span, alarm.to_owned()), utc_us);
        self.write(utc_us, span, alarm, State::Raised, cause, None)
    }

    /// An alarm was cleared.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn clear(&mut self, utc_us: i64, span: u8, alarm: &str, cause: &str) -> io::Result<()> {
        let since = self.raised.remove(&(span, alarm.to_owned()));
        self.write(utc_us, span, alarm, State::Cleared, cause, since)
    }

    /// Something without an end.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&mut self, utc_us: i64, span: u8, alarm: &str, cause: &str) -> io::Result<()> {
        self.write(utc_us, span, alarm, State::Noted, cause, None)
    }

    fn write(
        &mut self,
        utc_us: i64,
        span: u8,
        alarm: &str,
        state: State,
        cause: &str,
        since_utc_us: Option<i64>,
    ) -> io::Result<()> {
        let alarm = alarm.to_owned();
        let entry = Entry { utc_us, span, alarm, state, cause: cause.to_owned(), since_utc_us };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_survive_restarts_and_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/alarms");
        let mut log = AlarmLog::open(&path, 1).unwrap();
        log.raise(10, 2, "loss_of_signal", "no pulses").unwrap();
        log.raise(11, 3, "remote_alarm", "").unwrap();
        log.clear(20, 2, "loss_of_signal", "").unwrap();
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"utc_us\":30,\"spa")).unwrap();

        drop(AlarmLog::open(&path, 40).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let entries: Vec<Entry> =
            text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        assert_eq!(entries.len(), 4, "{text}");
        assert_eq!((entries[2].span, entries[2].since_utc_us), (2, Some(10)));
        assert_eq!((entries[3].span, entries[3].state), (3, State::Cleared));
        assert_eq!(entries[3].since_utc_us, Some(11));
        // Opened once more there is nothing left to end.
        drop(AlarmLog::open(&path, 50).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
