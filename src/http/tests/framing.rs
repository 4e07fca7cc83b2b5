//! RFC 9112 §6, RFC 9110 §8.6.

use super::super::Framing;
use super::{accept, accepted, refuse, refused, rows, with_head};

#[test]
fn content_length() {
    let table = r#"
        §6.2 zero | 0 | 0
        §6.2 number | 42 | 42
        9110 §8.6 leading zeros | 0000000000000000000000000005 | 5
        9110 §8.6 limit | 1073741824 | 1073741824
        9110 §8.6 empty | ∅ | InvalidContentLength
        9110 §8.6 plus | +5 | InvalidContentLength
        9110 §8.6 minus | -5 | InvalidContentLength
        9110 §8.6 minus zero | -0 | InvalidContentLength
        9110 §8.6 hexadecimal | 0x5 | InvalidContentLength
        9110 §8.6 letters | 5a | InvalidContentLength
        9110 §8.6 fraction | 5.0 | InvalidContentLength
        9110 §8.6 exponent | 1e3 | InvalidContentLength
        9110 §8.6 space inside | 5 5 | InvalidContentLength
        9110 §8.6 tab inside | 5\t5 | InvalidContentLength
        9110 §8.6 underscore | 1_000 | InvalidContentLength
        9110 §8.6 quotes | "5" | InvalidContentLength
        9110 §8.6 digits of another script | ٥ | InvalidContentLength
        9110 §8.6 list of equals | 5, 5 | InvalidContentLength
        9110 §8.6 list of others | 5, 6 | InvalidContentLength
        9110 §8.6 empty member | 5, | InvalidContentLength
        9110 §8.6 semicolon | 5; | InvalidContentLength
        9110 §8.6 2^64 | 18446744073709551616 | ContentLengthOverflow
        9110 §8.6 far beyond 2^64 | 99999999999999999999999999 | ContentLengthOverflow
        9110 §15.5.14 beyond the limit | 1073741825 | BodyTooLarge
        9110 §15.5.14 2^64 - 1 | 18446744073709551615 | BodyTooLarge
    "#;
    for row in rows(table) {
        let (name, value) = (&row[0], &row[1]);
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\n");
        match row[2].parse() {
            Ok(length) => with_head(text.as_bytes(), |head| {
                assert_eq!(head.framing, Framing::Length(length), "{name}");
            }),
            Err(_) => refused(name, &text, &row[2]),
        }
    }
}

#[test]
fn content_length_beside_others() {
    refuse(
        r"
        9110 §8.6 repeated | RepeatedContentLength | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello
        9110 §8.6 contradicting | RepeatedContentLength | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello
        9110 §8.6 repeated, other case | RepeatedContentLength | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello
        9110 §8.6 repeated in 1.0 | RepeatedContentLength | POST / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello
        9110 §8.6 valid, then invalid | RepeatedContentLength | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: x\r\n\r\nhello
        9110 §8.6 invalid, then valid | InvalidContentLength | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\nContent-Length: 5\r\n\r\nhello
        9110 §9.3.8 TRACE with a length | ContentInTrace | TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello
        9110 §9.3.8 TRACE with chunks | ContentInTrace | TRACE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
        ",
    );
    accept(
        r"
        §6.3 no framing, no body | POST / HTTP/1.1\r\nHost: a\r\n\r\n
        §6.3 a body for GET | GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello
        §6.3 a body for DELETE in 1.0 | DELETE / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello
        9110 §9.3.8 TRACE without content | TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n
        §9.3.2 pipelined | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n
        ",
    );
}

#[test]
fn transfer_encoding() {
    // Lines of the field are separated by slashes.
    let table = r#"
        §7.1 chunked | ok | chunked
        §7 any case | ok | ChUnKeD
        9110 §5.6.1.2 empty members | ok |  , chunked ,,
        9110 §5.6.1.2 empty line beside it | ok |  / chunked
        §6.1 empty | InvalidTransferEncoding | ∅
        §6.1 a comma | InvalidTransferEncoding | ,
        §6.1 chunked twice | InvalidTransferEncoding | chunked, chunked
        §6.1 chunked on two lines | InvalidTransferEncoding | chunked / chunked
        §6.1 coding behind chunked | InvalidTransferEncoding | chunked, gzip
        §6.1 coding behind chunked on a line | InvalidTransferEncoding | chunked / identity
        §6.1 chunked around another | InvalidTransferEncoding | chunked, gzip, chunked
        §7 parameter of chunked | InvalidTransferEncoding | chunked;q=1
        §7 parameter behind space | InvalidTransferEncoding | chunked ; a
        §7 quoted | InvalidTransferEncoding | "chunked"
        §7 two words | InvalidTransferEncoding | chunked foo
        §7 no token | InvalidTransferEncoding | chun(ked
        §7 not ASCII | InvalidTransferEncoding | chünked, chunked
        §6.3 identity | NotFinallyChunked | identity
        §6.3 gzip | NotFinallyChunked | gzip
        §6.3 gzip, deflate | NotFinallyChunked | gzip, deflate
        §6.3 like chunked | NotFinallyChunked | xchunked
        §6.3 like chunked | NotFinallyChunked | chunkedx
        §6.3 like chunked | NotFinallyChunked | chunke
        §6.1 gzip before chunked | UnknownTransferCoding | gzip, chunked
        §6.1 identity before chunked | UnknownTransferCoding | identity, chunked
        §6.1 on two lines | UnknownTransferCoding | gzip / chunked
        §6.1 with a parameter | UnknownTransferCoding | x;a="1,2", chunked
    "#;
    for row in rows(table) {
        let lines = row[2].split(" / ");
        let lines: Vec<_> = lines
            .map(|line| format!("Transfer-Encoding: {line}\r\n"))
            .collect();
        let text = format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{}\r\n0\r\n\r\n",
            lines.concat()
        );
        match row[1].as_str() {
            "ok" => accepted(&row[0], &text),
            fault => refused(&row[0], &text, fault),
        }
    }
}

#[test]
fn transfer_encoding_beside_others() {
    refuse(
        r"
        §6.1 with a length behind | LengthAndTransferEncoding | POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n
        §6.1 with a length before | LengthAndTransferEncoding | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
        §6.1 with a length of 0 | LengthAndTransferEncoding | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
        §6.1 malformed with a length | LengthAndTransferEncoding | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n
        §6.1 chunked with a malformed length | InvalidContentLength | POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
        §6.1 in HTTP/1.0 | TransferEncodingInOldVersion | POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
        §6.1 in HTTP/1.0 with a length | TransferEncodingInOldVersion | POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
        ",
    );
    with_head(
        b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: chunked\r\n\r\n",
        |head| {
            assert_eq!(
                head.framing,
                Framing::Chunked,
                "9110 §5.1 names in any case"
            );
            assert!(head.has_body());
        },
    );
}
