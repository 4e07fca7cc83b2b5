//! What a program asks of the kernel, and what the wire carries, as it happens.
#![forbid(unsafe_code)]

pub mod packets;
