//! `longshore trace` against the judge that everybody trusts, and what its outputs are made of.
//!
//! ```text
//!   agreement  the worker's calls, one by one, as strace sees them; a ring's enters, submissions and completions
//!   outputs    text, JSON lines, summary, Perfetto, filters; an output that breaks
//!   session    the scripted session that is traced
//! ```
//!
//! The tests know what strace and the documented formats say, and nothing of the inside.
#![forbid(unsafe_code)]

mod agreement;
mod outputs;
mod session;
