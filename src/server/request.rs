//! A request, as the handler sees it.

use crate::http::{Fields, Head, Method};
use crate::sys::Address;

/// A complete request, borrowed for one call.
#[derive(Debug)]
pub struct Request<'b> {
    head: Head<'b>,
    body: &'b mut [u8],
    peer: Option<&'b Address>,
}

impl<'b> Request<'b> {
    pub(super) fn new(head: Head<'b>, body: &'b mut [u8]) -> Self {
        Self {
            head,
            body,
            peer: None,
        }
    }

    /// Says who asks.
    pub(super) fn from(mut self, peer: Option<&'b Address>) -> Self {
        self.peer = peer;
        self
    }

    /// Who asks. Known if [`Server::peer_addresses`](super::Server::peer_addresses) or an access log asks for it; `None`
    /// also for a peer that had gone by then.
    pub fn peer(&self) -> Option<&'b Address> {
        self.peer
    }

    /// The method.
    #[inline]
    pub fn method(&self) -> Method<'b> {
        self.head.method
    }

    /// The target's path, as it was sent: still percent-encoded. Starts with `/`, but for `OPTIONS *`.
    #[inline]
    pub fn path(&self) -> &'b [u8] {
        self.head.target.path()
    }

    /// What stands behind the target's `?`, still percent-encoded.
    pub fn query(&self) -> Option<&'b [u8]> {
        self.head.target.query()
    }

    /// The value of the first field with this name, in any case. Without the whitespace around it.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.head.fields.find(name)
    }

    /// All fields, in order.
    pub fn fields(&self) -> Fields<'b> {
        self.head.fields.clone()
    }

    /// The head with everything in it.
    pub fn head(&self) -> &Head<'b> {
        &self.head
    }

    /// The body, if it was collected; empty if there is none, or if it was streamed.
    pub fn body(&self) -> &[u8] {
        self.body
    }

    /// The body, to be changed in place.
    pub fn body_mut(&mut self) -> &mut [u8] {
        self.body
    }
}
