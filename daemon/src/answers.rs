//! `trunkline answers report`: what the ear said of dialled calls that were answered, what agents said, and when.
//!
//! An agent says "was a machine" by `*7` or the method `disposition`. Whom the ear took for a machine no agent heard:
//! how many people are among them this report cannot know, and says so. Calls recorded from their answer on can tell.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::json;

use crate::cli::Place;
use crate::output::Output;

/// What `answers` is asked for.
#[derive(Args, Debug)]
pub struct AnswersArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done with answers.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Counts, shares with their intervals, and times, per class.
    Report {
        /// The files.
        #[command(flatten)]
        place: Place,
        /// Of this campaign only.
        #[arg(long)]
        campaign: Option<String>,
        /// Calls dialled from this moment on, in seconds of UTC since 1970.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        from: i64,
        /// And before this moment.
        #[arg(long, default_value_t = i64::MAX / 1_000_000, value_name = "SECONDS")]
        to: i64,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// Runs `answers`.
///
/// # Errors
/// There are no records, or output cannot be written.
pub fn run(args: &AnswersArgs) -> Result<()> {
    let Verb::Report { place, campaign, from, to, json } = &args.verb;
    let file = place.paths().state_dir().join("records.db");
    let micros = |seconds: &i64| seconds.saturating_mul(1_000_000);
    let report = Report::read(&file, campaign.as_deref(), micros(from), micros(to))?;
    let mut out = Output(std::io::stdout().lock());
    if *json {
        writeln!(out, "{}", report.json())?
    } else {
        report.table(&mut out)?
    }
    Ok(())
}

/// The words of the ear, in the order of the table.
const CLASSES: [&str; 5] = ["human", "not_sure", "machine", "fax", "silence"];

/// What is known of one class.
#[derive(Debug, Default, PartialEq, Eq)]
struct Class {
    /// How long after the answer each verdict fell, in order.
    millis: Vec<u32>,
    /// What agents said of these calls.
    was_person: u64,
    was_machine: u64,
}

impl Class {
    fn calls(&self) -> u64 {
        self.millis.len() as u64
    }
    /// The time within which this share of the verdicts fell, in percent.
    fn within(&self, percent: usize) -> Option<u32> {
        let last = self.millis.len().checked_sub(1)?;
        self.millis.get(last * percent / 100).copied()
    }
}

/// What the records say of verdicts.
#[derive(Debug, Default)]
struct Report {
    classes: BTreeMap<String, Class>,
}

impl Report {
    fn read(file: &Path, campaign: Option<&str>, from_us: i64, to_us: i64) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)
            .with_context(|| format!("{}: no records yet", file.display()))?;
        let mut select = connection
            .prepare(
                "select judged, judged_millis, was from calls
                 where judged is not null and not inbound and started_utc_us >= ?1
                 and started_utc_us < ?2 and (?3 is null or campaign = ?3)",
            )
            .context("the records are of an earlier version: no verdicts are in them yet")?;
        let mut rows = select.query(params![from_us, to_us, campaign])?;
        let mut report = Self::default();
        while let Some(row) = rows.next()? {
            let class = report.classes.entry(row.get(0)?).or_default();
            class.millis.push(row.get(1)?);
            match row.get::<_, Option<String>>(2)?.as_deref() {
                Some("machine") => class.was_machine += 1,
                Some("person") => class.was_person += 1,
                _ => {}
            }
        }
        report.classes.values_mut().for_each(|class| class.millis.sort_unstable());
        Ok(report)
    }

    fn class(&self, name: &str) -> Option<&Class> {
        self.classes.get(name)
    }
    fn calls(&self) -> u64 {
        self.classes.values().map(Class::calls).sum()
    }
    /// Whom agents got: how many there were, and how many of them were machines.
    fn passed(&self) -> (u64, u64) {
        let got = CLASSES[..2].iter().filter_map(|name| self.class(name));
        got.fold((0, 0), |(all, wrong), class| (all + class.calls(), wrong + class.was_machine))
    }

    fn json(&self) -> serde_json::Value {
        let classes: serde_json::Map<_, _> = self
            .classes
            .iter()
            .map(|(name, class)| {
                let [low, high] = wilson(class.calls(), self.calls());
                let of = json!({
                    "calls": class.calls(),
                    "share": share(class.calls(), self.calls()),
                    "share_95": [low, high],
                    "was_person": class.was_person,
                    "was_machine": class.was_machine,
                    "median_millis": class.within(50),
                    "p90_millis": class.within(90),
                });
                (name.clone(), of)
            })
            .collect();
        let (passed, wrong) = self.passed();
        json!({
            "calls": self.calls(),
            "classes": classes,
            "machines_passed": wrong,
            "machines_passed_share": share(wrong, passed),
            "machines_passed_95": wilson(wrong, passed),
        })
    }

    fn table(&self, out: &mut impl Write) -> Result<()> {
        let all = self.calls();
        writeln!(out, "{all} answered calls were judged")?;
        writeln!(
            out,
            "judged       calls   share  95 % of it     median     90 %  person  machine"
        )?;
        for (name, class) in CLASSES.iter().filter_map(|name| Some((name, self.class(name)?))) {
            let [low, high] = wilson(class.calls(), all).map(|share| share * 100.0);
            writeln!(
                out,
                "{name:10} {:>7} {:>5.1} %  {low:>4.1} to {high:>4.1} {:>7} ms {:>5} ms {:>7} {:>8}",
                class.calls(),
                share(class.calls(), all) * 100.0,
                class.within(50).unwrap_or_default(),
                class.within(90).unwrap_or_default(),
                class.was_person,
                class.was_machine,
            )?;
        }
        let (passed, wrong) = self.passed();
        let [low, high] = wilson(wrong, passed).map(|share| share * 100.0);
        writeln!(
            out,
            "of {passed} that went to agents they named {wrong} a machine: {:.1} % ({low:.1} to {high:.1})",
            share(wrong, passed) * 100.0,
        )?;
        writeln!(
            out,
            "how many of those taken for machines were people no agent has heard: see docs/answer.md"
        )?;
        Ok(())
    }
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

/// The interval that holds a share with 95 %, seen `part` times of `of`. E. B. Wilson, 1927.
fn wilson(part: u64, of: u64) -> [f64; 2] {
    const Z: f64 = 1.96;
    if of == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (of as f64, part as f64 / of as f64);
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    [((middle - reach) / whole).max(0.0), ((middle + reach) / whole).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Writer;
    use acd::Was;
    use call::Verdict;

    #[test]
    fn intervals_are_wilsons() {
        let close =
            |[a, b]: [f64; 2], [c, d]: [f64; 2]| (a - c).abs() < 5e-4 && (b - d).abs() < 5e-4;
        assert!(close(wilson(6, 200), [0.0138, 0.0639]));
        assert!(close(wilson(0, 50), [0.0, 0.0713]));
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn the_report_holds_what_agents_said_against_what_the_ear_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.db");
        let writer = Writer::open(&file).unwrap();
        for n in 0..100_u32 {
            let mut record = crate::records::tests::record(n);
            record.inbound = false;
            record.judged = Some(match n {
                0..60 => (Verdict::Human, 800 + n),
                60..95 => (Verdict::Machine, 3000),
                _ => (Verdict::Silence, 5000),
            });
            writer.put(record.clone());
            // Said in the wrap-up: the record is put again.
            if n < 6 {
                record.was = Some(Was::Machine);
                writer.put(record);
            }
        }
        drop(writer);
        let report = Report::read(&file, None, 0, i64::MAX).unwrap().json();
        assert_eq!((&report["calls"], &report["machines_passed"]), (&json!(100), &json!(6)));
        assert_eq!(report["machines_passed_share"], json!(0.1));
        let human = &report["classes"]["human"];
        assert_eq!((&human["calls"], &human["was_machine"]), (&json!(60), &json!(6)));
        assert_eq!((&human["median_millis"], &human["p90_millis"]), (&json!(829), &json!(853)));
        let nobody = Report::read(&file, Some("nobody"), 0, i64::MAX).unwrap();
        assert_eq!(nobody.calls(), 0);
        let mut text = Vec::new();
        nobody.table(&mut text).unwrap();
    }
}
