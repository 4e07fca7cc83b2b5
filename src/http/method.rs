//! What a request asks for (RFC 9110 §9).
#![forbid(unsafe_code)]

use core::fmt;

/// A request method. Methods are case-sensitive: `get` is an unknown one (RFC 9110 §9.1).
///
/// ```
/// use longshore::http::Method;
/// assert_eq!(Method::of(b"GET"), Method::Get);
/// assert_eq!(Method::of(b"get"), Method::Unknown(b"get"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method<'b> {
    /// RFC 9110 §9.3.1.
    Get,
    /// RFC 9110 §9.3.2.
    Head,
    /// RFC 9110 §9.3.3.
    Post,
    /// RFC 9110 §9.3.4.
    Put,
    /// RFC 9110 §9.3.5.
    Delete,
    /// RFC 9110 §9.3.7.
    Options,
    /// RFC 5789 §2.
    Patch,
    /// RFC 9110 §9.3.8.
    Trace,
    /// RFC 9110 §9.3.6.
    Connect,
    /// Another token, at most 32 bytes long in a decoded head; 501 is the answer unless a handler knows it.
    Unknown(&'b [u8]),
}

impl<'b> Method<'b> {
    /// The method that a token names.
    #[inline]
    pub const fn of(token: &'b [u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"PATCH" => Self::Patch,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Unknown(token),
        }
    }

    /// The bytes of the token.
    pub const fn as_bytes(&self) -> &'b [u8] {
        match self {
            Self::Get => b"GET",
            Self::Head => b"HEAD",
            Self::Post => b"POST",
            Self::Put => b"PUT",
            Self::Delete => b"DELETE",
            Self::Options => b"OPTIONS",
            Self::Patch => b"PATCH",
            Self::Trace => b"TRACE",
            Self::Connect => b"CONNECT",
            Self::Unknown(token) => token,
        }
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}
