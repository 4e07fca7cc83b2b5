//! Every code, in both directions (RFC 6455 §7.4).

use super::*;
use crate::ws::encode_close;

#[test]
fn every_code_travels_or_does_not() {
    for code in 0..=u16::MAX {
        let travels = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::new(code).is_some(), travels, "{code}");
        let parsed = parse(&code.to_be_bytes()).map(|(code, _)| code);
        match CloseCode::new(code) {
            Some(allowed) => {
                assert_eq!(parsed, Ok(Some(allowed)));
                let mut out = Vec::new();
                encode_close(&mut out, Some(allowed), "");
                assert_eq!(out[2..], code.to_be_bytes());
            }
            None => assert_eq!(parsed, Err(Error::CloseCode), "{code}"),
        }
    }
}

#[test]
fn reserved_codes_cannot_be_said() {
    // §7.4.1: not yet defined, no status, abnormal closure, TLS.
    for code in [1004, 1005, 1006, 1015] {
        assert_eq!(CloseCode::new(code), None);
    }
}

#[test]
fn the_payload_is_a_code_and_text_or_nothing() {
    assert_eq!(parse(b""), Ok((None, "")));
    assert_eq!(parse(b"\x03"), Err(Error::CloseLength));
    assert_eq!(parse(b"\x03\xe8bye"), Ok((Some(CloseCode::NORMAL), "bye")));
    assert_eq!(parse(b"\x03\xe8\xff"), Err(Error::InvalidUtf8));
    assert_eq!(
        parse(b"\x03\xee\xff"),
        Err(Error::CloseCode),
        "the code first"
    );
}
