//! A request, as the handler sees it.

use crate::http::{Fields, Head, Method, Precondition, Status, Validators, evaluate};
use crate::sys::Address;

/// A complete request, borrowed for one call.
#[derive(Debug)]
pub struct Request<'b> {
    head: &'b Head<'b>,
    body: &'b mut [u8],
    peer: Option<&'b Address>,
}

impl<'b> Request<'b> {
    #[inline]
    pub(super) fn new(head: &'b Head<'b>, body: &'b mut [u8]) -> Self {
        Self {
            head,
            body,
            peer: None,
        }
    }

    /// Says who asks.
    #[inline]
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

    /// The status to answer with, and nothing else, because a precondition fails: for a page that is computed, so that it
    /// has no validators, and exists, which is all that `*` asks for (RFC 9110 §13.1). `None` to go on, and always for
    /// methods other than GET and HEAD. Files have validators: [`Files`](super::Files) looks at them.
    #[inline]
    pub fn failed_precondition(&self) -> Option<Status> {
        if self.head.has_tag_precondition {
            self.judge_preconditions()
        } else {
            None
        }
    }

    #[cold]
    fn judge_preconditions(&self) -> Option<Status> {
        let method = self.head.method;
        if !matches!(method, Method::Get | Method::Head) {
            return None;
        }
        let none = Validators {
            etag: None,
            last_modified: None,
        };
        // The time concerns dates alone, which need a validator.
        match evaluate(&self.head.fields, method, Some(&none), 0) {
            Precondition::Proceed => None,
            Precondition::NotModified => Some(Status::NOT_MODIFIED),
            Precondition::Failed => Some(Status::PRECONDITION_FAILED),
        }
    }

    /// The head with everything in it.
    #[inline]
    pub fn head(&self) -> &'b Head<'b> {
        self.head
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
