//! One published message, encoded once.

use std::sync::Arc;

use crate::ws::{Kind, encode_header};

/// A message of a topic, as all its subscribers get it.
#[derive(Debug)]
pub(in crate::server) struct Entry {
    pub(in crate::server) topic: Arc<str>,
    /// Its place in the topic, from 1.
    pub(in crate::server) number: u64,
    pub(in crate::server) kind: Kind,
    /// The whole frame, header and payload.
    pub(in crate::server) frame: Arc<[u8]>,
    /// How many bytes of it are header.
    pub(in crate::server) header: u8,
    /// What it replaces, for peers that conflate.
    pub(in crate::server) key: Option<u64>,
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
        let header = encode_header(kind.opcode(), true, None, payload.len() as u64);
        let header = header.as_ref();
        let mut frame = Vec::with_capacity(header.len() + payload.len());
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        Self {
            topic,
            number,
            kind,
            frame: frame.into(),
            header: header.len() as u8,
            key,
        }
    }
}
