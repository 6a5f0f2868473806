//! A witness for "allocates nothing": an allocator that counts, and a guard that forbids.
//!
//! A test binary installs [`Watch`] as its global allocator and wraps the code in [`without_heap`].
#![allow(unsafe_code)]

use core::cell::Cell;
use std::alloc::{GlobalAlloc, Layout, System};

thread_local! {
    static TOUCHES: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator with a counter per thread.
pub struct Watch;

fn touched() {
    // A thread that is being torn down has no counter left; nobody measures there.
    let _ = TOUCHES.try_with(|n| n.set(n.get().wrapping_add(1)));
}

// SAFETY: every method passes its arguments unchanged to `System`, which keeps GlobalAlloc's
// contract; the counter is a thread-local Cell without destructor and never allocates.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touched();
        // SAFETY: the caller keeps alloc's contract, which is System's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        touched();
        // SAFETY: `at` came from System through the methods here.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touched();
        // SAFETY: `at` came from System through the methods here.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Heap calls (allocate, free, grow) of this thread so far; always 0 unless [`Watch`] is installed.
pub fn touches() -> u64 {
    TOUCHES.with(Cell::get)
}

/// Runs `work` and returns what it returned.
///
/// # Panics
/// When `work` touched the heap, or when [`Watch`] is not installed: the test would prove nothing.
pub fn without_heap<T>(work: impl FnOnce() -> T) -> T {
    let probe = touches();
    drop(std::hint::black_box(Box::new(1_u8)));
    assert!(touches() > probe, "tdm::heap::Watch is not this binary's global allocator");
    let before = touches();
    let result = work();
    let calls = touches() - before;
    assert!(calls == 0, "the heap was touched {calls} times");
    result
}
