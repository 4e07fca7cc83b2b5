//! may_minihttp: coroutines on one worker.

use std::io;

use may_minihttp::{HttpServer, HttpService, Request, Response};

#[derive(Clone)]
struct Plaintext;

impl HttpService for Plaintext {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        if request.path() == "/plaintext" {
            response.header("Content-Type: text/plain");
            response.body("Hello, World!");
        } else {
            response.status_code(404, "Not Found");
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    may::config().set_workers(1);
    let server = HttpServer(Plaintext).start(address)?;
    server
        .join()
        .map_err(|_| io::Error::other("the listener panicked"))
}
