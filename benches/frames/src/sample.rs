//! What is sent: masked frames of one size, a quarter of a mebibyte of them.
#![forbid(unsafe_code)]

use longshore::ws::{Kind, encode_masked_message};

/// How many bytes of frames are repeated for ever: they and a receive buffer fit into the second-level cache, where
/// recv(2) finds what a fast peer has just sent. Not into the first.
const REPEATED_BYTES: usize = 256 << 10;

/// What the payloads hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// A binary message.
    Binary,
    /// A text message of ASCII.
    Ascii,
    /// A text message of characters of one to four bytes.
    Mixed,
}

impl Content {
    /// Every content, in the order of the tables.
    pub(crate) const ALL: [Self; 3] = [Self::Binary, Self::Ascii, Self::Mixed];

    /// Its name in tables and arguments.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::Mixed => "mixed",
        }
    }

    /// The kind of its messages.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Binary => Kind::Binary,
            Self::Ascii | Self::Mixed => Kind::Text,
        }
    }

    /// A payload of exactly `bytes` bytes.
    pub(crate) fn payload(self, bytes: usize) -> Vec<u8> {
        match self {
            Self::Binary => (0..bytes).map(|i| (i * 7 % 251) as u8).collect(),
            Self::Ascii => (0..bytes).map(|i| b' ' + (i % 95) as u8).collect(),
            Self::Mixed => {
                let mut text = String::new();
                for c in "Grüße, мир! 你好 😂 ".chars().cycle() {
                    if text.len() + c.len_utf8() > bytes {
                        break;
                    }
                    text.push(c);
                }
                text.extend(std::iter::repeat_n('.', bytes - text.len()));
                text.into_bytes()
            }
        }
    }
}

/// One line of a table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// What the payloads hold.
    pub(crate) content: Content,
    /// How long each payload is.
    pub(crate) payload_bytes: usize,
}

impl Row {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Content::ALL.into_iter().flat_map(|content| {
            [20, 125, 1024, 16384].map(|payload_bytes| Self {
                content,
                payload_bytes,
            })
        })
    }

    /// Its name in tables and arguments: `binary-20`.
    pub(crate) fn name(self) -> String {
        format!("{}-{}", self.content.name(), self.payload_bytes)
    }

    /// Whole masked frames of a client, about 256 KiB, each with another mask.
    pub(crate) fn frames(self) -> Vec<u8> {
        let payload = self.content.payload(self.payload_bytes);
        let mut frames = Vec::new();
        let mut mask: u32 = 0x9E37_79B9;
        while frames.len() + self.payload_bytes + 14 <= REPEATED_BYTES {
            mask = mask.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F);
            encode_masked_message(
                &mut frames,
                mask.to_le_bytes(),
                self.content.kind(),
                &payload,
            );
        }
        frames
    }
}
