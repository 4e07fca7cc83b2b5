use super::*;

fn all(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut lines = Lines::new(64, false);
    let mut found = Vec::new();
    for piece in pieces {
        lines.push(piece).expect("short lines");
        while let Some(line) = lines.next_line() {
            found.push(line.to_vec());
        }
    }
    found.extend(lines.last().map(<[u8]>::to_vec));
    assert_eq!(lines.last(), None);
    found
}

#[test]
fn cuts_change_nothing() {
    let text = b"one\n\ntwo\r\nthree";
    let expected: [&[u8]; 4] = [b"one", b"", b"two", b"three"];
    for cut in 0..=text.len() {
        assert_eq!(all(&[&text[..cut], &text[cut..]]), expected, "{cut}");
    }
    assert_eq!(all(&text.chunks(1).collect::<Vec<_>>()), expected);
    assert_eq!(all(&[b"ended\n"]), [b"ended"]);
    assert!(all(&[]).is_empty());
}

#[test]
fn a_line_is_bounded() {
    let mut lines = Lines::new(4, false);
    assert!(lines.push(b"1234\n1234\n1234").is_ok());
    while lines.next_line().is_some() {}
    let error = lines.push(b"5").expect_err("five bytes");
    assert!(error.contains("more than 4 bytes"), "{error}");
}

#[test]
fn the_lines_before_one_that_is_too_long_go_out() {
    let mut lines = Lines::new(4, false);
    assert!(lines.push(b"one\ntwo\nthree").is_err());
    assert_eq!(lines.next_line(), Some(&b"one"[..]));
    assert_eq!(lines.next_line(), Some(&b"two"[..]));
    assert_eq!(lines.next_line(), None);
}

#[test]
fn a_whole_input_is_bounded_whatever_its_lines() {
    let mut lines = Lines::new(8, true);
    assert!(lines.push(b"one\n").is_ok());
    assert!(lines.push(b"two\n").is_ok());
    assert_eq!(lines.next_line(), None);
    let error = lines.push(b"\n").expect_err("nine bytes");
    assert!(error.contains("the input has more than 8 bytes"), "{error}");

    let mut lines = Lines::new(8, true);
    assert!(lines.push(b"one\ntwo\n").is_ok());
    assert_eq!(lines.last(), Some(&b"one\ntwo\n"[..]));
}
