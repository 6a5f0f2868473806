//! The driver on the emulated board, in one process and in virtual time.

mod bench;
mod family;
mod faults;
mod lines;
mod samples;
mod served;
mod start;

#[global_allocator]
static HEAP: tdm::heap::Watch = tdm::heap::Watch;
