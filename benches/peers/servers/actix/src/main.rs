//! actix-http without actix-web's routing, one worker.

use std::convert::Infallible;
use std::time::Duration;

use actix_http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use actix_http::{HttpService, KeepAlive, Request, Response, StatusCode};
use actix_server::Server;

const BACKLOG: u32 = 4096;

async fn answer(request: Request) -> Result<Response<&'static str>, Infallible> {
    if request.path() != "/plaintext" {
        return Ok(Response::with_body(StatusCode::NOT_FOUND, ""));
    }
    let mut response = Response::with_body(StatusCode::OK, "Hello, World!");
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("actix"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

#[actix_rt::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    Server::build()
        .backlog(BACKLOG)
        .bind("plaintext", address, || {
            HttpService::build()
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .h1(answer)
                .tcp()
        })?
        .workers(1)
        .run()
        .await
}
