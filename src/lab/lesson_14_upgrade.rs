//! Lesson 14: the upgrade handshake by hand (RFC 6455 §4).
//!
//! ```text
//!   client                                        server
//!     GET /ws HTTP/1.1, Upgrade, version, key ──▶
//!                                             ◀── 101, Upgrade, accept = base64(SHA-1(key ++ GUID))
//!     from here on frames, in both directions; HTTP is over
//!
//!     the same with offers, and an origin     ──▶
//!                                             ◀── 101 with what was chosen of them, or 403
//!
//!     the same with something wrong           ──▶
//!                                             ◀── 400, 405, 426: ordinary HTTP, and the connection goes on as such
//! ```
//!
//! The key is computed twice: step by step here, and by the crate. It does not know what frames are; that is lesson 15.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use longshore::{Handler, Message, Replied, Reply, Request, Server, Socket, Upgrade, sys, ws};
use sha1::{Digest as _, Sha1};

use super::Lesson;
use super::beside::{Beside, HttpClient, HttpReply};
use super::frame::Frame;
use super::hex::hex;
use super::report::Table;

pub(super) const LESSON: Lesson = Lesson {
    number: 14,
    name: "upgrade",
    about: "The upgrade handshake by hand: an HTTP request that ends as a WebSocket, or is refused",
    run,
};

/// Chosen once, by the authors of RFC 6455 (§1.3): who appends it has understood that a WebSocket was asked for.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `ahoy` in a text frame of a client: FIN and opcode 1, masked and 4 bytes long, the mask, the bytes xor the mask.
const AHOY: &[u8] = b"\x81\x84\x01\x02\x03\x04\x60\x6a\x6c\x7d";

/// The subprotocols that the server below speaks.
const PROTOCOLS: &[&str] = &["chat.v2", "chat.v1"];

/// Upgrades `/ws`, for pages of its own and from programs, and answers anything else as HTTP.
#[derive(Clone)]
struct Echo;

impl Handler for Echo {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/ws" => {
                let upgrade = Upgrade::new().protocols(PROTOCOLS);
                let replied = reply.upgrade(&request, &upgrade);
                replied.expect("no field is no wrong field")
            }
            _ => reply.text("ordinary HTTP"),
        }
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        socket.send(message.kind, message.bytes);
    }
}

fn run(frame: &Frame) -> io::Result<()> {
    let server = Beside::start(Server::new(), Echo)?;
    let address = server.address();
    let key = a_key(frame)?;
    let mut client = HttpClient::connect(&mut frame.calls("client"), address)?;
    let reply = ask(frame, &mut client, address, &key)?;
    let accept = expected(frame, &key);
    let matches = reply.field("sec-websocket-accept") == Some(accept.as_str());
    frame.finding("status", reply.status);
    frame.finding("accept_matches", matches);
    after(frame, &mut client)?;
    drop(client);
    let chosen = offers(frame, address, &key)?;
    let refused = refusals(frame, address, &key)?;
    server.stop()?;

    frame.conclude(
        reply.status == 101 && matches,
        "A WebSocket begins as an HTTP request and stops being HTTP with the blank line behind the 101. The accept value \
         proves that the server has understood the question; it is no secret and no protection.",
        "The handshake did not end as RFC 6455 says; see the findings.",
    );
    frame.conclude(
        chosen,
        "A client offers, and the server chooses: one subprotocol of those that it was offered, or none, and of extensions those \
         that it knows. What is not answered does not hold. A browser says which page asks; a foreign one gets 403.",
        "Not every offer was answered as RFC 6455 says; see the table.",
    );
    frame.conclude(
        refused,
        "A handshake that is wrong is refused with an ordinary status, before anything has become a WebSocket: the same \
         connection was asked for a page afterwards, and answered.",
        "Not every wrong handshake was refused as RFC 6455 says; see the table.",
    );
    Ok(())
}

/// Sixteen random bytes in base64 (§4.1, item 7).
fn a_key(frame: &Frame) -> io::Result<String> {
    frame.say("A client chooses 16 random bytes, new for each connection.");
    let mut nonce = [0; 16];
    sys::getrandom(&mut frame.calls("client"), &mut nonce)?;
    let key = BASE64_STANDARD.encode(nonce);
    frame.say(format!(
        "In hexadecimal {}, in base64 {key}: {} characters, because 3 bytes are 4 characters and the last one stands alone.",
        hex(&nonce),
        key.len()
    ));
    Ok(key)
}

/// Sends the request, and prints it and its reply line by line.
fn ask(
    frame: &Frame,
    client: &mut HttpClient,
    address: SocketAddr,
    key: &str,
) -> io::Result<HttpReply> {
    let request = request("GET", "HTTP/1.1", address, Some("13"), Some(key));
    frame.say(format!(
        "It asks, in HTTP. Each line ends with CR and LF, and an empty line ends the head:{}",
        quoted('>', &request)
    ));
    client.send(&mut frame.calls("client"), request.as_bytes())?;
    let reply = client.reply(&mut frame.calls("client"))?;
    frame.say(format!(
        "The server answers, still in HTTP:{}",
        quoted('<', &reply.head)
    ));
    Ok(reply)
}

/// Computes what a server that understands must say (§4.2.2, item 5.4).
fn expected(frame: &Frame, key: &str) -> String {
    frame.say("What the server has to say in Sec-WebSocket-Accept can be computed by anybody:");
    let joined = format!("{key}{GUID}");
    let digest = Sha1::digest(joined.as_bytes());
    let accept = BASE64_STANDARD.encode(digest);
    let mut table = Table::new("Sec-WebSocket-Accept, step by step", &["step", "value"]);
    table.row(["the key, as text".into(), key.into()]);
    table.row(["with the GUID behind it".into(), joined.clone().into()]);
    table.row(["SHA-1, 20 bytes".into(), hex(&digest).into()]);
    table.row(["base64, 28 characters".into(), accept.as_str().into()]);
    frame.table(table);
    let of_the_crate = ws::accept_key(key.as_bytes());
    frame.finding("crate_agrees", accept.as_bytes() == of_the_crate);
    accept
}

/// The first bytes behind the handshake are frames.
fn after(frame: &Frame, client: &mut HttpClient) -> io::Result<()> {
    frame.say("Now both sides speak frames. The client sends `ahoy`, masked, and the server sends it back, unmasked:");
    client.send(&mut frame.calls("client"), AHOY)?;
    let answer = client.bytes(&mut frame.calls("client"), 6)?;
    frame.finding("echo_is_a_frame", answer == b"\x81\x04ahoy");
    frame.say(format!(
        "Byte by byte in hexadecimal, what the client sent: {}. And what came back: {}. 81 is a whole text message; the next \
         byte is its length, with the bit of the mask (80) from the client. Lesson 15 takes frames apart.",
        hex(AHOY),
        hex(&answer)
    ));
    Ok(())
}

/// What a client may ask for besides (§4.1, items 8, 10 and 11), and what it gets.
struct Offer {
    finding: &'static str,
    field: String,
    status: u16,
    /// What the reply says to it.
    answer: Option<&'static str>,
}

/// Offers one thing after the other, each on a connection of its own.
fn offers(frame: &Frame, address: SocketAddr, key: &str) -> io::Result<bool> {
    frame.say(format!(
        "A client may also offer subprotocols and extensions, and a browser adds the page's origin. This server speaks {}, and \
         no extension:",
        PROTOCOLS.join(" and ")
    ));
    let offer = |finding, field: &str, status, answer| Offer {
        finding,
        field: field.to_owned(),
        status,
        answer,
    };
    let own = format!("Origin: http://{address}");
    let all = [
        offer(
            "protocol",
            "Sec-WebSocket-Protocol: chat.v9, chat.v1",
            101,
            Some("chat.v1"),
        ),
        offer(
            "protocol_unknown",
            "Sec-WebSocket-Protocol: chess",
            101,
            None,
        ),
        offer(
            "extension",
            "Sec-WebSocket-Extensions: permessage-deflate",
            101,
            None,
        ),
        offer("origin_own", &own, 101, None),
        offer(
            "origin_foreign",
            "Origin: http://elsewhere.example",
            403,
            None,
        ),
    ];
    let mut table = Table::new(
        "Offered, and chosen",
        &[
            "what the client adds",
            "status",
            "what the reply says to it",
        ],
    );
    let mut as_expected = true;
    for offer in all {
        let plain = request("GET", "HTTP/1.1", address, Some("13"), Some(key));
        let asked = plain.replace("\r\n\r\n", &format!("\r\n{}\r\n\r\n", offer.field));
        let mut client = HttpClient::connect(&mut sys::Silent, address)?;
        client.send(&mut sys::Silent, asked.as_bytes())?;
        let reply = client.reply(&mut sys::Silent)?;
        let name = offer.field.split(':').next().unwrap_or_default();
        let answer = reply.field(&name.to_ascii_lowercase());
        as_expected &= reply.status == offer.status && answer == offer.answer;
        frame.finding(offer.finding, answer.unwrap_or("none"));
        table.row([
            offer.field.as_str().into(),
            reply.status.into(),
            answer.unwrap_or("–").into(),
        ]);
        if offer.finding == "origin_foreign" {
            frame.finding("status_origin_foreign", reply.status);
        }
    }
    frame.table(table);
    Ok(as_expected)
}

/// What is asked wrongly, and what the server has to say to it.
struct Wrong {
    finding: &'static str,
    what: &'static str,
    request: String,
    status: u16,
}

/// Asks wrongly, each time on a connection of its own, and then for a page on the same one.
fn refusals(frame: &Frame, address: SocketAddr, key: &str) -> io::Result<bool> {
    frame.say("Whoever asks wrongly is refused with a status that every HTTP client understands:");
    let mut table = Table::new(
        "Refused, and how",
        &[
            "what was wrong",
            "status",
            "Sec-WebSocket-Version",
            "HTTP goes on",
        ],
    );
    let mut all = true;
    let mut goes_on = 0;
    let wrongs = wrongs(address, key);
    let all_of_them = wrongs.len();
    for wrong in wrongs {
        let mut client = HttpClient::connect(&mut sys::Silent, address)?;
        client.send(&mut sys::Silent, wrong.request.as_bytes())?;
        let reply = client.reply(&mut sys::Silent)?;
        let version = reply
            .field("sec-websocket-version")
            .unwrap_or("–")
            .to_owned();
        let still_http = reply.field("connection") != Some("close") && {
            let get = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
            client.send(&mut sys::Silent, get.as_bytes())?;
            client.reply(&mut sys::Silent)?.status == 200
        };
        all &= reply.status == wrong.status && still_http;
        frame.finding(wrong.finding, reply.status);
        goes_on += u32::from(still_http);
        if wrong.finding == "status_wrong_version" {
            frame.finding("version_offered", version.as_str());
        }
        table.row([
            wrong.what.into(),
            reply.status.into(),
            version.into(),
            still_http.into(),
        ]);
    }
    frame.table(table);
    frame.finding("refusals", all_of_them);
    frame.finding("refusals_after_which_http_goes_on", goes_on);
    Ok(all)
}

fn wrongs(address: SocketAddr, key: &str) -> Vec<Wrong> {
    let wrong = |finding, what, status, request| Wrong {
        finding,
        what,
        request,
        status,
    };
    let ask = |version, key| request("GET", "HTTP/1.1", address, version, key);
    vec![
        wrong(
            "status_plain_get",
            "a plain GET, no Upgrade",
            426,
            format!("GET /ws HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        ),
        wrong(
            "status_wrong_version",
            "version 8, a draft of 2011",
            426,
            ask(Some("8"), Some(key)),
        ),
        wrong("status_no_key", "no key", 400, ask(Some("13"), None)),
        wrong(
            "status_short_key",
            "a key of 5 bytes",
            400,
            ask(Some("13"), Some("c2hvcnQ=")),
        ),
        wrong(
            "status_post",
            "POST in place of GET",
            405,
            request("POST", "HTTP/1.1", address, Some("13"), Some(key)),
        ),
    ]
}

/// A request for a WebSocket, whole or with parts left out.
fn request(
    method: &str,
    http: &str,
    address: SocketAddr,
    version: Option<&str>,
    key: Option<&str>,
) -> String {
    let mut text = format!(
        "{method} /ws {http}\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    );
    for (name, value) in [("Version", version), ("Key", key)] {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(text, "Sec-WebSocket-{name}: {value}\r\n");
        }
    }
    text.push_str("\r\n");
    text
}

/// A head, each line of its own behind a mark.
fn quoted(mark: char, head: &str) -> String {
    let mut text = String::new();
    for line in head.lines().filter(|line| !line.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n    {mark} {line}");
    }
    text
}
