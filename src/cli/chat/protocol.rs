//! The messages as Rust types; the table of them stands in the module above.
//!
//! What comes is strict: an unknown type or member, a wrong type, or a member that comes twice is refused.

use std::time::Duration;

use longshore::EnterError;
use serde::{Deserialize, Serialize};

/// The most bytes of a message that is looked at: 2000 characters, each escaped as two surrogates, and some more.
pub(super) const ASKED_BYTES_MAX: usize = 32 * 1024;

/// What a browser asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Asked {
    Hello(Hello),
    Say { id: String, text: String },
    Alive {},
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    pub(super) name: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) room: Option<String>,
    #[serde(default)]
    pub(super) since: u64,
}

impl Hello {
    /// The key as a number, if it is one: 32 hexadecimal digits.
    pub(super) fn owner(&self) -> Option<u128> {
        let is_key = self.key.len() == 32 && self.key.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(&self.key, 16).ok().filter(|_| is_key)
    }
}

/// Whether a client may name a message so.
pub(super) fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=32).contains(&id.len()) && id.bytes().all(is_plain)
}

/// What the server tells.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Told<'r> {
    Welcome {
        room: &'r str,
        name: &'r str,
        seat: u64,
    },
    History {
        messages: Vec<&'r Said>,
    },
    Said(&'r Said),
    Who {
        members: Vec<Who>,
    },
    Replaced {
        seat: u64,
    },
    Alive {},
    Error {
        code: &'static str,
        text: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    },
}

impl Told<'_> {
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("its maps have text as keys, and nothing in it can fail")
    }
}

/// A message of the room.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    /// From 1, without a gap.
    pub(super) number: u64,
    /// Milliseconds since 1970.
    pub(super) time: u64,
    pub(super) from: String,
    pub(super) id: String,
    pub(super) text: String,
}

/// A member of the room.
#[derive(Debug, Serialize)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) online: bool,
    /// The last sign of life, in milliseconds since 1970.
    pub(super) seen: u64,
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Name,
    Taken,
    Full,
    Text,
    /// Again in so much time.
    Rate(Duration),
    Busy,
    Message,
    Hello,
    Again,
    Key,
}

impl Refusal {
    fn code(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Taken => "taken",
            Self::Full => "full",
            Self::Text => "text",
            Self::Rate(_) => "rate",
            Self::Busy => "busy",
            Self::Message => "message",
            Self::Hello => "hello",
            Self::Again => "again",
            Self::Key => "key",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Name => "A nickname has 1 to 32 characters, and no invisible ones.",
            Self::Taken => "Somebody else has this nickname. Please choose another one.",
            Self::Full => "The room is full. Please try again later.",
            Self::Text => "A message has 1 to 2000 characters, and no control characters.",
            Self::Rate(_) => "That was too fast: five messages at once, then one a second.",
            Self::Busy => "The server is too busy. Please try again.",
            Self::Message => "This is no message of the chat's protocol.",
            Self::Hello => "Say hello first.",
            Self::Again => "You have said hello already.",
            Self::Key => "A key has 32 hexadecimal digits.",
        }
    }

    /// What the client is told. `id` names the message that was refused, if it was one.
    pub(super) fn told(self, id: Option<&str>) -> Told<'_> {
        let retry_ms = match self {
            // Rounded up: a millisecond too early would be refused again.
            Self::Rate(wait) => Some(wait.as_millis() as u64 + 1),
            _ => None,
        };
        Told::Error {
            code: self.code(),
            text: self.text(),
            id,
            retry_ms,
        }
    }
}

impl From<EnterError> for Refusal {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::Taken => Self::Taken,
            EnterError::Full => Self::Full,
            EnterError::InvalidName => Self::Name,
        }
    }
}
