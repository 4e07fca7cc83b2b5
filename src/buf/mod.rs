//! Layer 2, memory: bytes that are lent, bytes that are kept, bytes that leave.
#![forbid(unsafe_code)]

mod input;

pub use input::Input;
