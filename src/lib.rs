//! **longshore** is a low-level socket server for Linux.
#![deny(unsafe_code)]

pub mod buf;
#[cfg(feature = "server")]
pub(crate) mod conn;
// The seam is whole from the start: clients, datagrams, files and shared parts are carried by all drivers and tested by
// their conformance suite, before the layers that use them exist.
#[cfg_attr(not(test), expect(dead_code))]
#[cfg(feature = "server")]
pub(crate) mod driver;
pub mod http;
#[cfg(feature = "server")]
mod limits;
#[cfg(feature = "server")]
pub(crate) mod reactor;
#[cfg(feature = "server")]
mod server;
pub mod sys;
pub mod ws;

#[cfg(feature = "server")]
pub use limits::Limits;
#[cfg(feature = "server")]
pub use server::*;
