//! How a request becomes a WebSocket: who may, and on what terms (RFC 6455 §4.2).

use super::answer::{Answer, Opening, Then};
use super::reply::encode_handshake_field;
use super::{Replied, Reply, Request};
use crate::conn::backlog::SlowPeer;
use crate::http::{EncodeError, Method, Status, Version};
use crate::ws;
#[cfg(feature = "deflate")]
use crate::{
    buf::Ceiling,
    conn::deflated::{Deflate, Deflated},
    ws::deflate::FieldValue,
};
#[cfg(feature = "deflate")]
use std::sync::Arc;

/// Which pages may open the WebSocket (RFC 6455 §10.2). A client that sends no Origin is no browser, and may always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Origins<'u> {
    /// Those of this server: the Origin's host and port are those of the request's Host. The default.
    #[default]
    Same,
    /// Those with one of these origins, as `https://example.com` or `http://localhost:3000`.
    Listed(&'u [&'u str]),
    /// All. Then any page that a user visits can use whatever the user's cookies or network position allow here.
    Any,
}

/// The terms of a handshake. Used with [`Reply::upgrade`].
///
/// ```
/// use longshore::{Handler, Origins, Replied, Reply, Request, Upgrade, http::Status};
///
/// struct Chat;
///
/// impl Handler for Chat {
///     type Connection = ();
///     fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
///         let upgrade = Upgrade::new()
///             .origins(Origins::Listed(&["https://chat.example"]))
///             .protocols(&["chat.v2", "chat.v1"]);
///         if request.field("cookie").is_none() {
///             return reply.error(Status::FORBIDDEN, "Log in first."); // any status and content
///         }
///         reply.upgrade(&request, &upgrade).expect("its fields are well-formed")
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Upgrade<'u> {
    origins: Origins<'u>,
    protocols: &'u [&'u str],
    fields: &'u [(&'u str, &'u [u8])],
    policy: SlowPeer,
    pieces: bool,
    #[cfg(feature = "deflate")]
    deflate: Option<Deflate>,
}

impl<'u> Upgrade<'u> {
    /// The usual terms: pages of the same origin, no subprotocol.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which pages may open it.
    pub fn origins(mut self, origins: Origins<'u>) -> Self {
        self.origins = origins;
        self
    }

    /// The subprotocols that this server speaks. Of those that the client offers, its most preferred one is chosen; if
    /// none fits, the reply names none, and the client decides (RFC 6455 §4.2.2).
    pub fn protocols(mut self, protocols: &'u [&'u str]) -> Self {
        self.protocols = protocols;
        self
    }

    /// Further fields of the 101.
    pub fn fields(mut self, fields: &'u [(&'u str, &'u [u8])]) -> Self {
        self.fields = fields;
        self
    }

    /// What becomes of messages when the peer does not read.
    pub fn on_slow_peer(mut self, policy: SlowPeer) -> Self {
        self.policy = policy;
        self
    }

    /// Takes messages in pieces, as they come: [`Handler::piece`](super::Handler::piece) is called in place of
    /// [`Handler::message`](super::Handler::message), and nothing is put together. Limit: `streamed_message_bytes_max`,
    /// 1 GiB by default. [`Socket::take_pieces`](super::Socket::take_pieces) changes it between messages.
    ///
    /// ```
    /// use longshore::{Handler, MessagePiece, Replied, Reply, Request, Socket, Upgrade};
    ///
    /// /// Every message comes back, and none is ever held whole.
    /// struct Echo;
    ///
    /// impl Handler for Echo {
    ///     type Connection = ();
    ///     fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
    ///         let upgrade = Upgrade::new().pieces();
    ///         reply.upgrade(&request, &upgrade).expect("no field is no wrong field")
    ///     }
    ///     fn piece(&mut self, piece: MessagePiece<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
    ///         socket.send_piece(piece.kind, piece.bytes, piece.last);
    ///     }
    /// }
    /// ```
    pub fn pieces(mut self) -> Self {
        self.pieces = true;
        self
    }

    /// Compresses messages (permessage-deflate, RFC 7692), for clients that offer it. If the memory for compression does
    /// not allow the contexts that would be kept, the offer is declined, and messages go as they are.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, deflate: Deflate) -> Self {
        self.deflate = Some(deflate);
        self
    }

    /// Agrees on compression: what the 101 says of it, and what it takes.
    #[cfg(feature = "deflate")]
    fn agree(
        &self,
        accept: &ws::Accept<'_>,
        ceiling: &Arc<Ceiling>,
    ) -> Option<(FieldValue, Box<Deflated>)> {
        let deflate = self.deflate?;
        let accepted = deflate.settings.accept(accept.extensions())?;
        let deflated = Deflated::new(accepted.agreed, deflate, ceiling)?;
        Some((accepted.reply, Box::new(deflated)))
    }

    /// The subprotocol that would be chosen.
    pub fn choose(&self, request: &Request<'_>) -> Option<&'u str> {
        let accept = judge(request).ok()?;
        self.chosen(&accept)
    }

    fn chosen(&self, accept: &ws::Accept<'_>) -> Option<&'u str> {
        let mut offers = accept.protocols.iter();
        offers.find_map(|offer| self.protocols.iter().find(|own| **own == offer).copied())
    }

    fn allows(&self, origin: Option<&[u8]>, host: &[u8]) -> bool {
        let Some(origin) = origin else { return true };
        match self.origins {
            Origins::Any => true,
            Origins::Listed(listed) => listed
                .iter()
                .any(|own| own.as_bytes().eq_ignore_ascii_case(origin)),
            Origins::Same => is_same(origin, host),
        }
    }
}

impl Reply<'_> {
    /// Makes the connection a WebSocket, if the request asks for that by the rules (RFC 6455 §4.2), and from a page of the
    /// same origin or no page. Otherwise refuses with the status that the rules ask for: 426 for a plain GET, 403 for a
    /// foreign page.
    pub fn websocket(self, request: &Request<'_>) -> Replied {
        self.upgrade(request, &Upgrade::new())
            .expect("no field is no wrong field")
    }

    /// As [`websocket`](Self::websocket), on terms of one's own.
    ///
    /// # Errors
    /// As [`ReplyFields::field`](super::ReplyFields::field), also for the fields that the handshake itself writes.
    pub fn upgrade(
        self,
        request: &Request<'_>,
        upgrade: &Upgrade<'_>,
    ) -> Result<Replied, EncodeError> {
        // Checked as any reply's fields are, before a byte is written.
        let mut extra = Vec::new();
        for (name, value) in upgrade.fields {
            encode_handshake_field(&mut extra, name, value)?;
        }
        let accept = match judge(request) {
            Ok(accept) => accept,
            Err(refusal) => return Ok(self.refuse(&refusal)),
        };
        if !upgrade.allows(accept.origin, request.head().host) {
            let reason = "This page's origin may not open a WebSocket here.";
            return Ok(self.error(Status::FORBIDDEN, reason));
        }
        #[cfg(feature = "deflate")]
        let (extensions, deflated) = upgrade.agree(&accept, self.deflate_ceiling()).unzip();
        #[cfg(feature = "deflate")]
        let extensions = extensions.as_ref().map(FieldValue::as_str);
        #[cfg(not(feature = "deflate"))]
        let (extensions, deflated) = (None, None);
        let handshake = ws::Agreement {
            protocol: upgrade.chosen(&accept),
            extensions,
            fields: &extra,
        };
        ws::encode_101(self.into_out(), &accept.key_accept, &handshake);
        Ok(Replied(Answer {
            status: Status::SWITCHING_PROTOCOLS,
            bytes: 0,
            keep_alive: true,
            then: Then::WebSocket(Box::new(Opening {
                policy: upgrade.policy,
                deflated,
                pieces: upgrade.pieces,
            })),
        }))
    }

    fn refuse(self, refusal: &ws::Refusal) -> Replied {
        let status = Status::new(refusal.status).unwrap_or(Status::BAD_REQUEST);
        let mut fields = self.status(status);
        for (name, value) in refusal.fields() {
            fields = fields
                .field(name, value)
                .expect("constants without control bytes");
        }
        fields.content("text/plain; charset=utf-8", refusal.reason.as_bytes())
    }
}

fn judge<'b>(request: &Request<'b>) -> Result<ws::Accept<'b>, ws::Refusal> {
    let head = request.head();
    // RFC 9110 §9.3.2: HEAD gets the head that a GET would get. It cannot upgrade, so it stands for a plain GET.
    let is_head = head.method == Method::Head;
    let fields = head.fields.clone().filter(|_| !is_head);
    ws::accept(
        is_head || head.method == Method::Get,
        head.version == Version::Http11,
        fields,
    )
}

/// Whether an origin (RFC 6454 §7) names the host and port that the request is for. The scheme is not known here: a proxy
/// may have taken TLS off.
fn is_same(origin: &[u8], host: &[u8]) -> bool {
    let (default_port, authority): (&[u8], _) = if let Some(rest) = strip(origin, b"http://") {
        (b":80", rest)
    } else if let Some(rest) = strip(origin, b"https://") {
        (b":443", rest)
    } else {
        return false;
    };
    let without_default = |authority: &[u8]| {
        let end = authority.len() - authority.ends_with(default_port) as usize * default_port.len();
        authority[..end].to_ascii_lowercase()
    };
    !authority.is_empty() && without_default(authority) == without_default(host)
}

fn strip<'b>(text: &'b [u8], prefix: &[u8]) -> Option<&'b [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_origins() {
        for (origin, host, same) in [
            ("http://a", "a", true),
            ("http://a:80", "a", true),
            ("http://a", "a:80", true),
            ("https://A.b", "a.B:443", true),
            ("http://a:8080", "a:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://a:8080", "a", false),
            ("https://a", "a:80", false),
            ("http://a.evil", "a", false),
            ("http://evil", "a", false),
            ("null", "a", false),
            ("", "", false),
            ("http://", "", false),
            ("ftp://a", "a", false),
            ("http://a/", "a", false),
        ] {
            assert_eq!(
                is_same(origin.as_bytes(), host.as_bytes()),
                same,
                "{origin} {host}"
            );
        }
    }
}
