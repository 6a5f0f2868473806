//! The call centre dials a list into a foreign exchange and serves its callers, with agents at a foreign PBX.

use std::collections::BTreeMap;

use protocol::wire::Role;
use serde_json::json;

use crate::calls::groups;
use crate::house::{House, heard};
use crate::{Context, Failure, Verdict};

/// Two agents for callers, two for the list. A foreign PBX answers what ends in 000.
const CENTRE: &str = r#"
[acd]
agent_group = "pbx"
wrap_up_millis = 100

[[acd.queue]]
name = "sales"

[[acd.route]]
group = "public"
flow = "hotline"

[[acd.flow]]
name = "hotline"
start = "sales"

[[acd.flow.node]]
name = "sales"
kind = "queue"
queue = "sales"

[[acd.campaign]]
name = "autumn"
group = "public"
no_answer_millis = 1500
judge_millis = 1000
wrap_up_millis = 100
"#;

fn agents() -> String {
    let agent = |n: usize| {
        let work = match n < 2 {
            true => "queues = [\"sales\"]",
            false => "campaigns = [\"autumn\"]",
        };
        format!(
            "[[acd.agent]]\nname = \"a{n}\"\nextension = \"7{n:04}000\"\nkind = \"nailed\"\n\
             {work}\nat_start = true\n"
        )
    };
    (0..4).map(agent).collect()
}

/// What a number becomes: the last three digits say what the exchange does with it.
const OUTCOMES: [(&str, &str, u8); 7] = [
    ("001", "vacant", 1),
    ("017", "busy", 17),
    ("018", "no_answer", 18),
    ("019", "no_answer", 16),
    ("021", "other", 21),
    ("034", "congestion", 34),
    ("027", "other", 27),
];

/// Every dialled number and every caller has a record, and the records say what the exchange did.
pub fn records(context: &Context) -> Result<Verdict, Failure> {
    let (rows, callers) = if context.full { (70, 40) } else { (14, 10) };
    let rest = format!("{}{CENTRE}{}", groups("user"), agents());
    let house = House::start(context, &rest)?;
    let mut exchange = house.peer(
        context,
        0,
        "--node net --switch euroisdn --wait-restart --outcome 0 --at-once 2 --hold 300",
    )?;
    let mut pbx = house.peer(context, 1, "--node cpe --switch euroisdn")?;
    heard(&house, &mut exchange, "up", 1)?;
    heard(&house, &mut pbx, "up", 1)?;
    house.also("acd")?;
    let mut acd = house.client("acd.sock", Role::Controller)?;
    heard(&house, &mut pbx, "ring ", 4)?;

    let numbers: Vec<String> = OUTCOMES
        .iter()
        .cycle()
        .take(rows)
        .enumerate()
        .map(|(n, (ending, ..))| format!("6{n:04}{ending}"))
        .collect();
    let csv = format!("number\n{}\n", numbers.join("\n"));
    acd.call("list_load", json!({"campaign": "autumn", "csv": csv, "key": "load"}))?;
    acd.call("campaign_start", json!({"campaign": "autumn", "key": "start"}))?;
    exchange.tell(&format!("place {callers}"))?;

    let said = house.until("every call has its record", || {
        exchange.listen()?;
        pbx.listen()?;
        let csv = house.run("records").unwrap_or_default();
        let of_public = |line: &&str| line.contains(",public,");
        Ok((csv.lines().filter(of_public).count() >= rows + callers).then_some(csv))
    })?;
    judge(&said, &numbers, callers)
}

/// The cells of a line, of which some are in quotes for the commas in them. RFC 4180, §2.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => cells.last_mut().into_iter().for_each(|cell| cell.push(character)),
        }
    }
    cells
}

fn judge(csv: &str, numbers: &[String], callers: usize) -> Result<Verdict, Failure> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().ok_or("no head")?.split(',').collect();
    let place = |name: &str| head.iter().position(|it| *it == name).ok_or("no such column");
    let (direction, called, calling) = (place("direction")?, place("called")?, place("calling")?);
    let (group, result, cause) = (place("group")?, place("result")?, place("cause")?);
    let mut verdict = Verdict::default();
    let mut dialled: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut served = 0;
    for line in lines {
        let cells = cells(line);
        let cell = |at: usize| cells.get(at).map(String::as_str).unwrap_or_default();
        match (cell(group), cell(direction)) {
            ("public", "out") => {
                let end = (cell(result).to_owned(), cell(cause).to_owned());
                dialled.entry(cell(called).to_owned()).or_default().push(end);
            }
            ("public", _) => {
                // The exchange keeps the caller's number from being shown.
                let holds = cell(calling) == "restricted" && cell(cause) == "16";
                verdict.check(holds, || line.to_owned());
                served += usize::from(cell(result) == "answered");
            }
            _ => {}
        }
    }
    for number in numbers {
        let wanted = OUTCOMES.iter().find(|(ending, ..)| number.ends_with(ending));
        let (_, word, cause) = wanted.ok_or("no such outcome")?;
        let ends = dialled.get(number).cloned().unwrap_or_default();
        let holds =
            matches!(ends.as_slice(), [(it, why)] if it == word && *why == cause.to_string());
        verdict.check(holds, || format!("{number}: {ends:?}, not {word} with {cause}"));
    }
    verdict.check(served * 10 >= callers * 8, || format!("{served} of {callers} had an agent"));
    verdict.figure =
        format!("{} dialled, {callers} callers, {served} with an agent", numbers.len());
    Ok(verdict)
}
