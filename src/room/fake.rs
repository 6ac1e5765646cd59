//! Sessions that record what they receive.

use std::{cell::RefCell, collections::VecDeque, sync::Arc, time::Duration};

use actix::{Actor, Addr, Context, Handler};
use tokio::sync::mpsc;

use crate::{
    messages::{
        Inbox, KillSwitch, PresenceState, ResumeRequests,
        session::{Control, Evict, Member, News, Roster, ToMember, ToSession},
    },
    protocol::{PeerId, SessionId, server::PeerView},
    telemetry::{RequestId, Source},
};

/// Long enough on a busy machine; with a stopped clock it passes as soon as nothing is left to do.
const DEADLINE: Duration = Duration::from_secs(10);

struct Recorder {
    capacity: usize,
    received: mpsc::UnboundedSender<ToSession>,
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

impl Handler<ToSession> for Recorder {
    type Result = ();

    fn handle(&mut self, message: ToSession, _: &mut Self::Context) {
        let _ = self.received.send(message);
    }
}

/// A mailbox, as many members with it as the test likes, and everything that came, in order.
pub(crate) struct FakeSession {
    mailbox: Addr<Recorder>,
    received: mpsc::UnboundedReceiver<ToSession>,
    peers: RefCell<Vec<PeerId>>,
    /// The rest of what came in one message.
    rest: VecDeque<Roster>,
}

impl FakeSession {
    pub(crate) fn new() -> Self {
        Self::with_capacity(256)
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let mailbox = Recorder { capacity, received: sender }.start();
        Self { mailbox, received, peers: RefCell::default(), rest: VecDeque::new() }
    }

    /// A peer that is reached through this mailbox.
    pub(crate) fn member(&self) -> Arc<Member> {
        let (port, peer) = (self.mailbox.clone().recipient(), PeerId::random());
        self.peers.borrow_mut().push(peer);
        Arc::new(Member {
            peer,
            session: SessionId::random(),
            request: RequestId::accept(None),
            source: Source::of([127, 0, 0, 1].into()),
            port,
            kill_switch: KillSwitch::default(),
            resume: ResumeRequests::default(),
            presence: PresenceState::default(),
            inbox: Inbox::default(),
        })
    }

    /// The next message, whatever it is.
    pub(crate) async fn receive(&mut self) -> ToSession {
        let message = tokio::time::timeout(DEADLINE, self.received.recv()).await;
        message.expect("a message before the deadline").expect("the recorder lives")
    }

    pub(crate) async fn skip(&mut self, rosters: usize) {
        for _ in 0..rosters {
            self.receive_roster().await;
        }
    }

    /// The next roster, as one message.
    pub(crate) async fn receive_gathered(&mut self) -> Roster {
        assert!(self.rest.is_empty(), "news of the last one is left");
        match self.receive().await {
            ToSession::Member(ToMember::Roster(roster)) => roster,
            other => panic!("expected a roster, received {other:?}"),
        }
    }

    /// As if that roster had not been received: what it tells comes next.
    pub(crate) fn give_back(&mut self, Roster { snapshot, news }: Roster) {
        let rosters = match news {
            News::Several(several) => {
                let [peer] = self.peers.borrow()[..] else { panic!("of which of them is this?") };
                several.of(peer).collect()
            }
            news => vec![news],
        };
        self.rest = rosters.into_iter().map(|news| Roster { snapshot: Arc::clone(&snapshot), news }).collect();
    }

    /// The next roster; of one that tells of several things, a roster for each.
    pub(crate) async fn receive_roster(&mut self) -> Roster {
        if let Some(roster) = self.rest.pop_front() {
            return roster;
        }
        let roster = self.receive_gathered().await;
        self.give_back(roster);
        self.rest.pop_front().expect("a roster tells of something")
    }

    /// The others, as the next roster welcomes to them.
    pub(crate) async fn receive_welcome(&mut self) -> Vec<PeerView> {
        match self.receive_roster().await.news {
            News::Joined(welcomed) => welcomed.peers,
            other => panic!("expected a welcome, received {other:?}"),
        }
    }

    /// The JSON of what the next roster tells of somebody else.
    pub(crate) async fn receive_news(&mut self) -> String {
        match self.receive_roster().await.news {
            News::Changed(event) => String::from_utf8(event.encoded().json().to_vec()).expect("UTF-8"),
            other => panic!("expected news of somebody else, received {other:?}"),
        }
    }

    pub(crate) async fn receive_evict(&mut self) -> Evict {
        match self.receive().await {
            ToSession::Control(Control::Evict(evict)) => evict,
            other => panic!("expected an eviction, received {other:?}"),
        }
    }

    /// Whether all that came has been read.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.rest.is_empty() && self.received.try_recv().is_err()
    }
}
