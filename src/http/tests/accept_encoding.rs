//! RFC 9110 §12.4.2 and §12.5.3.

use super::super::ContentCoding::{self, Brotli, Deflate, Gzip, Zstd};
use super::super::{AcceptEncoding, Head};

/// Reads one line for each value.
fn accepted(values: &[&str]) -> AcceptEncoding {
    let mut bytes = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
    for value in values {
        bytes += "Accept-Encoding: ";
        bytes += value;
        bytes += "\r\n";
    }
    bytes += "\r\n";
    AcceptEncoding::of(&Head::parse(bytes.as_bytes()).unwrap().fields)
}

#[test]
fn absent_and_empty() {
    let absent = accepted(&[]);
    assert_eq!(absent.weight(Gzip), 1000, "§12.5.3: any coding");
    assert_eq!(absent.choose(&[Gzip]), None, "but it did not ask for one");
    assert!(!absent.refuses_identity());
    let empty = accepted(&[""]);
    assert_eq!(empty.weight(Gzip), 0, "§12.5.3: none");
    assert_eq!(empty.choose(&[Gzip]), None);
    assert!(!empty.refuses_identity());
}

#[test]
fn choices() {
    let both = &[Brotli, Gzip][..];
    let rows: &[(&str, &[ContentCoding], Option<ContentCoding>)] = &[
        ("gzip", both, Some(Gzip)),
        ("GZip", both, Some(Gzip)),
        ("x-gzip", both, Some(Gzip)),
        ("br", both, Some(Brotli)),
        ("gzip, br", both, Some(Brotli)),
        ("gzip, br", &[Gzip, Brotli], Some(Gzip)),
        ("gzip, deflate, br, zstd", both, Some(Brotli)),
        ("gzip;q=1.0, br;q=0.9", both, Some(Gzip)),
        ("gzip;q=0.001, br;q=0", both, Some(Gzip)),
        ("gzip;q=0", both, None),
        ("gzip;q=0.000", both, None),
        ("zstd", both, None),
        ("unknown", both, None),
        ("*", both, Some(Brotli)),
        ("*;q=0.5, gzip;q=0.6", both, Some(Gzip)),
        ("br;q=0, *", both, Some(Gzip)),
        ("*;q=0", both, None),
        ("*;q=0, gzip", both, Some(Gzip)),
        ("identity", both, None),
        ("identity, gzip", both, Some(Gzip)),
        ("identity;q=1, gzip;q=0.5", both, None),
        ("identity;q=0.5, gzip;q=1", both, Some(Gzip)),
        ("identity;q=0, gzip;q=0.1", both, Some(Gzip)),
        ("identity;q=0", both, None),
        ("gzip ; Q=0.5, br\t;\tq=0.4", both, Some(Gzip)),
        (",,gzip,", both, Some(Gzip)),
        ("gzip;q=0, gzip;q=1", both, None),
        ("gzip", &[], None),
        ("gzip", &[Deflate, Zstd], None),
    ];
    for &(value, available, expected) in rows {
        assert_eq!(accepted(&[value]).choose(available), expected, "{value}");
    }
}

#[test]
fn malformed_members_are_ignored_and_the_others_count() {
    for malformed in [
        "br;q=",
        "br;q=2",
        "br;q=1.001",
        "br;q=0.1234",
        "br;q=.5",
        "br;q=-1",
        "br;q=1.0.0",
        "br;q=0,5x",
        "br;q=0x",
        "br;q =1",
        "br;q= 1",
        "br;",
        "br;x=1",
        "br;q=1;x=1",
        "b r",
        "\"br\"",
        ";q=1",
    ] {
        let accepted = accepted(&[&format!("{malformed}, gzip;q=0.5")]);
        assert_eq!(accepted.choose(&[Brotli, Gzip]), Some(Gzip), "{malformed}");
        assert_eq!(accepted.weight(Brotli), 0, "{malformed}");
    }
}

#[test]
fn weights_in_thousandths() {
    for (value, weight) in [
        ("gzip", 1000),
        ("gzip;q=1", 1000),
        ("gzip;q=1.", 1000),
        ("gzip;q=1.000", 1000),
        ("gzip;q=0", 0),
        ("gzip;q=0.", 0),
        ("gzip;q=0.5", 500),
        ("gzip;q=0.05", 50),
        ("gzip;q=0.123", 123),
        ("*;q=0.7", 700),
        ("br", 0),
    ] {
        assert_eq!(accepted(&[value]).weight(Gzip), weight, "{value}");
    }
}

#[test]
fn lines_combine_and_identity_can_be_refused() {
    let two = accepted(&["br;q=0.2", "gzip;q=0.3"]);
    assert_eq!(two.choose(&[Brotli, Gzip]), Some(Gzip));
    for (value, refused) in [
        ("identity;q=0", true),
        ("*;q=0", true),
        ("*;q=0, identity;q=0.1", false),
        ("*;q=0, gzip", true),
        ("gzip;q=0", false),
        ("identity", false),
    ] {
        assert_eq!(accepted(&[value]).refuses_identity(), refused, "{value}");
    }
}

#[test]
fn every_name_is_its_own() {
    for coding in [Gzip, Deflate, Brotli, Zstd] {
        assert_eq!(ContentCoding::of(coding.name().as_bytes()), Some(coding));
        assert_eq!(
            accepted(&[coding.name()]).choose(&[Gzip, Deflate, Brotli, Zstd]),
            Some(coding)
        );
    }
}
