//! tokio-tungstenite as a judge: the client that most programs in Rust use. It has no permessage-deflate (0.30), so it offers
//! none, whatever the server could do.
//!
//! ```text
//! tungstenite_client ws://127.0.0.1:PORT MODE
//! ```
//!
//! MODE says how the server compresses; see websockets.sh. `plain` has the chat besides. Prints `FAILED: …`, `NOTE: …` and
//! `N checks`.

mod checks;

use std::error::Error;
use std::time::Duration;

use checks::Checks;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as Refusal;
use tokio_tungstenite::tungstenite::client::{ClientRequestBuilder, IntoClientRequest as _};
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Outcome = Result<(), Box<dyn Error>>;

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(mode)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: tungstenite_client ws://HOST:PORT MODE");
        std::process::exit(2);
    };
    let mut checks = Checks::default();
    let outcome = messages(&url, &mut checks).await;
    checks.outcome("messages", outcome);
    let outcome = largest(&url, &mut checks).await;
    checks.outcome("largest", outcome);
    let outcome = closes(&url, &mut checks).await;
    checks.outcome("closes", outcome);
    if mode == "plain" {
        let outcome = chat(&url, &mut checks).await;
        checks.outcome("chat", outcome);
        println!("NOTE: tokio-tungstenite 0.30, which has no compression");
    }
    std::process::exit(checks.report());
}

async fn open(request: ClientRequestBuilder) -> Result<(Socket, Response), Refusal> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(64 * MIB))
        .max_frame_size(Some(64 * MIB));
    connect_async_with_config(request.into_client_request()?, Some(config), true).await
}

async fn echo(url: &str, checks: &mut Checks) -> Result<Socket, Box<dyn Error>> {
    let uri: Uri = format!("{url}/ws").parse()?;
    let (socket, response) = open(ClientRequestBuilder::new(uri)).await?;
    let extensions = response.headers().get("sec-websocket-extensions");
    checks.expect("no extension", &None, &extensions);
    Ok(socket)
}

/// The next message or control frame. A server that says nothing is a failure.
async fn next(socket: &mut Socket) -> Result<Message, Box<dyn Error>> {
    let said = tokio::time::timeout(PATIENCE, socket.next()).await?;
    Ok(said.ok_or("the connection has ended")??)
}

/// Bytes that do not repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

async fn messages(url: &str, checks: &mut Checks) -> Outcome {
    let mut socket = echo(url, checks).await?;
    let texts = ["", "ahoy", "Grüße ✓ 😂", &"ü😂".repeat(30_000)].map(Message::text);
    let lengths = [0, 1, 63, 64, 125, 126, 127, 65_535, 65_536, 1_000_000];
    let bytes = lengths.map(|length| Message::binary(noise(length)));
    for message in texts.into_iter().chain(bytes) {
        socket.send(message.clone()).await?;
        let what = format!("echo of {} bytes", message.len());
        checks.expect(&what, &message, &next(&mut socket).await?);
    }

    for number in 0..3000 {
        socket
            .feed(Message::text(format!("message {number}")))
            .await?;
    }
    socket.flush().await?;
    let mut in_order = true;
    for number in 0..3000 {
        in_order &= next(&mut socket).await? == Message::text(format!("message {number}"));
    }
    checks.expect("in flight", &true, &in_order);

    for length in [0, 1, 125] {
        socket.send(Message::Ping(noise(length).into())).await?;
        let pong = Message::Pong(noise(length).into());
        checks.expect("pong", &pong, &next(&mut socket).await?);
    }
    fragments(&mut socket, checks).await?;
    socket.close(None).await?;
    checks.expect(
        "close without a code",
        &Message::Close(None),
        &next(&mut socket).await?,
    );
    Ok(())
}

/// In frames that cut characters, with pings between.
async fn fragments(socket: &mut Socket, checks: &mut Checks) -> Outcome {
    let text = "zwölf Boxkämpfer jagen Viktor 😂 ".repeat(20);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
    for (number, piece) in pieces.iter().enumerate() {
        let opcode = if number == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let last = number + 1 == pieces.len();
        let frame = Frame::message(piece.to_vec(), OpCode::Data(opcode), last);
        socket.send(Message::Frame(frame)).await?;
        if !last {
            let payload = number.to_string().into_bytes();
            socket.send(Message::Ping(payload.clone().into())).await?;
            let pong = Message::Pong(payload.into());
            checks.expect("pong between", &pong, &next(socket).await?);
        }
    }
    checks.expect("fragments", &Message::text(text), &next(socket).await?);
    Ok(())
}

/// 16 MiB are taken, and one byte more is not.
async fn largest(url: &str, checks: &mut Checks) -> Outcome {
    let mut socket = echo(url, checks).await?;
    let exact = noise(16 * MIB);
    socket.send(Message::binary(exact.clone())).await?;
    let same = next(&mut socket).await? == Message::binary(exact);
    checks.expect("16 MiB", &true, &same);
    socket.send(Message::binary(noise(16 * MIB + 1))).await?;
    let code = match next(&mut socket).await? {
        Message::Close(Some(frame)) => u16::from(frame.code),
        _ => 0,
    };
    checks.expect("a byte more", &1009, &code);
    Ok(())
}

async fn closes(url: &str, checks: &mut Checks) -> Outcome {
    for (code, reason) in [(1000, "done"), (3000, "Grüße ✓"), (4999, "")] {
        let mut socket = echo(url, checks).await?;
        socket.send(Message::text("under way")).await?;
        let close = |reason: &'static str| CloseFrame {
            code: CloseCode::from(code),
            reason: reason.into(),
        };
        socket.close(Some(close(reason))).await?;
        checks.expect(
            "under way",
            &Message::text("under way"),
            &next(&mut socket).await?,
        );
        let answer = Message::Close(Some(close("")));
        checks.expect(&format!("close {code}"), &answer, &next(&mut socket).await?);
        let end = tokio::time::timeout(PATIENCE, socket.next()).await?;
        checks.expect("the server hangs up", &true, &end.is_none());
    }
    Ok(())
}

/// It speaks one subprotocol, to its own pages.
async fn chat(url: &str, checks: &mut Checks) -> Outcome {
    let uri: Uri = format!("{url}/chat/ws").parse()?;
    let request = ClientRequestBuilder::new(uri.clone())
        .with_sub_protocol("other")
        .with_sub_protocol("longshore.chat.v1")
        .with_header("Origin", url.replacen("ws", "http", 1));
    let (mut socket, response) = open(request).await?;
    let protocol = response.headers().get("sec-websocket-protocol");
    let protocol = protocol.and_then(|value| value.to_str().ok());
    checks.expect("subprotocol", &Some("longshore.chat.v1"), &protocol);
    let key = format!("{:032x}", u128::from(std::process::id()));
    let name = format!("Rust {}", std::process::id());
    let hello = serde_json::json!({ "type": "hello", "name": name, "key": key });
    socket.send(Message::text(hello.to_string())).await?;
    let welcome: serde_json::Value = serde_json::from_str(next(&mut socket).await?.to_text()?)?;
    checks.expect("welcome", &Some("welcome"), &welcome["type"].as_str());

    for (path, status) in [("/chat/ws", 403), ("/nothing", 404)] {
        let request = ClientRequestBuilder::new(format!("{url}{path}").parse()?)
            .with_header("Origin", "https://elsewhere.example");
        let found = match open(request).await {
            Err(Refusal::Http(response)) => response.status().as_u16(),
            Err(error) => return Err(error.into()),
            Ok(_) => 101,
        };
        checks.expect(path, &status, &found);
    }
    Ok(())
}
