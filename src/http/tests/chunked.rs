//! RFC 9112 §7.1.

use super::{HeadLimits, refused, rows, story};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Name, the whole body, bytes behind the head.
const ACCEPTED: &str = r#"
    §7.1 no data | ∅ | 0\r\n\r\n
    §7.1 one chunk | hello | 5\r\nhello\r\n0\r\n\r\n
    §7.1 two chunks | hello | 3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n
    §7.1 upper case | 0123456789 | A\r\n0123456789\r\n0\r\n\r\n
    §7.1 lower case | 0123456789 | a\r\n0123456789\r\n0\r\n\r\n
    §7.1 two digits | 0123456789abcdef | 10\r\n0123456789abcdef\r\n0\r\n\r\n
    §7.1 leading zeros | hello | 00005\r\nhello\r\n0\r\n\r\n
    §7.1 more zeros than digits fit | hello | 00000000000000000005\r\nhello\r\n0\r\n\r\n
    §7.1 many zeros in the last chunk | hello | 5\r\nhello\r\n00000000\r\n\r\n
    §7.1 data that looks like framing | 0\r\n\r\n | 5\r\n0\r\n\r\n\r\n0\r\n\r\n
    §7.1.1 extension | hello | 5;a\r\nhello\r\n0\r\n\r\n
    §7.1.1 extension with a value | hello | 5;a=b\r\nhello\r\n0\r\n\r\n
    §7.1.1 extensions | hello | 5;a=b;c;d=e\r\nhello\r\n0;x\r\n\r\n
    §7.1.1 whitespace | hello | 5 ; a = b ; c\t=\td\r\nhello\r\n0\r\n\r\n
    §7.1.1 quoted value | hello | 5;a="b;c=d"\r\nhello\r\n0\r\n\r\n
    §7.1.1 quoted pair | hello | 5;a="\\"\\\\"\r\nhello\r\n0\r\n\r\n
    §7.1.1 empty quoted value | hello | 5;a=""\r\nhello\r\n0\r\n\r\n
    §7.1.1 tab and obs-text in quotes | hello | 5;a="\tä"\r\nhello\r\n0\r\n\r\n
    §7.1.2 trailer | hello | 5\r\nhello\r\n0\r\nX: y\r\n\r\n
    §7.1.2 trailers | hello | 5\r\nhello\r\n0\r\nX: y\r\nZ:\r\n\r\n
    9110 §6.5.1 forbidden trailers are ignored | ∅ | 0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n
"#;

/// Name, fault, bytes behind the head.
const REFUSED: &str = r#"
    §7.1 empty size | InvalidChunkSize | \r\nhello\r\n0\r\n\r\n
    §7.1 no hexadecimal digit | InvalidChunkSize | g\r\nhello\r\n0\r\n\r\n
    §7.1 sign | InvalidChunkSize | +5\r\nhello\r\n0\r\n\r\n
    §7.1 minus | InvalidChunkSize | -5\r\nhello\r\n0\r\n\r\n
    §7.1 prefix | InvalidChunkSize | 0x5\r\nhello\r\n0\r\n\r\n
    §7.1 leading space | InvalidChunkSize |  5\r\nhello\r\n0\r\n\r\n
    §7.1 trailing space | InvalidChunkSize | 5 \r\nhello\r\n0\r\n\r\n
    §7.1 trailing tab | InvalidChunkSize | 5\t\r\nhello\r\n0\r\n\r\n
    §7.1 letter behind | InvalidChunkSize | 5h\r\nhello\r\n0\r\n\r\n
    §7.1 underscore | InvalidChunkSize | 1_0\r\nhello\r\n0\r\n\r\n
    §7.1 comma | InvalidChunkSize | 5,\r\nhello\r\n0\r\n\r\n
    §7.1 NUL | InvalidChunkSize | 5\0\r\nhello\r\n0\r\n\r\n
    §7.1 an extension without a size | InvalidChunkSize | ;a\r\nhello\r\n0\r\n\r\n
    §7.1 17 digits | ChunkSizeOverflow | 10000000000000000\r\nhello\r\n0\r\n\r\n
    §7.1 17 digits behind zeros | ChunkSizeOverflow | 00010000000000000005\r\nhello\r\n0\r\n\r\n
    9110 §15.5.14 the largest size | BodyTooLarge | ffffffffffffffff\r\nhello\r\n0\r\n\r\n
    9110 §15.5.14 sizes that wrap | BodyTooLarge | 1\r\nx\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n
    §2.2 bare LF behind the size | BareLf | 5\nhello\r\n0\r\n\r\n
    §2.2 bare CR behind the size | BareCr | 5\rhello\r\n0\r\n\r\n
    §2.2 bare LF behind an extension | BareLf | 5;a\nhello\r\n0\r\n\r\n
    §2.2 CR CR LF | BareCr | 5\r\r\nhello\r\n0\r\n\r\n
    §7.1 data longer than its size | InvalidChunkEnd | 4\r\nhello\r\n0\r\n\r\n
    §7.1 data shorter than its size | InvalidChunkEnd | 6\r\nhello\r\n0\r\n\r\n
    §2.2 bare LF behind the data | InvalidChunkEnd | 5\r\nhello\n0\r\n\r\n
    §2.2 bare CR behind the data | InvalidChunkEnd | 5\r\nhello\r0\r\n\r\n
    §7.1 no line end behind the data | InvalidChunkEnd | 5\r\nhello0\r\n\r\n
    §7.1 two line ends behind the data | InvalidChunkSize | 5\r\nhello\r\n\r\n0\r\n\r\n
    §7.1.1 no name | InvalidChunkExtension | 5;\r\nhello\r\n0\r\n\r\n
    §7.1.1 no name behind the second | InvalidChunkExtension | 5;a;\r\nhello\r\n0\r\n\r\n
    §7.1.1 a value without a name | InvalidChunkExtension | 5;=b\r\nhello\r\n0\r\n\r\n
    §7.1.1 no value | InvalidChunkExtension | 5;a=\r\nhello\r\n0\r\n\r\n
    §7.1.1 two values | InvalidChunkExtension | 5;a=b=c\r\nhello\r\n0\r\n\r\n
    §7.1.1 two words | InvalidChunkExtension | 5;a b\r\nhello\r\n0\r\n\r\n
    §7.1.1 trailing space | InvalidChunkExtension | 5;a \r\nhello\r\n0\r\n\r\n
    §7.1.1 quoted name | InvalidChunkExtension | 5;"a"\r\nhello\r\n0\r\n\r\n
    §7.1.1 open quote | InvalidChunkExtension | 5;a="b\r\nhello\r\n0\r\n\r\n
    §7.1.1 quote that its backslash keeps open | InvalidChunkExtension | 5;a="b\\"\r\nhello\r\n0\r\n\r\n
    §7.1.1 bytes behind a quote | InvalidChunkExtension | 5;a="b"c\r\nhello\r\n0\r\n\r\n
    §7.1.1 control byte in quotes | InvalidChunkExtension | 5;a="\x01"\r\nhello\r\n0\r\n\r\n
    §7.1.1 escaped control byte | InvalidChunkExtension | 5;a="\\\x01"\r\nhello\r\n0\r\n\r\n
    §7.1.1 DEL | InvalidChunkExtension | 5;a\x7f\r\nhello\r\n0\r\n\r\n
    §2.2 line end in quotes | BareLf | 5;a="\n"\r\nhello\r\n0\r\n\r\n
    §7.1.2 trailer without a colon | InvalidFieldName | 0\r\nX\r\n\r\n
    §7.1.2 trailer with an empty name | InvalidFieldName | 0\r\n: y\r\n\r\n
    §7.1.2 space before the colon | SpaceBeforeColon | 0\r\nX : y\r\n\r\n
    §7.1.2 folded trailer | ObsoleteFold | 0\r\nX: y\r\n z\r\n\r\n
    §7.1.2 control byte | InvalidFieldValue | 0\r\nX: \0\r\n\r\n
    §7.1.2 bare LF | BareLf | 0\r\nX: y\n\r\n
    §7.1.2 bare CR | BareCr | 0\r\nX: y\rz\r\n\r\n
    §7.1.2 bare LF ends the section | BareLf | 0\r\n\n
    §7.1.2 the next request instead of the end | SpaceBeforeColon | 0\r\nGET / HTTP/1.1\r\n\r\n
"#;

#[test]
fn bodies() {
    for row in rows(ACCEPTED) {
        let (name, body) = (&row[0], &row[1]);
        let text = format!("{HEAD}{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", row[2]);
        let story = story(name, text.as_bytes(), &HeadLimits::default());
        assert_eq!(story.error, None, "{name}");
        assert_eq!(story.bodies(), body.as_bytes(), "{name}");
        assert_eq!(story.ends(), 2, "{name}: the next request is read");
    }
    for row in rows(REFUSED) {
        refused(&row[0], &format!("{HEAD}{}", row[2]), &row[1]);
    }
}
