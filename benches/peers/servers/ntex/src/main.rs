//! ntex' HTTP/1 service without its routing, one worker, on its tokio driver.

use std::io;

use ntex::http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use ntex::http::{HttpService, HttpServiceConfig, KeepAlive, Request, Response};
use ntex::time::Seconds;
use ntex::{SharedCfg, util::Ready};

const BACKLOG: i32 = 4096;

fn answer(request: &Request) -> Response {
    if request.path() != "/plaintext" {
        return Response::NotFound().finish();
    }
    Response::Ok()
        .header(SERVER, HeaderValue::from_static("ntex"))
        .header(CONTENT_TYPE, HeaderValue::from_static("text/plain"))
        .body("Hello, World!")
}

#[ntex::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let http = HttpServiceConfig::new()
        .set_keepalive(KeepAlive::Os)
        .set_client_timeout(Seconds::ZERO);
    ntex::server::build()
        .backlog(BACKLOG)
        .workers(1)
        .bind("plaintext", address, async |_| {
            HttpService::h1(|request: Request| Ready::Ok::<_, io::Error>(answer(&request)))
        })?
        .config("plaintext", SharedCfg::new("plaintext").add(http))
        .run()
        .await
}
