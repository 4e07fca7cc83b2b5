//! A server's answer that is no WebSocket.

use std::fmt;

use super::head::ReplyHead;

/// What a server said instead of 101: a redirect, a wish for a password, an error (RFC 6455 §4.1). It is ordinary HTTP; its
/// content was not read.
///
/// ```no_run
/// use longshore::client::{Error, Options, WebSocket};
/// match WebSocket::connect("ws://localhost/old", &Options::default()) {
///     Err(Error::Refused(refused)) => println!("{}: {:?}", refused.status(), refused.field("Location")),
///     _ => {}
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// A whole head that [`ReplyHead::parse`] has taken.
    head: Box<[u8]>,
}

impl Refused {
    pub(super) fn new(head: &[u8]) -> Self {
        debug_assert!(ReplyHead::parse(head).is_ok());
        Self { head: head.into() }
    }

    fn parsed(&self) -> ReplyHead<'_> {
        ReplyHead::parse(&self.head).expect("the handshake keeps only heads that it could read")
    }

    /// The status: 200 to 999, or 101 from an HTTP/1.0 server, which cannot mean it.
    pub fn status(&self) -> u16 {
        self.parsed().status
    }

    /// Names, as they were sent, and values.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.parsed().fields()
    }

    /// The value of the first field with this name, in any case.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields()
            .find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.head.escape_ascii().to_string();
        f.debug_tuple("Refused").field(&head).finish()
    }
}
