//! The house stands: boards in service, D-channels clean, slips where clocks differ, a board pulled and back.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tdm::{Alarm, Block, Law, SampleTime};

use super::*;
use crate::far_ends::FarEnds;

fn config(boards: &[&str]) -> Config {
    let mut text = String::from("[host]\nzone = \"cn\"\n");
    let mut span = 0;
    for (n, emulated) in boards.iter().enumerate() {
        text += &format!("[[spans.board]]\nat = \"vfio-user:/b{n}\"\nalarm_raise_millis = 200\n");
        text += "alarm_clear_millis = 500\nspan = [";
        for port in 0..4 {
            span += 1;
            text += &format!("\"{span},{},0,ccs,hdb3,crc4\",", port + 1);
        }
        text +=
            &format!("]\n[[emulate.board]]\nmodel = \"TE410P\"\nsocket = \"/b{n}\"\n{emulated}\n");
    }
    let all: Vec<String> = (1..=span).map(|n| n.to_string()).collect();
    text += &format!(
        "[[media.group]]\nname = \"public\"\nside = \"user\"\nspans = [{}]\n",
        all.join(",")
    );
    Config::parse(&text, "rig.toml").unwrap_or_else(|e| panic!("{e}"))
}

fn load(name: &AtomicU64) -> u64 {
    name.load(Relaxed)
}

use std::sync::atomic::AtomicU64;

/// Sends a tone on every timeslot and counts where the line from us is not the tone it should hear.
struct Quiet;
impl FarEnd for Quiet {
    fn millisecond(&mut self, _: SampleTime, _: &Block, _: &mut Block) {}
}

fn rig(ppm: &[&str]) -> Rig {
    let config = config(ppm);
    let boards =
        ppm.iter().map(|_| (0..4).map(|_| Box::new(Quiet) as Box<dyn FarEnd>).collect()).collect();
    let ends = FarEnds { boards, exchanges: BTreeMap::new() };
    Rig::with_far_ends(&config, &prompts(), ends).unwrap_or_else(|e| panic!("{e:#}"))
}

fn prompts() -> Prompts {
    vec![("music".into(), vec![0; 800]), ("safe_harbour".into(), vec![0; 800])]
}

#[test]
fn the_demo_network_is_reached_over_clean_d_channels() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rig/demo.toml"))
        .unwrap_or_else(|e| panic!("{e}"));
    let config = Config::parse(&text, "demo.toml").unwrap_or_else(|e| panic!("{e}"));
    let mut rig = Rig::new(&config, &prompts(), Path::new(".")).unwrap_or_else(|e| panic!("{e:#}"));
    let begin = std::time::Instant::now();
    rig.run_until(5_000, |_| false);
    let speed = 5.0 / begin.elapsed().as_secs_f64();
    let counters = &rig.shared().counters;
    assert!(load(&counters.frames_good) > 4, "{counters:?}");
    assert_eq!(load(&counters.frames_bad), 0, "{counters:?}");
    assert_eq!(load(&counters.underruns), 0, "{counters:?}");
    assert_eq!(load(&counters.blocks_lost) + load(&counters.blocks_late), 0, "{counters:?}");
    assert_eq!(load(&rig.shared().ticks), 5_000);
    println!("{speed:.0} x real time");
}

/// 1 kHz, of which each of the eight samples is another octet: a frame that is dropped or repeated shows.
fn tone() -> [u8; 8] {
    core::array::from_fn(|n| {
        let phase = (n as f32 + 0.25) * core::f32::consts::TAU / 8.0;
        dsp::g711::encode_f32(Law::A, 0.1 * phase.sin())
    })
}

/// What came out of the tone at the other end.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// The timeslot with the tone; the first that is not idle.
    lane: Option<usize>,
    last: Option<usize>,
    octets: u64,
    /// One sample of the tone was missing, or came twice.
    slips: u64,
    /// Anything else.
    bad: u64,
}

impl Heard {
    fn hear(&mut self, tone: &[u8; 8], block: &Block) {
        let busy = || (1..32).find(|&n| n != 16 && block.octets[0][n] != Law::A.idle());
        let Some(lane) = self.lane.or_else(busy) else { return };
        self.lane = Some(lane);
        for row in &block.octets {
            self.octets += 1;
            let now = tone.iter().position(|&octet| octet == row[lane]);
            match (self.last, now) {
                (Some(last), Some(now)) => match (now + 8 - last) % 8 {
                    1 => {}
                    0 | 2 => self.slips += 1,
                    _ => self.bad += 1,
                },
                (None, Some(_)) => {}
                (_, None) => self.bad += 1,
            }
            self.last = now;
        }
    }
}

/// The far end of a PBX whose telephones do nothing but send a tone, and remember what they hear.
struct Toned {
    pbx: Box<dyn FarEnd>,
    tone: [u8; 8],
    heard: Arc<Mutex<Option<Heard>>>,
}

impl FarEnd for Toned {
    fn millisecond(&mut self, at: SampleTime, sent: &Block, received: &mut Block) {
        self.pbx.millisecond(at, sent, received);
        for (row, octet) in received.octets.iter_mut().zip(self.tone) {
            row[1..16].fill(octet);
            row[17..].fill(octet);
        }
        if let Some(heard) = self.heard.lock().unwrap().as_mut() {
            heard.hear(&self.tone, sent);
        }
    }
    fn line(&mut self, condition: Option<Alarm>) {
        self.pbx.line(condition);
    }
    fn signal(&mut self, sent: emulator::Signal) -> emulator::Signal {
        self.pbx.signal(sent)
    }
}

/// Two boards with a span each, and behind each span the PBX of the demonstration.
fn two_pbx_spans(ppm: i32) -> Config {
    let mut text = String::from("[host]\nzone = \"cn\"\n");
    for (n, group) in ["left", "right"].iter().enumerate() {
        let (span, ppm) = (n + 1, ppm * n as i32);
        text += &format!(
            "[[spans.board]]\nat = \"vfio-user:/b{n}\"\nspan = [\"{span},1,0,ccs,hdb3,crc4\"]\n\
             alarm_raise_millis = 200\nalarm_clear_millis = 500\n\
             [[media.group]]\nname = \"{group}\"\nside = \"network\"\nspans = [{span}]\n\
             [[emulate.board]]\nmodel = \"TE410P\"\nsocket = \"/b{n}\"\nppm = {ppm}\n\
             [[emulate.board.span]]\n\
             far_end = {{ kind = \"exchange\", scenario = \"pbx\", role = \"user\" }}\n"
        );
    }
    Config::parse(&text, "rig.toml").unwrap_or_else(|e| panic!("{e}"))
}

/// Calls the telephone `extension` through `group`, and waits for its answer.
fn answered(rig: &mut Rig, group: &str, extension: &str) -> call::LegId {
    let dial = call::Dial {
        group: group.into(),
        called: call::Number::unknown(extension),
        calling: None,
        name: None,
        call: None,
        diverted: None,
        no_answer_millis: 10_000,
        on_person: None,
        bridge: None,
    };
    let accepted = rig.command(CallCommand::Dial(dial)).unwrap_or_else(|r| panic!("{r}"));
    let dialled = accepted.leg.unwrap();
    let is_up = |rig: &mut Rig| {
        core::iter::from_fn(|| rig.said()).any(|said| {
            matches!(said, Said::Event { event: call::CallEvent::Answered { leg }, .. }
                if leg == dialled)
        })
    };
    assert!(rig.run_until(5_000, is_up), "{extension} does not answer");
    dialled
}

/// Ten minutes of a call between two boards whose clocks differ. (50 ppm x 600 s) / 125 µs = 240 frames, of
/// which the first 2 ms (16 frames) are the buffer's own. Between two slips the tone is what it was, sample
/// by sample, and the D-channels, which pass no buffer, lose nothing.
fn bridged_for_ten_minutes(ppm: i32) {
    let config = two_pbx_spans(ppm);
    let mut scenario = Scenario::demo();
    let pbx = *scenario.spans.last().unwrap();
    scenario.spans = vec![pbx; 2];
    let mut ends = far_ends::build_with(
        &config,
        BTreeMap::from([("pbx".into(), scenario)]),
        &Paths::below("/"),
    )
    .unwrap_or_else(|e| panic!("{e:#}"));
    let heard: [Arc<Mutex<Option<Heard>>>; 2] = Default::default();
    for (ports, heard) in ends.boards.iter_mut().zip(&heard) {
        let pbx = ports.pop().unwrap();
        ports.push(Box::new(Toned { pbx, tone: tone(), heard: Arc::clone(heard) }));
    }
    let mut rig = Rig::with_far_ends(&config, &prompts(), ends).unwrap_or_else(|e| panic!("{e:#}"));
    rig.controller(true);
    rig.run_until(4_000, |_| false);
    let a = answered(&mut rig, "left", "8001");
    let b = answered(&mut rig, "right", "8002");
    let bridge = CallCommand::Bridge { a, b, beep: false };
    rig.command(bridge).unwrap_or_else(|r| panic!("{r}"));
    // Through both rings and both elastic buffers.
    rig.run_until(200, |_| false);
    assert_eq!(rig.slips(1).0 + rig.slips(1).1, 0, "no slip before the call");
    heard.iter().for_each(|heard| *heard.lock().unwrap() = Some(Heard::default()));
    let begin = rig.now().as_millis();
    rig.run_until(600_000 - begin, |_| false);

    let (slips_in, slips_out, drift) = rig.slips(1);
    let drift = drift.unwrap_or_default();
    assert!((drift - f64::from(ppm)).abs() < 2.0, "{drift}");
    assert_eq!(rig.slips(0).0, 0, "the master's clock is the house's");
    // The left hears what came in over the right board, and the right what went out there.
    for (side, slips, heard) in [("left", slips_in, &heard[0]), ("right", slips_out, &heard[1])] {
        let heard = heard.lock().unwrap().unwrap();
        println!("{ppm} ppm, {side}: {slips} slips, {heard:?}");
        assert!(slips.abs_diff(240 - 16) <= 1, "{ppm} ppm, {side}: {slips}");
        assert!(heard.slips.abs_diff(slips) <= 1, "{ppm} ppm, {side}: {slips}, {heard:?}");
        assert_eq!(heard.bad, 0, "{ppm} ppm, {side}: {heard:?}");
        assert!(heard.octets > 8 * 590_000, "{ppm} ppm, {side}: {heard:?}");
    }
    let counters = &rig.shared().counters;
    assert!(load(&counters.frames_good) > 100, "{counters:?}");
    assert_eq!(load(&counters.frames_bad), 0, "{counters:?}");
    assert_eq!(load(&counters.underruns) + load(&counters.blocks_lost), 0, "{counters:?}");
}

#[test]
fn a_call_to_a_board_50_ppm_fast_slips_as_often_as_arithmetic_says_and_is_clean_between() {
    bridged_for_ten_minutes(50);
}

#[test]
fn a_call_to_a_board_50_ppm_slow_slips_as_often_as_arithmetic_says_and_is_clean_between() {
    bridged_for_ten_minutes(-50);
}

#[test]
fn a_pulled_board_is_an_alarm_the_other_one_ticks_on_and_it_comes_back() {
    let mut rig = rig(&["", ""]);
    rig.run_until(1_500, |_| false);
    assert_eq!(rig.shared().clock().map(|c| c.0), Some(0));
    let ticks = load(&rig.shared().ticks);
    rig.pull(0);
    rig.run_until(100, |_| false);
    let mut gone = Vec::new();
    while let Some(said) = rig.said() {
        if let Said::Alarm { span, alarm: Alarm::BoardGone, raised: true, .. } = said {
            gone.push(span.number());
        }
    }
    assert_eq!(gone, [1, 2, 3, 4]);
    assert_eq!(rig.shared().clock().map(|c| c.0), Some(1));
    assert!(load(&rig.shared().ticks) >= ticks + 98, "the tick must not stop");
    rig.plug(0).unwrap_or_else(|e| panic!("{e:#}"));
    rig.run_until(2_000, |_| false);
    assert_eq!(rig.shared().clock().map(|c| c.0), Some(0));
    assert!(rig.shared().boards.iter().all(|b| b.running.load(Relaxed)));
    let mut cleared = 0;
    while let Some(said) = rig.said() {
        cleared +=
            u32::from(matches!(said, Said::Alarm { alarm: Alarm::BoardGone, raised: false, .. }));
    }
    assert_eq!(cleared, 4);
}

#[test]
fn without_any_board_the_host_s_timer_ticks() {
    let mut rig = rig(&[""]);
    rig.run_until(500, |_| false);
    rig.pull(0);
    rig.millisecond();
    let ticks = load(&rig.shared().ticks);
    rig.run_until(1_000, |_| false);
    assert_eq!(load(&rig.shared().ticks), ticks + 1_000);
    assert_eq!(rig.shared().clock(), None);
}

#[test]
fn the_real_time_path_leaves_the_heap_alone() {
    let mut rig = rig(&[""]);
    rig.run_until(1_000, |_| false);
    for _ in 0..500 {
        let slot = &mut rig.boards[0];
        let at = slot.clock.next();
        slot.clock.due(at);
        slot.card.millisecond();
        let board = slot.board.as_mut().unwrap_or_else(|| panic!("the board runs"));
        let ticks = tdm::heap::without_heap(|| {
            let turned = slot.rings.turn(board, at, false);
            let ticks = rig.tick.turn(at);
            turned.map(|served| (served, ticks)).ok()
        });
        assert_eq!(ticks, Some((1, 1)));
        rig.now = at;
        rig.signal.turn(at);
    }
}

/// A network that speaks NI-2 over a T1, and a PBX that speaks QSIG over an E1, as the trunk groups have it: a
/// person dialled there and an agent here hear each other, although each line codes speech in its own law.
#[test]
fn a_person_on_a_t1_with_ni2_and_an_agent_on_an_e1_with_qsig_hear_each_other() {
    let text = r#"
        [host]
        zone = "us"
        [[spans.board]]
        at = "vfio-user:/b0"
        span = ["1,1,0,esf,b8zs", "2,0,0,ccs,hdb3,crc4"]
        alarm_raise_millis = 200
        alarm_clear_millis = 500
        [[media.group]]
        name = "public"
        side = "user"
        dialect = "ni2"
        spans = [1]
        [[media.group]]
        name = "pbx"
        side = "network"
        dialect = "qsig"
        spans = [2]
        [[emulate.board]]
        model = "TE410P"
        socket = "/b0"
        [[emulate.board.span]]
        far_end = { kind = "exchange", scenario = "both" }
        [[emulate.board.span]]
        far_end = { kind = "exchange", scenario = "both" }
    "#;
    let config = Config::parse(text, "rig.toml").unwrap_or_else(|e| panic!("{e}"));
    let mut scenario = Scenario::demo();
    (scenario.callers.per_second, scenario.callers.bursts) = (0.0, Vec::new());
    let pbx = *scenario.spans.last().unwrap();
    scenario.spans.truncate(1);
    scenario.spans.push(pbx);
    scenario.subscribers.numbers = vec![exchange::scenario::Numbers {
        from: "2125550100".into(),
        to: "2125550199".into(),
        is: exchange::SubscriberKind::Person,
    }];
    let scenarios = BTreeMap::from([("both".into(), scenario)]);
    let mut rig =
        Rig::with_scenarios(&config, &prompts(), scenarios).unwrap_or_else(|e| panic!("{e:#}"));
    rig.controller(true);
    let idle = |(_, state): &(u8, call::ChannelState)| *state == call::ChannelState::Idle;
    let both_up =
        |rig: &mut Rig| rig.status().spans.iter().all(|span| span.channels.iter().all(idle));
    assert!(rig.run_until(6_000, both_up), "{:?}", rig.status().spans);
    assert_eq!(rig.status().spans[0].channels.len(), 23);
    let agent = answered(&mut rig, "pbx", "8001");
    let person = answered(&mut rig, "public", "2125550123");
    let bridge = CallCommand::Bridge { a: agent, b: person, beep: false };
    rig.command(bridge).unwrap_or_else(|r| panic!("{r}"));
    let talked =
        |rig: &mut Rig| rig.exchange("both").is_some_and(|it| it.truth().audio.persons > 0);
    assert!(rig.run_until(3_000, talked), "they do not hear each other");
    let calls = rig.exchange("both").map(Exchange::calls).unwrap_or_default();
    let dialled = calls.iter().find(|call| call.called == "2125550123").unwrap();
    assert_eq!(dialled.timeslot, Some(23), "hunted from above, below the D-channel");
    assert_eq!(load(&rig.shared().counters.frames_bad), 0);
}
