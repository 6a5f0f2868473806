//! Our engine on a D-channel made of a UNIX socket, against somebody else's: one sequenced packet a frame,
//! without FCS. Places or answers calls whose wanted outcome stands in the last three digits of the called
//! number (000 answered, 019 rings out, else the cause), and checks that every call ends exactly so.
//!
//! ```text
//! dchannel PATH user|network call|answer CALLS [CAPTURE.pcap]
//! ```

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use call::{Cause, Number};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket,
};
use signalling::pri::Interface;
use signalling::{
    ChannelWish, Clearing, Event, IncomingCall, InterfaceOutput, LegKey, Order, Outgoing,
    PriSettings, Side, pcap,
};
use tdm::{Instant, Law, Timeslot};

/// What the calls shall come to, in turn. 0: answered; 19: rings until the caller gives up.
const OUTCOMES: [u8; 8] = [0, 1, 17, 18, 21, 27, 34, 19];
const CALLS_AT_ONCE: usize = 20;
const HOLD_MILLIS: u64 = 30;
const RING_MILLIS: u64 = 40;
const PATIENCE_MILLIS: u64 = 150;
/// Nothing here takes longer; a run that does hangs.
const RUN_SECONDS_MAX: u64 = 120;

type Failure = Box<dyn std::error::Error>;

/// The calls of this end and what is to become of them.
struct Desk {
    caller: bool,
    wanted: usize,
    begun: usize,
    /// The outcome each call shall have, and how it is refused when it is.
    calls: BTreeMap<LegKey, u8>,
    free: Vec<Timeslot>,
    agenda: Vec<(Instant, Order)>,
    passed: usize,
    failures: Vec<String>,
}

impl Desk {
    fn new(side: Side, caller: bool, wanted: usize, settings: &PriSettings) -> Self {
        let mut free: Vec<Timeslot> = settings.channels.iter().collect();
        // The end of the list is taken first: the network hunts upwards, the user downwards.
        if side == Side::Network {
            free.reverse();
        }
        Self {
            caller,
            wanted,
            begun: 0,
            calls: BTreeMap::new(),
            free,
            agenda: Vec::new(),
            passed: 0,
            failures: Vec::new(),
        }
    }
    fn is_done(&self) -> bool {
        self.passed + self.failures.len() >= self.wanted
    }
    /// Another call, when one is due and a channel free.
    fn next_call(&mut self) -> Option<Order> {
        if !self.caller || self.begun >= self.wanted || self.calls.len() >= CALLS_AT_ONCE {
            return None;
        }
        let timeslot = self.free.pop()?;
        let outcome = OUTCOMES[self.begun % OUTCOMES.len()];
        let key = LegKey(self.begun as u32 * 2 + 1);
        let called = Number::unknown(format!("{:05}{outcome:03}", self.begun));
        self.begun += 1;
        self.calls.insert(key, outcome);
        Some(Order::Call(Outgoing {
            key,
            // Every third leaves the choice of the channel to the other end.
            channel: ChannelWish { timeslot, exclusive: !self.begun.is_multiple_of(3) },
            called,
            calling: Some(Number::unknown("5551234")),
            law: Law::A,
        }))
    }
    fn later(&mut self, now: Instant, millis: u64, order: Order) {
        self.agenda.push((now.plus_millis(millis), order));
    }
    fn hang_up(key: LegKey) -> Order {
        Order::Clear { key, cause: Cause::NORMAL_CLEARING, in_band: false }
    }
    fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Incoming(call) => self.answer(now, &call),
            Event::Connected { key, .. } if self.caller => {
                self.later(now, HOLD_MILLIS, Self::hang_up(key));
            }
            Event::Alerting { key, .. } if self.calls.get(&key) == Some(&19) => {
                self.later(now, PATIENCE_MILLIS, Self::hang_up(key));
            }
            Event::Ended { key, timeslot, clearing, glare } => {
                self.free.extend(timeslot.filter(|_| self.caller));
                self.judge(key, clearing, glare);
            }
            _ => {}
        }
    }
    fn answer(&mut self, now: Instant, call: &IncomingCall) {
        let key = call.key;
        let digits = &call.called.digits;
        let outcome = digits.len().checked_sub(3).and_then(|at| digits.get(at..));
        let outcome = outcome.and_then(|text| text.parse().ok()).unwrap_or(1);
        self.begun += 1;
        self.calls.insert(key, outcome);
        match outcome {
            0 | 19 => {
                self.later(now, 0, Order::Proceed { key });
                self.later(now, 0, Order::Alert { key, in_band: self.begun.is_multiple_of(2) });
                if outcome == 0 {
                    self.later(now, RING_MILLIS, Order::Connect { key });
                }
            }
            cause => {
                // One is refused at once, one after CALL PROCEEDING, one after ringing.
                match self.begun % 3 {
                    0 => {}
                    1 => self.later(now, 0, Order::Proceed { key }),
                    _ => self.later(now, 0, Order::Alert { key, in_band: false }),
                }
                let order = Order::Clear { key, cause: Cause(cause), in_band: false };
                self.later(now, 10, order);
            }
        }
    }
    fn judge(&mut self, key: LegKey, clearing: Clearing, glare: bool) {
        let Some(outcome) = self.calls.remove(&key) else {
            self.failures.push(format!("{key:?} ended twice"));
            return;
        };
        let ends_here = matches!(outcome, 0 | 19) == self.caller;
        let cause = if matches!(outcome, 0 | 19) { 16 } else { outcome };
        let as_wanted =
            clearing.cause == Cause(cause) && clearing.by_far_end != ends_here && !glare;
        if as_wanted {
            self.passed += 1;
        } else {
            self.failures.push(format!("{key:?} wanted {outcome:03}, got {clearing:?}"));
        }
    }
    fn due(&self) -> Option<Instant> {
        self.agenda.iter().map(|(at, _)| *at).min()
    }
    fn take_due(&mut self, now: Instant) -> Vec<Order> {
        let (due, later) = std::mem::take(&mut self.agenda).into_iter().partition(|a| a.0 <= now);
        self.agenda = later;
        let due: Vec<(Instant, Order)> = due;
        due.into_iter().map(|(_, order)| order).collect()
    }
}

/// The wire and everything on its end.
struct Bench {
    wire: OwnedFd,
    started: std::time::Instant,
    interface: Interface,
    side: Side,
    desk: Desk,
    capture: Option<std::fs::File>,
    wake: Option<Instant>,
}

impl Bench {
    fn now(&self) -> Instant {
        Instant::default().plus(self.started.elapsed())
    }
    fn record(&mut self, now: Instant, sent: bool, frame: &[u8]) -> Result<(), Failure> {
        if let Some(file) = &mut self.capture {
            file.write_all(&pcap::record(now, self.side, sent, frame))?;
        }
        Ok(())
    }
    fn order(&mut self, order: Order) -> Result<(), Failure> {
        let now = self.now();
        self.interface.order(now, order);
        self.drain(now)
    }
    fn drain(&mut self, now: Instant) -> Result<(), Failure> {
        loop {
            match self.interface.poll() {
                InterfaceOutput::Transmit(frame) => {
                    self.record(now, true, frame.octets())?;
                    match send(self.wire.as_raw_fd(), frame.octets(), MsgFlags::MSG_NOSIGNAL) {
                        Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                InterfaceOutput::Event(event) => self.desk.handle(now, event),
                InterfaceOutput::Wait(at) => {
                    self.wake = at;
                    return Ok(());
                }
            }
        }
    }
    /// Waits for a frame or the next deadline; false when the other end is gone.
    fn turn(&mut self) -> Result<bool, Failure> {
        let now = self.now();
        let next = [self.wake, self.desk.due()].into_iter().flatten().min();
        let millis = next.map_or(1000, |at| at.micros_since(now).div_ceil(1000).min(1000));
        let mut waiting = [PollFd::new(std::os::fd::AsFd::as_fd(&self.wire), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(Duration::from_millis(millis))?;
        let readable = poll(&mut waiting, timeout)? > 0;
        let now = self.now();
        if readable {
            let mut octets = [0; 1024];
            let len = match recv(self.wire.as_raw_fd(), &mut octets, MsgFlags::empty()) {
                Ok(0) | Err(Errno::ECONNRESET) => return Ok(false),
                Ok(len) => len,
                Err(error) => return Err(error.into()),
            };
            let frame = octets.get(..len).unwrap_or_default();
            self.record(now, false, frame)?;
            self.interface.handle_frame(now, frame);
            self.drain(now)?;
        }
        self.interface.elapsed(now);
        self.drain(now)?;
        for order in self.desk.take_due(now) {
            self.order(order)?;
        }
        while self.interface.is_up() {
            let Some(order) = self.desk.next_call() else { break };
            self.order(order)?;
        }
        Ok(true)
    }
}

fn run(arguments: &[String]) -> Result<bool, Failure> {
    const USAGE: &str = "dchannel PATH user|network call|answer CALLS [CAPTURE.pcap]";
    let (path, side, role, calls, capture) = match arguments {
        [path, side, role, calls] => (path, side, role, calls, None),
        [path, side, role, calls, capture] => (path, side, role, calls, Some(capture)),
        _ => return Err(USAGE.into()),
    };
    let side = match side.as_str() {
        "user" => Side::User,
        "network" => Side::Network,
        _ => return Err(USAGE.into()),
    };
    let wire = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    connect(wire.as_raw_fd(), &UnixAddr::new(path.as_str())?)?;
    let capture = match capture {
        Some(path) => {
            let mut file = std::fs::File::create(path)?;
            file.write_all(&pcap::file_header())?;
            Some(file)
        }
        None => None,
    };
    let settings = PriSettings::e1(side);
    let mut bench = Bench {
        wire,
        started: std::time::Instant::now(),
        desk: Desk::new(side, role == "call", calls.parse()?, &settings),
        interface: Interface::new(settings),
        side,
        capture,
        wake: None,
    };
    bench.order(Order::Line { up: true })?;
    let limit = Duration::from_secs(RUN_SECONDS_MAX);
    while !bench.desk.is_done() || bench.interface.calls() > 0 {
        if bench.started.elapsed() > limit || !bench.turn()? {
            break;
        }
    }
    let desk = &bench.desk;
    for failure in &desk.failures {
        println!("    {failure}");
    }
    let open = desk.wanted.saturating_sub(desk.passed + desk.failures.len());
    println!(
        "  ours: {} calls as wanted, {} not, {open} open; layer 2 faults {}; {:?}; {:.1} s",
        desk.passed,
        desk.failures.len(),
        bench.interface.link_faults().total(),
        bench.interface.call_counters(),
        bench.started.elapsed().as_secs_f32(),
    );
    Ok(desk.failures.is_empty() && open == 0)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("dchannel: {error}");
            ExitCode::from(2)
        }
    }
}
