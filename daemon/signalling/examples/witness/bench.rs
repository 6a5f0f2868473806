//! Our interface at its end of the wire, on the real clock: frames, losses, a capture of all of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use signalling::pri::Interface;
use signalling::{Event, InterfaceOutput, Order, PriSettings, pcap};
use tdm::{Instant, Rng};

use crate::Failure;
use crate::desk::{Desk, Habits};
use crate::peer::{Peer, pair};

/// Our end and the peer at the other.
pub struct Bench {
    wire: OwnedFd,
    started: std::time::Instant,
    /// Our engine.
    pub interface: Interface,
    /// Our calls.
    pub desk: Desk,
    /// The foreign engine.
    pub peer: Peer,
    /// Nothing gets through in either direction.
    pub cut: bool,
    /// Frames lost of those sent each way.
    pub loss: f64,
    /// What is no event of a call.
    pub events: Vec<Event>,
    rng: Rng,
    capture: Option<BufWriter<File>>,
    wake: Option<Instant>,
    gone: bool,
}

impl Bench {
    /// A peer is started; layer 2 begins at once.
    pub fn new(
        program: &Path,
        settings: PriSettings,
        habits: Habits,
        options: &[String],
        capture: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (wire, theirs) = pair()?;
        let peer = Peer::spawn(program, theirs, options)?;
        let capture = match capture {
            Some(path) => {
                let mut file = BufWriter::new(File::create(path)?);
                file.write_all(&pcap::file_header())?;
                Some(file)
            }
            None => None,
        };
        let mut bench = Self {
            wire,
            started: std::time::Instant::now(),
            desk: Desk::new(habits, &settings),
            interface: Interface::new(settings),
            peer,
            cut: false,
            loss: 0.0,
            events: Vec::new(),
            rng: Rng::from_seed(1),
            capture,
            wake: None,
            gone: false,
        };
        bench.order(Order::Line { up: true })?;
        Ok(bench)
    }
    /// The moment on the engine's clock.
    pub fn now(&self) -> Instant {
        Instant::seconds(1).plus(self.started.elapsed())
    }
    /// What the call server would order.
    pub fn order(&mut self, order: Order) -> Result<(), Failure> {
        let now = self.now();
        self.interface.order(now, order);
        self.drain(now)
    }
    fn record(&mut self, now: Instant, sent: bool, frame: &[u8]) -> Result<(), Failure> {
        if let Some(file) = &mut self.capture {
            file.write_all(&pcap::record(now, self.interface.settings().side, sent, frame))?;
        }
        Ok(())
    }
    fn is_lost(&mut self) -> bool {
        self.cut || (self.loss > 0.0 && self.rng.chance(self.loss))
    }
    fn drain(&mut self, now: Instant) -> Result<(), Failure> {
        loop {
            match self.interface.poll() {
                InterfaceOutput::Transmit(frame) => {
                    self.record(now, true, frame.octets())?;
                    if !self.is_lost() {
                        self.transmit(frame.octets())?;
                    }
                }
                InterfaceOutput::Event(
                    event @ (Event::LinkUp
                    | Event::LinkDown
                    | Event::Restarted { .. }
                    | Event::ChannelFailed { .. }
                    | Event::RestartUnanswered { .. }
                    | Event::Refused { .. }
                    | Event::Failed { .. }
                    | Event::Named { .. }
                    | Event::Service { .. }),
                ) => self.events.push(event),
                InterfaceOutput::Event(event) => self.desk.handle(now, event),
                InterfaceOutput::Wait(at) => {
                    self.wake = at;
                    return Ok(());
                }
            }
        }
    }
    fn transmit(&mut self, octets: &[u8]) -> Result<(), Failure> {
        match send(self.wire.as_raw_fd(), octets, MsgFlags::MSG_NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(Errno::EPIPE | Errno::ECONNRESET) => {
                self.gone = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
    /// Every frame that is there.
    fn receive(&mut self) -> Result<(), Failure> {
        loop {
            let mut octets = [0; 512];
            let len = match recv(self.wire.as_raw_fd(), &mut octets, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET) => {
                    self.gone = true;
                    return Ok(());
                }
                Ok(len) => len,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if self.is_lost() {
                continue;
            }
            let frame = octets.get(..len).unwrap_or_default();
            let now = self.now();
            self.record(now, false, frame)?;
            self.interface.handle_frame(now, frame);
            self.drain(now)?;
        }
    }
    /// Waits for a frame, a word of the peer or the next deadline, at most until `limit`.
    fn turn(&mut self, limit: Instant) -> Result<(), Failure> {
        self.begin_calls()?;
        let now = self.now();
        let next = [self.wake, self.desk.due()].into_iter().flatten().min().unwrap_or(limit);
        let millis = next.min(limit).micros_since(now).div_ceil(1000).min(1000);
        let mut waiting = [
            PollFd::new(self.wire.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.peer.out().as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut waiting, PollTimeout::try_from(Duration::from_millis(millis))?)?;
        let said = waiting.get(1).and_then(PollFd::any).unwrap_or(false);
        self.receive()?;
        if said {
            self.peer.listen()?;
        }
        let now = self.now();
        if self.wake.is_some_and(|wake| wake <= now) {
            self.interface.elapsed(now);
            self.drain(now)?;
        }
        for order in self.desk.take_due(now) {
            self.order(order)?;
        }
        self.begin_calls()
    }
    fn begin_calls(&mut self) -> Result<(), Failure> {
        while self.interface.is_up() {
            let Some(order) = self.desk.next_call(self.now()) else { break };
            self.order(order)?;
        }
        Ok(())
    }
    /// Runs until `done`; false when that took longer than `limit`, or the peer left.
    pub fn run_until(
        &mut self,
        limit: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<bool, Failure> {
        let end = self.now().plus(limit);
        while !done(self) {
            if self.gone || self.now() >= end {
                return Ok(false);
            }
            self.turn(end)?;
        }
        Ok(true)
    }
    /// Runs for a while, whatever happens.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Failure> {
        let end = self.now().plus(time);
        self.run_until(time, |bench| bench.now() >= end)?;
        Ok(())
    }
    /// Asks the peer how its calls stand.
    pub fn ask_peer(&mut self) -> Result<crate::peer::Report, Failure> {
        self.peer.report = None;
        self.peer.tell("report")?;
        self.run_until(Duration::from_secs(5), |bench| bench.peer.report.is_some())?;
        self.peer.report.ok_or_else(|| "the peer does not answer".into())
    }
    /// The same when it is through with what we sent: a command may overtake the frames that wait on its wire.
    pub fn last_report(&mut self) -> Result<crate::peer::Report, Failure> {
        let end = self.now().plus_millis(2000);
        loop {
            let report = self.ask_peer()?;
            if report.live == 0 || self.now() >= end {
                return Ok(report);
            }
            self.run_for(Duration::from_millis(20))?;
        }
    }
    /// Waits for layer 2.
    pub fn come_up(&mut self) -> Result<(), Failure> {
        let up = |bench: &Self| bench.interface.is_up() && bench.peer.count("up") > 0;
        match self.run_until(Duration::from_secs(10), up)? {
            true => Ok(()),
            false => Err("layer 2 does not come up".into()),
        }
    }
}
