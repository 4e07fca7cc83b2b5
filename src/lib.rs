//! **longshore** is a low-level socket server for Linux.
#![deny(unsafe_code)]

pub mod buf;
pub(crate) mod conn;
pub(crate) mod driver;
pub mod http;
mod limits;
pub(crate) mod reactor;
mod server;
pub mod sys;
pub mod ws;

pub use limits::Limits;
pub use server::*;
