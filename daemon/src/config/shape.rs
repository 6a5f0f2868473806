//! The file's sections as they are written. What they mean together is checked in the parent module.

use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The host as a whole.
    #[serde(default)]
    pub host: Host,
    /// The boards.
    #[serde(default)]
    pub spans: Spans,
    /// The call server.
    #[serde(default)]
    pub media: Media,
    /// The call centre.
    #[serde(default)]
    pub acd: acd::Settings,
    /// Emulated boards.
    #[serde(default)]
    pub emulate: Emulate,
    /// What a person should know although nothing is wrong.
    #[serde(skip)]
    pub notes: Vec<super::Problem>,
}

/// The host as a whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Country whose tones and rings are spoken, `cn`, `us` …
    pub zone: Spanned<String>,
    /// Language of the prompts, `zh` or `en`; the zone's when absent.
    pub language: Option<Spanned<String>>,
    /// Real-time priority, locked memory and affinity are tried; without the right to them a log line says so.
    pub realtime: bool,
    /// Processors for the real-time threads, in order: tick thread, board threads.
    pub cpus: Vec<u16>,
    /// Every millisecond is worked through to its end before the next begins; time is the board's.
    pub lockstep: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            zone: Spanned::new(0..0, String::from("cn")),
            language: None,
            realtime: true,
            cpus: Vec::new(),
            lockstep: false,
        }
    }
}

/// The boards.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spans {
    /// In the order of their clocks: the first in service is the master.
    #[serde(default)]
    pub board: Vec<Board>,
    /// DAHDI's configuration, whose span lines and channel lines are read; beside this file unless the path says
    /// otherwise.
    #[serde(default)]
    pub system_conf: Option<Spanned<String>>,
    /// Channel lines as they would stand there: `bchan=1-15,17-31`.
    #[serde(default)]
    pub channels: Vec<Spanned<String>>,
}

/// A board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// `vfio-user:PATH`, or a PCI address.
    pub at: Spanned<String>,
    /// DAHDI's span lines, in the order of the ports.
    #[serde(default)]
    pub span: Vec<Spanned<String>>,
    /// Or the numbers of span lines of the `system.conf`.
    #[serde(default)]
    pub spans: Vec<Spanned<u8>>,
    /// Its lines are J1s: T1s as in Japan.
    #[serde(default)]
    pub j1: bool,
    /// What all of these come to, in the order of the ports.
    #[serde(skip)]
    pub lines: Vec<super::Line>,
    /// Buffers of the DMA ring.
    #[serde(default)]
    pub ring: Option<Spanned<u8>>,
    /// The image file that a TE820 should run.
    #[serde(default)]
    pub image: Option<String>,
    /// Red and blue are raised after this; 2,500 when absent.
    #[serde(default)]
    pub alarm_raise_millis: Option<u32>,
    /// Alarms are cleared after this; 5,000 when absent.
    #[serde(default)]
    pub alarm_clear_millis: Option<u32>,
    /// Yellow is raised after this; 500 when absent.
    #[serde(default)]
    pub alarm_yellow_millis: Option<u32>,
}

/// The call server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Who may connect to `media.sock`: `user:NAME`, `user:UID`, `group:NAME`, `group:GID`; our own user when empty.
    #[serde(default)]
    pub allow: Vec<Spanned<String>>,
    /// A folder whose WAV files replace or join the prompts inside the program.
    #[serde(default)]
    pub prompts: Option<Spanned<String>>,
    /// The folder of known announcements, below the root; `/var/lib/trunkline/announcements` when absent.
    #[serde(default)]
    pub announcements: Option<String>,
    /// What becomes of ringing calls without a controller.
    #[serde(default)]
    pub orphan: Orphan,
    /// What a held party hears.
    #[serde(default)]
    pub music: Option<Spanned<String>>,
    /// What orphaned callers hear.
    #[serde(default)]
    pub announcement: Option<Spanned<String>>,
    /// What an answered person hears when nobody is there for him.
    #[serde(default)]
    pub safe_harbour: Option<Spanned<String>>,
    /// A folder, below the root, in which every D-channel and what happened to calls is captured.
    #[serde(default)]
    pub capture: Option<String>,
    /// A released channel rests so long before a call of ours takes it; 100 when absent.
    #[serde(default)]
    pub guard_millis: Option<Spanned<u32>>,
    /// How often a call that met another on its channel is tried on another one; 4 when absent.
    #[serde(default)]
    pub glare_retries: Option<Spanned<u8>>,
    /// Trunk groups.
    #[serde(default)]
    pub group: Vec<Group>,
}

/// See [`media::Orphan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Orphan {
    Ring,
    Reject,
    #[default]
    Announce,
}

/// Which side of an interface we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Side {
    User,
    Network,
}

/// A signalling system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signalling {
    /// ISDN primary rate.
    #[default]
    Pri,
}

/// In which order the channels of a group are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Hunt {
    #[default]
    Opposite,
    Up,
    Down,
    LongestIdle,
}

/// Digits that do not all stand in SETUP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overlap {
    /// So many digits of an outgoing call go with SETUP, the rest behind it; all when absent.
    pub send_first: Option<u8>,
    /// An incoming number may be incomplete: more digits are waited for.
    pub receive: bool,
    /// So many digits make an incoming number complete.
    pub digits: Option<Spanned<u8>>,
}

/// How B-channels are numbered on the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ChannelNumbers {
    #[default]
    Timeslot,
    Logical,
}

/// How our calls name their channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelChoice {
    /// A network insists, a user does not. Q.931, §5.1.2, §5.2.3.
    #[default]
    BySide,
    /// No other will do.
    Exclusive,
    /// Another will do.
    Preferred,
    /// The far end chooses. Not as a network.
    Any,
}

/// How an interface as a whole is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartForm {
    /// One RESTART that names the interface.
    #[default]
    Interface,
    /// One with a list of all channels.
    List,
    /// One for each channel.
    OneByOne,
}

/// What our calls ask to carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearer {
    /// Speech.
    #[default]
    Speech,
    /// 3.1 kHz audio.
    Audio,
}

/// The discriminator of SERVICE messages of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ServiceMessages {
    /// 03: AT&T, DMS-100, NI-1.
    #[serde(rename = "03")]
    Discriminator03,
    /// 43: one widely used way of NI-2.
    #[serde(rename = "43")]
    Discriminator43,
}

/// Timers and counters of a group; the standard's, by dialect and side, where absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Timers {
    pub t200_millis: Option<Spanned<u32>>,
    pub t203_millis: Option<Spanned<u32>>,
    pub n200: Option<Spanned<u32>>,
    pub k: Option<Spanned<u32>>,
    pub n201: Option<Spanned<u32>>,
    /// Pause before a refused or lost link is set up anew.
    pub link_retry_millis: Option<Spanned<u32>>,
    pub t301_millis: Option<Spanned<u32>>,
    pub t302_millis: Option<Spanned<u32>>,
    pub t303_millis: Option<Spanned<u32>>,
    pub t304_millis: Option<Spanned<u32>>,
    pub t305_millis: Option<Spanned<u32>>,
    pub t306_millis: Option<Spanned<u32>>,
    pub t308_millis: Option<Spanned<u32>>,
    /// How long answered calls outlive a lost D-channel; 0 clears them at once.
    pub t309_millis: Option<Spanned<u32>>,
    pub t310_millis: Option<Spanned<u32>>,
    pub t313_millis: Option<Spanned<u32>>,
    pub t314_millis: Option<Spanned<u32>>,
    pub t316_millis: Option<Spanned<u32>>,
    pub n316: Option<Spanned<u32>>,
    pub t322_millis: Option<Spanned<u32>>,
    pub n322: Option<Spanned<u32>>,
}

impl Timers {
    /// Every value that is given, with the lowest and the highest that works. The lowest of a timer is what a line
    /// and a far end need to answer at all; 0 would fire at once and for ever.
    pub fn given(&self) -> impl Iterator<Item = (&Spanned<u32>, u32, u32)> {
        [
            (&self.t200_millis, 50, 60_000),
            (&self.t203_millis, 1000, 600_000),
            (&self.n200, 1, 20),
            (&self.k, 1, 127),
            (&self.n201, 32, 260),
            (&self.link_retry_millis, 100, 600_000),
            (&self.t301_millis, 1000, 3_600_000),
            (&self.t302_millis, 1000, 120_000),
            (&self.t303_millis, 500, 120_000),
            (&self.t304_millis, 1000, 600_000),
            (&self.t305_millis, 500, 600_000),
            (&self.t306_millis, 500, 600_000),
            (&self.t308_millis, 500, 120_000),
            (&self.t309_millis, 0, 600_000),
            (&self.t310_millis, 1000, 600_000),
            (&self.t313_millis, 500, 120_000),
            (&self.t314_millis, 500, 120_000),
            (&self.t316_millis, 1000, 600_000),
            (&self.n316, 1, 20),
            (&self.t322_millis, 500, 120_000),
            (&self.n322, 1, 20),
        ]
        .into_iter()
        .filter_map(|(value, low, high)| Some((value.as_ref()?, low, high)))
    }
}

/// A rule that rewrites numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Digits, `X`, `Z`, `N`, `[2-46]`, a final `.` for the rest.
    #[serde(rename = "match")]
    pub pattern: Spanned<String>,
    /// Only numbers of this type.
    #[serde(default)]
    pub when: Option<call::NumberType>,
    /// So many digits are taken off the front.
    #[serde(default)]
    pub strip: u8,
    /// Then these are put there.
    #[serde(default)]
    pub prepend: Option<Spanned<String>>,
    /// The type from now on.
    #[serde(default, rename = "type")]
    pub kind: Option<call::NumberType>,
    /// The plan from now on.
    #[serde(default)]
    pub plan: Option<call::Plan>,
    /// Whether it may be shown from now on.
    #[serde(default)]
    pub presentation: Option<call::Presentation>,
}

/// A trunk group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: Spanned<String>,
    /// Its spans, but for the channels that other groups name.
    #[serde(default)]
    pub spans: Vec<Spanned<u8>>,
    /// Channels that it has to itself, of spans of other groups: `"1:1-10,17"`.
    #[serde(default)]
    pub channels: Vec<Spanned<String>>,
    /// The signalling system.
    #[serde(default)]
    pub signalling: Signalling,
    /// Our side. A group without spans of its own has none.
    #[serde(default)]
    pub side: Option<Side>,
    /// The variant; `euroisdn` when absent.
    #[serde(default)]
    pub dialect: Option<Spanned<String>>,
    /// Calls at a time; all channels when absent.
    #[serde(default)]
    pub capacity: Option<Spanned<u16>>,
    /// Calls a second in the long run; no limit when absent.
    #[serde(default)]
    pub calls_per_second: Option<Spanned<u32>>,
    /// Calls at once after a quiet time; a second's worth when absent.
    #[serde(default)]
    pub burst: Option<Spanned<u32>>,
    /// Who calls, when a dial does not say.
    #[serde(default)]
    pub number: Option<Spanned<String>>,
    /// That number is shown whatever a dial says.
    #[serde(default)]
    pub number_always: bool,
    /// In which order channels are tried.
    #[serde(default)]
    pub hunt: Hunt,
    /// The group that takes calls this one has no place for.
    #[serde(default)]
    pub overflow: Option<Spanned<String>>,
    /// No call of ours rings longer here.
    #[serde(default)]
    pub no_answer_seconds: Option<Spanned<u32>>,
    /// Digits one after the other.
    #[serde(default)]
    pub overlap: Overlap,
    /// How channels are numbered on the line.
    #[serde(default)]
    pub channel_numbers: ChannelNumbers,
    /// How our calls name their channel.
    #[serde(default)]
    pub channel_choice: Option<Spanned<ChannelChoice>>,
    /// RESTART goes out when a link is up for the first time; `true` when absent. Some exchanges take none.
    #[serde(default = "yes")]
    pub restart: bool,
    /// How that is said.
    #[serde(default)]
    pub restart_form: RestartForm,
    /// What our calls ask to carry.
    #[serde(default)]
    pub bearer: Bearer,
    /// A network specific facility that goes with every call of ours to the network: its octet.
    #[serde(default)]
    pub network_facility: Option<Spanned<u8>>,
    /// How SERVICE is coded; the dialect's way when absent. Nothing where the dialect has no such messages.
    #[serde(default)]
    pub service_messages: Option<ServiceMessages>,
    /// Timers and counters.
    #[serde(default)]
    pub timers: Timers,
    /// What becomes of the numbers we call.
    #[serde(default)]
    pub called_out: Vec<Rule>,
    /// What becomes of the numbers we say call.
    #[serde(default)]
    pub calling_out: Vec<Rule>,
    /// What becomes of the numbers the far end wants.
    #[serde(default)]
    pub called_in: Vec<Rule>,
    /// What becomes of the numbers that call us.
    #[serde(default)]
    pub calling_in: Vec<Rule>,
}

const fn yes() -> bool {
    true
}

/// Emulated boards.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emulate {
    /// The boards.
    #[serde(default)]
    pub board: Vec<EmulatedBoard>,
    /// Chance of everything emulated.
    #[serde(default)]
    pub seed: u64,
    /// What breaks by itself.
    #[serde(default)]
    pub fault: Vec<ScheduledFault>,
}

/// A fault that comes by itself, and may end so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledFault {
    /// So long after the start of `trunkline emulate`.
    pub after_seconds: f64,
    /// It lasts so long; without, until it is repaired by hand.
    pub for_seconds: Option<f64>,
    /// Which board, from 0.
    pub board: usize,
    /// Which port of it, from 0; without, the board itself.
    pub port: Option<usize>,
    /// As for `ctl emulate fault`.
    pub fault: Spanned<String>,
    /// As there.
    pub value: Option<f64>,
}

/// An emulated board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmulatedBoard {
    /// `TE405P` or `TE410P`.
    pub model: Spanned<String>,
    /// Generation of the board's logic.
    #[serde(default = "generation")]
    pub generation: Spanned<u8>,
    /// Where a driver finds it.
    pub socket: Spanned<String>,
    /// What its milliseconds follow.
    #[serde(default)]
    pub clock: Clock,
    /// Its clock is faster than nominal by this.
    #[serde(default)]
    pub ppm: f64,
    /// What its ports lead to.
    #[serde(default)]
    pub span: Vec<EmulatedSpan>,
}

fn generation() -> Spanned<u8> {
    Spanned::new(0..0, 5)
}

/// What an emulated board's milliseconds follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The host's clock.
    #[default]
    Real,
    /// The driver: the next begins when the last was acknowledged.
    Lock,
}

/// A port of an emulated board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmulatedSpan {
    /// What is at the far end.
    pub far_end: Spanned<FarEnd>,
}

/// What is at a far end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FarEnd {
    /// Which kind.
    pub kind: FarEndKind,
    /// `exchange`: the scenario, `demo` or a file beside this one.
    #[serde(default)]
    pub scenario: Option<String>,
    /// `exchange`: its side; the scenario's when absent.
    #[serde(default)]
    pub role: Option<Side>,
    /// `exchange`: how it speaks Q.931; as the scenario says, or the trunk group at the other end, when absent.
    #[serde(default)]
    pub dialect: Option<String>,
    /// `link`: the other board, counted from 0.
    #[serde(default)]
    pub board: Option<usize>,
    /// `link`: the other port, counted from 0.
    #[serde(default)]
    pub port: Option<usize>,
    /// `dchannel` and `e1`: `listen:PATH` or `connect:PATH`.
    #[serde(default)]
    pub socket: Option<String>,
}

/// Kinds of far ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FarEndKind {
    /// What was sent comes back.
    Loopback,
    /// Another emulated span.
    Link,
    /// A simulated network or PBX.
    Exchange,
    /// HDLC frames on a socket.
    Dchannel,
    /// Whole frames on a socket; as real or lockstep as its board.
    E1,
}
