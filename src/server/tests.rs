//! The whole stack above the driver, without a kernel and with a disturbed one.
//!
//! The same recorded bytes must give byte-identical replies on every driver, however they are cut.

mod application;
mod ends;
mod identical;
mod memory;
mod recorded;
mod rfc;
mod sessions;
mod simulated;
mod streams;
