//! Everything that a peer can do wrong, with the answer that it gets.
#![forbid(unsafe_code)]

use core::fmt;

use super::Status;

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident => $status:ident, $reason:literal;)*) => {
        /// Why a request is refused.
        ///
        /// Every variant knows the status of the reply and one plain sentence for its body. After any of them the
        /// connection must close, because nobody can say where the next request starts (RFC 9112 §9.3).
        ///
        /// ```
        /// use longshore::http::{Error, Status};
        /// assert_eq!(Error::MissingHost.status(), Status::BAD_REQUEST);
        /// assert_eq!(Error::MissingHost.reason(), "An HTTP/1.1 request needs a Host field.");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Error {
            /// The status of the reply.
            pub const fn status(self) -> Status {
                match self {
                    $(Self::$name => Status::$status,)*
                }
            }

            /// One plain sentence for the body of the reply. It repeats no byte of the request.
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)*
                }
            }

            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

errors! {
    /// More empty lines before the request line than are ignored (RFC 9112 §2.2).
    TooManyEmptyLines => BAD_REQUEST, "Too many empty lines stand before the request line.";
    /// A CR that no LF follows (RFC 9112 §2.2).
    BareCr => BAD_REQUEST, "A carriage return stands without a line feed.";
    /// An LF that no CR precedes (RFC 9112 §2.2 allows it to be accepted; two parsers then disagree about lines).
    BareLf => BAD_REQUEST, "A line feed stands without a carriage return.";
    /// A method that is no token (RFC 9110 §9.1).
    InvalidMethod => BAD_REQUEST, "The method is not a token.";
    /// A method longer than any that is known (RFC 9112 §3).
    MethodTooLong => NOT_IMPLEMENTED, "The method is longer than any known method.";
    /// A byte in the target that no URI contains, or a malformed percent-encoding (RFC 9112 §3.2, RFC 3986 §2).
    InvalidTarget => BAD_REQUEST, "The request target contains a byte that no URI contains.";
    /// A target whose form does not fit the method (RFC 9112 §3.2).
    InvalidTargetForm => BAD_REQUEST, "The form of the request target does not fit the method.";
    /// A target whose authority or scheme is malformed (RFC 9112 §3.2.2 and §3.2.3, RFC 9110 §4.2).
    InvalidAuthority => BAD_REQUEST, "The authority of the request target is not a host with an optional port.";
    /// A head's worth of bytes that is no request line yet, and whose target is not the reason (RFC 9112 §3).
    EndlessRequestLine => BAD_REQUEST, "The request line does not end.";
    /// A target longer than the limit (RFC 9112 §3).
    TargetTooLong => URI_TOO_LONG, "The request target is too long.";
    /// A request line without a version (RFC 9112 §3).
    MissingVersion => BAD_REQUEST, "The request line has no HTTP version.";
    /// A version that is not `HTTP/`, a digit, a dot, a digit (RFC 9112 §2.3).
    InvalidVersion => BAD_REQUEST, "The HTTP version is malformed.";
    /// A major version other than 1 (RFC 9110 §15.6.6).
    UnsupportedVersion => HTTP_VERSION_NOT_SUPPORTED, "This server speaks HTTP/1.1 and HTTP/1.0.";
    /// A field name that is empty or no token, or a line without a colon (RFC 9112 §5, RFC 9110 §5.1).
    InvalidFieldName => BAD_REQUEST, "A field name is not a token.";
    /// Whitespace between a field name and its colon (RFC 9112 §5.1).
    SpaceBeforeColon => BAD_REQUEST, "Whitespace stands between a field name and its colon.";
    /// A field line that starts with whitespace: line folding, or space after the request line (RFC 9112 §5.2, §2.2).
    ObsoleteFold => BAD_REQUEST, "A field line starts with whitespace.";
    /// A control byte in a field value (RFC 9110 §5.5).
    InvalidFieldValue => BAD_REQUEST, "A field value contains a control byte.";
    /// A head longer than the limit (RFC 6585 §5).
    HeadTooLarge => REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.";
    /// More field lines than the limit (RFC 6585 §5).
    TooManyFields => REQUEST_HEADER_FIELDS_TOO_LARGE, "The request has too many fields.";
    /// [`Head::parse`](super::Head::parse) was given less or more than one whole head.
    NotOneHead => BAD_REQUEST, "The bytes are not exactly one head.";
    /// An HTTP/1.1 request without Host (RFC 9112 §3.2).
    MissingHost => BAD_REQUEST, "An HTTP/1.1 request needs a Host field.";
    /// More than one Host line (RFC 9112 §3.2).
    RepeatedHost => BAD_REQUEST, "The Host field stands more than once.";
    /// A Host value that is no host with an optional port (RFC 9112 §3.2, RFC 9110 §7.2).
    InvalidHost => BAD_REQUEST, "The Host field is not a host with an optional port.";
    /// A Host without a host, while the target names none either: no http URI is without one (RFC 9112 §3.3,
    /// RFC 9110 §4.2.1).
    EmptyHost => BAD_REQUEST, "The Host field is empty, and the target names no host.";
    /// A Content-Length that is not a number (RFC 9112 §6.3, RFC 9110 §8.6).
    InvalidContentLength => BAD_REQUEST, "The Content-Length is not a number.";
    /// A Content-Length of 2^64 or more (RFC 9110 §8.6).
    ContentLengthOverflow => BAD_REQUEST, "The Content-Length does not fit into 64 bits.";
    /// More than one Content-Length, even if they agree (RFC 9110 §8.6).
    RepeatedContentLength => BAD_REQUEST, "The Content-Length stands more than once.";
    /// A Transfer-Encoding that is empty, malformed, or chunks twice or with parameters (RFC 9112 §6.1, §7).
    InvalidTransferEncoding => BAD_REQUEST, "The Transfer-Encoding is malformed.";
    /// A final coding other than chunked, so that the body has no end (RFC 9112 §6.3).
    NotFinallyChunked => BAD_REQUEST, "The final transfer coding is not chunked.";
    /// A transfer coding before chunked, which is not implemented (RFC 9112 §6.1).
    UnknownTransferCoding => NOT_IMPLEMENTED, "The only implemented transfer coding is chunked.";
    /// Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1).
    TransferEncodingInOldVersion => BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding.";
    /// Transfer-Encoding together with Content-Length: request smuggling (RFC 9112 §6.1, §11.2).
    LengthAndTransferEncoding => BAD_REQUEST, "Content-Length and Transfer-Encoding exclude each other.";
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    UnknownExpectation => EXPECTATION_FAILED, "The only known expectation is 100-continue.";
    /// Content in a TRACE request (RFC 9110 §9.3.8).
    ContentInTrace => BAD_REQUEST, "A TRACE request has no content.";
    /// A body longer than the limit, as declared or as counted (RFC 9110 §15.5.14).
    BodyTooLarge => CONTENT_TOO_LARGE, "The content of the request is too large.";
    /// A chunk size that is not hexadecimal (RFC 9112 §7.1).
    InvalidChunkSize => BAD_REQUEST, "A chunk size is not a hexadecimal number.";
    /// A chunk size of more than 64 bits (RFC 9112 §7.1).
    ChunkSizeOverflow => BAD_REQUEST, "A chunk size does not fit into 64 bits.";
    /// A chunk extension that does not follow the grammar (RFC 9112 §7.1.1).
    InvalidChunkExtension => BAD_REQUEST, "A chunk extension is malformed.";
    /// More bytes of chunk extensions than the limit (RFC 9112 §7.1.1).
    ChunkExtensionsTooLarge => BAD_REQUEST, "The chunk extensions are too large.";
    /// Chunk data that does not end in CRLF where its size says (RFC 9112 §7.1).
    InvalidChunkEnd => BAD_REQUEST, "The data of a chunk does not end where its size says.";
    /// A trailer section longer than the limit (RFC 6585 §5).
    TrailersTooLarge => REQUEST_HEADER_FIELDS_TOO_LARGE, "The trailer section is too large.";
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for Error {}

/// Why the encoder refused a part of a reply. Nothing of the refused part was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// The field name is empty or no token (RFC 9110 §5.1).
    InvalidName,
    /// The field value contains CR, LF, NUL or another control byte (RFC 9110 §5.5).
    InvalidValue,
    /// The field belongs to the encoder: Content-Length, Transfer-Encoding, or a Connection that says `close` or
    /// `keep-alive` (RFC 9112 §6, §9.3).
    Reserved,
    /// The field may not stand in a trailer section (RFC 9110 §6.5.1).
    NotInTrailers,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => "the field name is not a token",
            Self::InvalidValue => "the field value contains a control byte",
            Self::Reserved => "the field is written by the encoder itself",
            Self::NotInTrailers => "the field may not stand in a trailer section",
        })
    }
}

impl core::error::Error for EncodeError {}
