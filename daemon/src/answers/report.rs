//! What records, agents and people who listened say of the ear: counts, shares with intervals of 95 %, times.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};

use super::curve::Point;
use super::marks::{Is, Marks};

/// The words of the ear, in the order of tables.
pub const CLASSES: [&str; 5] = ["human", "not_sure", "machine", "fax", "silence"];
/// Where a call had none of them.
const NONE: &str = "none";

/// A person of whom the ear said this is released.
pub fn is_lost(word: &str) -> bool {
    matches!(word, "machine" | "fax" | "silence")
}
/// A machine of which the ear said this is an agent's.
pub fn is_passed(word: &str) -> bool {
    matches!(word, "human" | "not_sure" | "notsure")
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// So many.
    pub part: u64,
    /// Of so many.
    pub of: u64,
}

impl Share {
    /// One more, which is among the part or is not.
    pub fn count(&mut self, is_part: bool) {
        self.of += 1;
        self.part += u64::from(is_part);
    }
    /// From 0 to 1; 0 of nothing.
    pub fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.part as f64 / self.of as f64 }
    }
    /// The interval that holds the true share with 95 %. E. B. Wilson, 1927.
    pub fn interval(self) -> [f64; 2] {
        const Z: f64 = 1.96;
        if self.of == 0 {
            return [0.0, 1.0];
        }
        let (n, p) = (self.of as f64, self.share());
        let middle = p + Z * Z / (2.0 * n);
        let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z * Z / n;
        [((middle - reach) / whole).max(0.0), ((middle + reach) / whole).min(1.0)]
    }
    fn json(self) -> Value {
        json!({ "count": self.part, "of": self.of, "share": self.share(), "share_95": self.interval() })
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = self.interval().map(|share| share * 100.0);
        let Self { part, of } = self;
        write!(f, "{part} of {of}: {:.1} % ({low:.1} to {high:.1})", self.share() * 100.0)
    }
}

/// Which calls.
#[derive(Clone, Debug)]
pub struct Which<'a> {
    /// Of this campaign, or of all.
    pub campaign: Option<&'a str>,
    /// Dialled from this moment on, in microseconds of UTC.
    pub from_us: i64,
    /// And before this one.
    pub to_us: i64,
}

/// A dialled call that was judged, or of whose answer something was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub call: String,
    /// When it was dialled, in microseconds of UTC.
    pub started_us: i64,
    /// The ear's word, and how long after the answer it fell.
    pub judged: Option<(String, u32)>,
    /// The agent's word.
    pub was: Option<Is>,
    /// An agent had it.
    pub had_agent: bool,
    /// The recording of the decision.
    pub kept: Option<String>,
}

/// Reads what there is, oldest first.
///
/// # Errors
/// There are no records, or of an earlier version only.
pub fn rows(file: &Path, which: &Which<'_>) -> Result<Vec<Row>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)
        .with_context(|| format!("{}: no records yet", file.display()))?;
    let mut select = connection
        .prepare(
            "select call, started_utc_us, judged, judged_millis, was, agent is not null, kept from calls
             where (judged is not null or kept is not null) and not inbound and started_utc_us >= ?1
             and started_utc_us < ?2 and (?3 is null or campaign = ?3) order by started_utc_us, call",
        )
        .context("the records are of an earlier version: start this version's `trunkline acd` once")?;
    let rows = select.query_map(params![which.from_us, which.to_us, which.campaign], |row| {
        let judged: Option<String> = row.get(2)?;
        let millis: Option<u32> = row.get(3)?;
        Ok(Row {
            call: row.get(0)?,
            started_us: row.get(1)?,
            judged: judged.map(|word| (word, millis.unwrap_or_default())),
            was: row.get::<_, Option<String>>(4)?.and_then(|word| Is::of_word(&word)),
            had_agent: row.get(5)?,
            kept: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

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

/// What became of calls of which it is known who answered: the ear's word, or none.
type Heard = BTreeMap<&'static str, u64>;

/// What the records say of verdicts.
#[derive(Debug, Default)]
pub struct Report {
    classes: BTreeMap<&'static str, Class>,
    /// Machines among the calls agents had.
    named: Share,
    /// Recordings that were kept, and those of them somebody has listened to.
    listened: Share,
    heard: BTreeMap<Is, Heard>,
    /// The curve at this site, if it was asked for.
    pub curve: Vec<Point>,
    /// Recordings that do not hold what their verdict came of: they are not in it.
    pub curve_left_out: u64,
}

/// What it was, as far as anybody knows: who listened, or else (`said`) the agent, for whom a call he said nothing
/// about was a person's.
pub fn truth(row: &Row, marks: &Marks, said: bool) -> Option<Is> {
    let marked = row.kept.as_ref().and_then(|name| marks.get(name)).copied();
    let agent = row.had_agent.then(|| row.was.unwrap_or(Is::Person)).filter(|_| said);
    marked.or(agent)
}

impl Report {
    /// Counts.
    pub fn of(rows: &[Row], marks: &Marks, said: bool) -> Self {
        let mut report = Self::default();
        for row in rows {
            let word = row.judged.as_ref().and_then(|(word, millis)| {
                let word = CLASSES.into_iter().find(|class| class == word)?;
                let class = report.classes.entry(word).or_default();
                class.millis.push(*millis);
                class.was_machine += u64::from(row.was == Some(Is::Machine));
                class.was_person += u64::from(row.was == Some(Is::Person));
                Some(word)
            });
            if row.had_agent && word.is_some() {
                report.named.count(row.was == Some(Is::Machine));
            }
            if let Some(name) = &row.kept {
                report.listened.count(marks.contains_key(name));
            }
            if let Some(is) = truth(row, marks, said) {
                *report.heard.entry(is).or_default().entry(word.unwrap_or(NONE)).or_default() += 1;
            }
        }
        report.classes.values_mut().for_each(|class| class.millis.sort_unstable());
        report
    }

    /// Calls with a verdict.
    pub fn calls(&self) -> u64 {
        self.classes.values().map(Class::calls).sum()
    }
    fn count(&self, is: Is, word: &str) -> u64 {
        self.heard.get(&is).and_then(|heard| heard.get(word)).copied().unwrap_or_default()
    }
    /// Of those who were this and were judged, to whom this happened.
    fn share(&self, is: Is, of: fn(&str) -> bool) -> Share {
        CLASSES.iter().fold(Share::default(), |share, word| {
            let count = self.count(is, word);
            Share { part: share.part + count * u64::from(of(word)), of: share.of + count }
        })
    }
    /// People taken for machines; what no agent can know.
    pub fn lost(&self) -> Share {
        self.share(Is::Person, is_lost)
    }
    /// Machines that passed for people.
    pub fn passed(&self) -> Share {
        self.share(Is::Machine, is_passed)
    }
    /// People among those taken for machines that somebody has listened to.
    fn among_machines(&self) -> Share {
        let part = self.count(Is::Person, "machine");
        let others = [Is::Machine, Is::Nobody].map(|is| self.count(is, "machine"));
        Share { part, of: part + others.iter().sum::<u64>() }
    }

    /// All of it for programs.
    pub fn json(&self) -> Value {
        let classes: serde_json::Map<_, _> = self
            .classes
            .iter()
            .map(|(name, class)| {
                let of_all = Share { part: class.calls(), of: self.calls() };
                let of = json!({
                    "calls": class.calls(),
                    "share": of_all.share(),
                    "share_95": of_all.interval(),
                    "was_person": class.was_person,
                    "was_machine": class.was_machine,
                    "median_millis": class.within(50),
                    "p90_millis": class.within(90),
                });
                ((*name).to_owned(), of)
            })
            .collect();
        let heard: serde_json::Map<_, _> =
            self.heard.iter().map(|(is, heard)| (is.word().to_owned(), json!(heard))).collect();
        let curve: Vec<_> = self
            .curve
            .iter()
            .map(|point| {
                let (lost, passed) = (point.lost.json(), point.passed.json());
                json!({ "percent": point.percent, "people_lost": lost, "machines_passed": passed })
            })
            .collect();
        json!({
            "calls": self.calls(),
            "classes": classes,
            "with_agents": self.named.of,
            "machines_named": self.named.part,
            "machines_named_share": self.named.share(),
            "machines_named_95": self.named.interval(),
            "kept": self.listened.of,
            "listened": self.listened.part,
            "heard": heard,
            "people_lost": self.lost().json(),
            "machines_passed": self.passed().json(),
            "people_among_machines": self.among_machines().json(),
            "curve": curve,
            "curve_left_out": self.curve_left_out,
        })
    }

    /// All of it for people.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn table(&self, out: &mut impl Write) -> Result<()> {
        let all = self.calls();
        writeln!(out, "{all} answered calls were judged")?;
        writeln!(
            out,
            "judged       calls   share  95 % of it     median     90 %  person  machine"
        )?;
        let classes = CLASSES.iter().filter_map(|name| Some((name, self.classes.get(name)?)));
        for (name, class) in classes {
            let share = Share { part: class.calls(), of: all };
            let [low, high] = share.interval().map(|share| share * 100.0);
            writeln!(
                out,
                "{name:10} {:>7} {:>5.1} %  {low:>4.1} to {high:>4.1} {:>7} ms {:>5} ms {:>7} {:>8}",
                class.calls(),
                share.share() * 100.0,
                class.within(50).unwrap_or_default(),
                class.within(90).unwrap_or_default(),
                class.was_person,
                class.was_machine,
            )?;
        }
        writeln!(out, "agents had {} of them and named machines: {}", self.named.of, self.named)?;
        self.listening(out)?;
        self.points(out)
    }

    fn listening(&self, out: &mut impl Write) -> Result<()> {
        let Share { part: marked, of: kept } = self.listened;
        if self.heard.is_empty() {
            writeln!(
                out,
                "how many of those taken for machines were people no agent has heard: {kept} recordings are kept, \
                 and nobody has listened to any (docs/answer.md, \"An afternoon\")"
            )?;
            return Ok(());
        }
        writeln!(out)?;
        writeln!(
            out,
            "somebody has listened to {marked} of {kept} recordings; what it was, and what the ear said:"
        )?;
        write!(out, "{:10}", "")?;
        for word in CLASSES.iter().chain([&NONE]) {
            write!(out, " {word:>9}")?;
        }
        writeln!(out)?;
        for is in Is::ALL {
            write!(out, "{:10}", is.word())?;
            for word in CLASSES.iter().chain([&NONE]) {
                write!(out, " {:>9}", self.count(is, word))?;
            }
            writeln!(out)?;
        }
        writeln!(out, "people lost: {}", self.lost())?;
        writeln!(out, "machines passed: {}", self.passed())?;
        let (among, machines) =
            (self.among_machines(), self.classes.get("machine").map_or(0, Class::calls));
        let [low, high] = among.interval().map(|share| (share * machines as f64).round());
        writeln!(
            out,
            "people among those taken for machines: {among}; of all {machines}, that is {low:.0} to {high:.0}"
        )?;
        Ok(())
    }

    fn points(&self, out: &mut impl Write) -> Result<()> {
        if self.curve.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        writeln!(out, "the ear of this program over these recordings, by `machine_from_percent`:")?;
        writeln!(out, "limit  people lost                          machines passed")?;
        for point in &self.curve {
            let lost = point.lost.to_string();
            writeln!(out, "{:>5}  {lost:36} {}", point.percent, point.passed)?;
        }
        if self.curve_left_out > 0 {
            writeln!(
                out,
                "{} recordings were over before their verdict fell, or had none: they are not among these",
                self.curve_left_out
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Writer;
    use acd::Was;
    use call::Verdict;

    const ALL: Which<'_> = Which { campaign: None, from_us: 0, to_us: i64::MAX };

    #[test]
    fn intervals_are_wilsons() {
        let close =
            |[a, b]: [f64; 2], [c, d]: [f64; 2]| (a - c).abs() < 5e-4 && (b - d).abs() < 5e-4;
        let interval = |part, of| Share { part, of }.interval();
        assert!(close(interval(6, 200), [0.0138, 0.0639]));
        assert!(close(interval(0, 50), [0.0, 0.0713]));
        assert_eq!(interval(0, 0), [0.0, 1.0]);
    }

    /// 60 people by the ear, of whom an agent had 50; 35 machines, 5 of which were people; a call without a verdict.
    fn records(file: &Path) {
        let writer = Writer::open(file).unwrap();
        for n in 0..101_u32 {
            let mut record = crate::records::tests::record(n);
            record.inbound = false;
            record.agent = (n < 50).then(|| "a01".into());
            record.judged = match n {
                0..60 => Some((Verdict::Human, 800 + n)),
                60..95 => Some((Verdict::Machine, 3000)),
                95..100 => Some((Verdict::Silence, 5000)),
                _ => None,
            };
            record.kept = (n % 2 == 0).then(|| format!("answer-autumn-c1.{n}"));
            writer.put(record.clone());
            // Said in the wrap-up: the record is put again.
            if n < 6 {
                record.was = Some(Was::Machine);
                writer.put(record);
            }
        }
    }

    #[test]
    fn the_report_holds_what_agents_said_against_what_the_ear_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.db");
        records(&file);
        let report = Report::of(&rows(&file, &ALL).unwrap(), &Marks::new(), false).json();
        assert_eq!((&report["calls"], &report["with_agents"]), (&json!(100), &json!(50)));
        assert_eq!(report["machines_named_share"], json!(0.12));
        let human = &report["classes"]["human"];
        assert_eq!((&human["calls"], &human["was_machine"]), (&json!(60), &json!(6)));
        assert_eq!((&human["median_millis"], &human["p90_millis"]), (&json!(829), &json!(853)));
        let nobody = Which { campaign: Some("nobody"), ..ALL };
        let nobody = Report::of(&rows(&file, &nobody).unwrap(), &Marks::new(), false);
        assert_eq!(nobody.calls(), 0);
        let mut text = Vec::new();
        nobody.table(&mut text).unwrap();
    }

    #[test]
    fn who_has_listened_knows_how_many_people_were_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.db");
        records(&file);
        let rows = rows(&file, &ALL).unwrap();
        // Every kept one: machines the ear took for people at 0 and 2, people it took for machines at 60 and 62.
        let is = |n| match n {
            0 | 2 => Is::Machine,
            60 | 62 | 100 => Is::Person,
            4..60 => Is::Person,
            64..95 => Is::Machine,
            _ => Is::Nobody,
        };
        let marks: Marks =
            (0..101).step_by(2).map(|n| (format!("answer-autumn-c1.{n}"), is(n))).collect();
        let report = Report::of(&rows, &marks, false);
        assert_eq!(report.lost(), Share { part: 2, of: 30 });
        assert_eq!(report.passed(), Share { part: 2, of: 18 });
        assert_eq!(report.among_machines(), Share { part: 2, of: 18 });
        assert_eq!(report.listened, Share { part: 51, of: 51 });
        assert_eq!(report.count(Is::Person, NONE), 1);
        let mut text = Vec::new();
        report.table(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("people lost: 2 of 30: 6.7 % (1.8 to 21.3)"), "{text}");
        // With the words of agents: 49 more calls nobody listened to, of which they named three machines.
        let said = Report::of(&rows, &marks, true);
        assert_eq!(said.passed(), Share { part: 5, of: 21 });
        assert_eq!(said.lost(), Share { part: 2, of: 52 });
    }
}
