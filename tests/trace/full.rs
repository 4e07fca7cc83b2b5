//! Traces that cannot be written: the error names the option, and nothing else suffers.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ended::ended;

/// A disk without room.
const FULL: &str = "/dev/full";

/// `longshore trace` of a client, which has a word from its peer and has sent one; the client.
fn traced(options: &[&str], stderr: Stdio) -> (std::process::Child, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .arg("trace")
        .args(options)
        .args(["connect", &listener.local_addr().unwrap().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"ahoy\n").unwrap();
    let mut heard = [0; 5];
    let stdout = client.stdout.as_mut().unwrap();
    stdout.read_exact(&mut heard).unwrap();
    (client, peer)
}

#[test]
fn the_option_at_fault_is_named() {
    for option in ["--output", "--perfetto"] {
        let (mut client, peer) = traced(&[option, FULL], Stdio::piped());
        drop((client.stdin.take(), peer));
        let output = client.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("longshore: the trace is cut"), "{said}");
        let advice = format!("; choose another place with {option}");
        assert!(last.ends_with(&advice), "{said}");
    }
}

#[test]
fn a_signal_ends_a_client_whose_trace_nobody_can_have() {
    let stderr = File::options().write(true).open(FULL).unwrap();
    let (mut client, _peer) = traced(&[], stderr.into());
    kill(Pid::from_raw(client.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(ended(&mut client).code(), Some(128 + libc::SIGTERM));
}
