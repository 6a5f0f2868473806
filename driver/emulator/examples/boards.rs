//! Serves emulated boards over vfio-user sockets, for guests and other foreign hosts.
//!
//!     boards [--real | --breath=MICROS] BOARD…
//!     BOARD = MODEL:GENERATION:SOCKET[:OPTION…]
//!     OPTION = loop | old-pci | switch=N | version=HEX
//!     boards --probe=SOCKET
//!
//! The second form serves the card of the bus's conformance suite.
//!
//! Spans are crossed in pairs (1 with 2, 3 with 4…), or with `loop` each with itself. Two boards have their
//! spans crossed with each other instead. The clock is lockstep, with so much time left to the guest's programs
//! after each millisecond, or with `--real` the host's. Every board has
//! the door of `emulator::WithDoor`. Ends when its standard input does.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bus::conformance::{PASS, Probe};
use bus::{Device, HostMemory, Space};
use emulator::server::{Clock, Handle, Served, Server, Settings};
use emulator::{Board, Link, Lockstep, Loopback, WithDoor};
use firmware_headers::model::{MODELS, Model};
use firmware_headers::pci;

/// What the command line says of one board.
struct Asked {
    model: Model,
    socket: String,
    looped: bool,
    old_pci: bool,
    switch: u8,
    version: Option<u32>,
}

fn asked(text: &str) -> Result<Asked, String> {
    let mut parts = text.split(':');
    let mut next = |what: &str| parts.next().ok_or(format!("{text}: no {what}"));
    let (name, generation, socket) = (next("model")?, next("generation")?, next("socket")?);
    let fits = |model: &&Model| {
        model.name.split('/').any(|one| one == name) && model.generation.to_string() == generation
    };
    let model = *MODELS.iter().find(fits).ok_or(format!("{text}: no such board"))?;
    let mut asked = Asked {
        model,
        socket: socket.to_owned(),
        looped: false,
        old_pci: false,
        switch: 0,
        version: None,
    };
    for option in parts {
        match option.split_once('=') {
            None if option == "loop" => asked.looped = true,
            None if option == "old-pci" => asked.old_pci = true,
            Some(("switch", n)) => asked.switch = n.parse().map_err(|_| option.to_owned())?,
            Some(("version", n)) => {
                asked.version = Some(u32::from_str_radix(n, 16).map_err(|_| option.to_owned())?);
            }
            _ => return Err(format!("{option}: no such option")),
        }
    }
    Ok(asked)
}

fn made(asked: &Asked) -> Result<Board, emulator::NotBuilt> {
    let mut board = Board::new(&asked.model, 1)?.with_switch(asked.switch);
    if asked.old_pci {
        board = board.without_intx_disable();
    }
    if let Some(version) = asked.version {
        board = board.with_version(version);
    }
    Ok(board)
}

/// Plugs both ends of every cable.
fn wire(boards: &mut [Board], asked: &[Asked]) {
    if let [one, other] = boards {
        for port in 0..one.ports() {
            let (here, there) = Link::pair();
            one.plug(port, Box::new(here));
            other.plug(port, Box::new(there));
        }
        return;
    }
    for (board, asked) in boards.iter_mut().zip(asked) {
        for port in (0..board.ports()).step_by(2) {
            if asked.looped {
                board.plug(port, Box::new(Loopback));
                board.plug(port + 1, Box::new(Loopback));
            } else {
                let (here, there) = Link::pair();
                board.plug(port, Box::new(here));
                board.plug(port + 1, Box::new(there));
            }
        }
    }
}

/// How far one of two boards is ahead of the other while both run.
#[derive(Default)]
struct Turns {
    /// Milliseconds of the first less those of the second.
    lead: AtomicI64,
    running: [AtomicBool; 2],
}

/// A board, and its turn when there are two: neither is ahead of the other while both run.
struct Coupled {
    board: WithDoor,
    /// 0 or 1.
    index: usize,
    turns: Arc<Turns>,
    other: Option<Handle<Self>>,
}

impl Coupled {
    fn sign(&self) -> i64 {
        if self.index == 0 { 1 } else { -1 }
    }
    fn both_run(&self) -> bool {
        self.turns.running.iter().all(|one| one.load(Ordering::Acquire))
    }
    fn wake_other(&self) {
        if let Some(other) = &self.other {
            other.post(|_, _| {});
        }
    }
    /// The host started or stopped the board: they are level again.
    fn note_running(&self) {
        let runs = self.board.board.is_running();
        if self.turns.running[self.index].swap(runs, Ordering::AcqRel) != runs {
            self.turns.lead.store(0, Ordering::Release);
            self.wake_other();
        }
    }
}

impl Device for Coupled {
    fn read(&mut self, space: Space, offset: u32, octets: u8) -> u32 {
        self.board.read(space, offset, octets)
    }
    fn write(&mut self, space: Space, offset: u32, octets: u8, value: u32) {
        self.board.write(space, offset, octets, value);
        self.note_running();
    }
    fn interrupt(&self) -> bool {
        self.board.interrupt()
    }
    fn millisecond(&mut self, memory: &dyn HostMemory) {
        let before = self.board.board.counters().ticks;
        self.board.millisecond(memory);
        if self.both_run() && self.board.board.counters().ticks != before {
            self.turns.lead.fetch_add(self.sign(), Ordering::AcqRel);
            self.wake_other();
        }
    }
    fn bar0_octets(&self) -> u32 {
        self.board.bar0_octets()
    }
    fn reset(&mut self) {
        self.board.reset();
        self.note_running();
    }
}

impl Served for Coupled {
    fn is_ticking(&self) -> bool {
        self.board.is_ticking()
    }
    fn tick_taken(&self, rule: Lockstep) -> bool {
        let ahead = self.turns.lead.load(Ordering::Acquire) * self.sign() > 0;
        !(ahead && self.both_run()) && self.board.tick_taken(rule)
    }
}

/// The card of the conformance suite; a millisecond of it passes when its host says so.
struct Told {
    probe: Probe,
    pass: bool,
    bar0: u32,
    intx_disabled: bool,
}

impl Told {
    fn command(&mut self) -> u32 {
        self.probe.read(Space::Config, pci::COMMAND.offset, 2)
    }
}

impl Device for Told {
    fn read(&mut self, space: Space, offset: u32, octets: u8) -> u32 {
        match (space, offset) {
            (Space::Bar0, at) if at == PASS.offset => self.pass.into(),
            // Since PCI 2.3 a host that disabled INTx asks here whether it would be asserted.
            (Space::Config, at) if at & !3 == pci::COMMAND.offset => {
                let wants = if self.probe.interrupt() { pci::STATUS_INTERRUPT } else { 0 };
                let dword = u32::from(wants) << 16 | self.command();
                dword >> (8 * (at & 3))
            }
            // Memory of 128 octets, and a pin for INTx: what a host needs to find the rest.
            (Space::Config, at) if at == pci::BAR0.offset => self.bar0,
            (Space::Config, at) if at == pci::INTERRUPT_PIN.offset & !3 => 1 << 8,
            (Space::Config, at) if at == pci::INTERRUPT_PIN.offset => 1,
            _ => self.probe.read(space, offset, octets),
        }
    }
    fn write(&mut self, space: Space, offset: u32, octets: u8, value: u32) {
        match (space, offset) {
            (Space::Bar0, at) if at == PASS.offset => self.pass = true,
            (Space::Config, at) if at == pci::BAR0.offset => self.bar0 = value & !0x7F,
            _ => self.probe.write(space, offset, octets, value),
        }
        self.intx_disabled = self.command() & u32::from(pci::COMMAND_INTX_DISABLE) != 0;
    }
    fn interrupt(&self) -> bool {
        self.probe.interrupt() && !self.intx_disabled
    }
    fn millisecond(&mut self, memory: &dyn HostMemory) {
        self.probe.millisecond(memory);
        self.pass = false;
    }
    fn bar0_octets(&self) -> u32 {
        self.probe.bar0_octets()
    }
    fn reset(&mut self) {
        self.probe.reset();
        (self.pass, self.bar0, self.intx_disabled) = (false, 0, false);
    }
}

impl Served for Told {
    fn is_ticking(&self) -> bool {
        true
    }
    fn tick_taken(&self, _: Lockstep) -> bool {
        self.pass
    }
}

fn serve_probe(socket: &str) -> Result<(), Box<dyn std::error::Error>> {
    // It waits as long as it takes to be told.
    let patience = Duration::from_secs(1_000_000);
    let settings = Settings { clock: Clock::Lock, patience, ..Settings::default() };
    let mut server = Server::bind(Path::new(socket), settings)?;
    let handle = server.handle();
    println!("ready");
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        handle.stop();
    });
    server.run(&mut Told {
        probe: Probe::default(),
        pass: false,
        bar0: 0,
        intx_disabled: false,
    })?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A guest on a busy machine may stand still for long; a millisecond it did not take would be lost for good.
    let patience = Duration::from_secs(20);
    let mut settings = Settings { clock: Clock::Lock, patience, ..Settings::default() };
    let mut boards = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            word if word.starts_with("--probe=") => return serve_probe(&word["--probe=".len()..]),
            "--real" => settings.clock = Clock::Real,
            word if word.starts_with("--breath=") => {
                let micros = word.split('=').nth(1).unwrap_or_default().parse()?;
                settings.breath = Duration::from_micros(micros);
            }
            board => boards.push(asked(board)?),
        }
    }
    if boards.is_empty() || boards.len() > 2 {
        return Err("usage: boards [--real] MODEL:GENERATION:SOCKET[:OPTION…] [BOARD]".into());
    }
    let mut cards = boards.iter().map(made).collect::<Result<Vec<_>, _>>()?;
    wire(&mut cards, &boards);
    let turns = Arc::new(Turns::default());
    let mut servers = Vec::new();
    for asked in &boards {
        servers.push(Server::<Coupled>::bind(Path::new(&asked.socket), settings)?);
    }
    let handles: Vec<_> = servers.iter().map(Server::handle).collect();
    let mut threads = Vec::new();
    for (n, (mut server, board)) in servers.into_iter().zip(cards).enumerate() {
        let other = (boards.len() == 2).then(|| handles[1 - n].clone());
        let board = WithDoor::new(board);
        let mut card = Coupled { board, index: n, turns: turns.clone(), other };
        let socket = boards[n].socket.clone();
        threads.push(std::thread::spawn(move || {
            let ended = server.run(&mut card);
            eprintln!("{socket}: {ended:?} {:?}", card.board.board.counters());
        }));
    }
    println!("ready");
    // Whoever started this holds the other end; nothing is ever written to it.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    handles.iter().for_each(Handle::stop);
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}
