//! What the call centre refuses to grow beyond. House of limits: whatever reaches one is refused by name.

/// Agents configured.
pub const AGENTS_MAX: usize = 10_000;
/// Campaigns configured.
pub const CAMPAIGNS_MAX: usize = 1_000;
/// Contacts in one list. A list is loaded, and every minute written down, in one step of the call centre: one that
/// is longer would keep it away from its callers for longer than the call server waits (2 s).
pub const CONTACTS_MAX: usize = 250_000;
/// Nodes in one flow.
pub const NODES_MAX: usize = 1_000;
/// Calls in the house at once: two for each channel of 64 spans, for legs that are ending while new ones begin.
pub const CALLS_MAX: usize = 2 * 64 * 31;
/// Hours of loss counts that are kept.
pub const HOURS_MAX: usize = 24 * 31;
/// Nodes without a wait that one call may pass within a step; a flow that turns longer is cut.
pub const TURNS_MAX: u32 = 64;
/// How often a command refused as busy is sent again.
pub const BUSY_TRIES_MAX: u8 = 40;
/// How long after a refusal as busy.
pub const BUSY_RETRY_MICROS: u64 = 50_000;
/// How often a nailed agent's telephone is called at sign-in before he counts as offline.
pub const SIGN_IN_TRIES_MAX: u8 = 10;
/// How long between two of these.
pub const SIGN_IN_RETRY_MICROS: u64 = 2_000_000;
/// How long a campaign waits after the call server had no channel for it.
pub const CAMPAIGN_BACKOFF_MICROS: u64 = 1_000_000;
/// How often an agent may fail in a row to be connected before he is paused.
pub const AGENT_FAULTS_MAX: u8 = 3;
/// How long a call that could not be connected waits before it is offered again.
pub const REOFFER_MICROS: u64 = 200_000;
/// How long a digit of a `*` code may take after the last.
pub const CODE_DIGIT_MICROS: u64 = 4_000_000;
/// The longest number in a `*` code.
pub const CODE_DIGITS_MAX: usize = 20;
/// So many characters of a queue's or campaign's name begin the names of its recordings.
pub const RECORDING_PREFIX_MAX: usize = 32;
/// The longest wait for a machine's beep.
pub const MESSAGE_WAIT_MILLIS_MAX: u32 = 120_000;
