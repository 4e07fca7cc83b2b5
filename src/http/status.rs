//! Status codes and the status lines that carry them.
#![forbid(unsafe_code)]

use core::fmt;

/// A status code between 100 and 599 (RFC 9110 §15).
///
/// ```
/// use longshore::http::Status;
/// assert_eq!(Status::NOT_FOUND.code(), 404);
/// assert_eq!(Status::NOT_FOUND.phrase(), "Not Found");
/// assert_eq!(Status::new(299).map(Status::phrase), Some(""));
/// assert_eq!(Status::new(600), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

macro_rules! statuses {
    ($($code:literal $name:ident $phrase:literal, $source:literal;)*) => {
        impl Status {
            $(
                #[doc = concat!("`", $code, " ", $phrase, "`, ", $source, ".")]
                pub const $name: Self = Self($code);
            )*

            /// The reason phrase, empty for a code without a name.
            pub const fn phrase(self) -> &'static str {
                match self.0 {
                    $($code => $phrase,)*
                    _ => "",
                }
            }

            /// The whole status line with its CRLF, if the code has a name: replies copy it as one constant.
            #[inline]
            pub(super) const fn line(self) -> Option<&'static [u8]> {
                match self.0 {
                    $($code => Some(concat!("HTTP/1.1 ", $code, " ", $phrase, "\r\n").as_bytes()),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    100 CONTINUE "Continue", "RFC 9110 §15.2.1";
    101 SWITCHING_PROTOCOLS "Switching Protocols", "RFC 9110 §15.2.2";
    103 EARLY_HINTS "Early Hints", "RFC 8297 §2";
    200 OK "OK", "RFC 9110 §15.3.1";
    201 CREATED "Created", "RFC 9110 §15.3.2";
    202 ACCEPTED "Accepted", "RFC 9110 §15.3.3";
    203 NON_AUTHORITATIVE_INFORMATION "Non-Authoritative Information", "RFC 9110 §15.3.4";
    204 NO_CONTENT "No Content", "RFC 9110 §15.3.5";
    205 RESET_CONTENT "Reset Content", "RFC 9110 §15.3.6";
    206 PARTIAL_CONTENT "Partial Content", "RFC 9110 §15.3.7";
    300 MULTIPLE_CHOICES "Multiple Choices", "RFC 9110 §15.4.1";
    301 MOVED_PERMANENTLY "Moved Permanently", "RFC 9110 §15.4.2";
    302 FOUND "Found", "RFC 9110 §15.4.3";
    303 SEE_OTHER "See Other", "RFC 9110 §15.4.4";
    304 NOT_MODIFIED "Not Modified", "RFC 9110 §15.4.5";
    307 TEMPORARY_REDIRECT "Temporary Redirect", "RFC 9110 §15.4.8";
    308 PERMANENT_REDIRECT "Permanent Redirect", "RFC 9110 §15.4.9";
    400 BAD_REQUEST "Bad Request", "RFC 9110 §15.5.1";
    401 UNAUTHORIZED "Unauthorized", "RFC 9110 §15.5.2";
    402 PAYMENT_REQUIRED "Payment Required", "RFC 9110 §15.5.3";
    403 FORBIDDEN "Forbidden", "RFC 9110 §15.5.4";
    404 NOT_FOUND "Not Found", "RFC 9110 §15.5.5";
    405 METHOD_NOT_ALLOWED "Method Not Allowed", "RFC 9110 §15.5.6";
    406 NOT_ACCEPTABLE "Not Acceptable", "RFC 9110 §15.5.7";
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required", "RFC 9110 §15.5.8";
    408 REQUEST_TIMEOUT "Request Timeout", "RFC 9110 §15.5.9";
    409 CONFLICT "Conflict", "RFC 9110 §15.5.10";
    410 GONE "Gone", "RFC 9110 §15.5.11";
    411 LENGTH_REQUIRED "Length Required", "RFC 9110 §15.5.12";
    412 PRECONDITION_FAILED "Precondition Failed", "RFC 9110 §15.5.13";
    413 CONTENT_TOO_LARGE "Content Too Large", "RFC 9110 §15.5.14";
    414 URI_TOO_LONG "URI Too Long", "RFC 9110 §15.5.15";
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type", "RFC 9110 §15.5.16";
    416 RANGE_NOT_SATISFIABLE "Range Not Satisfiable", "RFC 9110 §15.5.17";
    417 EXPECTATION_FAILED "Expectation Failed", "RFC 9110 §15.5.18";
    421 MISDIRECTED_REQUEST "Misdirected Request", "RFC 9110 §15.5.20";
    422 UNPROCESSABLE_CONTENT "Unprocessable Content", "RFC 9110 §15.5.21";
    425 TOO_EARLY "Too Early", "RFC 8470 §5.2";
    426 UPGRADE_REQUIRED "Upgrade Required", "RFC 9110 §15.5.22";
    428 PRECONDITION_REQUIRED "Precondition Required", "RFC 6585 §3";
    429 TOO_MANY_REQUESTS "Too Many Requests", "RFC 6585 §4";
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large", "RFC 6585 §5";
    451 UNAVAILABLE_FOR_LEGAL_REASONS "Unavailable For Legal Reasons", "RFC 7725 §3";
    500 INTERNAL_SERVER_ERROR "Internal Server Error", "RFC 9110 §15.6.1";
    501 NOT_IMPLEMENTED "Not Implemented", "RFC 9110 §15.6.2";
    502 BAD_GATEWAY "Bad Gateway", "RFC 9110 §15.6.3";
    503 SERVICE_UNAVAILABLE "Service Unavailable", "RFC 9110 §15.6.4";
    504 GATEWAY_TIMEOUT "Gateway Timeout", "RFC 9110 §15.6.5";
    505 HTTP_VERSION_NOT_SUPPORTED "HTTP Version Not Supported", "RFC 9110 §15.6.6";
    507 INSUFFICIENT_STORAGE "Insufficient Storage", "RFC 4918 §11.5";
    508 LOOP_DETECTED "Loop Detected", "RFC 5842 §7.2";
    511 NETWORK_AUTHENTICATION_REQUIRED "Network Authentication Required", "RFC 6585 §6";
}

impl Status {
    /// A status from its code; `None` outside 100 to 599, which RFC 9110 §15 calls invalid.
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 100 && code < 600 {
            Some(Self(code))
        } else {
            None
        }
    }

    /// The three digits as a number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Whether this is an interim reply (1xx), which another reply follows (RFC 9110 §15.2).
    pub const fn is_interim(self) -> bool {
        self.0 < 200
    }

    /// Whether the request succeeded (2xx, RFC 9110 §15.3).
    pub const fn is_success(self) -> bool {
        self.0 >= 200 && self.0 < 300
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.phrase())
    }
}
