//! The socket thread: clients on one side, the signalling thread on the other, the log of alarms beside.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::thread::Thread;
use std::time::Duration;

use anyhow::{Context, Result};
use call::CallEvent;
use crossbeam::channel::{Receiver, Sender, TrySendError};
use protocol::server::{Output, Request, Stamp};
use protocol::{Fault, calls};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tdm::Alarm;

use super::alarm_log::AlarmLog;
use super::line_status::{LOOPS, LineStatus};
use super::rings::{Counters, Shared};
use super::signal_work::Said;
use super::threads::{Common, FromSignal, ToSignal};
use super::tick_work::drift_ppm;
use crate::allow::Allow;
use crate::config::Config;
use crate::door::Door;
use crate::signals::Signals;

/// The socket thread waits at most this long.
const REST: Duration = Duration::from_millis(100);
/// UTC is looked at this often; a step above a millisecond is told.
const UTC_LOOK_MICROS: u64 = 1_000_000;

/// What the desk shares with the other threads.
pub(super) struct Desks {
    pub common: Common,
    pub signal: Thread,
    pub to_signal: Sender<ToSignal>,
    pub from_signal: Receiver<FromSignal>,
    pub config_path: PathBuf,
}

/// The socket thread's state.
pub(super) struct Desk {
    door: Door,
    desks: Desks,
    signals: Signals,
    alarms: AlarmLog,
    config_text: String,
    utc_offset_us: i64,
    utc_looked_us: u64,
    /// Lockstep: the last `time` event's number.
    last_time: u64,
}

impl Desk {
    pub fn new(door: Door, desks: Desks, signals: Signals, alarms: &Path) -> Result<Self> {
        let utc_offset_us = desks.common.clock.utc_offset_us();
        let utc_us = utc_offset_us + desks.common.clock.now().as_micros() as i64;
        let alarms =
            AlarmLog::open(alarms, utc_us).with_context(|| alarms.display().to_string())?;
        let config_text = std::fs::read_to_string(&desks.config_path).unwrap_or_default();
        let (utc_looked_us, last_time) = (0, 0);
        Ok(Self {
            door,
            desks,
            signals,
            alarms,
            config_text,
            utc_offset_us,
            utc_looked_us,
            last_time,
        })
    }

    fn now_us(&self) -> u64 {
        self.desks.common.clock.now().as_micros()
    }

    /// Serves until a signal ends the process.
    pub fn run(&mut self) -> Result<()> {
        sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
        tracing::info!("the call server is up");
        while !self.signals.end_asked()? {
            let clock = self.desks.common.clock.clone();
            self.door.wait(|| clock.now().as_micros(), Some(REST))?;
            let now = self.now_us();
            self.look_at_utc(now);
            self.door.server.elapsed(now);
            self.serve();
            while let Ok(message) = self.desks.from_signal.try_recv() {
                self.take(message);
            }
            self.door.flush(self.now_us());
            // A snapshot is asked for while lines are pulled: pass that on at once.
            self.serve();
        }
        tracing::info!("the call server ends");
        Ok(())
    }

    /// In lockstep time is virtual and ties to nothing; otherwise steps of UTC are told.
    fn look_at_utc(&mut self, now: u64) {
        if self.desks.common.gate.is_some() || now < self.utc_looked_us + UTC_LOOK_MICROS {
            return;
        }
        self.utc_looked_us = now;
        let offset = self.desks.common.clock.utc_offset_us();
        if offset.abs_diff(self.utc_offset_us) > 1000 {
            self.utc_offset_us = offset;
            self.door.server.set_utc_offset(offset);
            self.post(ToSignal::UtcOffset { micros: offset });
        }
    }

    fn serve(&mut self) {
        loop {
            match self.door.server.poll() {
                Output::Wait(_) => break,
                Output::Request(request) => self.request(request),
                Output::Snapshot { connection } => self.post(ToSignal::Snapshot { connection }),
                Output::Controller { present, epoch } => {
                    tracing::info!(present, epoch, "controller");
                    self.post(ToSignal::Controller { present });
                }
                Output::TimeTaken { seq } if seq >= self.last_time => {
                    self.post(ToSignal::TimeTaken)
                }
                Output::TimeTaken { .. } | Output::Acknowledged { .. } => {}
                Output::Close { connection, why } => {
                    tracing::warn!(connection, why, "a connection is closed");
                    self.door.close(connection);
                }
            }
        }
    }

    fn post(&mut self, message: ToSignal) {
        // The channel holds 4096; what is not a command is rare and must arrive.
        if self.desks.to_signal.send(message).is_ok() {
            self.desks.signal.unpark();
        }
    }

    fn request(&mut self, request: Request) {
        let Request { token, method, params, .. } = request;
        let message = match method.as_str() {
            "status" => Ok(ToSignal::Status { token }),
            "reload" => {
                let result = self.reload();
                return self.door.server.answer(self.now_us(), token, result);
            }
            "loopback" => {
                let result = loopback(params, &self.desks.common.shared);
                return self.door.server.answer(self.now_us(), token, result);
            }
            _ => calls::command(&method, params)
                .map(|command| ToSignal::Command { token, command: Box::new(command) }),
        };
        let refused = match message.map(|message| self.desks.to_signal.try_send(message)) {
            Ok(Ok(())) => return self.desks.signal.unpark(),
            Ok(Err(TrySendError::Full(_))) => {
                let why = "the signalling thread is behind; try again";
                call::Refusal::new(call::RefusalCode::Busy, method, why).into()
            }
            Ok(Err(TrySendError::Disconnected(_))) => {
                Fault::new(Fault::INTERNAL, method, "the call server is ending")
            }
            Err(fault) => fault,
        };
        self.door.server.answer(self.now_us(), token, Err(refused));
    }

    fn take(&mut self, message: FromSignal) {
        let now = self.now_us();
        match message {
            FromSignal::Answer { token, result } => {
                let result = result.map_err(Fault::from).map(|accepted| json!(accepted));
                self.door.server.answer(now, token, result);
            }
            FromSignal::Status { token, status, lines } => {
                let status = status_answer(&status, &lines, &self.desks.common.shared);
                self.door.server.answer(now, token, Ok(status));
            }
            FromSignal::Snapshot { connection, items } => {
                if let Err(indices) = self.door.server.snapshot(connection, &items) {
                    tracing::error!(?indices, "items of a snapshot do not fit a line");
                }
            }
            FromSignal::Said(said) => self.said(said),
        }
    }

    fn said(&mut self, said: Said) {
        let utc = |at: tdm::Instant| self.utc_offset_us + at.as_micros() as i64;
        let written = match said {
            Said::Event { at, sample, event } => {
                let sample = sample.map(|(s, clock)| (s.as_samples(), clock.0));
                let stamp = Stamp { at_us: at.as_micros(), sample };
                let keep = matches!(event, CallEvent::Ended(_));
                let seq = self.door.server.publish(stamp, &event, keep);
                if matches!(event, CallEvent::Time { .. }) {
                    self.last_time = seq;
                }
                self.note_signalling(utc(at), &event)
            }
            Said::Alarm { at, span, alarm, raised } => {
                let (name, cause) = alarm_words(alarm);
                let number = span.number() as u8;
                tracing::warn!(span = number, alarm = name, raised, "alarm");
                if raised {
                    self.alarms.raise(utc(at), number, name, cause)
                } else {
                    self.alarms.clear(utc(at), number, name, "")
                }
            }
            Said::Gap { at, board, millis } => {
                tracing::warn!(board, millis, "milliseconds were lost");
                let cause = format!("board {board}: {millis} ms lost: the host came too late");
                self.alarms.note(utc(at), 0, "gap", &cause)
            }
            Said::Recorder(_) => Ok(()),
        };
        if let Err(error) = written {
            tracing::error!(%error, "the log of alarms cannot be written");
        }
    }

    /// What an operator looks for in the log when calls fail: D-channels that come and go, exchanges that do not
    /// answer, channels that are out.
    fn note_signalling(&mut self, utc_us: i64, event: &CallEvent) -> std::io::Result<()> {
        match event {
            CallEvent::Link { span, up } => {
                tracing::warn!(span, up, "D-channel");
                let name = "d_channel_down";
                if *up {
                    self.alarms.clear(utc_us, *span, name, "")
                } else {
                    self.alarms.raise(
                        utc_us,
                        *span,
                        name,
                        "layer 2 lost: `status` says what keeps it",
                    )
                }
            }
            // The alarms of lines come with their causes as `Said::Alarm`.
            CallEvent::Alarm { span, alarm, on } => {
                let Some(cause) = media::trouble_words(alarm) else { return Ok(()) };
                tracing::warn!(span, alarm = alarm.as_str(), raised = on, "signalling");
                if *on {
                    self.alarms.raise(utc_us, *span, alarm, cause)
                } else {
                    self.alarms.clear(utc_us, *span, alarm, "")
                }
            }
            CallEvent::Channel { span, timeslot, state } => {
                tracing::info!(span, timeslot, ?state, "channel");
                Ok(())
            }
            CallEvent::Refused { group, cause, .. } => {
                tracing::info!(group = group.as_str(), cause = cause.0, "call refused");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes over what needs no restart, or refuses as a whole.
    fn reload(&mut self) -> Result<Value, Fault> {
        let path = self.desks.config_path.clone();
        let refuse = |why: String| {
            Fault::from(call::Refusal::new(call::RefusalCode::BadValue, "reload", why))
        };
        let config = Config::load(&path).map_err(|e| refuse(e.to_string()))?;
        let text = std::fs::read_to_string(&path).map_err(|e| refuse(e.to_string()))?;
        if without_allow(&text) != without_allow(&self.config_text) {
            let why = "something besides `[media] allow` changed: that needs a restart";
            return Err(refuse(why.into()).field("media.allow"));
        }
        self.door.allow = Allow::parse(config.media.allow.iter().map(|a| a.get_ref().as_str()))
            .map_err(|e| refuse(e.to_string()))?;
        let changed = text != self.config_text;
        self.config_text = text;
        Ok(json!({ "changed": changed }))
    }
}

/// What `loopback` takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loopback {
    /// Which line.
    pub span: u8,
    /// One of [`LOOPS`].
    pub kind: String,
}

/// Asks the board thread of a span for a loop.
fn loopback(params: Map<String, Value>, shared: &Shared) -> Result<Value, Fault> {
    let Loopback { span, kind } = serde_json::from_value(Value::Object(params))
        .map_err(|e| Fault::invalid_params("loopback", e.to_string()))?;
    let refuse = |field: &str, why: String| {
        let refusal = call::Refusal::new(call::RefusalCode::BadValue, "loopback", why);
        Err(Fault::from(refusal).field(field))
    };
    let line = usize::from(span).checked_sub(1).and_then(|index| shared.lines.get(index));
    let Some(line) = line.filter(|line| line.is_driven) else {
        return refuse("span", format!("there is no span {span}"));
    };
    if !line.want_loop(&kind) {
        let names = LOOPS.map(|(name, _)| name).join(", ");
        return refuse("kind", format!("a loop is one of {names}"));
    }
    tracing::warn!(span, kind, "loop");
    Ok(json!({}))
}

fn without_allow(text: &str) -> Option<toml::Table> {
    let mut table: toml::Table = toml::from_str(text).ok()?;
    if let Some(media) = table.get_mut("media").and_then(toml::Value::as_table_mut) {
        media.remove("allow");
    }
    Some(table)
}

/// An alarm's name on the socket and in the log, and what usually causes it.
pub(super) fn alarm_words(alarm: Alarm) -> (&'static str, &'static str) {
    match alarm {
        Alarm::LossOfSignal => ("loss_of_signal", "nothing on the line: cable out, far end off"),
        Alarm::LossOfFrame => ("loss_of_frame", "a signal without framing: wrong mode, bad line"),
        Alarm::AlarmIndication => ("alarm_indication", "all ones: the far equipment has a fault"),
        Alarm::RemoteAlarm => ("remote_alarm", "the far end does not understand us"),
        Alarm::BoardGone => ("board_gone", "the board does not answer"),
        Alarm::MultiframeLost => (
            "multiframe_lost",
            "timeslot 16 carries no signalling multiframe: is the far end set to CAS?",
        ),
        Alarm::MultiframeRemote => (
            "multiframe_remote",
            "the far end does not find our signalling multiframe in timeslot 16",
        ),
    }
}

/// The call server's status with what the threads count.
pub(crate) fn status_answer(
    status: &media::Status,
    lines: &[LineStatus],
    shared: &Shared,
) -> Value {
    let mut answer = json!(status);
    let boards: Vec<Value> = shared
        .boards
        .iter()
        .map(|b| {
            json!({
                "running": b.running.load(Relaxed),
                "interrupts": b.interrupts.load(Relaxed),
                "missed": b.missed.load(Relaxed),
                "storms": b.storms.load(Relaxed),
                "served": b.served.load(Relaxed),
                "gaps": b.gaps.load(Relaxed),
                "lost_millis": b.lost_millis.load(Relaxed),
                "slips_in": b.slips_in.load(Relaxed),
                "slips_out": b.slips_out.load(Relaxed),
                "drift_ppm": drift_ppm(b.drift.load(Relaxed)),
                "clock_port": match b.clock_port.load(Relaxed) {
                    0 => Value::Null,
                    port => json!(port),
                },
            })
        })
        .collect();
    if let Some(object) = answer.as_object_mut() {
        object.insert("boards".into(), Value::Array(boards));
        object.insert("lines".into(), json!(lines));
        object.insert("master".into(), json!(shared.clock().map(|c| c.0)));
        object.insert("ticks".into(), json!(shared.ticks.load(Relaxed)));
        let refused = shared.realtime_refused.load(Relaxed);
        object.insert("realtime_refused".into(), json!(refused));
        object.insert("rings".into(), ring_counters(&shared.counters));
    }
    answer
}

fn ring_counters(counters: &Counters) -> Value {
    json!({
        "underruns": counters.underruns.load(Relaxed),
        "blocks_lost": counters.blocks_lost.load(Relaxed),
        "blocks_late": counters.blocks_late.load(Relaxed),
        "notes_lost": counters.notes_lost.load(Relaxed),
        "events_lost": counters.events_lost.load(Relaxed),
        "frames_lost": counters.frames_lost.load(Relaxed),
        "frames_bad": counters.frames_bad.load(Relaxed),
        "frames_good": counters.frames_good.load(Relaxed),
        "capture_left_out": counters.capture_left_out.load(Relaxed),
    })
}

/// Counts this start of the process, in a file: no two instances have the same number.
pub(super) fn next_instance(path: &Path) -> Result<u32> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse::<u32>().with_context(|| {
            format!("{} holds no number; remove it to begin anew", path.display())
        })?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
        Err(e) => return Err(e).with_context(|| path.display().to_string()),
    };
    let instance = before.wrapping_add(1).max(1);
    let beside = path.with_extension("new");
    std::fs::write(&beside, format!("{instance}\n"))
        .with_context(|| format!("{}: make room or give rights there", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| path.display().to_string())?;
    Ok(instance)
}
