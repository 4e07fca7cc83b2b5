//! What stands in for compression in a build without the `gzip` feature: nothing is offered.

use std::marker::PhantomData;

use crate::conn::outgoing::{Produced, Source};
use crate::http::{Fields, Status};

/// There is none.
#[derive(Debug)]
pub(super) enum Compressor {}

/// No offer.
#[derive(Debug)]
pub(super) struct Offer<'r>(PhantomData<&'r ()>);

/// There is none.
pub(super) enum Gzipped {}

impl<'r> Offer<'r> {
    /// Nothing is offered.
    #[inline]
    pub(super) fn none() -> Self {
        Self(PhantomData)
    }

    #[inline]
    pub(super) fn to(_: Option<&'r mut Compressor>, _: &Fields<'r>) -> Self {
        Self(PhantomData)
    }

    pub(super) fn known(_: Option<&'r mut Compressor>, _: bool) -> Self {
        Self(PhantomData)
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(super) fn is_accepted(&self) -> bool {
        false
    }

    #[inline]
    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(super) fn concerns(&self, _: Status, _: &str, _: Option<usize>) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(super) fn encode(&mut self, _: &[u8]) -> Option<&[u8]> {
        None
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(super) fn wrap(&mut self, source: Box<dyn Source>) -> Result<Gzipped, Box<dyn Source>> {
        Err(source)
    }
}

impl Gzipped {
    pub(super) const HELD_BYTES: usize = 0;
}

impl Source for Gzipped {
    fn produce(&mut self, _: &mut Vec<u8>) -> Produced {
        match *self {}
    }
}
