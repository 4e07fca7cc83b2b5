use super::{Figures, normal};

fn usual(text: &str) -> String {
    normal(text, Figures::Usual)
}

fn vary(text: &str) -> String {
    normal(text, Figures::Vary)
}

#[test]
fn exact_keeps_every_character_that_can_be_seen() {
    let text = "limit 10 s, port 8080  \x1b[1mbold\x1b[0m \r\n\x1b]0;title\x07end  \n\n";
    assert_eq!(
        normal(text, Figures::Exact),
        "limit 10 s, port 8080  bold\nend"
    );
}

#[test]
fn moments_and_durations_become_words() {
    for (text, expected) in [
        ("Date: Sun, 22 Nov 2026 01:12:59 GMT", "Date: DATE"),
        ("2026-11-22T01:12:59.123Z up", "DATE up"),
        ("on 2026-11-22", "on DATE"),
        ("01:12:59.123456 worker", "CLOCK worker"),
        (
            "+0.000123 recv() = 4 <0.000017>",
            "SECONDS recv() = 4 <SECONDS>",
        ),
        (
            "took 1.2 ms, 40ms, 17 µs, 1,234 ns and 3 s",
            "took TIME, TIME, TIME, TIME and TIME",
        ),
        ("in 2 seconds or 1 minute", "in TIME or TIME"),
    ] {
        assert_eq!(usual(text), expected);
    }
}

#[test]
fn what_was_counted_stays_in_usual() {
    for text in [
        "recv() = 78",
        "13 bytes, 4 calls, 16 requests",
        "HTTP/1.1 200 OK",
        "3 sockets",
        "SOCK_STREAM|SOCK_CLOEXEC, 0x4000",
        "127.0.0.1:80",
        "seq 1, ack 6",
    ] {
        assert_eq!(usual(text), text);
    }
}

#[test]
fn ports_keep_who_is_who() {
    let first =
        "127.0.0.1:40312 → 127.0.0.1:35000, port 40312, sin_port=htons(35000), 0100007F:9D78";
    let second =
        "127.0.0.1:51111 → 127.0.0.1:42222, port 51111, sin_port=htons(42222), 0100007F:C7A7";
    assert_eq!(usual(first), usual(second));
    let swapped =
        "127.0.0.1:51111 → 127.0.0.1:42222, port 42222, sin_port=htons(51111), 0100007F:C7A7";
    assert_ne!(usual(first), usual(swapped));
    assert_eq!(
        usual(first),
        "127.0.0.1:PORT1 → 127.0.0.1:PORT2, port PORT1, sin_port=htons(PORT2), 0100007F:PORT1"
    );
    assert_eq!(usual("  local port   40312"), "  local port PORT1");
    assert_eq!(usual("[::1]:40312 *:40313"), "[::1]:PORT1 *:PORT2");
}

#[test]
fn descriptors_keep_who_is_who() {
    let first = "socket(AF_INET, SOCK_STREAM, 0) = 3\naccept4(3, NULL) = 5\nepoll_ctl(4, EPOLL_CTL_ADD, 5, {}) = 0\n\
                 recv(5, \"x\", 1, 0) = 1\nclose(5) = 0\nwrite(1, \"x\") = 1\nfd 5";
    let shifted = first
        .replace('5', "9")
        .replace("(4", "(7")
        .replace('3', "6");
    assert_eq!(usual(first), usual(&shifted));
    let other = first.replace("close(5)", "close(3)");
    assert_ne!(usual(first), usual(&other));
    assert!(usual(first).contains("write(1,"), "{}", usual(first));
}

#[test]
fn results_that_are_no_descriptors_stay() {
    let text = "recv(5, \"x\", 16, 0) = 4\nlisten(5, 128) = 0\nsocket() = -1 EMFILE";
    assert_ne!(usual(text), usual(&text.replace("= 4", "= 6")));
    assert_ne!(usual(text), usual(&text.replace("128", "64")));
}

#[test]
fn processes_inodes_and_secrets() {
    for (text, expected) in [
        (
            "pid 4711, tid 4712, pid 4711",
            "pid PROCESS1, tid PROCESS2, pid PROCESS1",
        ),
        (
            "/proc/4711/fd/3 → socket:[90210]",
            "/proc/PROCESS1/fd/FD1 → socket:[INODE1]",
        ),
        (
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\\r\\n",
            "Sec-WebSocket-Accept: ACCEPT\\r\\n",
        ),
        ("base64 +MuXVc3AC+QFSxTx4IrZxY88Lh8=", "base64 ACCEPT"),
        (
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Key: KEY",
        ),
        ("mask 37 fa 21 3d, mask=37fa213d", "mask MASK, mask=MASK"),
        (
            "SHA-1: e7b9e31de2d172d1a6c1088e3388d9295c910d02",
            "SHA-1: HEXADECIMAL",
        ),
        ("at 0x7f0012345678", "at POINTER"),
        ("\"/tmp/lesson-4711/socket\"", "\"/tmp/FILE\""),
        ("seq 3735928559, ack 1", "seq SEQUENCE, ack 1"),
        ("sun_path=@00a3f", "sun_path=@NAME"),
    ] {
        assert_eq!(usual(text), expected);
    }
}

#[test]
fn where_figures_vary_words_and_rows_are_left() {
    let first = "\
        model      calls   time     share\n\
        ---------------------------------\n\
        threads    1,024   1.2 ms   ████  97.3 %\n\
        epoll         12   980 µs   █      3 %\n\
        1 byte in 1 call, 0x10, -4\n";
    let second = "\
        model     calls  time      share\n\
        ------------------------------\n\
        threads   9   12 s      ██   9 %\n\
        epoll  120,000   3 min  ████████   31.5 %\n\
        17 KiB in 30 calls, 0x1f, 7\n";
    assert_eq!(vary(first), vary(second));
    assert_eq!(vary("accept4 IPv4 10k 127.0.0.1:80"), "accept4 IPv4 N N:N");
    let swapped = second
        .replace("threads", "epoll")
        .replacen("epoll  120", "threads  120", 1);
    assert_ne!(vary(first), vary(&swapped));
    assert_ne!(vary(first), vary(&second.replace("share", "part")));
    let fewer: Vec<&str> = second.lines().take(3).collect();
    assert_ne!(vary(first), vary(&fewer.join("\n")));
}

#[test]
fn where_figures_vary_prose_may_be_broken_anywhere() {
    let first = "It took 12 ms, and\nthen some.\n    recv() = 4\n    recv() = 5\n\n  => Of 4 calls\n     3 failed.\n  => So\n     it is.";
    let second = "It took 1,200 ms, and then\nsome.\n    recv() = 4\n    recv() = 5\n\n  => Of 40,000 calls 3\n     failed.\n  => So it\n     is.";
    assert_eq!(vary(first), vary(second));
    assert_eq!(vary(first).lines().count(), 6, "{}", vary(first));
    assert_ne!(vary(first), vary(&second.replace("So it", "So")));
}
