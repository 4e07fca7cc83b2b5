//! What others say: tshark of the file, the kernel of a connection without a descriptor, and of a user without rights.

use super::{LONG, Watch, close, segment, session, started};
use longshore::sys::{Address, TcpState};
use longshore::trace::packets::{Capture, CaptureError, Diag, Notice, Packet, Pcapng, Plan};
use longshore::{Backend, Handler, Replied, Reply, Request, Server, Workers};
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

#[test]
fn wireshark_reads_the_file_and_agrees() {
    let Ok(version) = Command::new("tshark").arg("--version").output() else {
        eprintln!("SKIPPED: tshark is not installed (apt install tshark)");
        return;
    };
    assert!(version.status.success());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = std::env::temp_dir().join(format!("longshore-{}.pcapng", std::process::id()));
    let file = BufWriter::new(File::create(&path).unwrap());
    let mut file = Some(Pcapng::new(file, "lo", &format!("port {port}")).unwrap());
    let (sender, packets) = channel();
    let (done, finished) = channel();
    let sink = move |notice: Notice<'_>| {
        let (Notice::Frame { frame, packet }, Some(open)) = (notice, &mut file) else {
            return;
        };
        open.write(&frame).unwrap();
        let Some(packet) = packet else { return };
        if close(Some(4), None)(&packet.step) {
            file.take().unwrap().finish(1, 0).unwrap();
            let _ = done.send(());
        }
        let _ = sender.send(*packet);
    };
    let Some(capture) = started(Capture::start(&Plan::new([port]), sink)) else {
        return;
    };
    let mut watch = Watch {
        capture,
        packets,
        seen: Vec::new(),
    };
    session(&listener, &mut watch);
    finished.recv_timeout(LONG).unwrap();
    let (packets, _) = watch.stop();

    let fields = "frame.time_epoch tcp.srcport tcp.flags tcp.seq tcp.ack tcp.len tcp.window_size";
    let mut tshark = Command::new("tshark");
    tshark
        .args([
            "-n",
            "-o",
            "tcp.relative_sequence_numbers:TRUE",
            "-T",
            "fields",
            "-r",
        ])
        .arg(&path);
    for field in fields.split(' ') {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    fs::remove_file(&path).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = String::from_utf8(output.stdout).unwrap();
    let ours: Vec<String> = packets.iter().map(as_tshark_prints).collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), ours);
}

fn as_tshark_prints(packet: &Packet) -> String {
    let since = packet.at.duration_since(std::time::UNIX_EPOCH).unwrap();
    let segment = segment(packet);
    format!(
        "{}.{:09}\t{}\t0x{:04x}\t{}\t{}\t{}\t{}",
        since.as_secs(),
        since.subsec_nanos(),
        packet.from.port(),
        segment.flags.raw(),
        segment.seq.relative,
        segment.ack.map_or(0, |ack| ack.relative),
        packet.payload_bytes,
        segment.window.bytes.unwrap(),
    )
}

struct Hello;

impl Handler for Hello {
    type Connection = ();

    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text("Hello, World!")
    }
}

#[test]
fn the_state_of_a_connection_that_has_no_descriptor() {
    let any: Address = "127.0.0.1:0".parse().unwrap();
    let server = Server::new().backend(Backend::IoUring).listen(any);
    let bound = match server.workers(Workers::Count(1)).bind() {
        Ok(bound) => bound,
        Err(error) => {
            eprintln!("SKIPPED: no io_uring here: {error}");
            return;
        }
    };
    let address = bound.addresses().next().and_then(Address::inet).unwrap();
    let stopper = bound.stopper();
    let running = thread::spawn(move || bound.run(|_| Hello).unwrap());
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut reply = [0; 16];
    client.read_exact(&mut reply).unwrap();
    // The server's end is a direct descriptor of its ring, so no getsockopt reaches it.
    let end = Diag::open()
        .unwrap()
        .tcp(address, client.local_addr().unwrap())
        .unwrap()
        .unwrap();
    assert_eq!(end.state, TcpState::Established);
    assert_eq!(end.info.unwrap().bytes_received, Some(27));
    drop(client);
    stopper.stop();
    running.join().unwrap();
}

/// Set in the child that has no rights.
const CHILD: &str = "LONGSHORE_PACKETS_CHILD";

#[test]
fn without_the_capability_one_line_says_so() {
    if std::env::var_os(CHILD).is_some() {
        return as_an_ordinary_user();
    }
    match Capture::start(&Plan::new([1]), |_| {}) {
        Err(CaptureError::NotPermitted) => return as_an_ordinary_user(),
        Err(error) => panic!("{error}"),
        Ok(capture) => assert_eq!(capture.stop().unwrap().drops, 0),
    }
    // This process may. One of a user without rights may not, wherever the build lies: so a copy of this program.
    let folder = std::env::temp_dir().join(format!("longshore-packets-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let program = folder.join("packets");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(&program);
    child.args([
        "--exact",
        "judges::without_the_capability_one_line_says_so",
        "--nocapture",
    ]);
    let nobody = 65534;
    let output = child
        .env(CHILD, "1")
        .current_dir("/")
        .gid(nobody)
        .uid(nobody)
        .output();
    fs::remove_dir_all(&folder).unwrap();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{output:?}"
            );
            assert!(text.contains("an ordinary user was refused"), "{text}");
        }
        Err(error) => eprintln!("SKIPPED: no process of another user: {error}"),
    }
}

fn as_an_ordinary_user() {
    let error = Capture::start(&Plan::new([1]), |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, CaptureError::NotPermitted), "{text}");
    assert!(
        text.contains("needs CAP_NET_RAW") && text.contains("setcap cap_net_raw+ep"),
        "{text}"
    );
    assert!(!text.contains('\n'));
    println!("an ordinary user was refused: {text}");
    // The state of every connection is for everybody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, there) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let end = Diag::open().unwrap().tcp(here, there).unwrap().unwrap();
    assert!(end.info.is_some() && end.state == TcpState::Established);
}
