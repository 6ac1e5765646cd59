//! The two listeners, the thread that accepts, and the workers behind it.

use std::{
    io,
    net::{TcpListener, ToSocketAddrs},
    rc::Rc,
    time::Duration,
};

use actix_http::{HttpServiceBuilder, KeepAlive, Request, Response, ServiceConfig, body::BoxBody};
use actix_rt::{Arbiter, ArbiterHandle};
use actix_service::{Service, ServiceFactory, map_config};
use actix_web::dev::AppConfig;
use socket2::{Domain, Socket, Type};
use tokio::sync::{mpsc, watch};

use super::{
    accept::{self, Accepted, Workers},
    worker::{self, RequestLimits, Worker},
};
use crate::{
    config::{Capacity, Settings},
    http::{
        client::Clients,
        live::Live,
        ops::{Guard, Ops},
        public::{
            address::OwnAddress,
            handshake::Policy,
            origin::OriginPolicy,
            upgrade::{Kept, UpgradeService},
        },
        routes::{self, Common},
        socket::{
            heads::Heads,
            silent::Silent,
            single_request::SingleRequestStream,
            sockets::{InFlight, Sockets},
        },
    },
    lifecycle::Lifecycle,
    memory::Relief,
    session::AcceptedSocket,
    telemetry::Listener,
    tls::{Certificates, TlsAcceptor},
};

/// The part of the memory budget that sockets which say nothing could fill with one head each, while nobody has time to read them.
const MOST_SILENT_PART: u64 = 2;

/// How long the listeners' end waits for answers that are being written.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// How many sockets of the public listener may say nothing at a time.
fn most_silent(memory: &Relief, settings: &Settings) -> usize {
    let budget = memory.pressure.borrow().budget / MOST_SILENT_PART;
    usize::try_from(budget).unwrap_or(usize::MAX) / settings.limits.head_bytes
}

/// What one worker's upgrade service needs.
pub struct Public {
    /// The count and the phase.
    pub lifecycle: Lifecycle,
    /// Takes an accepted socket.
    pub open: Box<dyn Fn(AcceptedSocket<Kept>)>,
}

/// Everything behind the two ports.
pub struct Listeners<D> {
    /// For clients.
    pub public: TcpListener,
    /// For operators.
    pub ops: TcpListener,
    /// The limits per address, which concern the public port.
    pub clients: Clients,
    /// Origins whose pages may connect.
    pub origins: Live<[String]>,
    /// How many sockets each may have.
    pub sockets: [Sockets; 2],
    /// For both apps.
    pub common: Common,
    /// For the operators' app.
    pub ports: Ops,
    /// For the same.
    pub guard: Guard,
    /// Where that app is served: not where a flood of frames would stand before it.
    pub ops_arbiter: ArbiterHandle,
    /// Whether there is memory for more clients.
    pub memory: Relief,
    /// Where each speaks TLS.
    pub certificates: Certificates,
    /// Whether clients may come in. Until then they wait in the kernel.
    pub is_open: watch::Receiver<bool>,
    /// Called once per worker, on it.
    pub upgrade_service: D,
}

/// The listeners and workers of a server that runs.
pub struct Running {
    stop: watch::Sender<bool>,
    in_flight: InFlight,
    accept: ArbiterHandle,
}

impl Running {
    /// The thread that accepts.
    #[must_use]
    pub fn accept_thread(&self) -> ArbiterHandle {
        self.accept.clone()
    }

    /// Accepts no more, and waits until every request that was accepted is answered.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.in_flight.landed().await;
    }
}

/// Opens a listening socket; port 0 lets the system choose one. It has the options that its connections shall have: on
/// Linux they take them over when they are accepted, which saves each of them the system calls.
pub fn bind(host: &str, port: u16, settings: &Settings) -> io::Result<TcpListener> {
    let backlog = settings.http.backlog;
    let address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(socket2::Protocol::TCP))?;
    // A restarted server must not wait for its predecessor's connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    let user_timeout = settings.heartbeat.tcp_user_timeout_ms.get();
    if !user_timeout.is_zero() {
        socket.set_tcp_user_timeout(Some(user_timeout))?;
    }
    // Before it listens, so that the first connections have it, too.
    socket.set_send_buffer_size(settings.heartbeat.send_buffer_bytes)?;
    // And before it listens in any case: the window that a connection offers is scaled by what it has at its handshake.
    socket.set_recv_buffer_size(settings.heartbeat.receive_buffer_bytes)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Starts the workers, the operators' service on the thread that it is given, and the thread that accepts for all of them.
/// Signals are the caller's.
pub fn start<D>(listeners: Listeners<D>, settings: &Settings, capacity: &Capacity) -> io::Result<Running>
where
    D: Fn() -> Public + Clone + Send + 'static,
{
    let Listeners { public, ops, clients, origins, sockets, common, ports, guard, .. } = listeners;
    let Listeners { ops_arbiter, memory, certificates, is_open, upgrade_service, .. } = listeners;
    let [of_public, of_ops] = sockets;
    let (silent, silent_ops) = (Silent::of_public(most_silent(&memory, settings)), Silent::of_ops());
    let parts = Parts {
        upgrade_service,
        own: OwnAddress::new(settings, public.local_addr()?),
        clients: clients.clone(),
        policy: policy(settings, origins, certificates.public.is_some()),
        common: common.clone(),
        bounds: settings.into(),
        memory: memory.clone(),
        tls: certificates.public.clone(),
        silent: silent.clone(),
    };
    let in_flight = InFlight::default();
    let workers = (0..settings.server.worker_count()).map(|_| parts.clone().start());
    let workers = Workers { queues: workers.collect(), in_flight: in_flight.clone() };
    let operators = Operators {
        common: common.clone(),
        ports,
        guard,
        bounds: settings.into(),
        tls: certificates.ops.clone(),
        silent: silent_ops.clone(),
    };
    let operators = Workers { queues: vec![operators.start(&ops_arbiter)], in_flight: in_flight.clone() };
    let (for_ops, probes, pressure) = (capacity.reserve / 4, common.probes, Some(memory.pressure));
    let configs = [
        accept::ListenerConfig {
            socket: public,
            listener: Listener::Public,
            sockets: of_public,
            silent,
            clients: Some(clients),
            pressure,
            reserve: capacity.reserve - for_ops,
            probes: probes.clone(),
            tls: certificates.public,
            is_open: Some(is_open),
            workers,
        },
        accept::ListenerConfig {
            socket: ops,
            listener: Listener::Ops,
            sockets: of_ops,
            silent: silent_ops,
            clients: None,
            pressure: None,
            reserve: for_ops,
            probes,
            tls: certificates.ops,
            is_open: None,
            workers: operators,
        },
    ];
    let (accept, (stop, stopped)) = (Arbiter::new().handle(), watch::channel(false));
    let (started, starting) = std::sync::mpsc::channel();
    accept.spawn_fn(move || {
        // Whoever asked is waiting for it.
        let _ = started.send(accept::start(configs, &stopped));
    });
    starting.recv().map_err(io::Error::other)??;
    Ok(Running { stop, in_flight, accept })
}

/// What handshakes go by.
fn policy(settings: &Settings, allowed: Live<[String]>, speaks_tls: bool) -> Policy {
    Policy {
        origins: OriginPolicy { allowed, speaks_tls, is_required: settings.http.require_origin },
        room_name_bytes: settings.limits.room_name_bytes,
        stun_at_host: settings.stun.is_at_the_clients_host(),
    }
}

/// What a worker is made of.
#[derive(Clone)]
struct Parts<D> {
    upgrade_service: D,
    own: OwnAddress,
    clients: Clients,
    policy: Policy,
    common: Common,
    bounds: RequestLimits,
    memory: Relief,
    tls: Option<TlsAcceptor>,
    silent: Silent,
}

impl<D> Parts<D>
where
    D: Fn() -> Public + Clone + Send + 'static,
{
    /// Starts a worker on an arbiter of its own.
    fn start(self) -> mpsc::UnboundedSender<Accepted> {
        let (queue, accepted) = mpsc::unbounded_channel();
        Arbiter::new().spawn_fn(move || {
            actix_rt::spawn(self.run(accepted));
        });
        queue
    }

    async fn run(self, accepted: mpsc::UnboundedReceiver<Accepted>) {
        #[cfg(feature = "fault-injection")]
        crate::messages::faults::enlist_worker(&Arbiter::current());
        let Public { lifecycle, open } = (self.upgrade_service)();
        let upgrade_service = UpgradeService::new(lifecycle, self.clients.clone(), self.policy, open);
        let app = routes::public(self.common, self.clients.clone(), self.own);
        // Making the app cannot fail.
        let Ok(service) = service().h1(map_config(app, |()| AppConfig::default())).new_service(()).await else {
            return;
        };
        let heads = Rc::new(Heads::within(self.memory.pressure.borrow().budget));
        actix_rt::spawn(Rc::clone(&heads).relieve(self.memory));
        let (public, config) = (Some((upgrade_service, self.clients)), ServiceConfig::default());
        let (bounds, tls, silent) = (self.bounds, self.tls, self.silent);
        worker::run(Worker { service, public, tls, config, bounds, heads, silent }, accepted).await;
    }
}

/// What the operators' service is made of.
struct Operators {
    common: Common,
    ports: Ops,
    guard: Guard,
    bounds: RequestLimits,
    tls: Option<TlsAcceptor>,
    silent: Silent,
}

impl Operators {
    /// Starts it on that arbiter.
    fn start(self, on: &ArbiterHandle) -> mpsc::UnboundedSender<Accepted> {
        let (queue, accepted) = mpsc::unbounded_channel();
        on.spawn_fn(move || {
            actix_rt::spawn(self.run(accepted));
        });
        queue
    }

    async fn run(self, accepted: mpsc::UnboundedReceiver<Accepted>) {
        let app = routes::operator(self.common, self.ports, self.guard);
        // As above.
        let Ok(service) = service().h1(map_config(app, |()| AppConfig::default())).new_service(()).await else {
            return;
        };
        // Few, and the operators' own: memory that is nearly used is no reason to end them.
        let (config, heads) = (ServiceConfig::default(), Rc::new(Heads::within(u64::MAX)));
        let (bounds, tls, silent) = (self.bounds, self.tls, self.silent);
        worker::run(Worker { service, public: None, tls, config, bounds, heads, silent }, accepted).await;
    }
}

/// What both ports have in common. The library's own timers are off: there is one deadline for the whole.
fn service<S>() -> HttpServiceBuilder<SingleRequestStream, S>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: std::fmt::Debug,
    <S::Service as Service<Request>>::Future: 'static,
{
    HttpServiceBuilder::default()
        .keep_alive(KeepAlive::Disabled)
        .client_request_timeout(Duration::ZERO)
        // For the routes that take a body: whether it is read.
        .on_connect_ext(|connection: &SingleRequestStream, kept| {
            kept.insert(Rc::clone(connection.input()));
        })
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn connections_have_the_options_of_the_socket_that_they_came_to() {
        let mut settings = Settings::default();
        settings.heartbeat.tcp_user_timeout_ms = crate::config::Milliseconds(12_345);
        settings.heartbeat.send_buffer_bytes = 65_536;
        settings.heartbeat.receive_buffer_bytes = 32_768;
        let listening = bind("127.0.0.1", 0, &settings).unwrap();
        let _client = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
        let (accepted, _) = listening.accept().unwrap();
        let accepted = SockRef::from(&accepted);
        assert!(accepted.tcp_nodelay().unwrap());
        assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(Duration::from_millis(12_345)));
        // The kernel doubles what it is asked for.
        assert_eq!(accepted.send_buffer_size().unwrap(), 2 * 65_536);
        assert_eq!(accepted.recv_buffer_size().unwrap(), 2 * 32_768);
    }
}
