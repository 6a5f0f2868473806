//! Pilots must not disturb the detectors of the house: what an agent's telephone or a talking caller sends
//! all day is no digit, no ring-back, no beep and no fax.

use dsp::ears::{Ears, EarsSettings, Heard, Listen};
use dsp::g711;
use dsp::generate::DtmfSource;
use dsp::zones::Zone;
use exchange::{Pilot, PilotSource, Voices};
use tdm::{Block, Law, SampleTime, Timeslot};

/// Everything the ears report about one lane that carries `next`.
fn report(listen: Listen, millis: u64, mut next: impl FnMut() -> f32) -> Vec<Heard> {
    let zones = vec![Zone::by_key("cn").expect("China")];
    let mut ears = Ears::new(EarsSettings { law: Law::A, zones, ..EarsSettings::default() });
    let lane = Timeslot::new(1).expect("a timeslot");
    ears.listen(lane, listen);
    let mut heard = Vec::new();
    for at in 0..millis {
        let mut block = Block::idle(Law::A);
        block.at = SampleTime::millis(at);
        block.set_timeslot(lane, core::array::from_fn(|_| g711::encode_f32(Law::A, next())));
        ears.hear(&block, &mut |hearing| heard.push(hearing.heard));
    }
    heard
}

const DIGITS_AND_TONES: Listen = Listen {
    prints: false,
    dtmf: true,
    progress: false,
    answer: false,
    fax: true,
    beep: true,
    mf: None,
    machine_from_percent: 0,
};

#[test]
fn a_pilot_alone_is_nothing_to_any_detector() {
    for pilot in [Pilot::Agent, Pilot::Caller] {
        let mut source = PilotSource::new(pilot);
        let heard = report(DIGITS_AND_TONES, 20_000, || source.next_sample());
        assert!(heard.is_empty(), "{pilot:?}: {heard:?}");
    }
}

#[test]
fn keys_are_found_through_a_pilot_each_once() {
    for pilot in [Pilot::Agent, Pilot::Caller] {
        let mut source = PilotSource::new(pilot);
        let mut keys = b"1470*2580#369".iter().copied();
        let mut key: Option<DtmfSource> = None;
        let heard = report(Listen { dtmf: true, ..Listen::default() }, 4000, || {
            if key.is_none_or(|key| key.is_over()) {
                key = keys.next().and_then(|key| DtmfSource::new(key, 90, 90, -9.0));
            }
            source.next_sample() + key.as_mut().map_or(0.0, DtmfSource::next_sample)
        });
        let digits: Vec<u8> = heard
            .iter()
            .filter_map(|heard| if let Heard::Dtmf(key) = heard { Some(*key) } else { None })
            .collect();
        assert_eq!(digits, b"1470*2580#369", "{pilot:?}");
    }
}

#[test]
fn talk_over_a_pilot_holds_no_more_digits_than_talk_alone() {
    let voices = Voices::embedded();
    let count = |pilot: Option<Pilot>| {
        let mut source = pilot.map(PilotSource::new);
        let mut samples = voices.talks.iter().flat_map(|voice| voice.samples());
        let millis: u64 = voices.talks.iter().map(|voice| u64::from(voice.millis())).sum();
        let heard = report(Listen { dtmf: true, ..Listen::default() }, millis, || {
            samples.next().unwrap_or_default()
                + source.as_mut().map_or(0.0, PilotSource::next_sample)
        });
        heard.iter().filter(|heard| matches!(heard, Heard::Dtmf(_))).count()
    };
    let alone = count(None);
    assert!(count(Some(Pilot::Agent)) <= alone && count(Some(Pilot::Caller)) <= alone, "{alone}");
}
