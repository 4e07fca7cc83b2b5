//! The page, its style sheet and its script.

use longshore::{Replied, Reply};

use crate::cli::page;

/// What stands in the page where the server's address belongs.
const HOST: &str = "{{host}}";

/// `/feed`, with the address under which it was asked for: what it says to type works as it stands.
pub(super) fn page(host: Option<&[u8]>, reply: Reply<'_>) -> Replied {
    let page = include_str!("page.html");
    page::html(reply, &page.replace(HOST, address(host)))
}

/// A host, and its port, that can stand in a page and on a command line. Of the bytes that a Host field may have some are
/// markup, or the shell's (RFC 9110 §7.2): with them it is left for the reader to fill in.
pub(super) fn address(host: Option<&[u8]>) -> &str {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte);
    let plain = host.filter(|host| !host.is_empty() && host.iter().all(is_plain));
    plain
        .and_then(|host| std::str::from_utf8(host).ok())
        .unwrap_or("HOST")
}

/// `/feed/feed.css`.
pub(super) fn style(reply: Reply<'_>) -> Replied {
    page::css(reply, include_str!("feed.css"))
}

/// `/feed/feed.js`.
pub(super) fn script(reply: Reply<'_>) -> Replied {
    page::script(reply, include_str!("feed.js"))
}
