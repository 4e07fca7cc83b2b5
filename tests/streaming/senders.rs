//! Bodies that other threads send, and sources that wait for news.

use super::*;

#[test]
fn a_source_without_news_waits_for_a_wake() {
    on_every_backend(|server| {
        let mut stream = server.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = read_until(&mut stream, "\r\n\r\n");
        assert!(head.contains("chunked"), "{head}");
        let Told::Waits(wake, said) = server.told() else {
            panic!("it waits")
        };
        for news in ["first", "second"] {
            *said.lock().expect("no panic") = Some(news);
            wake.wake();
            let chunk = read_until(&mut stream, &format!("{news}\r\n"));
            assert_eq!(chunk, format!("{:x}\r\n{news}\r\n", news.len()));
        }
        *said.lock().expect("no panic") = Some("end");
        wake.wake();
        assert_eq!(read_until(&mut stream, "0\r\n\r\n"), "0\r\n\r\n");
        // The exchange is over: a late wake concerns nobody, and the connection goes on.
        wake.wake();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("sent");
        assert!(read_until(&mut stream, "plain").starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn another_thread_sends_the_body() {
    on_every_backend(|server| {
        let mut stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        let reader = thread::spawn(move || split(&read_all(&mut stream)));
        let whole = patterned(3_000_000);
        for piece in whole.chunks(7001) {
            sender.send(piece).expect("the peer reads");
        }
        sender.finish_with(vec![("X-Sum".to_owned(), b"1".to_vec())]);
        let (_, body) = reader.join().expect("read");
        let (data, rest) = unchunk(&body).expect("whole");
        assert!(data == whole);
        assert_eq!(rest, "X-Sum: 1\r\n\r\n");
    });
}

#[test]
fn a_sender_that_is_dropped_cuts_and_one_whose_peer_has_gone_is_told() {
    on_every_backend(|server| {
        let mut stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        sender.send("half").expect("the peer reads");
        drop(sender);
        assert_eq!(unchunk(&split(&read_all(&mut stream)).1), None);

        let stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        drop(stream);
        let start = Instant::now();
        // Blocks while the queue is full, ends when the connection does.
        while sender.send(vec![0; 4096]) != Err(SendError::Gone) {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "it is never told"
            );
        }
        assert!(sender.is_gone());
    });
}

#[test]
fn a_full_queue_gives_the_piece_back() {
    on_every_backend(|server| {
        let stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        let mut sent = 0_u64;
        let refused = loop {
            match sender.try_send(vec![7; 30_000]) {
                Ok(()) => sent += 30_000,
                Err(SendError::Full(piece)) => {
                    // The reactor may only have been slow: full for good is what counts.
                    thread::sleep(Duration::from_millis(300));
                    if matches!(sender.try_send(vec![7; 30_000]), Err(SendError::Full(_))) {
                        break piece;
                    }
                    sent += 30_000;
                }
                Err(SendError::Gone) => panic!("it is there"),
            }
            assert!(sent < 64 << 20, "it is never full");
        };
        assert_eq!(refused, vec![7; 30_000]);
        drop(stream);
    });
}

#[test]
fn a_ticket_can_answer_with_a_stream() {
    on_every_backend(|server| {
        let mut stream =
            server.send("GET /ticket HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let Told::Ticket(ticket) = server.told() else {
            panic!("it defers")
        };
        let response = Response::new(Status::CREATED).length(11);
        let sender = ticket.stream(response);
        sender.send("hello, ").expect("the peer reads");
        sender.send("late").expect("the peer reads");
        sender.finish();
        let (head, body) = split(&read_all(&mut stream));
        assert!(head.starts_with("HTTP/1.1 201 ") && head.contains("Content-Length: 11"));
        assert_eq!(body, b"hello, late");
    });
}

#[test]
fn a_stream_after_the_servers_end_is_told() {
    for backend in BACKENDS {
        let mut server = start(backend);
        let stream = server.send("GET /ticket HTTP/1.1\r\nHost: a\r\n\r\n");
        let Told::Ticket(ticket) = server.told() else {
            panic!("it defers")
        };
        server.stopper.stop();
        server.stopper.stop();
        let thread = server.thread.take().expect("it runs");
        thread.join().expect("it ended");
        let (done, result) = channel();
        thread::spawn(move || {
            let sender = ticket.stream(Response::new(Status::OK));
            let end = std::iter::repeat_with(|| sender.send(vec![0; 4096])).find_map(Result::err);
            let _ = done.send(end);
        });
        let end = result.recv_timeout(Duration::from_secs(20));
        assert_eq!(end, Ok(Some(SendError::Gone)), "{backend}");
        drop(stream);
    }
}

#[test]
fn a_large_piece_is_sent_whole_whatever_waits_before_it() {
    on_every_backend(|server| {
        for total in (0..200_000_usize).step_by(20_000) {
            let mut stream =
                server.send("GET /sends HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let Told::Sends(sender) = server.told() else {
                panic!("it sends")
            };
            let small = (0..total / 2000)
                .take_while(|_| sender.try_send(vec![b'a'; 2000]).is_ok())
                .count();
            let reader = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                unchunk(&split(&read_all(&mut stream)).1)
            });
            sender.send(vec![b'b'; 3 << 20]).expect("the peer reads");
            sender.finish();
            let (data, _) = reader.join().expect("read").expect("whole");
            assert_eq!(data.len(), small * 2000 + (3 << 20));
        }
    });
}
