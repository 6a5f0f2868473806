//! The ears against sets of signals of our own, in short form. The long form is
//! `cargo run --release -p dsp --example hearing -- --full`.

#[path = "signals/mod.rs"]
mod signals;

use signals::sets;

#[test]
fn keys_inside_the_standard_are_heard_and_others_are_not() {
    let clean = sets::keys_inside(1, 300, None);
    assert_eq!((clean.missed, clean.extra), (0, 0), "{clean:?}");
    let noisy = sets::keys_inside(2, 300, Some(15.0));
    assert!(noisy.missed <= 1 && noisy.extra == 0, "{noisy:?}");
    let outside = sets::keys_outside(3, 200);
    assert_eq!(outside.extra, 0, "{outside:?}");
    let steady = sets::keys_in_noise(4, 300, 10.0);
    assert_eq!((steady.missed, steady.extra), (0, 0), "{steady:?}");
}

#[test]
fn neither_voices_nor_music_are_keys_fax_or_tones_of_the_network() {
    for (seed, is_music) in [(5, false), (6, true)] {
        let heard = sets::talk_off(seed, 12, is_music);
        assert!(heard.is_empty(), "music {is_music}: {heard:?}");
    }
}

#[test]
fn music_is_known_as_music_and_noise_and_hum_are_nothing() {
    let heard = sets::musics(8, 16);
    assert!(heard.missed <= 1, "{heard:?}");
    let heard = sets::noises(9, 12);
    assert_eq!(heard.extra, 0, "{heard:?}");
}

/// A quarter of a second behind the first period, a second and a half behind the beginning at the latest.
#[test]
fn ring_back_of_every_zone_is_known_in_time() {
    let (of, mut late) = sets::ring_backs(false);
    late.retain(|late| !sets::LATE.iter().any(|(zone, _)| *zone == late.zone));
    assert!(of >= 150 && late.is_empty(), "{} of {of}: {late:?}", late.len());
}
