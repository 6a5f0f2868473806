//! Captures while running: every frame of the D-channels as pcap, and beside it what happened to calls.
//!
//! The signalling thread hands over what crosses it and never waits: when the writer is behind, a frame is left out
//! and counted. `spanN.pcap` opens in any analyser; `calls.jsonl` has a line for every event of a call, on the same
//! clock, so that `trunkline trace` can put the two together: UTC as it was when the process began, and the monotonic
//! clock since, so that time runs on evenly through a step of UTC and two lives of the process lie apart. A file that
//! has grown to its limit, and one of the life before, is put aside under the same name with `.old`, in place of the
//! last one: two of each, never more.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use call::CallEvent;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use serde_json::json;
use signalling::{Side, pcap};
use tdm::{Frame, Instant, SpanId};

/// Frames and events the writer may be behind.
const BACKLOG: usize = 8192;
/// The event that stands where the writer was too far behind: how many frames and events are not there.
pub const LEFT_OUT: &str = "left_out";
/// A file is put aside when it has grown to this.
const FILE_OCTETS_MAX: u64 = 64 << 20;

// A frame crosses by value, as everywhere: a box for each would cost more than the ring's room.
#[allow(clippy::large_enum_variant)]
enum Captured {
    LeftOut { at: Instant, records: u64 },
    Frame { at: Instant, span: SpanId, sent: bool, frame: Frame },
    Event { at: Instant, event: Box<CallEvent> },
}

/// The signalling thread's end.
pub struct Capture {
    sender: Sender<Captured>,
    /// What found the writer too far behind.
    pub left_out: u64,
    /// Of these, what the capture itself says is missing.
    told: u64,
}

impl Capture {
    /// Starts a writer into `folder`; `sides` says who we are on each span, `utc_offset_us` what UTC is ahead of the
    /// times given.
    ///
    /// # Errors
    /// The folder cannot be made, or the host has no thread left.
    pub fn start(folder: &Path, sides: BTreeMap<SpanId, Side>, utc_offset_us: i64) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let (sender, receiver) = bounded(BACKLOG);
        let folder = folder.to_owned();
        let mut writer = Writer { folder, sides, utc_offset_us, files: BTreeMap::new() };
        std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || writer.run(&receiver))
            .context("a thread for captures")?;
        Ok(Self { sender, left_out: 0, told: 0 })
    }
    /// A frame crossed.
    pub fn frame(&mut self, at: Instant, span: SpanId, sent: bool, frame: Frame) {
        self.give(at, Captured::Frame { at, span, sent, frame });
    }
    /// Something happened. What concerns no call is left to the log.
    pub fn event(&mut self, at: Instant, event: &CallEvent) {
        if !matches!(event, CallEvent::Time { .. }) {
            self.give(at, Captured::Event { at, event: Box::new(event.clone()) });
        }
    }
    fn give(&mut self, at: Instant, captured: Captured) {
        let records = self.left_out - self.told;
        if records > 0 && self.sender.try_send(Captured::LeftOut { at, records }).is_ok() {
            self.told = self.left_out;
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send(captured)
        {
            self.left_out += 1;
        }
    }
}

struct Writer {
    folder: PathBuf,
    sides: BTreeMap<SpanId, Side>,
    utc_offset_us: i64,
    files: BTreeMap<String, Growing>,
}

struct Growing {
    file: BufWriter<File>,
    octets: u64,
}

impl Writer {
    fn run(&mut self, receiver: &Receiver<Captured>) {
        while let Ok(first) = receiver.recv() {
            let mut next = Some(first);
            while let Some(captured) = next {
                if let Err(error) = self.take(&captured) {
                    // The disk is full, or the folder gone: calls go on, and so does the next attempt.
                    tracing::warn!(%error, "capture");
                    self.files.clear();
                }
                next = receiver.try_recv().ok();
            }
            for growing in self.files.values_mut() {
                if let Err(error) = growing.file.flush() {
                    tracing::warn!(%error, "capture");
                }
            }
        }
    }
    /// Counted from 1970.
    fn utc(&self, at: Instant) -> Instant {
        Instant::micros(at.as_micros().saturating_add_signed(self.utc_offset_us))
    }
    fn take(&mut self, captured: &Captured) -> std::io::Result<()> {
        match captured {
            Captured::LeftOut { at, records } => {
                let (data, utc_us) = (json!({ "records": records }), self.utc(*at).as_micros());
                let line = json!({ "event": LEFT_OUT, "at_us": at.as_micros(), "utc_us": utc_us,
                                   "data": data });
                self.write("calls.jsonl", &[], format!("{line}\n").as_bytes())
            }
            Captured::Frame { at, span, sent, frame } => {
                let side = self.sides.get(span).copied().unwrap_or(Side::User);
                let record = pcap::record(self.utc(*at), side, *sent, frame.octets());
                self.write(&format!("span{}.pcap", span.number()), &pcap::file_header(), &record)
            }
            Captured::Event { at, event } => {
                let mut line = serde_json::to_value(event)?;
                if let Some(fields) = line.as_object_mut() {
                    fields.insert("at_us".into(), at.as_micros().into());
                    fields.insert("utc_us".into(), self.utc(*at).as_micros().into());
                }
                self.write("calls.jsonl", &[], format!("{line}\n").as_bytes())
            }
        }
    }
    fn write(&mut self, name: &str, header: &[u8], octets: &[u8]) -> std::io::Result<()> {
        let is_full = |growing: &Growing| growing.octets >= FILE_OCTETS_MAX;
        if self.files.get(name).is_none_or(is_full) {
            self.files.remove(name);
            let path = self.folder.join(name);
            if path.exists() {
                std::fs::rename(&path, self.folder.join(format!("{name}.old")))?;
            }
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o640)
                .open(&path)?;
            let mut file = BufWriter::new(file);
            file.write_all(header)?;
            self.files.insert(name.to_owned(), Growing { file, octets: header.len() as u64 });
        }
        let Some(growing) = self.files.get_mut(name) else { return Ok(()) };
        growing.octets += octets.len() as u64;
        growing.file.write_all(octets)
    }
}
