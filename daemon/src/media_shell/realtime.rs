//! Real-time scheduling, locked memory, affinity: taken when the host permits it, said when it does not.
#![allow(unsafe_code)]

use nix::sys::mman::{MlockAllFlags, mlockall};

/// Priority of board threads; the tick thread's is one below.
pub const BOARD_PRIORITY: i32 = 50;
/// Priority of the tick thread.
pub const TICK_PRIORITY: i32 = 49;

/// Keeps every page of this process in memory, those of later too. Whether the host permits it.
pub fn lock_memory() -> bool {
    match mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
        Ok(()) => {
            tracing::info!("memory is locked");
            true
        }
        Err(error) => {
            tracing::warn!(
                %error,
                "memory is not locked: a page fault may cost milliseconds (LimitMEMLOCK=infinity permits it)"
            );
            false
        }
    }
}

/// Gives the calling thread, called `name`, a real-time priority and a processor of its own. Whether the
/// host permits the priority.
pub fn prefer(name: &str, priority: i32, cpu: Option<u16>) -> bool {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: `parameter` lives through the call, which only reads it; thread 0 is the calling one.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) };
    if refused == 0 {
        tracing::info!(thread = name, priority, "real-time priority");
    } else {
        let error = std::io::Error::last_os_error();
        tracing::warn!(
            thread = name,
            %error,
            "no real-time priority: other programs may delay calls (LimitRTPRIO=99 permits it)"
        );
    }
    if let Some(cpu) = cpu {
        bind(name, cpu);
    }
    refused == 0
}

fn bind(name: &str, cpu: u16) {
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if usize::from(cpu) >= 8 * size_of::<libc::cpu_set_t>() {
        tracing::warn!(thread = name, cpu, "there is no such processor");
        return;
    }
    // SAFETY: the number was checked to lie inside the set.
    unsafe { libc::CPU_SET(usize::from(cpu), &mut set) };
    // SAFETY: `set` lives through the call and its true size is given; thread 0 is the calling one.
    let refused =
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if refused == 0 {
        tracing::info!(thread = name, cpu, "bound to a processor");
    } else {
        let error = std::io::Error::last_os_error();
        tracing::warn!(thread = name, cpu, %error, "not bound to its processor");
    }
}
