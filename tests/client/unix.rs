//! The same client over a Unix socket.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use longshore::client::{Error, Event, Options, WebSocket};
use longshore::sys::Address;
use longshore::ws::CloseCode;

use crate::{Running, backends};

#[test]
fn a_unix_socket_is_a_stream_as_any() {
    for backend in backends() {
        let name = format!("longshore-client-{}-{backend}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = format!("unix:{}", path.display());
        let address: Address = text.parse().expect("a short path");
        let server = Running::start(backend, &address);
        let options = Options {
            read_timeout: Some(Duration::from_millis(50)),
            ..Options::default()
        };
        let stream = UnixStream::connect(&path).expect("it listens");
        let uri = "ws://localhost/echo";
        let timed = UnixStream::set_read_timeout;
        let mut socket = WebSocket::handshake_timed(stream, timed, uri, &options).expect("opened");
        assert!(matches!(socket.next(), Err(Error::Timeout)));
        socket.send_text("over a file").expect("sent");
        assert_eq!(socket.next().expect("an echo"), Event::Text("over a file"));
        socket.close(Some(CloseCode::NORMAL), "").expect("sent");
        let end = socket.next().expect("the answer");
        assert_eq!(end, Event::Closed(Some(CloseCode::NORMAL), ""));
        drop(server);
        let _ = std::fs::remove_file(&path);
    }
}
