//! What is said of lines, and calls over lines of every kind.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use call::{CallEvent, LegId, Number, PlayItem};
use emulator::{Fault, Link, Loopback};
use tdm::{Block, Law, SampleTime, Timeslot};

use super::*;
use crate::far_ends::FarEnds;

/// A house with one board of this model, its span lines, and more of the configuration.
fn config(model: &str, spans: &[&str], more: &str) -> Config {
    let spans: Vec<String> = spans.iter().map(|line| format!("\"{line}\"")).collect();
    let text = format!(
        "[host]\nzone = \"us\"\n{more}\n[[spans.board]]\nat = \"vfio-user:/b0\"\nalarm_raise_millis = 200\n\
         alarm_clear_millis = 500\nspan = [{}]\n[[emulate.board]]\nmodel = \"{model}\"\nsocket = \"/b0\"\n",
        spans.join(",")
    );
    Config::parse(&text, "rig.toml").unwrap_or_else(|e| panic!("{e}"))
}

fn group(name: &str, side: &str, span: u8) -> String {
    format!("[[media.group]]\nname = \"{name}\"\nside = \"{side}\"\nspans = [{span}]\n")
}

/// 800 Hz at the sampling rate: what plays on a line and is found there again.
fn sound() -> Vec<i16> {
    (0..8000).map(|n| ((n as f32 * 0.1 * core::f32::consts::TAU).sin() * 8000.0) as i16).collect()
}

fn house(config: &Config, ends: Vec<Box<dyn FarEnd>>) -> Rig {
    let prompts = vec![
        ("music".into(), vec![0; 800]),
        ("safe_harbour".into(), vec![0; 800]),
        ("sound".into(), sound()),
    ];
    let ends = FarEnds { boards: vec![ends], exchanges: BTreeMap::new() };
    let mut rig = Rig::with_far_ends(config, &prompts, ends).unwrap_or_else(|e| panic!("{e:#}"));
    rig.controller(true);
    rig
}

/// Cables between ports 0 and 1, 2 and 3, and so on.
fn crossed(ports: usize) -> Vec<Box<dyn FarEnd>> {
    let mut ends: Vec<Box<dyn FarEnd>> = Vec::new();
    for _ in 0..ports / 2 {
        let (near, far) = Link::pair();
        ends.extend([Box::new(near) as Box<dyn FarEnd>, Box::new(far)]);
    }
    ends
}

fn told(rig: &Rig) -> String {
    crate::status::told(&rig.status_answer()).join("\n")
}

/// Runs until `needle` is said of span `span`, at most `millis`.
fn says(rig: &mut Rig, span: u8, needle: &str, millis: u64) {
    let of_span = |rig: &Rig| {
        let text = told(rig);
        let from = text.find(&format!("span {span}: ")).unwrap_or(text.len());
        let rest = &text[from..];
        let end = rest[1..].find("\nspan ").map_or(rest.len(), |at| at + 1);
        rest[..end].to_owned()
    };
    for _ in 0..millis / 100 {
        if of_span(rig).contains(needle) {
            return;
        }
        rig.run_until(100, |_| false);
    }
    panic!("`{needle}` is not said of span {span}:\n{}", told(rig));
}

/// What the line towards us carried, for a while.
struct Tapped {
    end: Box<dyn FarEnd>,
    heard: Arc<Mutex<Vec<Block>>>,
}

impl FarEnd for Tapped {
    fn millisecond(&mut self, at: SampleTime, sent: &Block, received: &mut Block) {
        self.end.millisecond(at, sent, received);
        self.heard.lock().unwrap().push(*sent);
    }
    fn signal(&mut self, sent: emulator::Signal) -> emulator::Signal {
        self.end.signal(sent)
    }
}

/// Calls through `group`, and answers what comes in.
fn call(rig: &mut Rig, group: &str) -> [LegId; 2] {
    let dial = serde_json::json!({ "group": group, "called": Number::unknown("4711"), "no_answer_millis": 10_000 });
    let dial: call::Dial = serde_json::from_value(dial).unwrap();
    let ours = rig.command(CallCommand::Dial(dial)).unwrap_or_else(|r| panic!("{r}")).leg.unwrap();
    let (mut theirs, mut answered) = (None, false);
    let up = rig.run_until(5_000, |rig| {
        while let Some(said) = rig.said() {
            let Said::Event { event, .. } = said else { continue };
            match event {
                CallEvent::Incoming { leg, .. } => {
                    theirs = Some(leg);
                    rig.command(CallCommand::Answer { leg }).unwrap_or_else(|r| panic!("{r}"));
                }
                CallEvent::Answered { leg } => answered |= leg == ours,
                _ => {}
            }
        }
        answered
    });
    assert!(up, "the call is not answered:\n{}", told(rig));
    [ours, theirs.unwrap()]
}

fn hangs_up(rig: &mut Rig, leg: LegId) {
    let hangup = CallCommand::Hangup { leg, cause: call::Cause::NORMAL_CLEARING };
    rig.command(hangup).unwrap_or_else(|r| panic!("{r}"));
    assert!(rig.run_until(2_000, |rig| rig.status().legs == 0), "the call ends");
}

/// A call over spans 1 and 2, and its sound as `law` has it.
fn calls_over(config: &Config, law: Law, channel: usize) {
    let mut ends = crossed(4);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let end = ends.remove(1);
    ends.insert(1, Box::new(Tapped { end, heard: Arc::clone(&heard) }));
    let mut rig = house(config, ends);
    says(&mut rig, 1, "line up, link up", 5_000);
    says(&mut rig, 2, "line up, link up", 5_000);
    let [ours, theirs] = call(&mut rig, "a");
    heard.lock().unwrap().clear();
    // What span 2 sends is what its leg plays.
    let items = vec![PlayItem::Prompt("sound".into())];
    let play = CallCommand::Play { leg: theirs, items, repeat: false, stop_on: Default::default() };
    rig.command(play).unwrap_or_else(|r| panic!("{r}"));
    rig.run_until(200, |_| false);
    let wanted: Vec<u8> = sound().iter().take(80).map(|&s| dsp::g711::encode(law, s)).collect();
    let octets: Vec<u8> = {
        let blocks = heard.lock().unwrap();
        blocks.iter().flat_map(|block| block.octets.iter().map(|row| row[channel])).collect()
    };
    let found = octets.windows(wanted.len()).any(|some| some == wanted);
    assert!(found, "the sound is on channel {channel} in {law:?}");
    hangs_up(&mut rig, ours);
    let counters = &rig.shared().counters;
    assert_eq!(counters.frames_bad.load(Relaxed), 0);
}

#[test]
fn a_call_crosses_a_t1_on_its_channels_in_its_law() {
    // Span 1 is the user: from above, 23 first; 24 is the D-channel.
    let groups = format!(
        "{}dialect = \"ni2\"\n{}dialect = \"ni2\"\n",
        group("a", "user", 1),
        group("b", "network", 2)
    );
    let all_t1 = ["1,1,0,esf,b8zs", "2,0,0,esf,b8zs", "3,0,0,d4,ami", "4,0,0,d4,ami"];
    calls_over(&config("TE410P", &all_t1, &groups), Law::Mu, 23);
    // Beside E1s the channels sit elsewhere on the board's highway.
    let mixed = ["1,1,0,d4,ami", "2,0,0,d4,ami", "3,0,0,ccs,hdb3,crc4", "4,0,0,cas,ami"];
    calls_over(&config("TE410P", &mixed, &groups), Law::Mu, 23);
    // And an E1 coded with AMI.
    let groups = format!("{}{}", group("a", "user", 1), group("b", "network", 2));
    let ami = ["1,1,0,ccs,ami,crc4", "2,0,0,ccs,ami,crc4"];
    calls_over(&config("TE410P", &ami, &groups), Law::A, 31);
}

#[test]
fn signalling_bits_of_channels_are_carried_and_shown() {
    let lines = "[spans]\nchannels = [\"cas=1-15,17-31:1101\", \"cas=32-46,48-62:0101\", \
                 \"e&m=63-84\", \"bchan=85\", \"dchan=86\", \"fxsks=87-108\", \"bchan=109\", \"dchan=110\"]\n";
    let groups = format!("{}{}", group("a", "user", 3), group("b", "network", 4));
    let spans = ["1,1,0,cas,hdb3,crc4", "2,0,0,cas,hdb3,crc4", "3,0,0,esf,b8zs", "4,0,0,esf,b8zs"];
    let config = config("TE410P", &spans, &format!("{groups}{lines}"));
    assert_eq!(config.notes.len(), 4, "{:?}", config.notes);
    let mut rig = house(&config, crossed(4));
    // Each hears what the other sends at rest.
    says(&mut rig, 1, "1:0101 2:0101", 3_000);
    says(&mut rig, 1, "17:0101", 100);
    says(&mut rig, 2, "31:1101", 3_000);
    says(&mut rig, 3, "22:0101", 3_000);
    // A call passes beside them on the channel that has none.
    says(&mut rig, 3, "line up, link up", 5_000);
    rig.run_until(1_000, |_| false);
    let [ours, _] = call(&mut rig, "a");
    hangs_up(&mut rig, ours);
    assert_eq!(rig.shared().counters.frames_bad.load(Relaxed), 0);
}

#[test]
fn a_line_in_trouble_is_told_with_its_seconds_and_the_others_are_whole() {
    let spans = [
        "1,1,0,ccs,hdb3,crc4",
        "2,2,0,ccs,hdb3,crc4",
        "3,0,0,ccs,hdb3,crc4",
        "4,0,0,ccs,hdb3,crc4",
    ];
    let groups = format!("{}{}", group("a", "user", 1), group("b", "network", 2));
    let mut rig = house(&config("TE410P", &spans, &groups), crossed(4));
    says(&mut rig, 1, "line up, link up, clocks the board", 5_000);
    says(&mut rig, 3, "no link", 100);
    for (fault, needle) in [
        (Fault::LossOfSignal, "line down, link down, alarms loss_of_signal"),
        (Fault::LossOfFrame, "alarms loss_of_frame"),
        (Fault::AlarmIndication, "alarms alarm_indication"),
        (Fault::RemoteAlarm, "alarms remote_alarm"),
    ] {
        rig.card(0).unwrap().with(|card| card.inject(0, fault));
        says(&mut rig, 1, needle, 4_000);
        if fault == Fault::LossOfSignal {
            let text = told(&rig);
            assert!(text.contains("clocked by span 2"), "{text}");
            says(&mut rig, 1, "severely", 3_000);
        }
        rig.card(0).unwrap().with(|card| card.repair(0));
        says(&mut rig, 1, "line up", 5_000);
    }
    rig.card(0).unwrap().with(|card| card.inject(0, Fault::NoMultiframe));
    says(&mut rig, 1, "the far end sends none", 4_000);
    rig.card(0).unwrap().with(|card| card.repair(0));
    rig.card(0).unwrap().with(|card| card.inject(0, Fault::BitErrors(1e-5)));
    says(&mut rig, 1, "CRC errors", 8_000);
    let text = told(&rig);
    let other = text.split("span 4: ").nth(1).unwrap_or_default();
    assert!(other.starts_with("line up") && !other.contains("errored"), "{text}");
}

/// A far end that sends 0x5A on timeslot 5 and counts the milliseconds in which it comes back.
struct Caller(Arc<AtomicU64>);

impl FarEnd for Caller {
    fn millisecond(&mut self, _: SampleTime, sent: &Block, received: &mut Block) {
        let slot = Timeslot::new(5).unwrap();
        received.set_timeslot(slot, [0x5A; 8]);
        self.0.fetch_add(u64::from(sent.timeslot(slot) == [0x5A; 8]), Relaxed);
    }
}

#[test]
fn a_line_in_a_loop_sends_back_what_comes_and_is_out_of_service_until_it_ends() {
    let came_back = Arc::new(AtomicU64::new(0));
    let spans = ["1,0,0,ccs,hdb3,crc4", "2,0,0,ccs,hdb3,crc4"];
    let mut ends = crossed(2);
    ends[0] = Box::new(Caller(Arc::clone(&came_back)));
    ends[1] = Box::new(Loopback);
    let mut rig = house(&config("TE410P", &spans, ""), ends);
    says(&mut rig, 1, "line up", 5_000);
    rig.run_until(500, |_| false);
    assert_eq!(came_back.load(Relaxed), 0);
    for kind in ["line", "payload"] {
        let line = &rig.shared().lines[0];
        assert!(line.want_loop(kind) && !line.want_loop("figure of eight"));
        says(&mut rig, 1, &format!("line down, no link, in a {kind} loop"), 1_000);
        rig.run_until(100, |_| false);
        let before = came_back.load(Relaxed);
        rig.run_until(500, |_| false);
        assert!(came_back.load(Relaxed) >= before + 490, "{kind}: {}", came_back.load(Relaxed));
        assert!(told(&rig).contains("span 2: line up"), "{}", told(&rig));
    }
    assert!(rig.shared().lines[0].want_loop("none"));
    says(&mut rig, 1, "line up", 5_000);
    rig.run_until(100, |_| false);
    let before = came_back.load(Relaxed);
    rig.run_until(500, |_| false);
    assert_eq!(came_back.load(Relaxed), before);
}

#[test]
fn steady_slips_point_at_the_clock_and_a_single_one_does_not() {
    let spans = ["1,1,0,ccs,hdb3,crc4", "2,0,0,ccs,hdb3,crc4"];
    let groups = format!("{}{}", group("a", "user", 1), group("b", "network", 2));
    let mut rig = house(&config("TE410P", &spans, &groups), crossed(2));
    says(&mut rig, 1, "link up", 5_000);
    let slip = |rig: &mut Rig| {
        rig.card(0).unwrap().with(|card| card.inject(0, Fault::Slip));
        rig.run_until(100, |_| false);
        rig.card(0).unwrap().with(|card| card.repair(0));
    };
    slip(&mut rig);
    rig.run_until(4_000, |_| false);
    assert!(!told(&rig).contains("check the clock source"), "{}", told(&rig));
    for _ in 0..5 {
        slip(&mut rig);
        rig.run_until(2_400, |_| false);
    }
    // One each 2.5 s: 125 us / 2.5 s = 50 ppm.
    says(&mut rig, 1, "ppm apart: check the clock source", 3_000);
    let text = told(&rig);
    let ppm = text.split("of clocks ").nth(1).and_then(|rest| rest.split(' ').next());
    let ppm: f64 = ppm.and_then(|ppm| ppm.parse().ok()).unwrap_or_default();
    assert!((35.0..=75.0).contains(&ppm), "{text}");
}

/// Nothing but this on every timeslot.
struct Filled(u8);
impl FarEnd for Filled {
    fn millisecond(&mut self, _: SampleTime, _: &Block, received: &mut Block) {
        received.octets = [[self.0; tdm::TIMESLOTS]; tdm::SAMPLES];
    }
}

#[test]
fn a_d_channel_that_stays_down_is_told_in_words() {
    let one = |end: Box<dyn FarEnd>, needle: &str| {
        let mut rig =
            house(&config("TE410P", &["1,1,0,ccs,hdb3,crc4"], &group("a", "user", 1)), vec![end]);
        says(&mut rig, 1, "line up, link down", 3_000);
        says(&mut rig, 1, needle, 30_000);
    };
    one(Box::new(Filled(0xFF)), "no flags, only ones");
    one(Box::new(Filled(0x55)), "what comes is no HDLC");
    one(Box::new(Filled(0x7E)), "nobody answers there");
    one(Box::new(Loopback), "our own frames come back");
    // Both ends the user, started in the same moment.
    let groups = format!("{}{}", group("a", "user", 1), group("b", "user", 2));
    let spans = ["1,1,0,ccs,hdb3,crc4", "2,0,0,ccs,hdb3,crc4"];
    let mut rig = house(&config("TE410P", &spans, &groups), crossed(2));
    for span in [1, 2] {
        says(&mut rig, span, "both ends are the same side", 60_000);
    }
}

#[test]
fn frames_that_are_damaged_are_told_although_the_link_holds() {
    let groups = format!("{}{}", group("a", "user", 1), group("b", "network", 2));
    let spans = ["1,1,0,ccs,hdb3,crc4", "2,0,0,ccs,hdb3,crc4"];
    let mut rig = house(&config("TE410P", &spans, &groups), crossed(2));
    says(&mut rig, 1, "line up, link up", 5_000);
    rig.card(0).unwrap().with(|card| card.inject(0, Fault::BitErrors(3e-4)));
    says(&mut rig, 1, "frames damaged in the last seconds", 20_000);
    rig.card(0).unwrap().with(|card| card.repair(0));
    rig.run_until(25_000, |_| false);
    assert!(!told(&rig).contains("damaged"), "{}", told(&rig));
}

/// Ten samples again and again: a sample that is lost, doubled or changed shows.
fn even() -> Vec<i16> {
    (0..8000_i16)
        .map(|n| [0, 900, 4000, -700, 2500, -4100, 300, 1200, -2200, -90][n as usize % 10])
        .collect()
}

/// Two boards with eight and four spans, each with a cable between its first two; a call on each.
fn two_boards(hostile_first: bool) -> (Rig, [u8; 2], Arc<Mutex<Vec<Block>>>) {
    let mut text = String::from("[host]\nzone = \"us\"\n");
    let models = if hostile_first { ["TE820", "TE410P"] } else { ["TE410P", "TE820"] };
    let (mut span, mut firsts, mut ends) = (0, BTreeMap::new(), Vec::new());
    let heard = Arc::new(Mutex::new(Vec::new()));
    for (n, model) in models.into_iter().enumerate() {
        let ports = if model == "TE820" { 8 } else { 4 };
        let first = span + 1;
        firsts.insert(model, first);
        let lines: Vec<String> = (first..first + ports)
            .map(|s| format!("\"{s},{},0,ccs,hdb3,crc4\"", u8::from(s == first)))
            .collect();
        span += ports;
        text += &format!(
            "[[spans.board]]\nat = \"vfio-user:/b{n}\"\nalarm_raise_millis = 200\nalarm_clear_millis = 500\n\
             span = [{}]\n[[emulate.board]]\nmodel = \"{model}\"\nsocket = \"/b{n}\"\n",
            lines.join(",")
        );
        let mut cables = crossed(usize::from(ports));
        if model == "TE410P" {
            let end = cables.remove(1);
            cables.insert(1, Box::new(Tapped { end, heard: Arc::clone(&heard) }));
        }
        ends.push(cables);
        let (a, b) = if model == "TE410P" { ("a", "b") } else { ("c", "d") };
        text += &format!("{}{}", group(a, "user", first), group(b, "network", first + 1));
    }
    let config = Config::parse(&text, "rig.toml").unwrap_or_else(|e| panic!("{e}"));
    let prompts = vec![
        ("music".into(), vec![0; 800]),
        ("safe_harbour".into(), vec![0; 800]),
        ("even".into(), even()),
    ];
    let ends = FarEnds { boards: ends, exchanges: BTreeMap::new() };
    let mut rig = Rig::with_far_ends(&config, &prompts, ends).unwrap_or_else(|e| panic!("{e:#}"));
    rig.controller(true);
    let firsts = [firsts["TE410P"], firsts["TE820"]];
    for first in firsts {
        says(&mut rig, first, "line up, link up", 5_000);
        says(&mut rig, first + 1, "line up, link up", 5_000);
    }
    rig.run_until(1_000, |_| false);
    (rig, firsts, heard)
}

/// The call server stays up and the call on the other board with it, sample by sample where that board is the clock.
fn survives(hostile_first: bool) {
    use emulator::BoardFault;
    let (mut rig, [good, bad], heard) = two_boards(hostile_first);
    let slot = usize::from(!hostile_first);
    let [_, theirs] = call(&mut rig, "a");
    let items = vec![PlayItem::Prompt("even".into())];
    let play = CallCommand::Play { leg: theirs, items, repeat: true, stop_on: Default::default() };
    rig.command(play).unwrap_or_else(|r| panic!("{r}"));
    rig.run_until(200, |_| false);
    heard.lock().unwrap().clear();
    let hostile = |rig: &mut Rig, fault, millis| {
        rig.card(slot).unwrap().with(|card| card.fail(fault));
        rig.run_until(millis, |_| false);
        rig.card(slot).unwrap().with(emulator::Board::heal);
        says(rig, bad, "line up, link up", 20_000);
        rig.run_until(1_000, |_| false);
        // And it carries calls again.
        let [ours, _] = call(rig, "c");
        let hangup = CallCommand::Hangup { leg: ours, cause: call::Cause::NORMAL_CLEARING };
        rig.command(hangup).unwrap_or_else(|r| panic!("{r}"));
        assert!(rig.run_until(3_000, |rig| rig.status().legs == 2), "the call beside ends");
    };
    hostile(&mut rig, BoardFault::FrozenClock, 2_500);
    hostile(&mut rig, BoardFault::DmaStopped, 2_500);
    hostile(&mut rig, BoardFault::MissedInterrupts(40), 200);
    // Every line of it breaks in another way.
    let faults =
        [Fault::LossOfSignal, Fault::AlarmIndication, Fault::LossOfFrame, Fault::BitErrors(1e-3)];
    for (port, fault) in (0..8).zip(faults.into_iter().cycle()) {
        rig.card(slot).unwrap().with(|card| card.inject(port, fault));
    }
    rig.run_until(3_000, |_| false);
    for port in 0..8 {
        rig.card(slot).unwrap().with(|card| card.repair(port));
    }
    says(&mut rig, bad, "line up, link up", 20_000);
    // Pulled in the middle of a call, and put back.
    rig.run_until(1_000, |_| false);
    let [_, _] = call(&mut rig, "c");
    rig.pull(slot);
    rig.run_until(1_500, |_| false);
    says(&mut rig, bad, "line down, link down, alarms board_gone", 100);
    assert_eq!(rig.status().legs, 2, "its call ended, the other did not: {}", told(&rig));
    rig.plug(slot).unwrap_or_else(|e| panic!("{e:#}"));
    says(&mut rig, bad, "line up, link up", 20_000);
    says(&mut rig, good, "line up, link up", 100);
    rig.run_until(1_000, |_| false);

    let blocks = heard.lock().unwrap();
    let lane = 31;
    let octets: Vec<u8> =
        blocks.iter().flat_map(|b| b.octets.iter().map(|row| row[lane])).collect();
    let wrong = octets.iter().zip(octets.iter().skip(10)).filter(|(a, b)| a != b).count();
    println!("hostile first: {hostile_first}: {wrong} of {} octets", octets.len());
    if !hostile_first {
        assert_eq!(wrong, 0, "of {}", octets.len());
    }
    // What another clock took over may cost clicks, and no more.
    assert!(wrong < octets.len() / 50, "{wrong} of {}", octets.len());
}

#[test]
fn a_hostile_board_of_eight_spans_leaves_the_call_on_the_other_board_alone() {
    survives(false);
}

#[test]
fn a_hostile_board_that_was_the_clock_costs_the_call_on_the_other_board_clicks_at_most() {
    survives(true);
}
