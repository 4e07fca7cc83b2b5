//! A fault of the server's: what it is told in the Close, and what the caller gets.
//!
//! It does not know who finds it, nor whether a Close can still be sent.

use super::Error;
#[cfg(feature = "deflate")]
use crate::ws::deflate::InflateError;
use crate::ws::{self, CloseCode};

#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: CloseCode,
    pub(super) reason: &'static str,
    pub(super) error: Error,
}

impl From<ws::Error> for Fault {
    fn from(error: ws::Error) -> Self {
        Self {
            code: error.close_code(),
            reason: error.reason(),
            error: Error::Protocol(error),
        }
    }
}

#[cfg(feature = "deflate")]
impl From<InflateError> for Fault {
    fn from(error: InflateError) -> Self {
        Self {
            code: error.close_code(),
            reason: error.reason(),
            error: Error::Inflate(error),
        }
    }
}
