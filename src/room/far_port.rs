//! A peer of another node, as the sessions of this one reach it: a mailbox whose messages go to the cluster.
//!
//! What comes here is on the account of the peer's inbox, as at any receiver, until the cluster has it: who sends more than that takes is
//! made to wait, and told. There is one such actor for each peer of another node, on the arbiter of the room; it ends with the last
//! who can reach it, and what was posted before is asked for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use actix::{Actor, ArbiterHandle, AsyncContext, Context, Handler};
use tokio::time::Instant;

use crate::{
    messages::{
        Inbox, KillSwitch, PresenceState, ResumeRequests,
        cluster::{Account, FarInit, FarPort, FlowState, Posted, RoomAsks, ToFar},
        session::{Deliver, Member, ToMember, ToSession},
    },
    protocol::{PeerId, SessionId},
    telemetry::{RequestId, Source},
};

/// That a receiver has no room is said again for as long as it is so; who is not told for this long sends again. What is said is in no
/// log, and may be lost.
const SAID_AGAIN_WITHIN: Duration = Duration::from_secs(3);

/// Unbounded here: what is posted is within the bound of the peer's inbox.
const MAILBOX: usize = 0;

/// See the module.
struct Port {
    peer: PeerId,
    asks: RoomAsks,
    member: Arc<OnceLock<Weak<Member>>>,
    /// Senders whose signals wait here, since the receiver has no room for more of theirs. Bounded as the inbox is.
    stopped: HashMap<PeerId, Stopped>,
}

struct Stopped {
    until: Instant,
    signals: VecDeque<Posted>,
}

/// Opens a port on that arbiter.
#[must_use]
pub fn open_port(on: &ArbiterHandle, FarInit { peer, asks }: FarInit) -> FarPort {
    let member = Arc::new(OnceLock::new());
    let port = Port { peer, asks, member: Arc::clone(&member), stopped: HashMap::new() };
    let port = Port::start_in_arbiter(on, |_| port);
    let far = Arc::new(Member {
        peer,
        session: SessionId::random(),
        request: RequestId::accept(None),
        source: Source::of([0, 0, 0, 0].into()),
        port: port.clone().recipient(),
        kill_switch: KillSwitch::default(),
        resume: ResumeRequests::default(),
        presence: PresenceState::default(),
        inbox: Inbox::default(),
    });
    // Once, and before anybody can post.
    let _ = member.set(Arc::downgrade(&far));
    FarPort { member: far, port: port.recipient() }
}

impl Port {
    fn deliver(&mut self, signal: Deliver) {
        let Deliver { from, kind, frame, mark, .. } = signal;
        let receiver = self.member.get().cloned().unwrap_or_default();
        let account = Account { receiver, from, bytes: frame.as_bytes().len(), mark };
        let posted = Posted { from, to: self.peer, kind, frame, account };
        match self.stopped.get_mut(&from) {
            Some(stopped) => stopped.signals.push_back(posted),
            None => self.pass(posted),
        }
    }

    fn pass(&self, posted: Posted) {
        if self.asks.gather(posted) {
            self.flush_later();
        }
    }

    /// When all that is ready has had its turn, the other receivers' ports among it.
    fn flush_later(&self) {
        let asks = self.asks.clone();
        actix_rt::spawn(async move {
            tokio::task::yield_now().await;
            asks.flush();
        });
    }

    fn flow(&mut self, from: PeerId, state: FlowState, ctx: &mut Context<Self>) {
        match state {
            FlowState::Waits => {
                let until = Instant::now() + SAID_AGAIN_WITHIN;
                let fresh = || Stopped { until, signals: VecDeque::new() };
                self.stopped.entry(from).or_insert_with(fresh).until = until;
                ctx.run_later(SAID_AGAIN_WITHIN, Self::resume_forgotten);
            }
            FlowState::Flows => self.resume(from),
            FlowState::Dropped => {}
        }
    }

    /// Nothing more was said of these.
    fn resume_forgotten(&mut self, _: &mut Context<Self>) {
        let now = Instant::now();
        let over = self.stopped.iter().filter(|(_, stopped)| stopped.until <= now).map(|(from, _)| *from);
        for from in over.collect::<Vec<_>>() {
            self.resume(from);
        }
    }

    fn resume(&mut self, from: PeerId) {
        let stopped = self.stopped.remove(&from);
        for posted in stopped.into_iter().flat_map(|stopped| stopped.signals) {
            self.pass(posted);
        }
    }
}

impl Actor for Port {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<ToSession> for Port {
    type Result = ();

    fn handle(&mut self, message: ToSession, _: &mut Self::Context) {
        // Rooms tell nothing to whoever is on another node, and nobody else knows it.
        if let ToSession::Member(ToMember::Deliver(signal)) = message {
            self.deliver(signal);
        }
    }
}

impl Handler<ToFar> for Port {
    type Result = ();

    fn handle(&mut self, message: ToFar, ctx: &mut Self::Context) {
        match message {
            ToFar::Behind(behind) => {
                // A leave comes behind what its peer has sent, whoever has no room for that.
                for from in self.stopped.keys().copied().collect::<Vec<_>>() {
                    self.resume(from);
                }
                if self.asks.gather_behind(self.peer, behind) {
                    self.flush_later();
                }
            }
            ToFar::Flow { from, state } => self.flow(from, state, ctx),
        }
    }
}
