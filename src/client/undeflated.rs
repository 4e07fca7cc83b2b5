//! What stands in for compression in a build without the `deflate` feature: nothing is offered, and no connection has any.

use super::fault::Fault;
use super::{Error, Options};
use crate::ws::Piece;

/// There is none.
pub(super) enum FieldValue {}

impl FieldValue {
    pub(super) fn as_str(&self) -> &str {
        match *self {}
    }
}

pub(super) fn offer(_: &Options<'_>) -> Option<FieldValue> {
    None
}

/// An extension in the reply was not offered, which was found out before.
#[expect(clippy::unnecessary_wraps, reason = "as where there is compression")]
pub(super) fn judge(_: &Options<'_>, _: Option<&[u8]>) -> Result<Option<Terms>, Error> {
    Ok(None)
}

/// There are none.
#[derive(Clone, Copy)]
pub(super) enum Terms {}

/// There is none.
pub(super) enum Packing {}

impl Packing {
    pub(super) fn new(terms: Terms) -> Self {
        match terms {}
    }

    pub(super) fn takes(&self, _: &[u8]) -> bool {
        match *self {}
    }

    pub(super) fn message(&mut self, _: &[u8]) -> Option<&[u8]> {
        match *self {}
    }

    pub(super) fn fragment(&mut self, _: &[u8], _: bool) -> &[u8] {
        match *self {}
    }
}

/// There is none.
pub(super) enum Unpacking {}

impl Unpacking {
    pub(super) fn new(terms: Terms) -> Self {
        match terms {}
    }

    pub(super) fn inflate(&mut self, _: &Piece<'_>, _: u64, _: &mut Vec<u8>) -> Result<(), Fault> {
        match *self {}
    }
}
