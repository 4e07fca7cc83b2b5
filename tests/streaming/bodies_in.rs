//! Request bodies that are paused or refused in the middle; fields that are no way to write other fields.

use super::*;

#[test]
fn a_paused_body_stays_with_the_peer() {
    on_every_backend(|server| {
        let bytes = 64 << 20;
        let mut stream = server.send(&format!(
            "POST /in-paused HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\np"
        ));
        let Told::Paused(wake) = server.told() else {
            panic!("it pauses")
        };
        // As much as the kernel's buffers take, and no more.
        stream.set_nonblocking(true).expect("non-blocking");
        let block = vec![b'x'; 1 << 16];
        let (mut sent, mut refused) = (1, 0);
        while refused < 20 {
            match stream.write(&block) {
                Ok(count) => (sent, refused) = (sent + count, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    refused += 1;
                    thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{error}"),
            }
            assert!(sent < bytes / 2, "{sent} bytes were taken of a paused body");
        }
        wake.wake();
        stream.set_nonblocking(false).expect("blocking");
        let rest = vec![b'x'; bytes - sent];
        stream.write_all(&rest).expect("taken now");
        let reply = read_until(&mut stream, &bytes.to_string());
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    });
}

#[test]
fn a_body_can_be_refused_in_the_middle() {
    on_every_backend(|server| {
        let mut stream = server.send(
            "POST /in-refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\nrest follows",
        );
        let mut writer = stream.try_clone().expect("a second handle");
        let sending = thread::spawn(move || {
            // The reply reaches a peer that is still sending.
            let _ = writer.write_all(&vec![b'x'; 100_000]);
        });
        let text = read_until(&mut stream, "wanted.\n");
        assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
        assert!(text.contains("Connection: close"), "{text}");
        sending.join().expect("it ended");
        let _ = stream.shutdown(Shutdown::Write);
        assert!(read_all(&mut stream).is_empty());
    });
}

#[test]
fn no_value_writes_fields_of_its_own() {
    on_every_backend(|server| {
        let (head, _) = server.ask("/redirect");
        assert!(head.starts_with("HTTP/1.1 302 ") && head.contains("Location: /elsewhere"));
        let (head, _) = server.ask("/split");
        assert!(
            head.starts_with("HTTP/1.1 500 ") && !head.contains("Set-Cookie"),
            "{head}"
        );
        let upgrade = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
        };
        let head = read_until(&mut server.send(&upgrade("/ws")), "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("\r\nX-Server: of mine\r\n"), "{head}");
        let head = read_until(&mut server.send(&upgrade("/ws-split")), "\r\n\r\n");
        assert!(
            head.starts_with("HTTP/1.1 500 ") && !head.contains("X-B"),
            "{head}"
        );
    });
}
