//! Layer 1, the kernel: one visible function for each system call.

mod probe;

pub use probe::{Probe, Silent, Verdict, Call};
