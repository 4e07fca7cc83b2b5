//! Small promises: sizes, pipelines, pieces, and what completes a unit.

use super::super::{Decoder, Error, Event, Head, HeadLimits};
use super::{Unit, story, whole};
use crate::buf::Input;

#[test]
fn sizes() {
    assert!(size_of::<Decoder>() <= 32);
    assert!(size_of::<Head<'_>>() <= 192, "{}", size_of::<Head<'_>>());
    assert_eq!(size_of::<Error>(), 1);
}

#[test]
fn a_message_without_a_body_is_a_head_and_an_end() {
    for lines in ["", "Content-Length: 0\r\n"] {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let story = whole(text.as_bytes(), &HeadLimits::default());
        assert!(
            matches!(&story.units[..], [Unit::Head(..), Unit::End]),
            "{lines:?}"
        );
    }
    // The end needs no more input, not even an empty lend.
    let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
    let mut bytes = *b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut input = Input::new(&mut bytes);
    assert!(
        matches!(decoder.next(&mut input, &limits), Ok(Some(Event::Head(head))) if !head.has_body())
    );
    assert!(!decoder.at_head());
    assert_eq!(
        decoder.next(&mut Input::new(&mut []), &limits),
        Ok(Some(Event::End))
    );
    assert!(decoder.at_head());
    assert_eq!(decoder.next(&mut Input::new(&mut []), &limits), Ok(None));
}

#[test]
fn pipelines_keep_their_order() {
    let text = "GET /0 HTTP/1.1\r\nHost: a\r\n\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none\
        POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\nHEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n";
    let story = story("pipeline", text.as_bytes(), &HeadLimits::default());
    let order: Vec<String> = story
        .units
        .iter()
        .map(|unit| match unit {
            Unit::Head(raw, _) => String::from_utf8_lossy(raw)
                .split(' ')
                .nth(1)
                .unwrap_or("")
                .to_owned(),
            Unit::Body(body) => String::from_utf8_lossy(body).into_owned(),
            Unit::End => ".".to_owned(),
        })
        .collect();
    assert_eq!(order.concat(), "/0./1one./2two./3.");
}

#[test]
fn pieces_are_lent_where_they_lie() {
    let mut bytes = *b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab";
    let place = bytes.len() - 2;
    let address = bytes.as_ptr().addr() + place;
    let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
    let mut input = Input::new(&mut bytes);
    assert!(matches!(
        decoder.next(&mut input, &limits),
        Ok(Some(Event::Head(_)))
    ));
    match decoder.next(&mut input, &limits) {
        Ok(Some(Event::Body(piece))) => {
            assert_eq!((piece.as_ptr().addr(), piece.len()), (address, 2));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(decoder.next(&mut input, &limits), Ok(None));
    assert_eq!(decoder.missing(b"", b"cdGET"), 2);
}

#[test]
fn an_unfinished_head_stays_unread() {
    let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
    let mut bytes = *b"GET / HTTP/1.1\r\nHost: a\r\n\r";
    let mut input = Input::new(&mut bytes);
    assert_eq!(decoder.next(&mut input, &limits), Ok(None));
    assert_eq!(input.len(), 26);
}

#[test]
fn what_completes_a_unit() {
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows: &[(&str, &str, &str, usize)] = &[
        ("a head", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\nGET", 2),
        (
            "a head cut in its blank line",
            "GET / HTTP/1.1\r\nHost: a\r\n\r",
            "\nGET",
            1,
        ),
        (
            "a head cut between its line ends",
            "GET / HTTP/1.1\r\nHost: a\r",
            "\n\r\nGET",
            3,
        ),
        (
            "a head that is still unfinished",
            "GET / HTTP/1.1\r\n",
            "Host: a\r\n",
            9,
        ),
        (
            "a head from its first byte",
            "G",
            "ET / HTTP/1.1\r\nHost: a\r\n\r\nGET",
            26,
        ),
        ("an empty line", "\r", "\nGET / HTTP/1.1\r\n\r\n", 1),
        ("a chunk line", "1", "\r\nx\r\n", 2),
        ("a chunk line cut in its end", "1\r", "\nx\r\n", 1),
        ("the end of a chunk", "1\r\nx\r", "\n0\r\n\r\n", 1),
        ("a trailer", "0\r\nX: ", "y\r\nZ: \r\n\r\n", 3),
        ("the last line", "0\r\n\r", "\nGET", 1),
        ("nothing, if a unit is there already", "", "", 0),
    ];
    for (name, front, back, expected) in rows {
        let in_body = front.starts_with(['0', '1']);
        let mut front = if in_body {
            format!("{head}{front}").into_bytes()
        } else {
            front.as_bytes().to_vec()
        };
        let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
        let mut input = Input::new(&mut front);
        while let Some(_event) = decoder.next(&mut input, &limits).expect(name) {}
        assert_eq!(
            decoder.missing(input.unread(), back.as_bytes()),
            *expected,
            "{name}"
        );
    }
    // Stored bytes that were never read because a reply was due.
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(Decoder::new().missing(request, request), 0);
    assert_eq!(
        Decoder::new().missing(&request[..20], request),
        request.len()
    );
}
