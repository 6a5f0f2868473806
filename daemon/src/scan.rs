//! `trunkline scan`: the spans of the configuration in the words of `dahdi_scan`, for scripts that read those.
//!
//! What is known without a call server: the lines of the configuration, and for a board in a slot what the
//! machine says of it. With one running, the alarms too; without, a span is `UNCONFIGURED`, as there. `location` is the
//! slot; the tool prints the position of the board's rotary switch, which only a driver can read.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use bus::pci::{self, Function};
use driver::model_of;
use serde_json::Value;

use crate::cli::Place;
use crate::config::{Board, BoardAddress, Carrier, Framing, Line};
use crate::ctl;

/// The build-outs by their code, as `dahdi_scan` writes them.
const BUILD_OUTS: [&str; 8] = [
    "0 db (CSU)/0-133 feet (DSX-1)",
    "133-266 feet (DSX-1)",
    "266-399 feet (DSX-1)",
    "399-533 feet (DSX-1)",
    "533-655 feet (DSX-1)",
    "-7.5db (CSU)",
    "-15db (CSU)",
    "-22.5db (CSU)",
];

/// Prints a paragraph for each configured span.
///
/// # Errors
/// What is wrong in the configuration.
pub fn run(place: &Place) -> Result<()> {
    let config = place.load()?;
    // Nobody there is an answer too.
    let status = ctl::ask_status(&place.paths()).ok();
    let mut first = 1;
    for (card, board) in config.spans.board.iter().enumerate() {
        let function = match board.address() {
            BoardAddress::Pci(at) => {
                at.parse().ok().and_then(|at| pci::function(Path::new(pci::SYSFS), at))
            }
            BoardAddress::VfioUser(_) => None,
        };
        let text = described(board, card, function.as_ref(), status.as_ref(), &mut first)?;
        crate::output::say!("{}", text.trim_end())?;
    }
    Ok(())
}

/// The alarms of `span` in the words of `dahdi_scan`.
fn alarms(status: Option<&Value>, span: usize) -> String {
    let spans = status.and_then(|status| status.get("lines")).and_then(Value::as_array);
    let Some(spans) = spans else { return "UNCONFIGURED".into() };
    let number = Some(span as u64);
    let entry = spans.iter().find(|one| one.get("span").and_then(Value::as_u64) == number);
    let Some(entry) = entry else { return "UNCONFIGURED".into() };
    let list = entry.get("alarms").and_then(Value::as_array).cloned().unwrap_or_default();
    let words: Vec<&str> = list
        .iter()
        .filter_map(Value::as_str)
        .map(|alarm| match alarm {
            "remote_alarm" => "YELLOW",
            "alarm_indication" => "BLUE",
            _ => "RED",
        })
        .collect();
    match (words.is_empty(), entry.get("in_service")) {
        (false, _) => words.join("/"),
        (true, Some(Value::Bool(false))) => "RECOVERING".into(),
        (true, _) => "OK".into(),
    }
}

/// The span whose line clocks a board, 0 when none does: as the call server says, or as the lines are configured.
fn clock_source(board: &Board, card: usize, status: Option<&Value>) -> u64 {
    let lines = status.and_then(|status| status.get("lines")).and_then(Value::as_array);
    if let Some(lines) = lines {
        let is_it = |line: &&Value| {
            line.get("board").and_then(Value::as_u64) == Some(card as u64)
                && line.get("is_clock") == Some(&Value::Bool(true))
        };
        let found = lines.iter().find(is_it).and_then(|line| line.get("span"));
        return found.and_then(Value::as_u64).unwrap_or(0);
    }
    let timed = board.lines.iter().filter(|line| line.span.timing > 0);
    let first = timed.min_by_key(|line| line.span.timing);
    first.map_or(0, |line| line.span.span.number() as u64)
}

fn described(
    board: &Board,
    card: usize,
    function: Option<&Function>,
    status: Option<&Value>,
    first: &mut u64,
) -> Result<String> {
    let model = function.and_then(|f| model_of(f.vendor, f.device, f.sub_vendor));
    let device = model.map_or("emulated board".into(), |model| {
        let ordinal = ["0th", "1st", "2nd", "3rd", "4th", "5th"];
        let ordinal = ordinal.get(usize::from(model.generation)).copied().unwrap_or_default();
        format!("Wildcard {} ({ordinal} Gen)", model.name)
    });
    let place = match board.address() {
        BoardAddress::Pci(at) => format!("PCI {at}"),
        BoardAddress::VfioUser(path) => format!("socket {path}"),
    };
    let mut text = String::new();
    let source = clock_source(board, card, status);
    let spans = model.map_or(board.lines.len(), |model| model.spans.into());
    for (port, Line { span: line, .. }) in board.lines.iter().enumerate() {
        let (span, port, channels) = (line.span.number(), port + 1, u64::from(line.channels()));
        let build_out = BUILD_OUTS.get(usize::from(line.build_out)).copied().unwrap_or_default();
        let framing = match (line.framing, line.crc4) {
            (Framing::Ccs, true) => "CCS/CRC4",
            (Framing::Ccs, false) => "CCS",
            (Framing::Cas, true) => "CAS/CRC4",
            (Framing::Cas, false) => "CAS",
            (Framing::D4, _) => "D4",
            (Framing::Esf, _) => "ESF",
        };
        let is_t1 = line.carrier() == Carrier::T1;
        let (kind, codings, framings) = if is_t1 {
            ("digital-T1", "B8ZS,AMI", "ESF,D4")
        } else {
            ("digital-E1", "AMI,HDB3", "CCS,CRC4")
        };
        writeln!(text, "[{span}]")?;
        for (key, value) in [
            ("active", "yes".to_owned()),
            ("alarms", alarms(status, span)),
            ("description", format!("T{spans}XXP (PCI) Card {card} Span {port}")),
            ("name", format!("TE{spans}/{card}/{port}")),
            ("manufacturer", "Digium".to_owned()),
            ("devicetype", device.clone()),
            ("location", place.clone()),
            ("basechan", first.to_string()),
            ("totchans", channels.to_string()),
            // Always, there too: `trunkline boards` says which it is.
            ("irq", "0".to_owned()),
            ("type", kind.to_owned()),
            ("syncsrc", source.to_string()),
            ("lbo", build_out.to_owned()),
            ("coding_opts", codings.to_owned()),
            ("framing_opts", framings.to_owned()),
            ("coding", line.coding.name().to_owned()),
            ("framing", framing.to_owned()),
        ] {
            writeln!(text, "{key}={value}")?;
        }
        *first += channels;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use serde_json::json;

    #[test]
    fn every_span_has_its_paragraph_and_channels_are_counted_on() {
        let text = r#"
            [[spans.board]]
            at = "vfio-user:/run/b0"
            span = ["1,1,0,ccs,hdb3,crc4", "2,0,7,esf,b8zs"]
        "#;
        let config = Config::parse(text, "t.toml").unwrap();
        let board = &config.spans.board[0];
        let mut first = 1;
        let said = described(board, 0, None, None, &mut first).unwrap();
        assert_eq!(said.lines().count(), 2 * 18);
        for line in [
            "[1]",
            "[2]",
            "basechan=32",
            "framing=CCS/CRC4",
            "lbo=-22.5db (CSU)",
            "syncsrc=1",
            "type=digital-T1",
            "framing=ESF",
            "coding=B8ZS",
            "totchans=24",
            "totchans=31",
        ] {
            assert!(said.lines().any(|one| one == line), "{line} is not in:\n{said}");
        }
        assert_eq!(first, 56);
    }

    #[test]
    fn alarms_are_said_in_the_words_of_the_tool_it_stands_for() {
        let span = |alarms: Value, up: bool| {
            let one = json!({ "span": 3, "alarms": alarms, "in_service": up });
            json!({ "lines": [one] })
        };
        let said = |status: Value| alarms(Some(&status), 3);
        assert_eq!(said(span(json!([]), true)), "OK");
        assert_eq!(said(span(json!([]), false)), "RECOVERING");
        assert_eq!(said(span(json!(["loss_of_signal"]), false)), "RED");
        assert_eq!(said(span(json!(["remote_alarm"]), true)), "YELLOW");
        assert_eq!(said(span(json!(["alarm_indication", "remote_alarm"]), false)), "BLUE/YELLOW");
        assert_eq!(alarms(None, 3), "UNCONFIGURED");
        assert_eq!(alarms(Some(&span(json!([]), true)), 4), "UNCONFIGURED");
    }
}
