//! Summaries that memory has no room for, in a file.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use protocol::server::Spill;

/// Octets the file may have.
const OCTETS_MAX: u64 = 4 << 30;

/// A file of lines with an index in memory, 24 octets a line.
pub struct FileSpill {
    file: File,
    index: VecDeque<Place>,
    end: u64,
}

struct Place {
    seq: u64,
    offset: u64,
    octets: usize,
}

impl FileSpill {
    /// An empty file at `path`: what an earlier process left belongs to another instance.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).read(true).write(true).mode(0o640);
        Ok(Self { file: options.open(path)?, index: VecDeque::new(), end: 0 })
    }
}

impl Spill for FileSpill {
    fn append(&mut self, seq: u64, line: &str) -> bool {
        let written =
            self.end < OCTETS_MAX && self.file.write_all_at(line.as_bytes(), self.end).is_ok();
        if written {
            self.index.push_back(Place { seq, offset: self.end, octets: line.len() });
            self.end += line.len() as u64;
        }
        written
    }
    fn after(&mut self, seq: u64) -> Option<(u64, String)> {
        let at = self.index.partition_point(|place| place.seq <= seq);
        let place = self.index.get(at)?;
        let mut octets = vec![0; place.octets];
        self.file.read_exact_at(&mut octets, place.offset).ok()?;
        Some((place.seq, String::from_utf8(octets).ok()?))
    }
    fn forget_through(&mut self, seq: u64) {
        while self.index.front().is_some_and(|place| place.seq <= seq) {
            self.index.pop_front();
        }
        if self.index.is_empty() && self.end > 0 && self.file.set_len(0).is_ok() {
            self.end = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spilled_lines_come_back_in_order_until_they_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unacked");
        let mut spill = FileSpill::create(&path).unwrap();
        for seq in 1..=100 {
            assert!(spill.append(seq, &format!("line {seq}\n")));
        }
        assert_eq!(spill.after(41), Some((42, "line 42\n".into())));
        spill.forget_through(50);
        assert_eq!(spill.after(0), Some((51, "line 51\n".into())));
        spill.forget_through(100);
        assert_eq!(spill.after(0), None);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "the file gives its room back");
        assert!(spill.append(101, "again\n"));
        assert_eq!(spill.after(0), Some((101, "again\n".into())));
    }
}
