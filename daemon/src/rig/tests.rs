//! The house stands: boards in service, D-channels clean, slips where clocks differ, a board pulled and back.

use std::collections::BTreeMap;

use tdm::{Alarm, Block, SampleTime};

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

#[test]
fn two_boards_50_ppm_apart_slip_as_often_as_arithmetic_says() {
    // (50 ppm x 60 s) / 125 µs = 24 frames; the first 2 ms (16 frames) are the buffer's own.
    for ppm in [50, -50] {
        let mut rig = rig(&["", &format!("ppm = {ppm}")]);
        rig.run_until(120_000, |_| false);
        let (slips_in, slips_out, drift) = rig.slips(1);
        assert!(slips_in.abs_diff(48 - 16) <= 1, "{ppm} ppm: {slips_in} in");
        assert!(slips_out.abs_diff(48 - 16) <= 1, "{ppm} ppm: {slips_out} out");
        let drift = drift.unwrap_or_default();
        assert!((drift - f64::from(ppm)).abs() < 2.0, "{drift}");
        assert_eq!(rig.slips(0).0, 0);
    }
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
