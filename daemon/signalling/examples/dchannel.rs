//! Our engine on a D-channel made of a UNIX socket, against somebody else's: one sequenced packet a frame,
//! without FCS. Places or answers calls whose wanted outcome stands in the last three digits of the called
//! number (000 answered, 019 rings out, else the cause), and checks that every call ends exactly so.
//!
//! ```text
//! dchannel PATH user|network call|answer|both CALLS [frames|raw [CAPTURE.pcap]]
//! ```
//!
//! `both`: that many calls each way at once; where two meet on a channel, ours is placed anew on another.
//!
//! `raw`: the packets are octets of the timeslot, bit 7 first, as many out as in; our HDLC makes the frames.

use std::collections::{BTreeMap, VecDeque};
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
use tdm::hdlc::{Decoder, Encoder};
use tdm::{Frame, Instant, Law, Timeslot};

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
    to_place: usize,
    to_take: usize,
    begun: usize,
    placed: usize,
    taken: usize,
    glare: usize,
    /// Outcomes of calls that met another on their channel.
    again: Vec<u8>,
    /// The outcome each call shall have, and how it is refused when it is.
    calls: BTreeMap<LegKey, u8>,
    free: Vec<Timeslot>,
    agenda: Vec<(Instant, Order)>,
    passed: usize,
    failures: Vec<String>,
}

impl Desk {
    fn new(side: Side, to_place: usize, to_take: usize, settings: &PriSettings) -> Self {
        let mut free: Vec<Timeslot> = settings.channels.iter().collect();
        // The end of the list is taken first: the network hunts upwards, the user downwards.
        if side == Side::Network {
            free.reverse();
        }
        Self {
            to_place,
            to_take,
            begun: 0,
            placed: 0,
            taken: 0,
            glare: 0,
            again: Vec::new(),
            calls: BTreeMap::new(),
            free,
            agenda: Vec::new(),
            passed: 0,
            failures: Vec::new(),
        }
    }
    /// Calls we place carry odd keys, calls we take even ones.
    const fn is_ours(key: LegKey) -> bool {
        key.0 % 2 == 1
    }
    fn is_done(&self) -> bool {
        self.passed + self.failures.len() >= self.to_place + self.to_take
    }
    /// Another call, when one is due and a channel free.
    fn next_call(&mut self) -> Option<Order> {
        if self.calls.len() >= CALLS_AT_ONCE || self.free.is_empty() {
            return None;
        }
        if let Some(outcome) = self.again.pop() {
            return self.place(outcome);
        }
        if self.placed >= self.to_place {
            return None;
        }
        let outcome = OUTCOMES[self.placed % OUTCOMES.len()];
        self.placed += 1;
        self.place(outcome)
    }
    fn give_back(&mut self, timeslot: Option<Timeslot>) {
        let missing = timeslot.filter(|timeslot| !self.free.contains(timeslot));
        if let Some(timeslot) = missing {
            self.free.insert(0, timeslot);
        }
    }
    fn place(&mut self, outcome: u8) -> Option<Order> {
        let timeslot = self.free.pop()?;
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
            name: None,
            redirecting: None,
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
            Event::Connected { key, .. } if Self::is_ours(key) => {
                self.later(now, HOLD_MILLIS, Self::hang_up(key));
            }
            Event::Alerting { key, .. } if self.calls.get(&key) == Some(&19) => {
                self.later(now, PATIENCE_MILLIS, Self::hang_up(key));
            }
            Event::Ended { key, timeslot, glare: true, .. } => {
                // The call goes out on another channel; this one may be free by and by.
                self.glare += 1;
                self.again.extend(self.calls.remove(&key));
                self.give_back(timeslot);
            }
            Event::Ended { key, timeslot, clearing, .. } => {
                self.give_back(timeslot);
                self.judge(key, clearing);
            }
            _ => {}
        }
    }
    fn answer(&mut self, now: Instant, call: &IncomingCall) {
        let key = call.key;
        let digits = &call.called.digits;
        let outcome = digits.len().checked_sub(3).and_then(|at| digits.get(at..));
        let outcome = outcome.and_then(|text| text.parse().ok()).unwrap_or(1);
        self.taken += 1;
        self.calls.insert(key, outcome);
        match outcome {
            0 | 19 => {
                self.later(now, 0, Order::Proceed { key });
                self.later(now, 0, Order::Alert { key, in_band: self.taken.is_multiple_of(2) });
                if outcome == 0 {
                    self.later(now, RING_MILLIS, Order::Connect { key });
                }
            }
            cause => {
                // One is refused at once, one after CALL PROCEEDING, one after ringing.
                match self.taken % 3 {
                    0 => {}
                    1 => self.later(now, 0, Order::Proceed { key }),
                    _ => self.later(now, 0, Order::Alert { key, in_band: false }),
                }
                let order = Order::Clear { key, cause: Cause(cause), in_band: false };
                self.later(now, 10, order);
            }
        }
    }
    fn judge(&mut self, key: LegKey, clearing: Clearing) {
        let Some(outcome) = self.calls.remove(&key) else {
            self.failures.push(format!("{key:?} ended twice"));
            return;
        };
        let ends_here = matches!(outcome, 0 | 19) == Self::is_ours(key);
        let cause = if matches!(outcome, 0 | 19) { 16 } else { outcome };
        if clearing.cause == Cause(cause) && clearing.by_far_end != ends_here {
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

/// Our HDLC, when the wire is a bare timeslot.
#[derive(Default)]
struct Timeslot64 {
    encoder: Encoder,
    decoder: Decoder,
    waiting: VecDeque<Frame>,
}

/// The wire and everything on its end.
struct Bench {
    wire: OwnedFd,
    raw: Option<Timeslot64>,
    restarted: bool,
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
                    match &mut self.raw {
                        Some(timeslot) => timeslot.waiting.push_back(frame),
                        None => self.transmit(frame.octets())?,
                    }
                }
                InterfaceOutput::Event(Event::Restarted { timeslot: None }) => {
                    self.restarted = true;
                }
                InterfaceOutput::Event(event) => self.desk.handle(now, event),
                InterfaceOutput::Wait(at) => {
                    self.wake = at;
                    return Ok(());
                }
            }
        }
    }
    fn transmit(&self, octets: &[u8]) -> Result<(), Failure> {
        match send(self.wire.as_raw_fd(), octets, MsgFlags::MSG_NOSIGNAL) {
            Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
    /// What came in one packet: a frame, or the frames that end in a chunk of the timeslot.
    fn receive(&mut self, now: Instant, packet: &[u8]) -> Result<(), Failure> {
        let mut frames = Vec::new();
        if let Some(timeslot) = &mut self.raw {
            timeslot.decoder.push(packet, |frame| frames.push(frame.to_vec()));
            while timeslot.waiting.front().is_some_and(|frame| timeslot.encoder.push(frame)) {
                timeslot.waiting.pop_front();
            }
            let mut chunk = vec![0; packet.len()];
            timeslot.encoder.octets(&mut chunk);
            self.transmit(&chunk)?;
        } else {
            frames.push(packet.to_vec());
        }
        for frame in frames {
            self.record(now, false, &frame)?;
            self.interface.handle_frame(now, &frame);
            self.drain(now)?;
        }
        Ok(())
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
            let mut octets = [0; 8192];
            let len = match recv(self.wire.as_raw_fd(), &mut octets, MsgFlags::empty()) {
                Ok(0) | Err(Errno::ECONNRESET) => return Ok(false),
                Ok(len) => len,
                Err(error) => return Err(error.into()),
            };
            self.receive(now, octets.get(..len).unwrap_or_default())?;
        }
        self.interface.elapsed(now);
        self.drain(now)?;
        for order in self.desk.take_due(now) {
            self.order(order)?;
        }
        while self.restarted && self.interface.is_up() {
            let Some(order) = self.desk.next_call() else { break };
            self.order(order)?;
        }
        Ok(true)
    }
}

fn run(arguments: &[String]) -> Result<bool, Failure> {
    const USAGE: &str =
        "dchannel PATH user|network call|answer|both CALLS [frames|raw [CAPTURE.pcap]]";
    let (path, side, role, calls, options) = match arguments {
        [path, side, role, calls, options @ ..] if options.len() <= 2 => {
            (path, side, role, calls, options)
        }
        _ => return Err(USAGE.into()),
    };
    let calls: usize = calls.parse()?;
    let (to_place, to_take) = match role.as_str() {
        "call" => (calls, 0),
        "answer" => (0, calls),
        "both" => (calls, calls),
        _ => return Err(USAGE.into()),
    };
    let raw = options.first().is_some_and(|kind| kind == "raw");
    let capture = options.get(1);
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
        raw: raw.then(Timeslot64::default),
        restarted: false,
        started: std::time::Instant::now(),
        desk: Desk::new(side, to_place, to_take, &settings),
        interface: Interface::new(settings),
        side,
        capture,
        wake: None,
    };
    bench.order(Order::Line { up: true })?;
    // As after a start of the daemon: calls of an earlier life must not stay at the other end. Not where the
    // other end calls without waiting for it: its first calls would end with it.
    if role == "both" {
        bench.restarted = true;
    } else {
        bench.order(Order::Restart { timeslot: None })?;
    }
    let limit = Duration::from_secs(RUN_SECONDS_MAX);
    while !bench.desk.is_done() || bench.interface.calls() > 0 {
        if bench.started.elapsed() > limit || !bench.turn()? {
            break;
        }
    }
    if bench.raw.is_some() {
        // The last frame is still in the encoder: two more chunks carry it and its flag out.
        bench.turn()?;
        bench.turn()?;
    }
    let desk = &bench.desk;
    for failure in &desk.failures {
        println!("    {failure}");
    }
    if let Some(timeslot) = &bench.raw {
        println!("  ours: HDLC {:?}", timeslot.decoder.counters());
    }
    let open = (desk.to_place + desk.to_take).saturating_sub(desk.passed + desk.failures.len());
    println!(
        "  ours: {} calls as wanted, {} not, {open} open; {} met on a channel; layer 2 faults {}; {:?}; {:.1} s",
        desk.passed,
        desk.failures.len(),
        desk.glare,
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
