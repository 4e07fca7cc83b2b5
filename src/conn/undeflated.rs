//! What stands in for compression in a build without the `deflate` feature: no connection has any.

use crate::ws::{CloseCode, Kind};

/// Nothing is shared.
#[derive(Debug, Default)]
pub(crate) struct Shop {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Deflated {}

impl Deflated {
    pub(crate) fn encode(&mut self, _: Kind, _: &[u8], _: &mut Shop, _: &mut Vec<u8>) -> bool {
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
