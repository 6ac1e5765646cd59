//! Accepts, on a thread of its own: counts each socket and gives it to a worker, or refuses it, before a byte of it is
//! read. Sockets wait in no queue that is not counted, and none is left in the kernel's: whoever finds no place hears so.

use std::{
    fs::File,
    io,
    net::{SocketAddr, TcpListener, TcpStream as StdStream},
    rc::Rc,
    time::{Duration, Instant},
};

use actix_rt::time::sleep;
use socket2::SockRef;
use tokio::{
    io::unix::AsyncFd,
    select,
    sync::{mpsc::UnboundedSender, watch},
};

use super::reserve::{Reserve, turn_away};
use crate::{
    http::{
        client::{Clients, KnownBy},
        public::probes::Probes,
        socket::{
            silent::Silent,
            sockets::{Flight, InFlight, SocketPlace, Sockets},
        },
    },
    limits::AddressPermit,
    memory::{LEAST_INTAKE, Pressure},
    telemetry::{self, Event, Listener, MemoryStep, SocketRefusal},
    tls::TlsAcceptor,
    watchdog,
};

/// Sockets accepted in one turn, between which the other listener has its own.
const AT_ONCE: usize = 16;
/// After an error that another attempt would meet at once.
const PAUSE: Duration = Duration::from_millis(50);
/// How often it is asked at most whether one of the operators' places is free, and how long it takes in between.
const PLACE_LOOKS: u32 = 50;
/// See [`PLACE_LOOKS`].
const PLACE_EVERY: Duration = Duration::from_millis(2);
/// A listener that fails is told of no more often.
const REPORT_AGAIN: Duration = Duration::from_secs(60);
/// How often the sockets are reported.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A socket on its way to a worker.
pub(in crate::http) struct Accepted {
    pub(in crate::http) socket: StdStream,
    pub(in crate::http) peer: SocketAddr,
    pub(in crate::http) at: Instant,
    pub(in crate::http) listener: Listener,
    pub(in crate::http) place: SocketPlace,
    pub(in crate::http) flight: Flight,
}

/// One listener, and who may come to it.
pub(in crate::http) struct ListenerConfig {
    pub(in crate::http) socket: TcpListener,
    pub(in crate::http) listener: Listener,
    pub(in crate::http) sockets: Sockets,
    /// Those of them that say nothing, or were answered and do not hang up.
    pub(in crate::http) silent: Silent,
    /// For the limit per address, where there is one.
    pub(in crate::http) clients: Option<Clients>,
    /// Whether there is memory for more, where it matters: operators are few, and come when it is short.
    pub(in crate::http) pressure: Option<watch::Receiver<Pressure>>,
    /// Sockets at a time that are answered although they have no place.
    pub(in crate::http) reserve: usize,
    pub(in crate::http) probes: Probes,
    /// Where it speaks TLS.
    pub(in crate::http) tls: Option<TlsAcceptor>,
    pub(in crate::http) workers: Workers,
}

/// The threads that a listener's sockets are given to.
pub(in crate::http) struct Workers {
    pub(in crate::http) queues: Vec<UnboundedSender<Accepted>>,
    pub(in crate::http) in_flight: InFlight,
}

/// Whether more sockets wait to be accepted.
#[derive(Debug, Clone, Copy)]
enum Waits {
    Nobody,
    Perhaps,
}

/// What one listener's loop needs.
struct Acceptor {
    listener: Listener,
    sockets: Sockets,
    clients: Option<Clients>,
    pressure: Option<watch::Receiver<Pressure>>,
    reserve: Rc<Reserve>,
    speaks_tls: bool,
    workers: Workers,
    next: usize,
    silent: Silent,
    /// Whether the last who waited for a place of the operators' got none.
    waits_in_vain: bool,
    /// Kept open to be closed: with no descriptor left, nobody could be told so.
    spare: Option<File>,
}

/// Accepts on the calling arbiter until it is told to stop.
///
/// # Errors
/// A listening socket that cannot be waited for.
pub(in crate::http) fn start(listeners: [ListenerConfig; 2], stop: &watch::Receiver<bool>) -> io::Result<()> {
    let counted = [listeners[0].sockets.clone(), listeners[1].sockets.clone()];
    for config in listeners {
        let ListenerConfig { socket, listener, sockets, silent, clients, .. } = config;
        let ListenerConfig { pressure, reserve, probes, tls, workers, .. } = config;
        socket.set_nonblocking(true)?;
        let listening = waited_for(socket)?;
        let acceptor = Acceptor {
            listener,
            speaks_tls: tls.is_some(),
            reserve: Reserve::new(reserve, probes, sockets.clone(), clients.clone(), tls),
            sockets,
            clients,
            pressure,
            workers,
            next: 0,
            silent,
            waits_in_vain: false,
            spare: spare(),
        };
        let mut stop = stop.clone();
        watchdog::spawn_vital(async move {
            select! {
                () = acceptor.run(listening) => {}
                // An error is a server that is gone.
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    }
    actix_rt::spawn(report(counted));
    Ok(())
}

/// Waiting for a listener without registering, and taking off again, every socket that comes of it.
#[expect(deprecated, reason = "unsound for descriptors that are lent; a TcpListener owns its own, and keeps it")]
fn waited_for(socket: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    AsyncFd::new(socket)
}

async fn report(sockets: [Sockets; 2]) {
    let mut timer = tokio::time::interval(REPORT_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        telemetry::tally(|t| t.sockets = Some([sockets[0].open(), sockets[1].open()]));
        telemetry::flush();
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

impl Acceptor {
    async fn run(mut self, listening: AsyncFd<TcpListener>) {
        let mut reported = None;
        loop {
            // An error is a runtime that ends.
            let Ok(mut ready) = listening.readable().await else { return };
            let mut failed = None;
            for _ in 0..AT_ONCE {
                self.wait_for_place().await;
                match accept(listening.get_ref()) {
                    Ok((socket, peer)) => self.take(socket, peer),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready.clear_ready();
                        break;
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            match failed {
                Some(error) if is_out_of_descriptors(&error) => match self.use_spare(listening.get_ref()).await {
                    Waits::Nobody => ready.clear_ready(),
                    Waits::Perhaps => {}
                },
                Some(error) => {
                    report_fault(&error, &mut reported);
                    sleep(PAUSE).await;
                }
                None => {}
            }
            // The other listener has its turn, and the watch its answer, whatever comes here.
            tokio::task::yield_now().await;
        }
    }

    /// Operators are few: where all their places are taken by who says nothing, whoever comes waits in the kernel's queue until one of
    /// those has gone, instead of being refused. Where that was in vain they are taken by somebody else, and nobody waits until one is free.
    async fn wait_for_place(&mut self) {
        if self.listener != Listener::Ops || !self.sockets.is_full() {
            self.waits_in_vain = false;
            return;
        }
        self.silent.make_room_in(&self.sockets);
        for _ in 0..PLACE_LOOKS {
            if self.waits_in_vain || !self.sockets.is_full() {
                return;
            }
            sleep(PLACE_EVERY).await;
        }
        self.waits_in_vain = true;
    }

    /// With no descriptor left: takes one socket in place of the spare file. An operator's is served, others are told.
    ///
    /// Linux looks for a descriptor before it looks for a connection: that there is none left says nothing of whether
    /// anybody waits.
    async fn use_spare(&mut self, listening: &TcpListener) -> Waits {
        let mut waits = Waits::Perhaps;
        let had = self.spare.take().is_some();
        match accept(listening) {
            Ok((socket, peer)) if self.listener == Listener::Ops => self.take(socket, peer),
            Ok((socket, peer)) => {
                self.report(Some(peer), SocketRefusal::Descriptors);
                turn_away(&socket, self.speaks_tls);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => waits = Waits::Nobody,
            Err(_) if had => {}
            Err(_) => sleep(PAUSE).await,
        }
        self.spare = spare();
        waits
    }

    /// Counts the socket and gives it to the next worker, or refuses it.
    fn take(&mut self, socket: StdStream, peer: SocketAddr) {
        let address = match (&self.clients, self.short_memory()) {
            (None, None) => Some(AddressPermit::uncounted()),
            (Some(clients), None) => clients.socket(peer.ip(), KnownBy::Socket),
            (clients, Some(pressure)) => {
                let clients = clients.as_ref().filter(|_| pressure.has_room_for_few());
                let Some(address) = clients.and_then(|clients| clients.socket_of_few(peer.ip())) else {
                    self.report(Some(peer), SocketRefusal::Memory);
                    return self.reserve.take(socket, peer.ip());
                };
                Some(address)
            }
        };
        self.silent.make_room_in(&self.sockets);
        match self.sockets.take(address) {
            Ok(place) => self.give(socket, peer, place),
            Err(reason) => {
                self.report(Some(peer), reason);
                self.reserve.take(socket, peer.ip());
            }
        }
    }

    /// How short memory is, if it is so short that newcomers are refused.
    fn short_memory(&self) -> Option<Pressure> {
        let pressure = *self.pressure.as_ref()?.borrow();
        pressure.asks(MemoryStep::RefuseConnections).then_some(pressure)
    }

    fn give(&mut self, socket: StdStream, peer: SocketAddr, place: SocketPlace) {
        // What is behind a head it may send when that was read. It fails only if the socket is gone.
        let _ = SockRef::from(&socket).set_recv_buffer_size(LEAST_INTAKE);
        let flight = self.workers.in_flight.begin();
        let mut accepted = Accepted { socket, peer, at: Instant::now(), listener: self.listener, place, flight };
        for _ in 0..self.workers.queues.len() {
            self.next = (self.next + 1) % self.workers.queues.len();
            match self.workers.queues[self.next].send(accepted) {
                Ok(()) => return,
                // That worker is gone: the watchdog sees to it.
                Err(back) => accepted = back.0,
            }
        }
    }

    fn report(&self, remote: Option<SocketAddr>, reason: SocketRefusal) {
        telemetry::emit(&Event::SocketRefused { remote, listener: self.listener, reason });
    }
}

/// The listener itself fails: told at once, and each minute while it goes on.
fn report_fault(error: &io::Error, reported: &mut Option<Instant>) {
    if reported.is_some_and(|at| at.elapsed() < REPORT_AGAIN) {
        return;
    }
    *reported = Some(Instant::now());
    let context = telemetry::Context::default();
    telemetry::emit(&Event::ServerFault { context, doing: "accepting a connection", error });
}

/// Not blocking, and closed in a child process.
fn accept(listening: &TcpListener) -> io::Result<(StdStream, SocketAddr)> {
    let (socket, peer) = SockRef::from(listening).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)?;
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    Ok((socket.into(), peer.as_socket().unwrap_or(unknown)))
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether the next connection may do better at once: accept(2) passes errors of the network on.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EINTR
                | libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
                | libc::EPERM
        )
    )
}
