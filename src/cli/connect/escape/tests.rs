use super::*;

fn pieces(pieces: &[&[u8]]) -> String {
    let (mut escaper, mut out) = (Escaper::default(), Vec::new());
    for piece in pieces {
        escaper.push(piece, &mut out);
    }
    escaper.finish(&mut out);
    String::from_utf8(out).expect("what is shown is text")
}

#[test]
fn text_stays_and_controls_are_shown() {
    let table: [(&[u8], &str); 9] = [
        ("tab\tünï\n".as_bytes(), "tab\tünï\n"),
        (b"\x1b[2J\x07\x7f", "\\x1b[2J\\x07\\x7f"),
        (b"line\r\nover\rwritten", "line\r\nover\\x0dwritten"),
        ("\u{9b}31m".as_bytes(), "\\xc2\\x9b31m"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\u{202e}gpj.exe".as_bytes(), "\\u{202e}gpj.exe"),
        (b"\0", "\\x00"),
        (b"at the end \xc3", "at the end \\xc3"),
        (b"at the end \r", "at the end \\x0d"),
    ];
    for (bytes, shown) in table {
        assert_eq!(pieces(&[bytes]), shown, "{bytes:?}");
    }
}

/// Wherever it is cut, the same is shown.
#[test]
fn cuts_change_nothing() {
    let text = "a\u{20ac}\r\n\u{1f980}\r\x1b]0;t\x07\u{202e}".as_bytes();
    let text = [text, b"\xf0\x9f", b"x\xe2\x82"].concat();
    let whole = pieces(&[&text]);
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let cut = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(pieces(&cut), whole, "{first} {second}");
        }
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(pieces(&bytes), whole);
}

#[test]
fn nothing_that_drives_a_terminal_gets_through() {
    for byte in 0..=255u8 {
        for shown in [pieces(&[&[byte, b'x']]), pieces(&[&[0xc2, byte, b'x']])] {
            assert!(
                shown
                    .chars()
                    .all(|c| !c.is_control() || c == '\n' || c == '\t'),
                "{byte:#x}: {shown:?}"
            );
        }
    }
}

#[test]
fn what_stands_in_a_line_begins_no_other() {
    let forged = escaped_line(b"bye\r\n* closed with 1000\n\t\x1b[m");
    assert_eq!(forged, "bye\\x0d\\x0a* closed with 1000\\x0a\\x09\\x1b[m");
    assert_eq!(escaped_line(forged.as_bytes()), forged, "twice is once");
    assert_eq!(escaped_line("plain ünï".as_bytes()), "plain ünï");
}
