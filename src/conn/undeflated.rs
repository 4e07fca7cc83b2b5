//! What stands in for compression in a build without the `deflate` feature: no connection has any.

use std::sync::Arc;

use crate::ws::{CloseCode, Kind};

/// Nothing is shared, and no frame was ever made.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    shared_made: u64,
}

impl Shop {
    #[expect(clippy::unused_self, reason = "as where there is compression")]
    pub(crate) fn encode_shared(&mut self, form: Form, _: Kind, _: &[u8]) -> Option<Arc<[u8]>> {
        match form {}
    }

    pub(crate) fn take_shared_made(&mut self) -> u64 {
        self.shared_made
    }
}

/// Messages go as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Deflated {}

impl Deflated {
    pub(crate) fn encode(&mut self, _: Kind, _: &[u8], _: &mut Shop, _: &mut Vec<u8>) -> bool {
        match *self {}
    }

    pub(crate) fn form(&self, _: usize) -> Option<Form> {
        match *self {}
    }

    pub(crate) fn inflate(
        &mut self,
        _: Kind,
        _: &[u8],
        _: bool,
        _: u64,
        _: &mut Shop,
        _: &mut Vec<u8>,
    ) -> Result<(), (CloseCode, &'static str)> {
        match *self {}
    }

    pub(crate) fn inflate_some(
        &mut self,
        _: Kind,
        _: &mut &[u8],
        _: bool,
        _: u64,
        _: &mut Shop,
        _: &mut [u8],
    ) -> Result<usize, (CloseCode, &'static str)> {
        match *self {}
    }
}
