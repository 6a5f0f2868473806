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
    let lines = &config.spans.board[0].lines;
    assert_eq!(lines.iter().map(|l| l.span.crc4).collect::<Vec<_>>(), [true, true, false, false]);
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
        ("2,2,0,ccs,hdb3,crc4", "2,2,0,cas,hdb3,crc4", "no engine"),
        ("name = \"pbx\"", "name = \"public\"", "two groups"),
        ("dialect = \"euroisdn\"", "dialect = \"eurisdn\"", "no dialect"),
        ("dialect = \"euroisdn\"", "dialect = \"euroisdn_t1\"", "`euroisdn` is the same"),
        ("dialect = \"euroisdn\" }", "dialect = \"dss1\" }", "ni2"),
        ("\"loopback\" }", "\"loopback\", dialect = \"qsig\" }", "belong to an exchange"),
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
fn a_scheduled_fault_that_cannot_be_is_refused_with_its_line() {
    let with = |more: &str| {
        let text = format!("{GOOD}[[emulate.fault]]\nafter_seconds = 5.5\nboard = 0\n{more}\n");
        (problems(&text), line_with(&text, "fault = \""))
    };
    let crc = "port = 1\nfault = \"crc_errors\"\nvalue = 40\nfor_seconds = 10";
    assert_eq!(with(crc).0, []);
    for (wrong, words) in [
        ("fault = \"cut\"", "of a board: frozen_clock"),
        ("port = 4\nfault = \"cut\"", "no such emulated board or port"),
        ("port = 0\nfault = \"clock_offset\"\nvalue = 2000.5", "`value` from -1000 to 1000"),
        ("port = 0\nfor_seconds = -1.0\nfault = \"cut\"", "seconds from 0 on"),
    ] {
        let (found, line) = with(wrong);
        let said = found.iter().any(|p| p.line == line && p.message.contains(words));
        assert!(said, "{wrong}: {found:?}");
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

/// A `system.conf` as installers write it: two T1s with ISDN, one E1 with bits, one with ISDN and single channels.
const SYSTEM_CONF: &str = "\
# Autogenerated
span=1,1,0,esf,b8zs
span=2,0,5,d4,ami   # a long line
span=3,2,0,cas,hdb3,crc4
span=4,3,0,ccs,hdb3,crc4
span=5,0,0,ccs,hdb3

bchan=1-23
dchan=24
e&m=25-46
hardhdlc=48
bchan=47
echocanceller=mg2,1-23
cas=49-63,65-79:1101
bchan => 80-82
dchan=95
loadzone\t= us
defaultzone=uk
";

const ON_SYSTEM_CONF: &str = r#"
[spans]
system_conf = "system.conf"
[[spans.board]]
at = "0000:05:02.0"
spans = [1, 2, 3, 4]
[[media.group]]
name = "public"
side = "user"
spans = [1, 2, 4]
"#;

fn with_system_conf(conf: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    std::fs::write(folder.path().join("system.conf"), conf).unwrap_or_else(|e| panic!("{e}"));
    let file = folder.path().join("trunkline.toml");
    std::fs::write(&file, ON_SYSTEM_CONF).unwrap_or_else(|e| panic!("{e}"));
    Config::load(&file)
}

#[test]
fn a_system_conf_is_read_as_it_is() {
    let config = with_system_conf(SYSTEM_CONF).unwrap_or_else(|e| panic!("{e}"));
    let [t1, d4, cas, e1] = config.spans.board[0].lines.as_slice() else { panic!("four lines") };
    assert_eq!(config.host.zone.get_ref(), "gb");
    assert_eq!(t1.channels.bearers(), signalling::Timeslots::T1_PRI);
    let mode = t1.mode();
    assert!(mode.is_t1() && mode.zeros_replaced && !mode.associated && mode.build_out == 0);
    assert_eq!(t1.law(), tdm::Law::Mu);

    // 22 channels with bits, one without, and the D-channel.
    let mode = d4.mode();
    assert!(mode.is_t1() && !mode.zeros_replaced && mode.associated && mode.build_out == 1);
    assert!(mode.has_bits(1) && mode.has_bits(22) && !mode.has_bits(23) && !mode.has_bits(24));
    assert_eq!(d4.channels.d_channel().map(tdm::Timeslot::index), Some(24));
    assert_eq!(d4.channels.bearers().iter().count(), 1);

    assert!(cas.mode().associated && cas.mode().has_crc4() && cas.channels.d_channel().is_none());
    assert_eq!(cas.channels.with_bits().next(), Some((1, 0b1101)));
    assert_eq!(cas.channels.with_bits().count(), 30);
    assert!(!e1.mode().associated);
    assert_eq!(
        e1.channels.bearers().iter().map(tdm::Timeslot::index).collect::<Vec<_>>(),
        [1, 2, 3]
    );

    let notes: Vec<String> = config.notes.iter().map(|note| note.told("t.toml")).collect();
    for needle in [
        "system.conf:6: span 5 belongs to no board",
        "span 3: the signalling bits of 30 channels",
        "no E&M engine",
        "echocanceller",
    ] {
        assert!(notes.iter().any(|note| note.contains(needle)), "{needle}: {notes:#?}");
    }
}

#[test]
fn what_cannot_be_in_a_system_conf_is_refused_with_its_file_and_line() {
    for (old, new, line, needle) in [
        ("span=1,1,0,esf,b8zs", "span=1,1,0,esf,hdb3", 2, "E1 line code"),
        ("span=2,0,5", "span=1,0,5", 3, "system.conf:2"),
        ("dchan=24", "dchan=23", 9, "channel 23 was described"),
        ("dchan=24", "alaw=1", 9, "mu-law on a T1"),
        ("dchan=24", "dchan=24,200", 9, "1 to 141"),
        ("dchan=24", "dchan", 9, "key=value"),
        ("dchan=24", "dchans=24", 9, "no key"),
        ("dchan=95", "cas=95:1101", 16, "need `cas`"),
        ("dchan=95", "dchan=64,95", 16, "timeslot 16 carries"),
        ("dchan=95", "dchan=95-96", 16, "a D-channel already"),
        ("dchan=95", "mtp2=95", 16, "SS7"),
        ("loadzone\t= us", "loadzone=xx", 17, "no zone `xx`"),
    ] {
        let found = with_system_conf(&SYSTEM_CONF.replacen(old, new, 1));
        let said = found.map(drop).expect_err(new).to_string();
        let place = format!("system.conf:{line}: ");
        let good = said.lines().any(|one| one.contains(&place) && one.contains(needle));
        assert!(good, "{new}: {said}");
    }
    // Without its D-channel a span can be in no group of ISDN: that is the configuration's fault.
    let said = with_system_conf(&SYSTEM_CONF.replacen("dchan=95\n", "", 1)).map(drop);
    let said = said.expect_err("no D-channel").to_string();
    assert!(said.contains("trunkline.toml:10: ") && said.contains("NFAS"), "{said}");
    // Channels are counted through all spans: one may not be missing.
    let gap = SYSTEM_CONF.replacen("span=5", "span=7", 1);
    let said = with_system_conf(&gap).map(drop).expect_err("a gap").to_string();
    assert!(said.contains("span 5 is not described"), "{said}");
}

#[test]
fn channel_lines_may_stand_in_the_configuration_too() {
    let text = GOOD.replacen(
        "[[spans.board]]",
        "[spans]\nchannels = [\"bchan=1-2\", \"dchan=16\"]\n[[spans.board]]",
        1,
    );
    let config = Config::parse(&text, "t.toml").map_or_else(
        |e| e.to_string(),
        |config| format!("{:?}", config.spans.board[0].lines[0].channels.bearers()),
    );
    // The first group then has two channels there and wants 80.
    assert!(config.contains("a capacity of 1 to"), "{config}");
    let wrong = text.replacen("bchan=1-2", "bchan", 1);
    let found = problems(&wrong);
    assert!(found.iter().any(|p| p.line == line_with(&wrong, "channels = [")), "{found:?}");
}

#[test]
fn mutated_channel_lines_never_panic() {
    let mut rng = tdm::Rng::from_seed(0xC4A5);
    for _ in 0..300_000 {
        let mut line = *b"cas=1-15,17-31:1101";
        for _ in 0..=rng.below(3) {
            let at = usize::try_from(rng.below(line.len() as u64)).unwrap_or(0);
            if let Some(octet) = line.get_mut(at) {
                *octet = b"0123456789,-:=ca& \xFF"[usize::try_from(rng.below(19)).unwrap_or(0)];
            }
        }
        let text = String::from_utf8_lossy(&line);
        if let Some((key, value)) = text.split_once('=') {
            let _ = super::channels::ChannelLine::parse(key, value);
        }
    }
}

/// What an interface cannot work with is refused where it stands, and everything it can be told is taken.
#[test]
fn timers_counters_and_habits_of_a_group_are_checked_where_they_stand() {
    let with = |line: &str| GOOD.replace("capacity = 80", line);
    for wrong in [
        "timers = { t200_millis = 0 }",
        "timers = { k = 0 }",
        "timers = { n200 = 0 }",
        "timers = { n200 = 300 }",
        "timers = { t303_millis = 0 }",
        "timers = { n201 = 261 }",
        "timers = { t200_millis = 5000, t203_millis = 3000 }",
        "overlap = { digits = 0 }",
        "network_facility = 300",
        "restart_form = \"all\"",
        "bearer = \"data\"",
    ] {
        let text = with(wrong);
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert_eq!(found[0].line, line_with(&text, wrong), "{wrong}");
    }
    let text = GOOD.replace("side = \"network\"", "side = \"network\"\nchannel_choice = \"any\"");
    assert_eq!(problems(&text)[0].line, line_with(&text, "channel_choice"));
    let all = "restart = false\nchannel_choice = \"any\"\nservice_messages = \"03\"\n\
               timers = { t309_millis = 0, t301_millis = 200000, t304_millis = 20000, t306_millis = 20000, \
               t308_millis = 2000, t313_millis = 5000, t314_millis = 5000, t316_millis = 30000, n316 = 3, \
               t322_millis = 5000, n322 = 5, n201 = 128, link_retry_millis = 3000 }";
    let config = Config::parse(&with(all), "t.toml").unwrap_or_else(|e| panic!("{e}"));
    assert!(!config.media.group[0].restart && config.media.group[1].restart);
}

/// What stands in a group that has channels of another's span.
const SPLIT: &str =
    "[[media.group]]\nname = \"vip\"\nchannels = [\"4:1-10\"]\ncapacity = 5\n\n[[acd.agent]]";

#[test]
fn a_group_may_have_channels_of_a_span_to_itself() {
    let text = GOOD.replacen("[[acd.agent]]", SPLIT, 1);
    let config = Config::parse(&text, "t.toml").unwrap_or_else(|e| panic!("{e}"));
    let own: Vec<_> = config.media.group[2].own_channels().collect();
    assert_eq!(own.len(), 1);
    assert_eq!((own[0].0.number(), own[0].1.iter().count()), (4, 10));
    for (old, new, needle) in [
        ("4:1-10", "4", "SPAN:TIMESLOTS"),
        ("4:1-10", "4:1-16", "timeslot 16 of span 4 carries no calls"),
        ("4:1-10", "5:1", "no board has a span 5"),
        ("4:1-10\"", "4:1-10\", \"4:10\"", "timeslot 10 of span 4 is in group `vip` already"),
        ("4:1-10", "4:1-31", "other groups have all channels of group `pbx`"),
        ("capacity = 5", "capacity = 11", "a capacity of 1 to 10"),
        ("capacity = 5", "side = \"user\"", "stand in the group that has their span"),
        ("spans = [4]\n", "channels = [\"4:17\"]\n", "no group has span 4 in its `spans`"),
        ("side = \"network\"\n", "", "wants `side"),
        ("channels = [\"4:1-10\"]", "", "neither spans nor channels"),
    ] {
        let found = problems(&text.replacen(old, new, 1));
        assert!(found.iter().any(|p| p.message.contains(needle)), "{new}: {found:?}");
        assert!(found.iter().all(|p| p.line > 0), "{new}: {found:?}");
    }
}
