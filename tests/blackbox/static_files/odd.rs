//! What goes wrong with files: they shrink, are replaced, may not be read, or there is no descriptor for them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{Random, Site, asking, narrow, with_sites};
use crate::cli::fails;
use crate::peer::{Peer, pattern, request};
use crate::server::{PROGRAM, Server, on_each_backend};

const MIB: usize = 1 << 20;

#[test]
fn a_file_that_shrinks_is_never_padded() {
    let content = Random(4).bytes(32 * MIB);
    let fill = |site: &Site| site.write("file", &content);
    with_sites(&["--send-buffer", "4608"], fill, |server, site| {
        let mut witness = server.connect();
        let mut peers: Vec<Peer> = (0..3).map(|_| narrow(server)).collect();
        let several = "Range: bytes=0-20000000,25000000-\r\n";
        for (peer, fields) in peers.iter_mut().zip(["", "Range: bytes=1-\r\n", several]) {
            peer.send(asking("GET", "/static/file", fields));
            let head_bytes = peer.reply_head_bytes();
            peer.take(head_bytes);
        }
        let received = peers[0].take(MIB);
        assert!(received == content[..MIB]);
        let file = File::options().write(true).open(site.path("file"));
        file.expect("our file")
            .set_len(4 * MIB as u64)
            .expect("our file");
        for peer in &mut peers {
            let count = peer.is_cut();
            // What the kernel had taken before may still come.
            assert!(count < 8 * MIB, "{}: {count}", server.backend);
        }
        let now = witness.fetch("/static/file");
        assert_eq!(now.status, 200);
        assert!(now.body == content[..4 * MIB], "{}", server.backend);
    });
}

#[test]
fn a_file_that_is_replaced_is_sent_as_it_was() {
    let (old, new) = (Random(5).bytes(16 * MIB), Random(6).bytes(MIB));
    let fill = |site: &Site| site.write("file", &old);
    with_sites(&[], fill, |server, site| {
        // More than both kernels hold, so that most of it is still in the file when that is replaced.
        let mut reader = server.connect();
        reader.send(request("GET", "/static/file"));
        let mut witness = server.connect();
        let first = witness.fetch("/static/file");
        assert!(first.body == old);
        fs::write(site.path("next"), &new).expect("a file");
        fs::rename(site.path("next"), site.path("file")).expect("it takes its place");
        let second = witness.fetch("/static/file");
        assert!(second.body == new, "{}", server.backend);
        assert_ne!(first.field("ETag"), second.field("ETag"));
        let tag = first.field("ETag").expect("a tag");
        for fields in [
            format!("If-None-Match: {tag}\r\n"),
            format!("Range: bytes=5-\r\nIf-Range: {tag}\r\n"),
        ] {
            let reply = witness.ask(asking("GET", "/static/file", &fields));
            assert_eq!(reply.status, 200, "{fields}");
        }
        assert!(reader.reply().body == old, "{}", server.backend);
        fs::remove_file(site.path("file")).expect("our file");
        assert_eq!(witness.fetch("/static/file").status, 404);
    });
}

/// A server that runs as nobody, if this process may choose; as itself if it is no superuser.
fn without_rights(site: &Site, backend: &str) -> Option<Server> {
    let mut command = Server::command(backend, "127.0.0.1:0");
    command.args(["--workers", "1", "--root", site.root()]);
    let owner = fs::metadata(site.root()).expect("our folder").uid();
    if owner == 0 {
        const NOBODY: u32 = 65_534;
        let mut doctor = Command::new(PROGRAM);
        let may_run = doctor.uid(NOBODY).gid(NOBODY).arg("--version").output();
        if !may_run.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: run by root, and nobody else may run {PROGRAM}");
            return None;
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    Some(Server::spawn(command, backend, 1))
}

#[test]
fn what_may_not_be_read_is_forbidden() {
    on_each_backend(|backend| {
        let site = Site::new();
        let allow = |name: &str, mode| {
            let allowed = Permissions::from_mode(mode);
            fs::set_permissions(site.path(name), allowed).expect("our file");
        };
        site.write("open", "open");
        site.write("closed", "closed");
        site.write("folder/file", "file");
        site.write("page.html", "plain");
        site.write("page.html.gz", "closed");
        allow("", 0o755);
        allow("closed", 0o000);
        allow("folder", 0o000);
        allow("page.html.gz", 0o000);
        let Some(server) = without_rights(&site, backend) else {
            allow("folder", 0o755);
            return;
        };
        let mut peer = server.connect();
        for (name, status) in [
            ("open", 200),
            ("closed", 403),
            ("folder/file", 403),
            ("folder/none", 403),
            ("folder/", 403),
            ("none", 404),
        ] {
            let reply = peer.fetch(&format!("/static/{name}"));
            assert_eq!(reply.status, status, "{backend} {name}");
            let text = reply.text();
            assert!(!text.contains(site.root()) && !text.contains("ermission"));
        }
        // A form that may not be read is none.
        let gzip = "Accept-Encoding: gzip\r\n";
        let reply = peer.ask(asking("GET", "/static/page.html", gzip));
        assert_eq!(reply.text(), "plain");
        allow("folder", 0o755);
        server.stop();
    });
}

/// A server that may open only `descriptors` files.
fn with_descriptors(site: &Site, backend: &str, descriptors: u32) -> Server {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors}; exec \"$@\"");
    command.args(["-c", &script, "sh", PROGRAM, "serve", "--count-calls"]);
    command.args(["--backend", backend, "--listen", "127.0.0.1:0"]);
    command.args(["--workers", "1", "--send-buffer", "4608"]);
    command.args(["--root", site.root()]);
    Server::spawn(command, backend, 1)
}

/// Lets the server open nothing more, or up to 64 again (prlimit(1)).
fn allow_descriptors(server: &Server, soft: u32) {
    let limited = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string()])
        .arg(format!("--nofile={soft}:64"))
        .status();
    assert!(limited.expect("util-linux").success());
}

#[test]
fn without_descriptors_the_answer_is_503_and_later_200() {
    on_each_backend(|backend| {
        let site = Site::new();
        let content = pattern(9000);
        site.write("file", &content);
        let server = with_descriptors(&site, backend, 64);
        let mut witness = server.connect();
        assert!(witness.fetch("/static/file").body == content);
        allow_descriptors(&server, 1);
        for _ in 0..10 {
            assert_eq!(witness.fetch("/static/file").status, 503, "{backend}");
            assert_eq!(witness.fetch("/pipeline").text(), "ok", "files are not all");
        }
        allow_descriptors(&server, 64);
        assert!(witness.fetch("/static/file").body == content, "{backend}");
        server.stop();
    });
}

#[test]
fn the_log_counts_the_bytes_of_files() {
    on_each_backend(|backend| {
        let site = Site::new();
        site.write("file", pattern(100_000));
        let log = site.path("log");
        let server = site.serve(backend, &["--access-log", log.to_str().expect("plain")]);
        let mut peer = server.connect();
        for (method, fields) in [
            ("GET", ""),
            ("HEAD", ""),
            ("GET", "Range: bytes=0-49999\r\n"),
            ("GET", "Range: bytes=7-8\r\n"),
            ("GET", "If-None-Match: *\r\n"),
            ("GET", "Range: bytes=100000-\r\n"),
        ] {
            peer.ask(asking(method, "/static/file", fields));
        }
        let several = asking("GET", "/static/file", "Range: bytes=0-0,9-50000\r\n");
        let several = peer.ask(several).body.len();
        drop(peer);
        server.stop();
        let log = fs::read_to_string(log).expect("a log");
        let told: Vec<String> = log
            .lines()
            .map(|line| {
                let (_, rest) = line.split_once("HTTP/1.1\" ").expect("a request");
                rest.split(' ').take(2).collect::<Vec<_>>().join(" ")
            })
            .collect();
        let several = format!("206 {several}");
        let expected = [
            "200 100000",
            "200 0",
            "206 50000",
            "206 2",
            "304 0",
            "416 28",
            &several,
        ];
        let told: Vec<String> = told.iter().map(|told| told.replace('-', "0")).collect();
        assert_eq!(told, expected, "{backend}");
    });
}

#[test]
fn a_root_that_is_no_directory() {
    let site = Site::new();
    site.write("file", "file");
    for (root, hint) in [
        (site.path("file"), "name a directory"),
        (site.path("none"), "create the directory"),
    ] {
        let root = root.to_str().expect("plain");
        let said = fails(1, &["serve", "--listen", "127.0.0.1:0", "--root", root]);
        assert!(said.contains(root) && said.contains(hint), "{said}");
    }
    fails(2, &["serve", "--listing"]);
}
