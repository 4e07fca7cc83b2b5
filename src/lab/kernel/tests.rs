//! The texts of `/proc/net`, as a kernel wrote them.

use super::{counter_in, tcp_socket, tcp_sockets_in};

#[test]
fn a_line_of_tcp_is_read_to_its_queues() {
    let line = "   1: 0100007F:1F90 0200007F:C350 08 00000001:0000002A 00:00000000 00000000     0        0 77 1 0 20 4 30 10 -1";
    let socket = tcp_socket(line).expect("a whole line");
    if cfg!(target_endian = "little") {
        assert_eq!(socket.local, "127.0.0.1:8080".parse().expect("a literal"));
        assert_eq!(socket.remote, "127.0.0.2:50000".parse().expect("a literal"));
    }
    assert_eq!(socket.state, "CLOSE-WAIT");
    assert_eq!((socket.send_queue, socket.receive_queue), (1, 42));
}

#[test]
fn what_is_no_line_of_tcp_is_none() {
    for line in [
        "",
        "  sl  local_address rem_address   st tx_queue",
        "1: 0100007F:1F90 0200007F:C350 00 1:2",
        "1: 0100007F:1F90 0200007F:C350 FF 1:2",
    ] {
        assert!(tcp_socket(line).is_none(), "{line}");
    }
}

#[test]
fn only_sockets_of_the_port_are_found_and_each_once() {
    let text = "  sl  local_address rem_address   st\n\
                0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 rest\n\
                1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 rest\n\
                2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 rest\n\
                2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 rest\n\
                3: 0100007F:1F91 0100007F:C350 01 00000000:00000000 rest";
    let states: Vec<&str> = tcp_sockets_in(text, 8080)
        .iter()
        .map(|it| it.state)
        .collect();
    assert_eq!(states, ["LISTEN", "ESTABLISHED", "ESTABLISHED"]);
    assert!(tcp_sockets_in("", 8080).is_empty());
}

#[test]
fn a_counter_is_found_under_its_name() {
    let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 7 9\nIpExt: InOctets\nIpExt: 12\n";
    assert_eq!(counter_in(text, "ListenDrops"), Some(9));
    assert_eq!(counter_in(text, "InOctets"), Some(12));
    assert_eq!(counter_in(text, "Absent"), None);
}
