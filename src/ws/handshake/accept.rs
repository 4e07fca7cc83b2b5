//! The server's half: is this request a WebSocket handshake, and if not, how is it refused (RFC 6455 §4.2)?
#![forbid(unsafe_code)]

use super::{Once, accept_key, contains, elements, is_extension_list, is_key, is_token, trimmed};

/// The most subprotocols that a client may offer: 16. More are refused with 400, because finding a repeated one
/// compares each with each, and a head of 16 KiB has room for thousands.
pub const OFFERS_MAX: usize = 16;

/// The most lines of `Sec-WebSocket-Extensions` that are kept: 4, each a list. Browsers send one. What stands in further
/// lines is only checked to be a list, and not negotiated, as if the server did not know it (RFC 6455 §9.1 allows to
/// decline anything).
const EXTENSION_LINES_MAX: usize = 4;

/// A handshake that may be answered with 101.
#[derive(Clone, Debug)]
pub struct Accept<'b> {
    /// The value for `Sec-WebSocket-Accept`.
    pub key_accept: [u8; 28],
    /// The subprotocols that the client offers, in its order of preference. Choose at most one of them.
    pub protocols: Offers<'b>,
    /// The page's origin, as browsers send it (RFC 6455 §10.2). Programs may send none, or anything.
    pub origin: Option<&'b [u8]>,
    extensions: Lines<'b>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lines<'b> {
    values: [&'b [u8]; EXTENSION_LINES_MAX],
    count: usize,
}

impl<'b> Lines<'b> {
    fn see(&mut self, value: &'b [u8]) {
        if let Some(place) = self.values.get_mut(self.count) {
            *place = trimmed(value);
            self.count += 1;
        }
    }
}

impl<'b> Accept<'b> {
    /// The values of the `Sec-WebSocket-Extensions` lines, unparsed, at most the first four.
    pub fn extensions(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let Lines { values, count } = self.extensions;
        values.into_iter().take(count)
    }
}

/// The subprotocols that a client offers: tokens, none of them twice, at most [`OFFERS_MAX`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Offers<'b> {
    names: [&'b str; OFFERS_MAX],
    count: usize,
}

impl<'b> Offers<'b> {
    /// The offers, most preferred first; empty if the client named none.
    pub fn iter(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        let Self { names, count } = *self;
        names.into_iter().take(count)
    }

    /// Whether the client offers `protocol`; case matters (RFC 6455 §4.1).
    pub fn contains(&self, protocol: &str) -> bool {
        self.iter().any(|offer| offer == protocol)
    }

    /// Adds the offers of one field line; false if they are no such list.
    fn see(&mut self, list: &'b [u8]) -> bool {
        let mut any = false;
        for offer in elements(list) {
            any = true;
            let Some(name) = core::str::from_utf8(offer).ok().filter(|_| is_token(offer)) else {
                return false;
            };
            if self.count == OFFERS_MAX || self.contains(name) {
                return false;
            }
            self.names[self.count] = name;
            self.count += 1;
        }
        any
    }
}

/// Why a request is not upgraded, and with what it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 405 or 426.
    pub status: u16,
    /// A few words for the body and the log.
    pub reason: &'static str,
    /// The version is what was wrong: the reply names the one we speak (RFC 6455 §4.4).
    pub upgrade_version: bool,
}

impl Refusal {
    const fn bad(reason: &'static str) -> Self {
        Self {
            status: 400,
            reason,
            upgrade_version: false,
        }
    }

    /// The fields that the reply must carry besides the usual: what to upgrade to with a 426 (RFC 9110 §15.5.22), the
    /// version with a wrong version, the allowed method with a 405 (RFC 9110 §15.5.6).
    ///
    /// A 426 already carries `Connection: Upgrade`; a server that closes after it says `Connection: Upgrade, close`.
    pub const fn fields(&self) -> &'static [(&'static str, &'static str)] {
        const UPGRADE: [(&str, &str); 3] = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
        ];
        match self.status {
            426 if self.upgrade_version => &UPGRADE,
            426 => UPGRADE.split_at(2).0,
            405 => &[("Allow", "GET")],
            _ => &[],
        }
    }
}

/// What the fields said, in one pass.
#[derive(Default)]
struct Seen<'b> {
    upgrade: bool,
    connection: bool,
    key: Once<'b>,
    version: Once<'b>,
    origin: Once<'b>,
    protocols: Offers<'b>,
    bad_protocols: bool,
    extensions: Lines<'b>,
    bad_extensions: bool,
}

impl<'b> Seen<'b> {
    fn see(&mut self, name: &[u8], value: &'b [u8]) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("Upgrade") {
            self.upgrade |= contains(value, b"websocket");
        } else if is("Connection") {
            self.connection |= contains(value, b"upgrade");
        } else if is("Sec-WebSocket-Key") {
            self.key.see(value);
        } else if is("Sec-WebSocket-Version") {
            self.version.see(value);
        } else if is("Origin") {
            self.origin.see(value);
        } else if is("Sec-WebSocket-Protocol") {
            self.bad_protocols |= !self.protocols.see(value);
        } else if is("Sec-WebSocket-Extensions") {
            self.bad_extensions |= !is_extension_list(value);
            self.extensions.see(value);
        }
    }
}

/// Judges a request by RFC 6455 §4.2.1; Host was checked with the request's head.
///
/// `fields` yields every field line, names in any case. A request that names no WebSocket in `Upgrade` gets 426, which
/// is the answer for a plain GET to a WebSocket's address.
///
/// # Errors
/// [`Refusal`], for the first of these that is wrong: method (405), HTTP version (400), `Upgrade` (426), `Connection`
/// (400), `Sec-WebSocket-Version` (426), key (400), subprotocols (400), extensions against the grammar of §9.1 (400),
/// `Origin` twice (400). Extensions that are merely unknown are no error.
///
/// ```
/// use longshore::ws;
/// let fields: [(&[u8], &[u8]); 4] = [
///     (b"Upgrade", b"websocket"),
///     (b"Connection", b"keep-alive, Upgrade"),
///     (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
///     (b"Sec-WebSocket-Version", b"13"),
/// ];
/// let accept = ws::accept(true, true, fields.into_iter()).unwrap();
/// let mut out = Vec::new();
/// ws::encode_101(&mut out, &accept.key_accept, &ws::Agreement::default());
/// assert!(out.starts_with(b"HTTP/1.1 101 "));
/// ```
pub fn accept<'b>(
    method_is_get: bool,
    version_is_1_1: bool,
    fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
) -> Result<Accept<'b>, Refusal> {
    let mut seen = Seen::default();
    fields.for_each(|(name, value)| seen.see(name, value));
    if !method_is_get {
        return Err(Refusal {
            status: 405,
            reason: "a WebSocket begins with GET",
            upgrade_version: false,
        });
    }
    if !version_is_1_1 {
        return Err(Refusal::bad("a WebSocket needs HTTP/1.1"));
    }
    if !seen.upgrade {
        return Err(Refusal {
            status: 426,
            reason: "this is a WebSocket",
            upgrade_version: false,
        });
    }
    if !seen.connection {
        return Err(Refusal::bad("Upgrade is not named in Connection"));
    }
    if !matches!(seen.version, Once::Single(b"13")) {
        return Err(Refusal {
            status: 426,
            reason: "the WebSocket version must be 13, once",
            upgrade_version: true,
        });
    }
    let key = match seen.key {
        Once::Single(key) if is_key(key) => key,
        Once::Single(_) => return Err(Refusal::bad("the key is not 16 bytes in base64")),
        Once::Absent => return Err(Refusal::bad("there is no key")),
        Once::Repeated => return Err(Refusal::bad("there is more than one key")),
    };
    if seen.bad_protocols {
        return Err(Refusal::bad(
            "the subprotocols are not at most 16 different tokens",
        ));
    }
    if seen.bad_extensions {
        return Err(Refusal::bad("the extensions are no list of extensions"));
    }
    let origin = match seen.origin {
        Once::Absent => None,
        Once::Single(origin) => Some(origin),
        Once::Repeated => return Err(Refusal::bad("there is more than one origin")),
    };
    Ok(Accept {
        key_accept: accept_key(key),
        protocols: seen.protocols,
        origin,
        extensions: seen.extensions,
    })
}

/// What the 101 says besides that it agrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement<'h> {
    /// The subprotocol, one of the client's offers.
    pub protocol: Option<&'h str>,
    /// The value of `Sec-WebSocket-Extensions`: what was agreed on of what the client offered.
    pub extensions: Option<&'h str>,
    /// Further field lines, encoded, each with its CRLF: `Set-Cookie: a=b\r\n`. Whoever wrote them has checked them.
    pub fields: &'h [u8],
}

/// Appends the reply that opens the WebSocket (RFC 6455 §4.2.2): everything behind its last byte is frames.
///
/// # Panics
/// If the subprotocol is not a token (RFC 9110 §5.6.2), the extensions hold a line break, or the last of the further
/// fields has no end: the caller made them.
///
/// ```
/// use longshore::ws::{Agreement, encode_101};
/// let mut out = Vec::new();
/// let chat = Agreement { protocol: Some("chat"), ..Agreement::default() };
/// encode_101(&mut out, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &chat);
/// assert!(out.ends_with(b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
/// ```
pub fn encode_101(out: &mut Vec<u8>, accept: &[u8; 28], agreement: &Agreement<'_>) {
    let Agreement {
        protocol,
        extensions,
        fields,
    } = agreement;
    assert!(
        protocol.is_none_or(|protocol| is_token(protocol.as_bytes())),
        "a subprotocol is a token that the client offered"
    );
    assert!(
        extensions.is_none_or(|value| value.bytes().all(|byte| matches!(byte, b' '..=b'~'))),
        "extensions are tokens and quoted tokens"
    );
    assert!(
        fields.is_empty() || fields.ends_with(b"\r\n"),
        "a field line ends with CRLF"
    );
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\n\
          Upgrade: websocket\r\n\
          Connection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept);
    out.extend_from_slice(b"\r\n");
    for (name, value) in [
        ("Sec-WebSocket-Protocol: ", protocol),
        ("Sec-WebSocket-Extensions: ", extensions),
    ] {
        if let Some(value) = value {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(fields);
    out.extend_from_slice(b"\r\n");
}
