//! The page, its style sheet and its script.

use longshore::{Replied, Reply};

use crate::cli::page;

/// `/feed`.
pub(super) fn page(reply: Reply<'_>) -> Replied {
    page::html(reply, include_str!("page.html"))
}

/// `/feed/feed.css`.
pub(super) fn style(reply: Reply<'_>) -> Replied {
    page::css(reply, include_str!("feed.css"))
}

/// `/feed/feed.js`.
pub(super) fn script(reply: Reply<'_>) -> Replied {
    page::script(reply, include_str!("feed.js"))
}
