//! A handler of any kind behind a pointer.
//!
//! A server is compiled anew for each handler, once for every backend, traced and not. The lessons have many small handlers;
//! with this one in front of them the server is compiled once for all. It costs a call through a pointer, and knows only
//! those methods that lessons have.

use std::any::Any;

use longshore::{Handler, Message, Replied, Reply, Request, Socket};

/// Calls the handler that it was made of.
pub(super) struct AnyHandler(Box<dyn Erased>);

impl AnyHandler {
    pub(super) fn new<H: Handler + 'static>(handler: H) -> Self {
        Self(Box::new(handler))
    }
}

/// What a handler keeps of a connection, made when it is first called for it.
#[derive(Default)]
pub(super) struct Kept(Option<Box<dyn Any>>);

impl Kept {
    fn of<C: Default + 'static>(&mut self) -> &mut C {
        let kept = self.0.get_or_insert_with(|| Box::new(C::default()));
        kept.downcast_mut()
            .expect("one handler has made it and is asked for it")
    }

    fn into<C: Default + 'static>(self) -> C {
        let kept = self.0.and_then(|kept| kept.downcast().ok());
        kept.map_or_else(C::default, |kept: Box<C>| *kept)
    }
}

/// [`Handler`], without types of its own.
trait Erased {
    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, kept: &mut Kept) -> Replied;
    fn opened(&mut self, socket: &mut Socket<'_, '_>, kept: &mut Kept);
    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, kept: &mut Kept);
    fn pong(&mut self, kept: &mut Kept);
    fn closed(&mut self, kept: Kept);
}

impl<H: Handler> Erased for H
where
    H::Connection: 'static,
{
    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, kept: &mut Kept) -> Replied {
        Handler::request(self, request, reply, kept.of())
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, kept: &mut Kept) {
        Handler::opened(self, socket, kept.of());
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, kept: &mut Kept) {
        Handler::message(self, message, socket, kept.of());
    }

    fn pong(&mut self, kept: &mut Kept) {
        Handler::pong(self, kept.of());
    }

    fn closed(&mut self, kept: Kept) {
        Handler::closed(self, kept.into());
    }
}

impl Handler for AnyHandler {
    type Connection = Kept;

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, kept: &mut Kept) -> Replied {
        self.0.request(request, reply, kept)
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, kept: &mut Kept) {
        self.0.opened(socket, kept);
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, kept: &mut Kept) {
        self.0.message(message, socket, kept);
    }

    fn pong(&mut self, kept: &mut Kept) {
        self.0.pong(kept);
    }

    fn closed(&mut self, kept: Kept) {
        self.0.closed(kept);
    }
}
