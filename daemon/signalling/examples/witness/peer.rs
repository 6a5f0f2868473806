//! The foreign engine: a process at the other end of a socket of sequenced packets.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::Failure;

/// What a peer says of its calls at the end, or when asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Ended as wanted.
    pub passed: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Met another call on their channel and were placed anew.
    pub met: u64,
    /// Not over yet.
    pub live: u64,
    /// Of these, answered.
    pub answered: u64,
    /// What the engine complained about.
    pub complaints: u64,
    /// From the first call's beginning to the last one's end.
    pub millis: u64,
}

impl Report {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("report ")?.split_whitespace();
        let mut report = Self::default();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            let value = value.parse().ok()?;
            match name {
                "passed" => report.passed = value,
                "failed" => report.failed = value,
                "met" => report.met = value,
                "live" => report.live = value,
                "answered" => report.answered = value,
                "complaints" => report.complaints = value,
                "millis" => report.millis = value,
                _ => return None,
            }
        }
        Some(report)
    }
}

/// A running peer. Killed when dropped.
pub struct Peer {
    child: Child,
    commands: ChildStdin,
    out: ChildStdout,
    partial: String,
    /// What it said, oldest first, reports left out.
    pub said: Vec<String>,
    /// Its last report.
    pub report: Option<Report>,
}

/// A pair of connected sockets of sequenced packets; the second will be inherited by what is spawned next.
pub fn pair() -> Result<(OwnedFd, OwnedFd), Failure> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok((ours, theirs))
}

impl Peer {
    /// Starts `program` at its end of the wire.
    pub fn spawn(program: &Path, wire: OwnedFd, options: &[String]) -> Result<Self, Failure> {
        let mut child = Command::new(program)
            .args(["--fd", &wire.as_raw_fd().to_string()])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(commands), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the peer has no pipes".into());
        };
        fcntl(&out, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { child, commands, out, partial: String::new(), said: Vec::new(), report: None })
    }
    /// A line for its standard input.
    pub fn tell(&mut self, command: &str) -> Result<(), Failure> {
        Ok(writeln!(self.commands, "{command}")?)
    }
    /// To be waited on: readable when it said something.
    pub const fn out(&self) -> &ChildStdout {
        &self.out
    }
    /// Takes in what it said.
    pub fn listen(&mut self) -> Result<(), Failure> {
        let mut octets = [0; 4096];
        loop {
            match self.out.read(&mut octets) {
                Ok(0) => return Ok(()),
                Ok(len) => {
                    let text = String::from_utf8_lossy(octets.get(..len).unwrap_or_default());
                    self.partial.push_str(&text);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        while let Some((line, rest)) = self.partial.split_once('\n') {
            match Report::parse(line) {
                Some(report) => self.report = Some(report),
                None => self.said.push(line.to_owned()),
            }
            self.partial = rest.to_owned();
        }
        Ok(())
    }
    /// How often it said a line that begins so.
    pub fn count(&self, beginning: &str) -> usize {
        self.said.iter().filter(|line| line.starts_with(beginning)).count()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have left by itself: then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
