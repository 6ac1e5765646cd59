//! How a socket finds its way to its arbiter, and gets a session there.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Instant};

use actix_http::ws::Codec;
use actix_rt::ArbiterHandle;
use actix_web_actors::ws::WebsocketContext;

use super::{
    actor::{Session, SessionInit},
    attachment::Attachment,
    drain, handover,
    inbound::{self, Inbound},
    intake, pump,
    setup::SessionConfig,
    shared::SessionShared,
};
use crate::{
    limits::Subnet,
    protocol::{EndReason, RoomName, client::BearerToken},
    telemetry::RequestId,
    ws::{AnySocket, Connection, Socket},
};

/// What the upgrade service knows of a connection that it hands over.
pub struct AcceptedSocket<P> {
    /// The socket, after the 101.
    pub socket: AnySocket,
    /// What the client sent behind its handshake.
    pub unread: Vec<u8>,
    /// The client's address as it is believed, for the log.
    pub remote: SocketAddr,
    /// The same for the limits per address; `None`: they do not concern it.
    pub subnet: Option<Subnet>,
    /// The handshake's request id, for the log.
    pub request: RequestId,
    /// The room that the handshake named: the only one that this connection may join.
    pub hint: Option<RoomName>,
    /// The token that the handshake brought.
    pub bearer: Option<BearerToken<'static>>,
    /// The host that the client used, where it is to be told of a STUN server there.
    pub host: Option<Box<str>>,
    /// Held as long as the socket is; dropping it gives the connection's place back.
    pub permit: P,
}

thread_local! {
    /// A socket that is handed to another arbiter finds that arbiter's setup here.
    static SETUP: RefCell<Option<Rc<SessionConfig>>> = const { RefCell::new(None) };
}

/// Makes the calling thread an arbiter of sessions.
pub fn install(setup: Rc<SessionConfig>) {
    SETUP.set(Some(setup));
}

/// What the sessions of the calling arbiter have in common, if it is one of sessions.
pub(super) fn setup() -> Option<Rc<SessionConfig>> {
    SETUP.with_borrow(Clone::clone)
}

/// Starts a session for the socket, on that arbiter or here. A socket that cannot be moved is dropped, and with it the
/// connection: its client connects again.
pub fn open_at<P: Send + 'static>(arbiter: Option<ArbiterHandle>, opened: AcceptedSocket<P>) {
    let Some(arbiter) = arbiter else { return open_here(opened) };
    let AcceptedSocket { socket, unread, remote, subnet, request, hint, bearer, host, permit } = opened;
    let Ok(socket) = socket.detach() else { return };
    arbiter.spawn_fn(move || {
        if let Ok(socket) = AnySocket::attach(socket) {
            open_here(AcceptedSocket { socket, unread, remote, subnet, request, hint, bearer, host, permit });
        }
    });
}

/// Starts a session on the calling arbiter and gives it the socket. `permit` is dropped when the socket is.
fn open_here<P: Send + 'static>(opened: AcceptedSocket<P>) {
    let Some(setup) = setup() else { return };
    let now = Instant::now();
    let connection = Connection::new(opened.socket, Box::new(opened.permit));
    let shared = SessionShared::new(Some(Attachment::new(connection, now)), setup, opened.subnet, now);
    #[cfg(feature = "echo")]
    super::echo::mark(&shared, opened.hint.as_ref());
    if drain::may_close() || handover::has_begun() {
        shared.kill_switch.kill(EndReason::ServerDraining);
    }
    let inbound = Inbound::new(Rc::clone(&shared), &opened.unread, now);
    let init = SessionInit::new(inbound, opened.request, opened.remote);
    init.announce(&opened.remote);
    let mut session = Session::new(Rc::clone(&shared), init, opened.hint, opened.bearer);
    session.came_by(opened.host);
    let opened = Rc::clone(&shared);
    pump::spawn(WebsocketContext::with_codec(session, inbound::unused(), Codec::new()), shared);
    intake::came(&opened);
}

/// For the sweep.
pub(super) fn fit_intake() {
    if let Some(setup) = SETUP.with_borrow(Clone::clone) {
        intake::fit(&setup);
    }
}
