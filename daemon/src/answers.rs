//! `trunkline answers`: what the ear said of dialled calls that were answered, what agents said, and what people say
//! who have listened to recordings of the decisions.
//!
//! An agent says "was a machine" by `*7` or the method `disposition`. Whom the ear took for a machine no agent heard:
//! how many people are among them only recordings can tell, which a campaign keeps with `keep_decisions`.

mod curve;
mod marks;
mod report;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::cli::Place;
use crate::decisions;
use crate::output::{Output, complain};
use crate::paths::Paths;
use curve::Known;
use marks::{Is, Marks};
use report::{Report, Row, Which};

/// What `answers` is asked for.
#[derive(Args, Debug)]
pub struct AnswersArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Of which calls.
#[derive(Args, Debug)]
pub struct Of {
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
}

/// What can be done with answers.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Counts, shares with their intervals, and times, per class; who was lost, as far as somebody has listened.
    Report {
        /// Which calls.
        #[command(flatten)]
        of: Of,
        /// Agents' words count where nobody has listened: a call an agent had and did not name a machine was a person's.
        #[arg(long)]
        said: bool,
        /// Hear the recordings again at other limits: what `machine_from_percent` would have done here.
        #[arg(long)]
        curve: bool,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// The files of recorded decisions nobody has marked yet, in an order of chance: the first of them are a fair sample.
    List {
        /// Which calls.
        #[command(flatten)]
        of: Of,
        /// So many at most.
        #[arg(long, default_value_t = usize::MAX, value_name = "N")]
        most: usize,
        /// Marked ones, too, in the order of calls, as CSV with what was said of them. Not for listening: who knows
        /// what the ear said hears it, too.
        #[arg(long)]
        told: bool,
    },
    /// Says what a recording is.
    Mark {
        /// The files.
        #[command(flatten)]
        place: Place,
        /// The recording, by its file or name.
        #[arg(required_unless_present = "csv", requires = "is")]
        recording: Option<String>,
        /// What it is.
        is: Option<Is>,
        /// A table of recordings and what they are, instead.
        #[arg(long, value_name = "FILE", conflicts_with = "recording")]
        csv: Option<PathBuf>,
    },
}

/// Runs `answers`.
///
/// # Errors
/// There are no records, a recording is not known, or output cannot be written.
pub fn run(args: &AnswersArgs) -> Result<()> {
    let mut out = Output(std::io::stdout().lock());
    match &args.verb {
        Verb::Report { of, said, curve, json } => {
            let report = of.report(*said, *curve)?;
            if *json {
                writeln!(out, "{}", report.json())?
            } else {
                report.table(&mut out)?
            }
            Ok(())
        }
        Verb::List { of, most, told } => {
            let found = of.find()?;
            if *told { found.told(&mut out) } else { found.unmarked(*most, &mut out) }
        }
        Verb::Mark { place, recording, is, csv } => {
            let found = Found::all(&place.paths())?;
            let marks = match (csv, recording, is) {
                (Some(csv), ..) => {
                    let text =
                        std::fs::read_to_string(csv).with_context(|| csv.display().to_string())?;
                    marks::table(&text, |name| found.is_known(name))
                        .with_context(|| csv.display().to_string())?
                }
                (None, Some(recording), Some(is)) => {
                    let name = marks::name_of(recording);
                    ensure!(found.is_known(&name), "there is no recording `{name}`");
                    vec![(name, *is)]
                }
                _ => Vec::new(),
            };
            marks::add(&place.paths().marks(), &marks)?;
            writeln!(out, "marked {}", marks.len())?;
            Ok(())
        }
    }
}

impl Of {
    fn find(&self) -> Result<Found> {
        let micros = |seconds: i64| seconds.saturating_mul(1_000_000);
        let (from_us, to_us) = (micros(self.from), micros(self.to));
        Found::of(
            &self.place.paths(),
            &Which { campaign: self.campaign.as_deref(), from_us, to_us },
        )
    }

    fn report(&self, said: bool, curve: bool) -> Result<Report> {
        let found = self.find()?;
        let mut report = Report::of(&found.rows, &found.marks, said);
        if curve {
            let known: Vec<_> = found
                .rows
                .iter()
                .filter_map(|row| {
                    let file = found.files.get(row.kept.as_ref()?)?;
                    let is = report::truth(row, &found.marks, said)?;
                    let judged_millis = row.judged.as_ref().map(|(_, millis)| *millis);
                    Some(Known { file: file.clone(), is, judged_millis })
                })
                .collect();
            let curve = curve::over(&known);
            for (file, why) in curve.unread {
                complain(format_args!("{}: {why:#}", file.display()));
            }
            report.curve = curve.points;
            report.curve_left_out = curve.left_out;
        }
        Ok(report)
    }
}

/// Calls, what is kept of them, and what is known of that.
struct Found {
    rows: Vec<Row>,
    marks: Marks,
    /// By the names records have.
    files: BTreeMap<String, PathBuf>,
}

impl Found {
    fn of(paths: &Paths, which: &Which<'_>) -> Result<Self> {
        let folder = paths.decisions();
        let kept = decisions::all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self {
            rows: report::rows(&paths.state_dir().join("records.db"), which)?,
            marks: marks::read(&paths.marks())?,
            files: kept.into_iter().map(|kept| (kept.name, kept.path)).collect(),
        })
    }
    fn all(paths: &Paths) -> Result<Self> {
        Self::of(paths, &Which { campaign: None, from_us: i64::MIN, to_us: i64::MAX })
    }

    /// Whether a record names it, or it is there: one may be marked before its call has ended, or after it is gone.
    fn is_known(&self, name: &str) -> bool {
        let is_named = || self.rows.iter().any(|row| row.kept.as_deref() == Some(name));
        self.files.contains_key(name) || is_named()
    }

    fn unmarked(&self, most: usize, out: &mut impl Write) -> Result<()> {
        let mut files: Vec<_> = self
            .rows
            .iter()
            .filter_map(|row| self.files.get_key_value(row.kept.as_ref()?))
            .filter(|(name, _)| !self.marks.contains_key(*name))
            .map(|(name, file)| (chance(name), file))
            .collect();
        files.sort();
        for (_, file) in files.into_iter().take(most) {
            writeln!(out, "{}", file.display())?;
        }
        Ok(())
    }

    fn told(&self, out: &mut impl Write) -> Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(["recording", "is", "judged", "judged_millis", "was", "call", "file"])?;
        for row in &self.rows {
            let Some(name) = &row.kept else { continue };
            let word = |is: Option<Is>| is.map_or("", Is::word);
            let (judged, millis) = match &row.judged {
                Some((word, millis)) => (word.as_str(), millis.to_string()),
                None => ("", String::new()),
            };
            let file = self.files.get(name).map(|file| file.display().to_string());
            csv.write_record([
                name,
                word(self.marks.get(name).copied()),
                judged,
                &millis,
                word(row.was),
                &row.call,
                file.as_deref().unwrap_or_default(),
            ])?;
        }
        csv.flush()?;
        Ok(())
    }
}

/// A number that has nothing to do with what is in the recording of this name. FNV-1a, 64 bits, and a last stir so
/// that names which differ at their end lie apart.
fn chance(name: &str) -> u64 {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3)
    });
    (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(31)
}

#[cfg(test)]
mod tests;
