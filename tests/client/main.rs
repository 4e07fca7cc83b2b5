//! The WebSocket client over real sockets: against our own server on every backend, and against servers that lie.

#[cfg(feature = "deflate")]
mod deflate;
mod hostile;
mod messages;
mod opening;
mod unix;

use std::thread;

use longshore::client::{Error, Options, WebSocket};
use longshore::http::Status;
use longshore::sys::Address;
use longshore::ws::CloseCode;
use longshore::{
    Backend, Handler, Limits, Message, Replied, Reply, Request, Server, Socket, Stopper, Upgrade,
    Workers,
};

/// Echoes; a text `close CODE REASON` is done instead of echoed.
struct Application;

impl Handler for Application {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/echo" => {
                let upgrade = Upgrade::new().protocols(&["echo.v2", "echo.v1"]);
                reply.upgrade(&request, &upgrade).expect("no fields")
            }
            #[cfg(feature = "deflate")]
            path if let Some(terms) = deflate::terms(path) => {
                let upgrade = Upgrade::new().deflate(terms);
                reply.upgrade(&request, &upgrade).expect("no fields")
            }
            b"/said" if request.field("cookie") == Some(b"a=b") => reply.websocket(&request),
            b"/old" => {
                let moved = reply.status(Status::MOVED_PERMANENTLY);
                let to = moved.field("Location", b"ws://elsewhere/echo");
                to.expect("a good field").empty()
            }
            _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
        }
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        let text = std::str::from_utf8(message.bytes).unwrap_or_default();
        let Some(order) = text.strip_prefix("close ") else {
            socket.send(message.kind, message.bytes);
            return;
        };
        let (code, reason) = order.split_once(' ').unwrap_or((order, ""));
        let code = code.parse().ok().and_then(CloseCode::new);
        socket.close(code.expect("a code that may travel"), reason);
    }
}

struct Running {
    address: Address,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start(backend: Backend, listen: &Address) -> Self {
        Self::start_within(Limits::default(), backend, listen)
    }

    fn start_within(limits: Limits, backend: Backend, listen: &Address) -> Self {
        let server = Server::new().listen(listen.clone()).limits(limits);
        let server = server.backend(backend).workers(Workers::Count(1));
        let bound = server.bind().expect("a free address");
        let address = bound.addresses().next().expect("one").clone();
        let stopper = bound.stopper();
        let thread = thread::spawn(move || {
            bound.run(|_| Application).expect("the server runs");
        });
        Self {
            address,
            stopper,
            thread: Some(thread),
        }
    }

    fn connect(
        &self,
        path: &str,
        options: &Options<'_>,
    ) -> Result<WebSocket<std::net::TcpStream>, Error> {
        WebSocket::connect(&format!("ws://{}{path}", self.address), options)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "it ended in order");
        }
    }
}

fn backends() -> impl Iterator<Item = Backend> {
    [Backend::Epoll, Backend::IoUring, Backend::Mio]
        .into_iter()
        .filter(|backend| {
            let usable = backend.choose();
            if let Err(error) = &usable {
                eprintln!("SKIPPED: {error}");
            }
            usable.is_ok()
        })
}

/// One after the other, a server on each backend.
fn with_servers(test: impl Fn(&Running)) {
    for backend in backends() {
        eprintln!("backend: {backend}");
        test(&Running::start(
            backend,
            &"127.0.0.1:0".parse().expect("an address"),
        ));
    }
}
