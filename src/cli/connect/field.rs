//! Fields and methods of requests, as the command line has them. What must not stand in a request is a mistake there.

use std::str::FromStr;

/// A field of a request: `Name: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(super) name: String,
    pub(super) value: String,
}

impl FromStr for Field {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name) {
            return Err("the name of a field has only letters, digits and !#$%&'*+-.^_`|~");
        }
        // A line end would begin another field, or another request (RFC 9110 §5.5).
        if value
            .bytes()
            .any(|byte| byte != b'\t' && byte.is_ascii_control())
        {
            return Err("the value of a field has no line ends or control characters");
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// A method, which is a token (RFC 9110 §9.1). CONNECT makes a tunnel, behind which there is no HTTP.
pub(super) fn method(text: &str) -> Result<String, &'static str> {
    match text {
        "CONNECT" => Err("CONNECT is for proxies, and longshore does not speak to them"),
        _ if is_token(text) => Ok(text.to_owned()),
        _ => Err("a method has only letters, digits and !#$%&'*+-.^_`|~"),
    }
}

/// Path and query, as they stand in a request (RFC 9112 §3.2.1).
pub(super) fn path(text: &str) -> Result<String, &'static str> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if text.starts_with('/') && is_plain {
        Ok(text.to_owned())
    } else {
        Err("a path begins with / and has no spaces, control characters or #")
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}
