//! Call records: one thread writes them into `records.db`; `trunkline records` prints them as CSV.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use acd::CallRecord;
use anyhow::Context;
use call::Cause;
use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::oneshot;

use crate::paths::Paths;

/// Records on their way to the thread. A full queue stops the call centre, not the calls.
const QUEUE_MAX: usize = 65_536;
/// Records of one transaction: a commit for each would be a hundred times slower.
const GROUP_MAX: usize = 1_000;

const TABLE: &str = "
create table if not exists calls (
    call text not null,
    inbound integer not null,
    trunk_group text not null,
    span integer,
    timeslot integer,
    called text not null,
    calling text not null,
    calling_restricted integer not null,
    started_utc_us integer not null,
    ended_utc_us integer not null,
    waited_millis integer not null,
    talked_millis integer not null,
    queue text,
    campaign text,
    line integer,
    agent text,
    recording text,
    result text not null,
    reason text not null,
    cause integer not null,
    location text not null,
    cleared_by_us integer not null,
    name text,
    diverted_from text,
    diverted_restricted integer,
    diverted_why text,
    judged text,
    judged_millis integer,
    was text,
    kept text,
    primary key (call, inbound)
) strict, without rowid;
create index if not exists calls_by_start on calls (started_utc_us);
";

/// Columns that the first version had not.
const LATER: [(&str, &str); 8] = [
    ("name", "text"),
    ("diverted_from", "text"),
    ("diverted_restricted", "integer"),
    ("diverted_why", "text"),
    ("judged", "text"),
    ("judged_millis", "integer"),
    ("was", "text"),
    ("kept", "text"),
];

const PUT: &str = "
insert or replace into calls values
(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
 ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)
";

enum Order {
    Put(Box<CallRecord>),
    /// Answered once everything before is committed.
    Flush(oneshot::Sender<()>),
}

/// The thread that writes. Putting a record twice keeps it once, so that a recovery may repeat the last ones.
pub struct Writer {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
    /// Set when the process ends: a database that still fails is left, the journal has the records.
    ending: Arc<AtomicBool>,
}

/// How long one look at a locked database takes at most.
const BUSY: Duration = Duration::from_millis(500);
/// How long between two attempts to write to a database that fails.
const RETRY: Duration = Duration::from_millis(500);

impl Writer {
    /// Opens or makes the database and begins to write.
    ///
    /// # Errors
    /// The file cannot be opened, or holds something else.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Numbers of callers, restricted ones too, are nobody else's to read.
        std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o640)
            .open(path)
            .with_context(|| path.display().to_string())?;
        let mut connection = Connection::open(path).with_context(|| path.display().to_string())?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute_batch(TABLE).with_context(|| path.display().to_string())?;
        add_columns(&connection).with_context(|| path.display().to_string())?;
        let (orders, inbox) = sync_channel(QUEUE_MAX);
        let ending = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ending);
        let thread = std::thread::Builder::new()
            .name("records".into())
            .spawn(move || write_all(&mut connection, &inbox, &ended))?;
        Ok(Self { orders: Some(orders), thread: Some(thread), ending })
    }

    /// Keeps a record.
    pub fn put(&self, record: CallRecord) {
        if let Some(orders) = &self.orders
            && orders.send(Order::Put(Box::new(record))).is_err()
        {
            tracing::error!("the thread that writes records is gone; the journal has them");
        }
    }

    /// Resolves when everything that was put is in the database, with an error when it never will be.
    pub fn flush(&self) -> oneshot::Receiver<()> {
        let (done, wait) = oneshot::channel();
        if let Some(orders) = &self.orders
            && orders.send(Order::Flush(done)).is_err()
        {
            tracing::error!("the thread that writes records is gone; the journal has them");
        }
        wait
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.orders = None;
        self.ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes records panicked");
        }
    }
}

/// A database of an earlier version gets the columns that came later; its records have nothing in them.
fn add_columns(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("select name from pragma_table_info('calls')")?;
    let there: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for (name, kind) in LATER {
        if !there.iter().any(|column| column == name) {
            connection.execute_batch(&format!("alter table calls add column {name} {kind}"))?;
        }
    }
    Ok(())
}

fn write_all(connection: &mut Connection, inbox: &Receiver<Order>, ending: &AtomicBool) {
    while let Ok(first) = inbox.recv() {
        let group: Vec<Order> =
            core::iter::once(first).chain(inbox.try_iter().take(GROUP_MAX - 1)).collect();
        // A database that fails for a while must not lose what is committed nowhere else.
        let mut said = false;
        while let Err(error) = write_group(connection, &group) {
            if ending.load(Ordering::Acquire) {
                tracing::error!(%error, "records were not written; the journal has them for the next start");
                return;
            }
            if !core::mem::replace(&mut said, true) {
                tracing::error!(%error, "records cannot be written; trying again until they are");
            }
            std::thread::sleep(RETRY);
        }
        if said {
            tracing::info!("records are written again");
        }
        for order in group {
            if let Order::Flush(done) = order {
                let _ = done.send(());
            }
        }
    }
}

fn write_group(connection: &mut Connection, group: &[Order]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut put = transaction.prepare_cached(PUT)?;
        for order in group {
            let Order::Put(r) = order else { continue };
            put.execute(params![
                r.call.to_string(),
                r.inbound,
                r.group,
                r.channel.map(|c| c.0),
                r.channel.map(|c| c.1),
                r.called,
                r.calling,
                r.calling_restricted,
                r.started_utc_us,
                r.ended_utc_us,
                signed(r.waited_millis),
                signed(r.talked_millis),
                r.queue,
                r.campaign,
                r.line,
                r.agent,
                r.recording,
                r.result.word(),
                r.reason,
                r.cause.0,
                location(r),
                r.cleared_by_us,
                r.name,
                r.diverted.as_ref().map(|d| &d.from.digits),
                r.diverted.as_ref().map(|d| d.from.shown().is_none()),
                r.diverted.as_ref().map(|d| d.reason.word()),
                r.judged.map(|(verdict, _)| verdict.word()),
                r.judged.map(|(_, millis)| millis),
                r.was.map(acd::Was::word),
                r.kept,
            ])?;
        }
    }
    transaction.commit()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn location(record: &CallRecord) -> String {
    match serde_json::to_value(record.location) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// The columns of the export, in order.
const COLUMNS: [&str; 27] = [
    "call",
    "direction",
    "group",
    "channel",
    "called",
    "calling",
    "started_utc",
    "ended_utc",
    "waited_millis",
    "talked_millis",
    "queue",
    "campaign",
    "line",
    "agent",
    "recording",
    "result",
    "reason",
    "cause",
    "location",
    "cleared_by_us",
    "name",
    "diverted_from",
    "diverted_why",
    "judged",
    "judged_millis",
    "was",
    "kept",
];

/// Prints the records that began in `from_us..to_us` (UTC, µs) as CSV, oldest first. A restricted caller's number
/// is not shown. Returns how many there were.
///
/// # Errors
/// There is no such database, or `to` takes no more.
pub fn export(path: &Path, from_us: i64, to_us: i64, to: impl io::Write) -> anyhow::Result<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .with_context(|| format!("{}: no records yet", path.display()))?;
    let mut select = connection.prepare(
        "select * from calls where started_utc_us >= ?1 and started_utc_us < ?2
         order by started_utc_us, call",
    )?;
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(COLUMNS)?;
    let mut rows = select.query(params![from_us, to_us])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        // An older database has fewer columns.
        let columns = row.as_ref().column_count();
        let text = |column: usize| -> rusqlite::Result<String> {
            if column >= columns {
                return Ok(String::new());
            }
            Ok(match row.get_ref(column)? {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                rusqlite::types::ValueRef::Real(_) | rusqlite::types::ValueRef::Blob(_) => {
                    String::new()
                }
            })
        };
        let inbound: bool = row.get(1)?;
        let channel = match (text(3)?, text(4)?) {
            (span, timeslot) if !span.is_empty() => format!("{span}/{timeslot}"),
            _ => String::new(),
        };
        let calling = if row.get(7)? { "restricted".to_owned() } else { text(6)? };
        let hidden: Option<bool> = if columns > 24 { row.get(24)? } else { None };
        let diverted = if hidden == Some(true) { "restricted".to_owned() } else { text(23)? };
        csv.write_record([
            text(0)?,
            if inbound { "in" } else { "out" }.to_owned(),
            text(2)?,
            channel,
            text(5)?,
            calling,
            utc(row.get(8)?),
            utc(row.get(9)?),
            text(10)?,
            text(11)?,
            text(12)?,
            text(13)?,
            text(14)?,
            text(15)?,
            text(16)?,
            text(17)?,
            text(18)?,
            text(19)?,
            text(20)?,
            if row.get(21)? { "yes" } else { "no" }.to_owned(),
            text(22)?,
            diverted,
            text(25)?,
            text(26)?,
            text(27)?,
            text(28)?,
            text(29)?,
        ])?;
        count += 1;
    }
    csv.flush()?;
    Ok(count)
}

/// A record as far as a reckoning of calls needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The call's id.
    pub call: String,
    /// Whether it came to us.
    pub inbound: bool,
    /// Who was called.
    pub called: String,
    /// Who called, shown or not; nothing for calls of ours.
    pub calling: String,
    /// What became of it, in a word.
    pub result: String,
    /// What decided that.
    pub reason: String,
    /// Why it ended.
    pub cause: Cause,
}

/// Every record in the database, oldest first.
///
/// # Errors
/// There is no such database.
pub fn all(paths: &Paths) -> anyhow::Result<Vec<Kept>> {
    let path = paths.state_dir().join("records.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)
        .with_context(|| format!("{}: no records yet", path.display()))?;
    let mut select = connection.prepare(
        "select call, inbound, called, calling, result, reason, cause from calls
         order by started_utc_us, call",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Kept {
            call: row.get(0)?,
            inbound: row.get(1)?,
            called: row.get(2)?,
            calling: row.get(3)?,
            result: row.get(4)?,
            reason: row.get(5)?,
            cause: Cause(row.get(6)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The result of each number: of those we dialled, and of those who called us. The last when there are several.
/// What ended with the call server before it came to anything is `cut`.
pub fn by_number(records: &[Kept]) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let word = |kept: &Kept| {
        let came_to = matches!(kept.result.as_str(), "answered" | "served" | "person" | "machine");
        if kept.reason == acd::CUT && !came_to { "cut".to_owned() } else { kept.result.clone() }
    };
    let of = |inbound: bool, number: fn(&Kept) -> &String| {
        let some = records.iter().filter(|kept| kept.inbound == inbound);
        some.map(|kept| (number(kept).clone(), word(kept))).collect()
    };
    (of(false, |kept| &kept.called), of(true, |kept| &kept.calling))
}

/// A moment as ISO 8601 writes it, to the millisecond.
fn utc(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let millis = micros.rem_euclid(1_000_000) / 1000;
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1970 to a date, counting years from March: Howard Hinnant, "chrono-compatible low-level date
    // algorithms", civil_from_days.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use acd::CallResult;
    use call::{CallId, Location};

    pub(crate) fn record(number: u32) -> CallRecord {
        CallRecord {
            call: CallId::new(1, number),
            inbound: true,
            group: "public".into(),
            channel: Some((2, 17)),
            called: "100".into(),
            calling: "0105551234".into(),
            calling_restricted: number == 2,
            name: (number == 1).then(|| "Ann \"A\" Lee".into()),
            diverted: (number == 2).then(|| call::Diversion {
                from: call::Number {
                    presentation: call::Presentation::Restricted,
                    ..call::Number::unknown("4711")
                },
                reason: call::DiversionReason::Busy,
            }),
            started_utc_us: 1_700_000_000_000_000 + i64::from(number) * 1_000_000,
            ended_utc_us: 1_700_000_100_500_000,
            waited_millis: 1500,
            talked_millis: 0,
            queue: Some("sales, east".into()),
            campaign: None,
            line: None,
            agent: None,
            recording: None,
            result: CallResult::LostQueue,
            reason: "cause 16".into(),
            cause: Cause(16),
            location: Location::PublicLocal,
            cleared_by_us: false,
            judged: None,
            was: None,
            kept: None,
        }
    }

    #[test]
    fn a_record_put_twice_is_exported_once_and_restricted_numbers_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let writer = Writer::open(&path).unwrap();
        for number in [1, 2, 3, 1] {
            writer.put(record(number));
        }
        writer.flush().blocking_recv().unwrap();
        drop(writer);
        let mut out = Vec::new();
        let count = export(&path, i64::MIN, 1_700_000_003_000_000, &mut out).unwrap();
        assert_eq!(count, 2);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("call,direction,group,channel,"));
        assert_eq!(
            lines[1],
            "c1.1,in,public,2/17,100,0105551234,2023-11-14T22:13:21.000Z,\
             2023-11-14T22:15:00.500Z,1500,0,\"sales, east\",,,,,lost_queue,cause 16,16,public_local,no,\
             \"Ann \"\"A\"\" Lee\",,,,,,"
        );
        assert!(lines[2].contains(",restricted,"));
        assert!(lines[2].ends_with(",no,,restricted,busy,,,,"), "{}", lines[2]);
    }

    #[test]
    fn a_database_without_names_and_diversions_gets_their_columns_and_keeps_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let writer = Writer::open(&path).unwrap();
        writer.put(record(1));
        drop(writer);
        // As the first version made it.
        let other = Connection::open(&path).unwrap();
        for (name, _) in LATER {
            other.execute_batch(&format!("alter table calls drop column {name}")).unwrap();
        }
        drop(other);
        let writer = Writer::open(&path).unwrap();
        writer.put(record(2));
        drop(writer);
        let mut out = Vec::new();
        assert_eq!(export(&path, i64::MIN, i64::MAX, &mut out).unwrap(), 2);
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().nth(1).is_some_and(|line| line.ends_with(",no,,,,,,,")), "{text}");
        assert!(text.lines().nth(2).is_some_and(|line| line.ends_with(",restricted,busy,,,,")));
    }

    /// Whoever looks into the database with a tool of his own holds up neither the call centre nor its end.
    #[test]
    fn a_locked_database_is_waited_for_beside_the_call_centre_and_not_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let writer = Writer::open(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("begin immediate").unwrap();
        writer.put(record(1));
        let mut flushed = writer.flush();
        assert!(flushed.try_recv().is_err(), "nothing can be written yet");
        other.execute_batch("commit").unwrap();
        flushed.blocking_recv().unwrap();
        other.execute_batch("begin immediate").unwrap();
        writer.put(record(2));
        drop(writer);
        other.execute_batch("commit").unwrap();
        assert_eq!(export(&path, i64::MIN, i64::MAX, &mut Vec::new()).unwrap(), 1);
    }

    #[test]
    fn records_of_an_earlier_version_are_exported_before_anything_writes_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let writer = Writer::open(&path).unwrap();
        writer.put(record(1));
        drop(writer);
        let lines = || {
            let mut csv = Vec::new();
            export(&path, i64::MIN, i64::MAX, &mut csv).unwrap();
            String::from_utf8(csv).unwrap()
        };
        assert!(lines().lines().count() == 2);
        let connection = Connection::open(&path).unwrap();
        for (name, _) in LATER.iter().rev() {
            connection.execute_batch(&format!("alter table calls drop column {name}")).unwrap();
            assert!(lines().lines().count() == 2, "without {name}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(-1_000), "1969-12-31T23:59:59.999Z");
    }
}
