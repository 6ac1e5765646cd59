//! The two listeners and the workers behind them.

use std::{
    future::{Ready, ready},
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    time::Duration,
};

use actix_http::{HttpServiceBuilder, KeepAlive, Protocol, Request, Response, body::BoxBody, error::DispatchError};
use actix_rt::net::TcpStream;
use actix_server::{Server, ServerBuilder};
use actix_service::{Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use socket2::{Domain, SockRef, Socket, Type};

use super::{
    client::Clients,
    gate::{Gate, Permit},
    guard::Guard,
    live::Live,
    once::Once,
    routes::{self, Common, Ops},
    upgrade::Door,
};
use crate::{config::Settings, session::Opened};

/// How long the listeners' end waits for answers that are being written. (The library counts whole seconds.)
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// What one worker's upgrade service needs.
pub struct Public {
    /// The count and the phase.
    pub gate: Gate,
    /// Takes an accepted socket.
    pub open: Box<dyn Fn(Opened<Permit>)>,
}

/// Everything behind the two ports.
pub struct Listeners<D> {
    /// For clients.
    pub public: TcpListener,
    /// For operators.
    pub ops: TcpListener,
    /// For whom the limits per address concern: those of the public port.
    pub clients: Clients,
    /// Origins whose pages may connect.
    pub origins: Live<[String]>,
    /// For both apps.
    pub common: Common,
    /// For the operators' app.
    pub ports: Ops,
    /// For the same.
    pub guard: Guard,
    /// Called once per worker, on it.
    pub door: D,
}

/// Socket options of a connection.
#[derive(Clone, Copy)]
struct Options {
    user_timeout: Option<Duration>,
    send_buffer: usize,
}

/// Opens a listening socket; port 0 lets the system choose one.
pub fn bind(host: &str, port: u16, backlog: u32) -> io::Result<TcpListener> {
    let address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(socket2::Protocol::TCP))?;
    // A restarted server must not wait for its predecessor's connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Starts the workers. Signals are the caller's.
pub fn start<D>(listeners: Listeners<D>, settings: &Settings) -> io::Result<Server>
where
    D: Fn() -> Public + Clone + Send + 'static,
{
    let Listeners { public, ops, clients, origins, common, ports, guard, door } = listeners;
    let request_timeout = settings.http.request_timeout();
    let room_name_bytes = settings.limits.room_name_bytes;
    let user_timeout = Some(settings.heartbeat.tcp_user_timeout()).filter(|timeout| !timeout.is_zero());
    let options = Options { user_timeout, send_buffer: settings.heartbeat.send_buffer_bytes };
    let public_common = common.clone();
    ServerBuilder::new()
        .workers(settings.server.worker_count())
        .backlog(settings.http.backlog)
        // Admission is the gate's: it answers 503 where a full worker would just not accept.
        .max_concurrent_connections(usize::MAX >> 1)
        .disable_signals()
        .shutdown_timeout(ANSWERS_WITHIN.as_secs())
        .listen("public", public, move || {
            let Public { gate, open } = door();
            let door = Door::new(gate, clients.clone(), origins.clone(), room_name_bytes, open);
            let (common, clients) = (public_common.clone(), clients.clone());
            let http = service(request_timeout)
                .upgrade(fn_service(move |(request, framed)| std::rc::Rc::clone(&door).serve(request, framed)));
            let http = http.finish(map_config(routes::public(common, clients), |()| AppConfig::default()));
            fn_service(move |socket| accept(socket, options)).and_then(http)
        })?
        .listen("ops", ops, move || {
            let app = routes::operator(common.clone(), ports.clone(), guard.clone());
            let http = service(request_timeout).finish(map_config(app, |()| AppConfig::default()));
            fn_service(move |socket| accept(socket, options)).and_then(http)
        })
        .map(ServerBuilder::run)
}

/// What both ports have in common. No keep-alive timer is set, since without one every answer closes its connection:
/// the time limit of a request's head holds for the first one only.
fn service<S>(request_timeout: Duration) -> HttpServiceBuilder<Once, S>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: std::fmt::Debug,
    <S::Service as Service<Request>>::Future: 'static,
{
    HttpServiceBuilder::default().keep_alive(KeepAlive::Disabled).client_request_timeout(request_timeout)
}

/// What the HTTP service takes.
type Accepted = (Once, Protocol, Option<SocketAddr>);

/// A connection of which one request is read.
fn accept(socket: TcpStream, options: Options) -> Ready<Result<Accepted, DispatchError>> {
    options.set(&socket);
    let peer = socket.peer_addr().ok();
    ready(Ok((Once::new(socket), Protocol::Http1, peer)))
}

impl Options {
    /// Options that cannot be set are those of a socket that is gone already.
    fn set(self, socket: &TcpStream) {
        let socket = SockRef::from(socket);
        let _ = socket.set_tcp_nodelay(true);
        if self.user_timeout.is_some() {
            let _ = socket.set_tcp_user_timeout(self.user_timeout);
        }
        let _ = socket.set_send_buffer_size(self.send_buffer);
    }
}
