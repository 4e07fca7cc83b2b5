//! The paths of the feed.

/// A path of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Page,
    Style,
    Script,
    Poll,
    LongPoll,
    Events,
    Socket,
}

impl Route {
    pub(crate) fn of(path: &[u8]) -> Option<Self> {
        Some(match path.strip_prefix(b"/feed")? {
            b"" => Self::Page,
            b"/feed.css" => Self::Style,
            b"/feed.js" => Self::Script,
            b"/poll" => Self::Poll,
            b"/long-poll" => Self::LongPoll,
            b"/events" => Self::Events,
            b"/ws" => Self::Socket,
            _ => return None,
        })
    }
}
