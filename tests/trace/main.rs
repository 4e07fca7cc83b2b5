//! `longshore trace` against the judge that everybody trusts, and what its outputs are made of.
//!
//! ```text
//!   agreement  the worker's calls, one by one, as strace sees them; a ring's enters, submissions and completions
//!   outputs    text, JSON lines, summary, Perfetto, filters; an output that breaks
//!   programs   echo and connect: the calls of the textbook, both sides of a conversation, agreement with strace
//!   packets    packets among the calls, the kernel's account, files for Wireshark, no capability
//!   layers     the same packets taken apart
//!   full       outputs that cannot be written, at which option they were named
//!   session    the scripted session that is traced
//! ```
//!
//! The tests know what strace and the documented formats say, and nothing of the inside.
#![forbid(unsafe_code)]

mod agreement;
#[path = "../built/ended.rs"]
mod ended;
mod full;
mod layers;
mod outputs;
mod packets;
mod programs;
mod session;
