//! One published message, with its place in its topic.

use std::sync::Arc;

use super::RECORD_BYTES;
use crate::conn::websocket::Broadcast;
use crate::ws::Kind;

/// A message of a topic, as all its subscribers get it.
#[derive(Debug)]
pub(in crate::server) struct Entry {
    pub(in crate::server) topic: Arc<str>,
    /// Its place in the topic, from 1.
    pub(in crate::server) number: u64,
    /// What it replaces, for peers that conflate.
    pub(in crate::server) key: Option<u64>,
    /// Its frames.
    pub(in crate::server) message: Arc<Broadcast>,
}

impl Entry {
    /// Encodes the frame: the only time that this message is.
    pub(super) fn new(
        topic: Arc<str>,
        number: u64,
        kind: Kind,
        payload: &[u8],
        key: Option<u64>,
    ) -> Self {
        Self {
            topic,
            number,
            key,
            message: Arc::new(Broadcast::new(kind, payload)),
        }
    }

    /// The memory that it costs, compressed forms apart: its frame and its records.
    pub(super) fn bytes(&self) -> usize {
        self.frame_bytes() + RECORD_BYTES
    }

    /// Bytes of its frame as it is.
    pub(in crate::server) fn frame_bytes(&self) -> usize {
        self.message.bytes()
    }
}
