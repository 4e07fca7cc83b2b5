//! Replies with static files: a [`Plan`] becomes a head in the cork and portions behind it.
//!
//! ```text
//!   Plan ──▶ head ─┬─ text                        in the cork
//!                  └─ file, or pieces of it       named; the driver reads them when their turn comes
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use super::answer::{Answer, Portion, Then};
use super::files::{Files, Piece, Plan, PlanBody};
use super::{Replied, Reply, Request};
use crate::buf::FileSlice;
use crate::http::ReplyBody;

impl Files {
    /// Answers a request with the file that `path` names, as [`plan`](Self::plan) describes it.
    ///
    /// ```no_run
    /// use longshore::{Files, Handler, Replied, Reply, Request};
    ///
    /// struct Site(Files);
    ///
    /// impl Handler for Site {
    ///     type Connection = ();
    ///     fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
    ///         self.0.reply(&request, request.path(), reply)
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let files = Files::open("/srv/site")?;
    /// let bound = longshore::Server::new().listen("127.0.0.1:8080".parse()?).bind()?;
    /// bound.run(|_worker| Site(files.clone()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reply(&self, request: &Request<'_>, path: &[u8], reply: Reply<'_>) -> Replied {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        reply.plan(self.plan(request.head(), path, now))
    }
}

impl Reply<'_> {
    /// Answers as a [`Plan`] says. Files are not read here: the driver sends them as the peer reads, with sendfile(2) on
    /// epoll and mio, through a buffer of 64 KiB on io_uring. A file that has become shorter than it was cuts the
    /// connection.
    ///
    /// # Panics
    /// If a field of the plan is malformed; those of [`Files::plan`] never are.
    pub fn plan(self, plan: Plan) -> Replied {
        let length = plan.content_length();
        let status = plan.status;
        let (mut head, _) = self.start(status);
        for (name, value) in &plan.fields {
            head.field(name, value)
                .expect("a plan's fields are well-formed");
        }
        let body = match plan.body {
            PlanBody::Empty => Vec::new(),
            PlanBody::Text(text) => {
                let framing = head.finish_with(text.as_bytes());
                let bytes = match framing.body {
                    ReplyBody::Length(bytes) => bytes,
                    _ => 0,
                };
                return Replied(Answer {
                    status,
                    bytes,
                    keep_alive: framing.keep_alive,
                    then: Then::Nothing,
                });
            }
            PlanBody::File { file, range } => vec![Portion::File(FileSlice { file, range })],
            PlanBody::Pieces { file, pieces } => pieces
                .into_iter()
                .map(|piece| match piece {
                    Piece::Bytes(bytes) => Portion::Bytes(bytes),
                    Piece::File(range) => Portion::File(FileSlice {
                        file: file.clone(),
                        range,
                    }),
                })
                .collect(),
        };
        head.content_length(length);
        let framing = head.finish();
        let (bytes, then) = match framing.body {
            ReplyBody::Length(bytes) => (bytes, Then::Send(body.into_boxed_slice())),
            // HEAD, or nothing to send.
            _ => (0, Then::Nothing),
        };
        Replied(Answer {
            status,
            bytes,
            keep_alive: framing.keep_alive,
            then,
        })
    }
}
