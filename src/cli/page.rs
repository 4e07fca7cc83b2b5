//! Pages of the program, their style sheets and scripts: constants, with the fields that keep a browser from doing anything
//! else.

use longshore::http::Status;
use longshore::{Replied, Reply};

/// Fields of all of them.
///
/// The policy (Content Security Policy Level 3) allows nothing but our own script, style and connections: text that
/// somebody else has written could not run or load anything even if it got into the page as markup.
const FIELDS: [(&str, &str); 4] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    // After an update page and script must fit each other.
    ("Cache-Control", "no-cache"),
];

pub(super) fn html(reply: Reply<'_>, content: &str) -> Replied {
    answer(reply, "text/html; charset=utf-8", content)
}

pub(super) fn css(reply: Reply<'_>, content: &str) -> Replied {
    answer(reply, "text/css; charset=utf-8", content)
}

pub(super) fn script(reply: Reply<'_>, content: &str) -> Replied {
    answer(reply, "text/javascript; charset=utf-8", content)
}

fn answer(reply: Reply<'_>, content_type: &str, content: &str) -> Replied {
    let mut reply = reply.status(Status::OK);
    for (name, value) in FIELDS {
        reply = reply.field(name, value).expect("a constant");
    }
    reply.content(content_type, content.as_bytes())
}
