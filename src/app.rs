//! The wiring: the only file that names every actor.
//!
//! Who lives where: each worker thread is an arbiter with its sessions, their rooms, and one shared tick. The supervisor
//! lives on the main thread, so that no flood of frames can stand before a join. The metrics actor has an arbiter of its
//! own, which serves the operator's listener, too: a scrape must not pause relaying, nor wait behind a flood of frames.

mod announce;
mod cluster;
mod error;
mod ice;
mod keys;
mod reload;
mod restart;
mod stun;
mod vital;

use std::{
    any::Any,
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use actix::{Actor, Addr, System};
use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::{mpsc, watch};

use crate::{
    arbiter::{Arbiters, tick},
    auth::{KeyRing, Tickets},
    config::{Capacity, Settings},
    http::{
        client::Clients,
        listen::listeners::{self, Public, Running},
        live::Live,
        ops::{
            Guard, GuardConfig, Moderators, Ops, Questions, RecordedRooms, ReloadRequest, ServerFacts, Token,
            scrapes::Scrapes,
        },
        public::{
            health::{self, Report},
            probes::Probes,
        },
        routes::Common,
        socket::sockets::Sockets,
    },
    ice::IceServers,
    lifecycle::{Call, Lifecycle, Phase},
    limits::{Addresses, Waiting},
    liveness::Liveness,
    machine::Machine,
    memory::{self, Governor, Relief, Totals},
    messages::{
        room::RoomPort,
        send_unbounded,
        supervisor::{AllowJoins, LatestHeadcount, StopJoins},
    },
    metrics::{self, BuildInfo, Exposition, Facts},
    nodes::ClusterStatus,
    protocol::RoomName,
    recorder::{self, RecorderConfig},
    room::{Room, mesh::watch::AlertShares},
    session::{self, Ports, SessionConfig, TokenJudge, heartbeat::HeartbeatTimes, reading, relief},
    shutdown::{self, DrainEnd, Plan, Server, ShutdownRecord, Signals},
    supervisor::{SpawnRoom, Supervisor, SupervisorConfig},
    telemetry::{self, Event, SocketRefusal},
    tls::Certificates,
    watchdog,
    webhooks::{Ending, Webhooks},
};

use self::{
    announce::announce,
    ice::start_checks,
    reload::{Reload, Secrets},
    vital::{Vital, subjects},
};
pub use self::{
    error::StartError,
    reload::{ReadAgain, Reread},
    stun::run_stun,
};

/// How often addresses are forgotten that do not use their limits any more.
const FORGET_EVERY: Duration = Duration::from_secs(5);

/// Runs the server until a signal ends it. `read_again` reads the settings once more, for a reload.
///
/// # Errors
/// [`StartError`]: it never served anybody.
pub fn run(settings: Settings, read_again: impl Fn() -> Reread + Send + Sync + 'static) -> Result<(), StartError> {
    let began = Instant::now();
    System::new().block_on(serve(settings, Arc::new(read_again), began))
}

async fn serve(configured: Settings, read_again: ReadAgain, began: Instant) -> Result<(), StartError> {
    let (mut signals, others) =
        shutdown::listen().map_err(|source| StartError::Machine { what: "signal handling", source })?;
    let (open_files, machine) = (raise_descriptor_limit(), Machine::read());
    let capacity = Capacity::of(&configured, open_files);
    let (settings, store) = restart::open(capacity.in_force(&configured, machine.memory_bytes))?;
    let public = listen(&settings.server.host, settings.server.port, "server.host, server.port", &settings)?;
    let ops = listen(&settings.ops.host, settings.ops.port, "ops.host, ops.port", &settings)?;
    let addresses = (address_of(&public)?, address_of(&ops)?);
    let (secrets, ice) = read_secrets(&settings)?;
    stun::start(&settings, &ice)?;
    let (record, before) = restart::shutdown_record(&settings);
    let origins = Live::from(settings.http.allowed_origins.clone());
    let (reload, reloads) = mpsc::channel(1);
    others.attend(Reload::new(&configured, read_again, origins.clone(), secrets.clone()).on_hangup(reloads));

    let (metrics, metrics_arbiter) = start_metrics(&settings, before.took, machine)?;
    let (liveness, lifecycle) = (Liveness::default(), Lifecycle::new(capacity.connections));
    let (clients, sockets, scrapes) = (Clients::new(&settings), sockets(&capacity), Scrapes::default());
    let (memory, arbiters) = (watch_memory(&settings, sockets.clone())?, Arbiters::default());
    let Supervision { supervisor, headcount, ending, cluster } = start_supervisor(&settings, &arbiters)?;
    let ((publish, reports), public_sockets) = (watch::channel(Arc::new(Report::first())), sockets[0].clone());
    let probes = probes(&lifecycle, &public_sockets, &liveness, (reports, headcount), (began, cluster.clone()));
    let common = Common::new(&settings, probes);
    let tickets = Tickets::new(&settings);
    let shared =
        (clients.addresses().clone(), TokenJudge::new(&settings, secrets.keys.clone(), tickets.clone()), ice.clone());
    let upgrade_service = public_door(&settings, &lifecycle, &arbiters, &supervisor, (&memory, began), shared);
    let ports =
        operator_ports(&settings, &metrics, &lifecycle, &scrapes, &supervisor, (&arbiters, began), (reload, tickets));
    let (open, is_open) = watch::channel(false);
    let guard = Guard::new(GuardConfig::from(&*settings), addresses.1, secrets.token.clone(), clients.clone());
    let listeners = listeners::Listeners {
        public,
        ops,
        clients: clients.clone(),
        origins,
        sockets,
        common,
        ports,
        guard,
        ops_arbiter: metrics_arbiter.clone(),
        memory,
        certificates: secrets.certificates.clone(),
        is_open,
        upgrade_service,
    };
    let running = listeners::start(listeners, &settings, &capacity)
        .map_err(|source| StartError::Machine { what: "workers", source })?;

    announce(&configured, &settings, open_files, &secrets.certificates, addresses, before.problem.as_ref());
    all_enrolled(&arbiters, settings.server.worker_count()).await;
    let ready_delay = settings.server.ready_delay_ms.get();
    restart::restore(store.as_ref(), &settings, &arbiters, &supervisor, Instant::now() + ready_delay).await;
    open.send_replace(true);
    let (workers, accept) = (arbiters.all(), running.accept_thread());
    let vital = Vital { workers, metrics: metrics_arbiter, accept, supervisor: &supervisor };
    vital.watch(&settings, liveness.clone())?;
    let found = start_checks(&settings, &ice)?;
    let subjects = subjects((metrics, public_sockets, found), &liveness, &lifecycle, cluster.clone());
    actix_rt::spawn(health::run(subjects, settings.health.interval_ms.get(), publish));
    actix_rt::spawn(forget_addresses(clients));
    keys::watch(secrets, ice);
    actix_rt::spawn(become_ready(lifecycle.clone(), ready_delay, began));

    let (plan, arbiters) = (Plan::from(&*settings), arbiters.all());
    let (lifecycle, liveness, supervisor) = (&lifecycle, &liveness, &supervisor);
    let server = Server { lifecycle, liveness, supervisor, arbiters: &arbiters, plan, store: store.as_ref() };
    let drained = drained(server, &mut signals).await;
    end(drained, (cluster, ending, &scrapes), (record, before.problem), (&running, liveness), &mut signals).await;
    Ok(())
}

/// What remains to be done after the drain.
async fn end(
    (call, plan): (Call, Plan),
    (cluster, ending, scrapes): (Option<ClusterStatus>, Option<Ending>, &Scrapes),
    (record, reported): (Option<ShutdownRecord>, Option<io::Error>),
    (running, liveness): (&Running, &Liveness),
    signals: &mut Signals,
) {
    // The drain's own time: how long Prometheus takes to come by says nothing of the server.
    let took = call.at.elapsed();
    cluster::leave(cluster.as_ref(), call.at + plan.deadline).await;
    let webhooks_dropped = shutdown::deliver(ending, &call, plan, signals).await;
    shutdown::be_scraped(scrapes, &call, plan, signals).await;
    restart::keep(record, took, reported.is_some());
    liveness.dismiss();
    // A scrape, or the answer to whoever asked for all this, may be on its way. It has as long as it takes, and no longer.
    let _ = tokio::time::timeout(listeners::ANSWERS_WITHIN, running.stop()).await;
    telemetry::emit(&Event::ServerStopped { took: call.at.elapsed(), webhooks_dropped });
}

/// What the probes look at.
fn probes(
    lifecycle: &Lifecycle,
    sockets: &Sockets,
    liveness: &Liveness,
    (reports, headcount): (watch::Receiver<Arc<Report>>, LatestHeadcount),
    (started, cluster): (Instant, Option<ClusterStatus>),
) -> Probes {
    let (lifecycle, sockets, liveness) = (lifecycle.clone(), sockets.clone(), liveness.clone());
    Probes { lifecycle, sockets, reports, headcount, started, liveness, cluster }
}

/// What operators, clients and the server are known by, and what clients are known to TURN servers by.
fn read_secrets(settings: &Settings) -> Result<(Secrets, IceServers), StartError> {
    let path = &settings.ops.token_file;
    let token = Token::read(path).map_err(|source| StartError::Token { path: path.clone(), source })?;
    let (keys, certificates) = (KeyRing::open(&settings.auth)?, Certificates::open(settings)?);
    Ok((Secrets { token, keys, certificates }, IceServers::open(&settings.ice, &settings.stun)?))
}

/// Serves until somebody asks the server to go, and does not take that back in time; then drains it. That call, and the plan for
/// what remains.
async fn drained(server: Server<'_>, signals: &mut Signals) -> (Call, Plan) {
    loop {
        let call = signals.or_call(server.lifecycle).await;
        // A supervisor that is gone seats nobody either.
        let _ = send_unbounded(&server.supervisor.clone().recipient(), StopJoins);
        match shutdown::drain(server, &call, signals).await {
            DrainEnd::HandedOver => return (call, server.plan.after_handover()),
            DrainEnd::Over => return (call, server.plan),
            DrainEnd::Withdrawn => drop(send_unbounded(&server.supervisor.clone().recipient(), AllowJoins)),
        }
    }
}

/// What the operators' routes reach.
fn operator_ports(
    settings: &Settings,
    metrics: &Exposition,
    lifecycle: &Lifecycle,
    scrapes: &Scrapes,
    supervisor: &Addr<Supervisor>,
    (arbiters, began): (&Arbiters, Instant),
    (reload, tickets): (mpsc::Sender<ReloadRequest>, Tickets),
) -> Ops {
    Ops {
        metrics: metrics.clone(),
        lifecycle: lifecycle.clone(),
        scrapes: scrapes.clone(),
        drain: settings.into(),
        questions: Questions::new(supervisor.clone().recipient()),
        recordings: RecordedRooms::new(arbiters.clone(), RecorderConfig::new(settings, began)),
        moderation: Moderators::new(supervisor.clone()),
        facts: Arc::new(ServerFacts::new(settings)),
        reload,
        tickets,
    }
}

fn listen(host: &str, port: u16, key: &'static str, settings: &Settings) -> Result<TcpListener, StartError> {
    listeners::bind(host, port, settings).map_err(|source| StartError::Listen {
        address: format!("{host}:{port}"),
        key,
        source,
    })
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Machine { what: "a listener", source })
}

/// Starts the watch over what is held on behalf of clients.
fn watch_memory(settings: &Settings, sockets: [Sockets; 2]) -> Result<Relief, StartError> {
    let open = move || sockets.iter().map(Sockets::open).sum();
    let governor = Governor {
        budget: settings.limits.memory_bytes as u64,
        socket_bytes: settings.socket_bytes(),
        sockets: Box::new(open),
    };
    let pressure = memory::start(governor);
    let pressure = pressure.map_err(|source| StartError::Machine { what: "the watch over memory", source })?;
    Ok(Relief { pressure, totals: Totals::default() })
}

async fn forget_addresses(clients: Clients) {
    let mut timer = tokio::time::interval(FORGET_EVERY);
    loop {
        timer.tick().await;
        let left = clients.sweep();
        telemetry::tally(|t| t.addresses = Some(left));
    }
}

/// Those of the public listener, and those of the operators'.
fn sockets(capacity: &Capacity) -> [Sockets; 2] {
    let full = if capacity.short { SocketRefusal::Descriptors } else { SocketRefusal::Total };
    [Sockets::new(capacity.sockets, full), Sockets::new(capacity.ops_sockets, SocketRefusal::Total)]
}

fn start_metrics(
    settings: &Settings,
    last_shutdown: Option<Duration>,
    machine: Machine,
) -> Result<(Exposition, ArbiterHandle), StartError> {
    if let Some(took) = last_shutdown {
        telemetry::emit(&Event::PreviousShutdown { took });
    }
    let facts = Facts {
        build: BuildInfo::current(),
        node: settings.server.node_name().unwrap_or_default(),
        started: SystemTime::now(),
        limits: settings.exported(),
        last_shutdown,
        machine,
    };
    let arbiter = Arbiter::new().handle();
    let metrics = Exposition::start(facts, &arbiter).map_err(StartError::Metrics)?;
    // One per process: a second server in one process (there is none) would share the first one's metrics.
    let _ = telemetry::send_tallies_to(metrics::sink(metrics.records()));
    Ok((metrics, arbiter))
}

/// The supervisor, and whoever hears of it.
struct Supervision {
    supervisor: Addr<Supervisor>,
    headcount: LatestHeadcount,
    ending: Option<Ending>,
    cluster: Option<ClusterStatus>,
}

fn start_supervisor(settings: &Settings, arbiters: &Arbiters) -> Result<Supervision, StartError> {
    let (webhooks, ending) = Webhooks::start(settings)?.unzip();
    let of_rooms = arbiters.clone();
    let spawn_room: SpawnRoom = Box::new(move |name, capacity, guard| spawn_room(&of_rooms, name, capacity, guard));
    let supervisor = Supervisor::new(SupervisorConfig::from(settings), spawn_room);
    let supervisor = webhooks.into_iter().fold(supervisor, Supervisor::with_webhooks);
    let (supervisor, joining) = cluster::prepare(supervisor, settings, arbiters);
    let headcount = supervisor.headcount();
    let supervisor = supervisor.start();
    let cluster = joining.map(|joining| cluster::start(joining, &supervisor)).transpose()?;
    Ok(Supervision { supervisor, headcount, ending, cluster })
}

/// A room lives where the sessions that named it in their handshakes are.
fn spawn_room(arbiters: &Arbiters, name: RoomName, capacity: usize, guard: Box<dyn Any + Send>) -> RoomPort {
    let arbiter = arbiters.place(&name).map_or_else(Arbiter::current, |(_, arbiter)| arbiter);
    Room::open(&arbiter, name, capacity, guard)
}

/// What each worker needs to open sessions. Runs on every worker, once.
fn public_door(
    settings: &Arc<Settings>,
    lifecycle: &Lifecycle,
    arbiters: &Arbiters,
    supervisor: &Addr<Supervisor>,
    (memory, began): (&Relief, Instant),
    (addresses, tokens, ice): (Addresses, TokenJudge, IceServers),
) -> impl Fn() -> Public + Clone + Send + 'static {
    let (settings, lifecycle, arbiters, supervisor) =
        (Arc::clone(settings), lifecycle.clone(), arbiters.clone(), supervisor.clone());
    let (waiting, memory, shares) = (Waiting::from(&*settings), memory.clone(), AlertShares::default());
    move || {
        let index = arbiters.enroll();
        recorder::start(&RecorderConfig::new(&settings, began));
        let ports = Ports {
            join: supervisor.clone().recipient(),
            leave: supervisor.clone().recipient(),
            resume: supervisor.clone().recipient(),
            presence: supervisor.clone().recipient(),
            moderate: supervisor.clone().recipient(),
        };
        let (waiting, addresses) = (waiting.clone(), addresses.clone());
        let config = SessionConfig::new(&settings, ports, waiting, addresses, tokens.clone(), ice.clone());
        session::install(Rc::new(config));
        watchdog::spawn_vital(tick::run(index, HeartbeatTimes::from(&*settings), shares.clone()));
        watchdog::spawn_vital(reading::run());
        watchdog::spawn_vital(relief::run(memory.pressure.clone(), memory.totals.clone()));
        let arbiters = arbiters.clone();
        Public {
            lifecycle: lifecycle.clone(),
            open: Box::new(move |opened| {
                let elsewhere =
                    opened.hint.as_ref().and_then(|room| arbiters.place(room)).filter(|(at, _)| *at != index);
                session::open_at(elsewhere.map(|(_, arbiter)| arbiter), opened);
            }),
        }
    }
}

/// Workers start by themselves; nobody is told of the server before all of them have.
async fn all_enrolled(arbiters: &Arbiters, workers: usize) {
    while arbiters.all().len() < workers {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn become_ready(lifecycle: Lifecycle, delay: Duration, began: Instant) {
    tokio::time::sleep(delay).await;
    lifecycle.enter(Phase::Ready);
    if lifecycle.phase() == Phase::Ready {
        telemetry::emit(&Event::ServerReady { took: began.elapsed() });
    }
}

/// Raises the soft limit of open files to the hard one, and says what it is then. Where nobody can say, it is none.
fn raise_descriptor_limit() -> u64 {
    let raised = rlimit::increase_nofile_limit(u64::MAX).or_else(|_| rlimit::Resource::NOFILE.get_soft());
    raised.unwrap_or(u64::MAX)
}
