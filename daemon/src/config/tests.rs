//! What a file may say, and where an error points.

use super::*;

const GOOD: &str = r#"
[host]
zone = "cn"

[[spans.board]]
at = "vfio-user:/run/trunkline/board0.sock"
span = ["1,1,0,ccs,hdb3,crc4", "2,2,0,ccs,hdb3,crc4", "3,3,0,ccs,hdb3", "4,0,0,ccs,hdb3"]

[[media.group]]
name = "public"
spans = [1, 2, 3]
signalling = "pri"
side = "user"
dialect = "euroisdn"
capacity = 80

[[media.group]]
name = "pbx"
spans = [4]
side = "network"

[[acd.agent]]
name = "a01"
extension = "8001"
kind = "nailed"

[[emulate.board]]
model = "TE410P"
generation = 5
socket = "/run/trunkline/board0.sock"
clock = "real"
[[emulate.board.span]]
far_end = { kind = "exchange", scenario = "demo", role = "network", dialect = "euroisdn" }
[[emulate.board.span]]
far_end = { kind = "loopback" }
"#;

fn problems(text: &str) -> Vec<Problem> {
    Config::parse(text, "t.toml").map_or_else(|e| e.problems, |_| Vec::new())
}

/// The line `needle` stands in.
fn line_with(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(0, |n| n + 1)
}

#[test]
fn the_shape_of_the_house_is_read() {
    let config = Config::parse(GOOD, "t.toml").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.media.group.len(), 2);
    assert_eq!(config.media.group[0].capacity.as_ref().map(|c| *c.get_ref()), Some(80));
    let lines = config.spans.board[0].lines().unwrap_or_default();
    assert_eq!(lines.iter().map(|l| l.crc4).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!(config.host.prompt_language(), "zh");
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    for (old, new) in [
        ("zone = \"cn\"", "zone = \"cn\"\nzoom = 1"),
        ("capacity = 80", "capacity = 80\ncapacitee = 80"),
        ("clock = \"real\"", "clock = \"real\"\nclocks = 1"),
        ("kind = \"nailed\"", "kind = \"nailed\"\nkinds = 1"),
    ] {
        let text = GOOD.replacen(old, new, 1);
        let added = new.lines().last().unwrap_or_default();
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, line_with(&text, added), "{added}: {found:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_line() {
    for (old, new, needle) in [
        ("1,1,0,ccs,hdb3,crc4", "0,1,0,ccs,hdb3,crc4", "number"),
        ("2,2,0,ccs", "1,2,0,ccs", "described"),
        ("spans = [4]", "spans = [5]", "no board has a span 5"),
        ("spans = [4]", "spans = [3]", "already"),
        ("capacity = 80", "capacity = 91", "30 channels"),
        ("name = \"pbx\"", "name = \"public\"", "two groups"),
        ("dialect = \"euroisdn\"", "dialect = \"eurisdn\"", "no dialect"),
        ("capacity = 80", "overflow = \"nobody\"", "no trunk group"),
        ("capacity = 80", "overflow = \"public\"", "comes back"),
        ("capacity = 80", "no_answer_seconds = 0", "3600"),
        ("capacity = 80", "called_out = [{ match = \"+.\" }]", "no digit"),
        ("capacity = 80", "called_in = [{ match = \".\", prepend = \"+\" }]", "at most 32"),
        ("TE410P", "TE999P", "no model"),
        ("clock = \"real\"", "clock = \"lock\"", "lockstep"),
        ("{ kind = \"loopback\" }", "{ kind = \"link\" }", "links back"),
        ("vfio-user:", "usb:", "no PCI address"),
        ("zone = \"cn\"", "zone = \"xx\"", "no zone"),
        ("[[acd.agent]]", "[acd]\nallow = [\"root\"]\n[[acd.agent]]", "user:NAME"),
    ] {
        let text = GOOD.replacen(old, new, 1);
        let found = problems(&text);
        assert!(found.iter().any(|p| p.message.contains(needle)), "{new}: {found:?}");
        assert!(found.iter().all(|p| p.line > 0), "{new}: {found:?}");
    }
}

#[test]
fn a_wrong_type_and_broken_toml_have_lines_too() {
    let text = GOOD.replacen("capacity = 80", "capacity = \"many\"", 1);
    assert_eq!(problems(&text)[0].line, line_with(&text, "many"));
    let text = GOOD.replacen("capacity = 80", "capacity = = 80", 1);
    assert_eq!(problems(&text)[0].line, line_with(&text, "= = 80"));
}

#[test]
fn a_missing_prompt_is_named_with_its_line() {
    let text =
        GOOD.replacen("[[media.group]]", "[media]\nmusic = \"elevator\"\n\n[[media.group]]", 1);
    let config = Config::parse(&text, "t.toml").unwrap_or_else(|e| panic!("{e}"));
    let known: BTreeSet<String> = ["music".to_owned(), "safe_harbour".to_owned()].into();
    let found = config.missing_prompts(&text, &known);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].line, line_with(&text, "elevator"));
}

#[test]
fn a_million_arbitrary_and_mutated_files_never_panic() {
    // The whole file a few thousand times, its sections a million times: each key is met by every damage.
    let sections: Vec<&str> = GOOD.split("\n\n").collect();
    let mut rng = tdm::Rng::from_seed(0xC0F1);
    for n in 0..1_000_000_u64 {
        let whole = n % 500 == 0;
        let pick = usize::try_from(rng.below(sections.len() as u64)).unwrap_or(0);
        let seed = if whole { GOOD } else { sections[pick] };
        let mut text = seed.as_bytes().to_vec();
        for _ in 0..=rng.below(4) {
            let at = usize::try_from(rng.below(text.len() as u64)).unwrap_or(0);
            match rng.below(8) {
                0 => text.truncate(at),
                1 if at < text.len() => drop(text.remove(at)),
                2 => text.insert(at, b"\"[]{},=\n"[usize::try_from(rng.below(8)).unwrap_or(0)]),
                _ => {
                    if let Some(octet) = text.get_mut(at) {
                        *octet = rng.below(256) as u8;
                    }
                }
            }
        }
        let _ = Config::parse(&String::from_utf8_lossy(&text), "t.toml");
    }
}

#[test]
fn a_million_mutated_span_lines_never_panic() {
    let mut rng = tdm::Rng::from_seed(0xDA4D1);
    for _ in 0..1_000_000 {
        let mut line = *b"1,1,0,ccs,hdb3,crc4";
        for _ in 0..=rng.below(3) {
            let at = usize::try_from(rng.below(line.len() as u64)).unwrap_or(0);
            if let Some(octet) = line.get_mut(at) {
                *octet = b"0123456789,acdhsrb \xFF"[usize::try_from(rng.below(20)).unwrap_or(0)];
            }
        }
        let _ = SpanLine::parse(&String::from_utf8_lossy(&line));
    }
}
