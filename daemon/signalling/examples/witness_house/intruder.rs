//! A hostile far end on one D-channel: whatever it sends, the call server stands, calls on the other D-channel
//! notice nothing, and afterwards the ill-treated line carries calls as if nothing had been.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant as Clock};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use serde_json::json;
use signalling::lapd::{Link, LinkOutput};
use signalling::{LinkSettings, Side};
use tdm::{Instant, Rng};

use crate::calls::{Desk, groups, run_until};
use crate::house::{House, group_of, heard};
use crate::{Context, Failure, Verdict};

/// Calls that stand on the other line meanwhile.
const STANDING: usize = 10;
/// A SETUP that is sound, to begin damage with: speech on channel 3, number 12345019.
const SETUP: &[u8] = &[
    0x04, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x83, 0x6C, 6, 0x21, 0x83, b'5', b'5', b'5',
    b'1', 0x70, 9, 0x81, b'1', b'2', b'3', b'4', b'5', b'0', b'1', b'9',
];
const SETUP_TYPE: u8 = 0x05;
/// Memory may grow by this while calls, captures of state and logs come and go.
const GROWTH_KIB: u64 = 16 * 1024;
/// A RESTART that is not acknowledged goes out again.
const RESTART_AGAIN: Duration = Duration::from_secs(5);
/// Messages that wait for the line; a real one takes 8,000 octets a second.
const BACKLOG: usize = 8;

/// A link layer that keeps to the rules, so that what is wrong above it gets through.
struct Intruder {
    wire: OwnedFd,
    link: Link,
    rng: Rng,
    began: Clock,
    wake: Option<Instant>,
    sent: usize,
}

impl Intruder {
    fn new(wire: OwnedFd) -> Self {
        let mut link = Link::new(Side::Network, LinkSettings::USUAL);
        link.start(Instant::millis(0));
        let rng = Rng::from_seed(0x1_7E5);
        Self { wire, link, rng, began: Clock::now(), wake: None, sent: 0 }
    }
    fn now(&self) -> Instant {
        Instant::millis(0).plus(self.began.elapsed())
    }
    /// Puts a frame on the wire as it is. What the wire has no room for is lost.
    fn frame(&mut self, octets: &[u8]) {
        let _ = send(self.wire.as_raw_fd(), octets, MsgFlags::MSG_DONTWAIT);
        self.sent += 1;
    }
    fn turn(&mut self) -> Result<(), Failure> {
        let mut octets = [0; 512];
        loop {
            match recv(self.wire.as_raw_fd(), &mut octets, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err("the far end hung up".into()),
                Ok(len) => {
                    self.link.handle_frame(self.now(), octets.get(..len).unwrap_or_default());
                }
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            }
            self.drain();
        }
        if self.wake.is_some_and(|wake| wake <= self.now()) {
            self.link.elapsed(self.now());
        }
        self.drain();
        Ok(())
    }
    fn drain(&mut self) {
        loop {
            match self.link.poll() {
                LinkOutput::Transmit(frame) => self.frame(frame.octets()),
                LinkOutput::Event(_) => {}
                LinkOutput::Wait(wake) => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }
    fn below(&mut self, end: u64) -> usize {
        self.rng.below(end) as usize
    }
    fn noise(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.rng.below(256) as u8).collect()
    }
    fn message(&mut self, reference: u16, kind: u8, elements: &[u8]) {
        let [high, low] = (reference & 0x7FFF).to_be_bytes();
        let message = [&[8, 2, high, low, kind], elements].concat();
        self.link.send(self.now(), message.get(..260).unwrap_or(&message));
        self.drain();
    }
}

/// What the intruder does, and for how long at a time.
type Attack = fn(&mut Intruder, u16);

const ATTACKS: [(&str, Attack); 9] = [
    ("calls and calls", |it, n| it.message(n, SETUP_TYPE, SETUP)),
    ("damaged calls", |it, n| {
        let mut damaged = SETUP.to_vec();
        for _ in 0..=it.below(3) {
            let at = it.below(SETUP.len() as u64);
            damaged[at] = it.rng.below(256) as u8;
        }
        it.message(n, SETUP_TYPE, &damaged);
    }),
    ("every element too long, one after the other", |it, n| {
        let code = (n & 0x7F) as u8;
        let fill = vec![0x81; 200];
        it.message(n, SETUP_TYPE, &[SETUP, &[code, 200], &fill].concat());
    }),
    ("every message on every reference", |it, n| {
        let kind = it.rng.below(128) as u8;
        let len = it.below(40);
        let noise = it.noise(len);
        let reference = it.below(40) as u16;
        it.message(reference, kind, if n % 2 == 0 { &noise } else { SETUP });
    }),
    ("restarts", |it, n| {
        let elements: &[u8] = match n % 3 {
            0 => &[0x79, 1, 0x87],
            1 => &[0x18, 3, 0xA9, 0x83, 0x83, 0x79, 1, 0x80],
            _ => &[0x18, 6, 0xA9, 0x93, 0xFF, 0xFF, 0xFF, 0xFF, 0x79, 1, 0x80],
        };
        it.message(0, 0x46, elements);
    }),
    ("inquiries", |it, n| {
        let kind = if n % 2 == 0 { 0x75 } else { 0x7D };
        it.message(n % 64, kind, &[0x08, 2, 0x80, 0x9E, 0x14, 1, (n % 26) as u8]);
    }),
    ("frames of noise", |it, _| {
        // A packet of no octets would hang up.
        let len = 1 + it.below(270);
        let noise = it.noise(len);
        it.frame(&noise);
    }),
    ("commands of layer 2 out of place", |it, _| {
        let address = [[0x02, 0x01], [0x00, 0x01], [0xFE, 0xFF]];
        let address = address.get(it.below(3)).copied().unwrap_or_default();
        let rest = it.below(4);
        let noise = it.noise(1 + rest);
        it.frame(&[&address[..], &noise].concat());
    }),
    ("the link set up again and again", |it, _| it.frame(&[0x02, 0x01, 0x7F])),
];

/// Ten calls stand on one line while the other is attacked in every way.
pub fn beside_calls(context: &Context) -> Result<Verdict, Failure> {
    let spell = Duration::from_millis(if context.full { 15_000 } else { 1_000 });
    let house = House::start(context, &groups("user"))?;
    let mut desk = Desk::new(&house)?;
    let options =
        "--node cpe --switch euroisdn --outcome 0 --at-once 30 --hold -1 --quiet --wait-restart";
    let mut pbx = house.peer(context, 1, options)?;
    heard(&house, &mut pbx, "up", 1)?;
    pbx.tell(&format!("place {STANDING}"))?;
    run_until(&house, &mut desk, "ten calls stand", |desk| Ok(desk.answered() == STANDING))?;

    let mut verdict = Verdict::default();
    let memory_before = house.memory_kib("media")?;
    let mut intruder = Intruder::new(house.wire(0)?);
    for (what, attack) in ATTACKS {
        run_until(&house, &mut desk, "the intruder's link is up", |_| {
            intruder.turn()?;
            Ok(intruder.link.is_up())
        })?;
        let end = Clock::now() + spell;
        let mut n = 0_u16;
        run_until(&house, &mut desk, what, |_| {
            intruder.turn()?;
            while intruder.link.backlog() < BACKLOG && n % 32 != 31 {
                n = n.wrapping_add(1);
                attack(&mut intruder, n);
            }
            n = n.wrapping_add(1);
            Ok(Clock::now() >= end)
        })?;
        verdict.check(house.stands()?, || format!("{what}: {}", house.last_words()));
        let status = desk.status()?;
        let standing = group_of(&status, "pbx").map(|group| group["in_use"].clone());
        verdict.check(standing == Some(json!(STANDING)), || format!("{what}: {standing:?} stand"));
    }
    let sent = intruder.sent;
    drop(intruder);
    afterwards(context, &house, &mut desk, &mut verdict)?;
    let memory = house.memory_kib("media")?.saturating_sub(memory_before);
    verdict.check(memory <= GROWTH_KIB, || format!("{memory} KiB more memory"));
    pbx.report = None;
    pbx.tell("report")?;
    house.until("the PBX reports", || {
        pbx.listen()?;
        Ok(pbx.report.map(drop))
    })?;
    let report = pbx.report.ok_or("the PBX does not answer")?;
    let sound = report.answered as usize == STANDING && report.complaints == 0;
    verdict.check(sound, || format!("the PBX: {report:?}"));
    verdict.figure = format!("{sent} frames sent, {memory} KiB more memory");
    Ok(verdict)
}

/// An honest exchange takes the intruder's place: every call of before ends, and new ones do as they should.
fn afterwards(
    context: &Context,
    house: &House,
    desk: &mut Desk,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    const CALLS: usize = 60;
    let mut peer = house.peer(context, 0, "--node net --switch euroisdn --quiet --at-once 20")?;
    heard(house, &mut peer, "up", 1)?;
    // The link may be set up once more when the two meet, and what the peer had queued is lost then: like T316.
    let mut restart_at = Clock::now();
    run_until(house, desk, "nothing is left of the intruder's calls", |desk| {
        if Clock::now() >= restart_at {
            peer.tell("restart all")?;
            restart_at += RESTART_AGAIN;
        }
        peer.listen()?;
        let status = desk.status()?;
        let group = group_of(&status, "public");
        let empty = group.is_some_and(|group| group["in_use"] == 0 && group["idle"] == 30);
        Ok(empty && peer.count("restart_ack") >= 30)
    })?;
    verdict.passed += 1;
    let (passed, failed) = (desk.passed, desk.failures.len());
    desk.dial(CALLS / 2);
    peer.tell(&format!("place {}", CALLS - CALLS / 2))?;
    run_until(house, desk, "calls afterwards are over", |desk| {
        peer.listen()?;
        peer.tell("report")?;
        let report = peer.report.unwrap_or_default();
        let all = (report.passed + report.failed) as usize >= CALLS;
        Ok(all && desk.passed + desk.failures.len() - passed - failed >= CALLS)
    })?;
    let report = peer.report.ok_or("the peer says nothing")?;
    verdict.check(report.failed == 0, || format!("{report:?}: {:?}", peer.said));
    let wrong = desk.failures.split_off(failed);
    verdict.check(wrong.is_empty(), || format!("{wrong:?}"));
    Ok(())
}
