//! What a hostile peer's bytes may do to a terminal: nothing.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::programs::{PROGRAM, text};
use crate::{once, replies, succeeds};

/// Clears the screen, sets the title, and asks the terminal to answer as if somebody typed.
const HOSTILE: &[u8] = b"\x1b[2J\x1b]0;owned\x07\x1b[6nplain\xc2\x9b1m\r\n";
const HARMLESS: &str = "\\x1b[2J\\x1b]0;owned\\x07\\x1b[6nplain\\xc2\\x9b1m\r\n";

fn hostile() -> String {
    let (address, _) = once(|mut stream| {
        // In pieces, so that sequences are cut.
        for piece in HOSTILE.chunks(3) {
            stream.write_all(piece).expect("the client reads");
        }
    });
    address
}

#[test]
fn a_pipe_gets_the_bytes() {
    let (printed, _) = succeeds(&["connect", "--no-input", &hostile()], b"");
    assert_eq!(printed, HOSTILE);
    let arguments = ["connect", "--no-input", "--escape", "always", &hostile()];
    let (printed, _) = succeeds(&arguments, b"");
    assert_eq!(text(&printed), HARMLESS);
}

#[test]
fn a_terminal_gets_them_escaped() {
    // script(1) runs a program on a terminal of its own, and prints what that was given.
    let command = format!(
        "timeout --foreground --kill-after=5 30 {PROGRAM} connect --no-input {}",
        hostile()
    );
    let script = Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .stdin(Stdio::null())
        .output();
    let Ok(output) = script else {
        return eprintln!("SKIPPED: script(1) is not installed");
    };
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("\\x1b[2J\\x1b]0;owned\\x07"), "{shown:?}");
    assert!(
        !shown.contains("\x1b[2J") && !shown.contains('\u{7}'),
        "{shown:?}"
    );
}

/// Heads too, on standard error, wherever that leads.
#[test]
fn notes_are_always_escaped() {
    let reply = b"HTTP/1.1 200 \xe2\x80\xaeevil\r\nX: \xff\r\nContent-Length: 0\r\n\r\n";
    let url = format!("http://{}/", replies(&reply[..]));
    let (_, said) = succeeds(&["connect", "-v", &url], b"");
    assert!(
        said.contains("< HTTP/1.1 200 \\u{202e}evil\n< X: \\xff\n"),
        "{said}"
    );
}
