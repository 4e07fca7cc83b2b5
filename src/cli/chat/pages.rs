//! The page, its style sheet and its script.

use longshore::{Replied, Reply};

use crate::cli::page;

/// `/chat`.
pub(crate) fn page(reply: Reply<'_>) -> Replied {
    page::html(reply, include_str!("page.html"))
}

/// `/chat/chat.css`.
pub(crate) fn style(reply: Reply<'_>) -> Replied {
    page::css(reply, include_str!("chat.css"))
}

/// `/chat/chat.js`.
pub(crate) fn script(reply: Reply<'_>) -> Replied {
    page::script(reply, include_str!("chat.js"))
}
