//! **longshore** is a low-level socket server for Linux.
#![deny(unsafe_code)]

pub mod buf;
pub(crate) mod conn;
// The seam is whole from the start: clients, datagrams, files and shared parts are carried by all drivers and tested by
// their conformance suite, before the layers that use them exist.
#[cfg_attr(not(test), expect(dead_code))]
pub(crate) mod driver;
pub mod http;
mod limits;
pub(crate) mod reactor;
mod server;
pub mod sys;
pub mod ws;

pub use limits::Limits;
pub use server::*;
