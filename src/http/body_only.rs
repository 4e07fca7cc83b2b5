//! A body whose head somebody else has read: a client, whose replies have heads of another kind.
//!
//! The states and their bytes are those of [`body`](super::body); this is the door to them.
#![forbid(unsafe_code)]

use super::body::{self, Counts};
use super::decoder::State;
use super::{Error, Event, HeadLimits};
use crate::buf::Input;

/// Reads one body.
#[derive(Clone, Debug)]
pub(crate) struct BodyDecoder {
    state: State,
}

/// A unit of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyEvent<'b> {
    /// A piece, never empty.
    Piece(&'b mut [u8]),
    /// The body is complete. Nothing is read behind it.
    End,
}

impl BodyDecoder {
    /// A body of `bytes` bytes.
    pub(crate) const fn of_length(bytes: u64) -> Self {
        let state = match bytes {
            0 => State::End,
            left => State::Length { left },
        };
        Self { state }
    }

    /// A body in chunks (RFC 9112 §7.1).
    pub(crate) fn chunked() -> Self {
        let state = State::ChunkSize {
            counts: Counts::default(),
            seen: 0,
        };
        Self { state }
    }

    /// As [`Decoder::next`](super::Decoder::next).
    ///
    /// # Errors
    /// Chunks or trailers are malformed, or pass a limit; then every later call says so again.
    pub(crate) fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
        limits: &HeadLimits,
    ) -> Result<Option<BodyEvent<'b>>, Error> {
        match body::read(&mut self.state, input, limits) {
            Ok(Some(Event::Body(piece))) => Ok(Some(BodyEvent::Piece(piece))),
            Ok(Some(Event::End)) => Ok(Some(BodyEvent::End)),
            // Behind the end the state waits for a head, which nobody reads here.
            Ok(Some(Event::Head(_)) | None) => Ok(None),
            Err(error) => {
                self.state = State::Failed {
                    error,
                    head_only: false,
                };
                Err(error)
            }
        }
    }
}
