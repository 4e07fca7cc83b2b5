//! Chunked bodies against an outside judge: sizes and trailer lines are read once more by `httparse`.

use proptest::prelude::*;

use super::super::HeadLimits;
use super::whole;

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The content of chunks as a reader sees it that leaves lines to `httparse`. `None` if it finds anything wrong.
fn content(chunks: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let mut rest = chunks;
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(rest) else {
            return None;
        };
        rest = rest.get(line..)?;
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 128];
            let trailers = httparse::parse_headers(rest, &mut fields);
            return matches!(trailers, Ok(httparse::Status::Complete(_))).then_some(content);
        }
        let size = usize::try_from(size).ok()?;
        content.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// Whatever we accept, the judge reads with the same content.
fn agrees(chunks: &[u8]) -> bool {
    let bytes = [HEAD.as_bytes(), chunks].concat();
    let story = whole(&bytes, &HeadLimits::default());
    if story.error.is_some() || story.ends() == 0 {
        return false;
    }
    // What follows the end is another request, and may be anything.
    let shown = chunks.escape_ascii().to_string();
    assert_eq!(content(chunks), Some(story.bodies()), "{shown}");
    true
}

fn chunks() -> impl Strategy<Value = Vec<u8>> {
    let extension = "( ?; ?[a-z]{1,3}( ?= ?[a-z0-9]{1,4}|=\"[a-z,; =]{0,6}\")?){0,2}";
    let chunk = ("0{0,2}", extension, "[ -~\r\n]{1,20}").prop_map(|(zeros, extension, data)| {
        format!("{zeros}{:x}{extension}\r\n{data}\r\n", data.len())
    });
    let trailers = "([!#$%&'*+.^_`|~0-9A-Za-z-]{1,9}:[ \t]{0,2}[!-~]{0,9}[ \t]{0,2}\r\n){0,4}";
    (proptest::collection::vec(chunk, 0..5), extension, trailers).prop_map(
        |(chunks, extension, trailers)| {
            format!("{}0{extension}\r\n{trailers}\r\n", chunks.concat()).into_bytes()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_we_accept_the_other_reads_alike(chunks in chunks()) {
        prop_assert!(agrees(&chunks), "every one of these is valid: {}", chunks.escape_ascii());
    }

    #[test]
    fn also_with_a_byte_changed(
        chunks in chunks(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![Just(b'\r'), Just(b'\n'), Just(b';'), Just(b'0'), Just(b'"'), Just(b' '), any::<u8>()],
    ) {
        let mut chunks = chunks;
        let at = at.index(chunks.len());
        chunks[at] = byte;
        agrees(&chunks);
    }
}

#[test]
fn known_leniencies_of_the_other() {
    let rows = [
        ("empty size", "\r\n\r\n"),
        ("trailing space", "1 \r\na\r\n0\r\n\r\n"),
        ("extension without a name", "1;\r\na\r\n0\r\n\r\n"),
        ("control byte in an extension", "1;\x01\r\na\r\n0\r\n\r\n"),
        ("bare LF in the trailers", "1\r\na\r\n0\r\nX: y\n\r\n"),
    ];
    for (name, chunks) in rows {
        assert!(content(chunks.as_bytes()).is_some(), "{name}: the other");
        assert!(!agrees(chunks.as_bytes()), "{name}: ours");
    }
}
