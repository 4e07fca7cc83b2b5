//! **longshore** is a low-level socket server for Linux.
#![deny(unsafe_code)]

pub mod buf;
pub mod sys;
pub(crate) mod driver;
