//! Lines, byte for byte.

use super::*;
use crate::sys::{Address, UnixName};

fn full(peer: &Address) -> Entry<'_> {
    Entry {
        peer: Some(peer),
        referer: Some(b"https://example.com/?a=b"),
        user_agent: Some(b"curl/8.5.0"),
        duration: Some(Duration::from_nanos(1_234_567)),
        ..entry(b"GET /x?y HTTP/1.1")
    }
}

#[test]
fn a_request_in_every_format() {
    let peer = "127.0.0.1:4711".parse().expect("a literal");
    assert_eq!(
        line(AccessFormat::Common, &full(&peer)),
        "127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] \"GET /x?y HTTP/1.1\" 200 2326\n"
    );
    assert_eq!(
        line(AccessFormat::Combined, &full(&peer)),
        "127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] \"GET /x?y HTTP/1.1\" 200 2326 \
         \"https://example.com/?a=b\" \"curl/8.5.0\"\n"
    );
    assert_eq!(
        line(AccessFormat::Json, &full(&peer)),
        "{\"time\":\"2026-10-10T13:55:36.042Z\",\"peer\":\"127.0.0.1\",\"method\":\"GET\",\"target\":\"/x?y\",\
         \"version\":\"HTTP/1.1\",\"status\":200,\"bytes\":2326,\"duration_us\":1234,\
         \"referer\":\"https://example.com/?a=b\",\"user_agent\":\"curl/8.5.0\"}\n"
    );
}

#[test]
fn what_is_absent_says_so() {
    let unreadable = Entry {
        request_line: None,
        status: 400,
        body_bytes: 0,
        ..entry(b"")
    };
    assert_eq!(
        line(AccessFormat::Common, &unreadable),
        "- - - [10/Oct/2026:13:55:36 +0000] \"-\" 400 0\n"
    );
    assert_eq!(
        line(AccessFormat::Combined, &unreadable),
        "- - - [10/Oct/2026:13:55:36 +0000] \"-\" 400 0 \"-\" \"-\"\n"
    );
    assert_eq!(
        line(AccessFormat::Json, &unreadable),
        "{\"time\":\"2026-10-10T13:55:36.042Z\",\"peer\":null,\"method\":null,\"target\":null,\"version\":null,\
         \"status\":400,\"bytes\":0,\"duration_us\":null,\"referer\":null,\"user_agent\":null}\n"
    );
}

#[test]
fn peers_of_every_family() {
    let named = Address::Unix(UnixName::Path("/run/\" forged \"".into()));
    let table = [
        ("192.0.2.255:1".parse().expect("a literal"), "192.0.2.255"),
        (
            "[2001:db8::1]:80".parse().expect("a literal"),
            "2001:db8::1",
        ),
        (
            "[::ffff:192.0.2.7]:80".parse().expect("a literal"),
            "192.0.2.7",
        ),
        (Address::Unix(UnixName::Unnamed), "unix:"),
        (named, "unix:"),
    ];
    for (peer, host) in table {
        let text = line(AccessFormat::Common, &full(&peer));
        assert_eq!(text.split(' ').next(), Some(host));
        let json = line(AccessFormat::Json, &full(&peer));
        assert!(json.contains(&format!(",\"peer\":\"{host}\",")), "{json}");
    }
}

#[test]
fn times_at_the_edges() {
    let table = [
        (
            UNIX_EPOCH,
            "01/Jan/1970:00:00:00",
            "1970-01-01T00:00:00.000Z",
        ),
        (
            UNIX_EPOCH - Duration::from_secs(1),
            "01/Jan/1970:00:00:00",
            "1970-01-01T00:00:00.000Z",
        ),
        (
            UNIX_EPOCH + Duration::from_millis(951_782_399_999),
            "28/Feb/2000:23:59:59",
            "2000-02-28T23:59:59.999Z",
        ),
        (
            UNIX_EPOCH + Duration::from_secs(951_782_400),
            "29/Feb/2000:00:00:00",
            "2000-02-29T00:00:00.000Z",
        ),
        (
            UNIX_EPOCH + Duration::from_secs(400_000_000_000),
            "31/Dec/9999:23:59:59",
            "9999-12-31T23:59:59.000Z",
        ),
    ];
    for (time, common, rfc3339) in table {
        let entry = Entry {
            time,
            ..entry(b"GET / HTTP/1.1")
        };
        let text = line(AccessFormat::Common, &entry);
        assert!(text.contains(&format!("[{common} +0000]")), "{text}");
        let json = line(AccessFormat::Json, &entry);
        assert!(
            json.starts_with(&format!("{{\"time\":\"{rfc3339}\",")),
            "{json}"
        );
    }
}

#[test]
fn a_stamp_moves_with_the_time() {
    let mut stamp = Stamp::new();
    for (milliseconds, expected) in [
        (1_500, "1970-01-01T00:00:01.500Z"),
        (1_501, "1970-01-01T00:00:01.501Z"),
        (2_000, "1970-01-01T00:00:02.000Z"),
        // The clock may be set back.
        (999, "1970-01-01T00:00:00.999Z"),
        (1_804_636_799_000, "2027-03-09T23:59:59.000Z"),
    ] {
        stamp.update(UNIX_EPOCH + Duration::from_millis(milliseconds));
        let mut text = Vec::new();
        stamp.write_rfc3339(&mut text);
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}

#[test]
fn all_months_have_their_numbers() {
    for month in 0..12_u64 {
        // The 15th of each month of 1970 lies within these.
        let day = 14 + [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month as usize];
        let mut stamp = Stamp::new();
        stamp.update(UNIX_EPOCH + Duration::from_secs(day * 86_400));
        let mut text = Vec::new();
        stamp.write_rfc3339(&mut text);
        let expected = format!("1970-{:02}-15T00:00:00.000Z", month + 1);
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}

#[test]
fn formats_have_names() {
    for format in [
        AccessFormat::Common,
        AccessFormat::Combined,
        AccessFormat::Json,
    ] {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "JSON"
        .parse::<AccessFormat>()
        .expect_err("names are lower case");
    assert!(error.contains("common, combined, json"), "{error}");
}
