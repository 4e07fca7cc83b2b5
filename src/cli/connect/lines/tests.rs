use super::*;

fn all(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut lines = Lines::new(64);
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
    let mut lines = Lines::new(4);
    assert!(lines.push(b"1234\n1234\n1234").is_ok());
    while lines.next_line().is_some() {}
    let error = lines.push(b"5").expect_err("five bytes");
    assert!(error.contains("more than 4 bytes"), "{error}");
}
