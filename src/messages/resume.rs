//! Who may ask a session to give itself to another socket: whoever knows a secret of it, and nobody else gets as far as the
//! session. A session's name alone is worth nothing.
//!
//! Shared between threads on purpose: the supervisor compares, and only what is right waits for the session, in a place of
//! its own. A mailbox has a bound, and a message that it refuses ends the session; so strangers must not reach it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::protocol::{EndReason, PlainText, ResumeSecret, SecretDigest};

/// The secrets that one membership can be resumed with. Its resume buffer changes them, by the rules of tokens. They are kept as
/// digests: what goes through a restart is what is here, and a secret has no business in a file.
#[derive(Debug)]
pub struct ResumeSecrets(Mutex<GoodSecrets>);

/// Which secrets are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoodSecrets {
    /// The latest.
    pub current: SecretDigest,
    /// Good until the client proves that it has the current one.
    pub former: Option<SecretDigest>,
}

impl ResumeSecrets {
    /// Of a membership that begins.
    #[must_use]
    pub fn new(current: ResumeSecret) -> Arc<Self> {
        Self::restored(GoodSecrets { current: current.digest(), former: None })
    }

    /// Of a membership that goes on after a restart.
    #[must_use]
    pub fn restored(good: GoodSecrets) -> Arc<Self> {
        Arc::new(Self(Mutex::new(good)))
    }

    /// Which are good now.
    #[must_use]
    pub fn good(&self) -> GoodSecrets {
        *lock(&self.0)
    }

    /// The same secrets, for somebody else to keep.
    #[must_use]
    pub fn detached(&self) -> Arc<Self> {
        Self::restored(self.good())
    }

    /// Whether it is one of them. Takes the same time whatever the answer.
    #[must_use]
    pub fn know(&self, secret: &ResumeSecret) -> bool {
        let (good, asked) = (self.good(), secret.digest());
        let current = good.current == asked;
        let former = good.former.is_some_and(|former| former == asked);
        current | former
    }

    /// Whether it is the current one.
    #[must_use]
    pub fn is_current(&self, secret: &ResumeSecret) -> bool {
        self.good().current == secret.digest()
    }

    /// The client came back with `used`, and is told `next`.
    pub fn follow(&self, used: ResumeSecret, next: ResumeSecret) {
        *lock(&self.0) = GoodSecrets { current: next.digest(), former: Some(used.digest()) };
    }

    /// The client has proven that it has the current one.
    pub fn confirm(&self) {
        lock(&self.0).former = None;
    }
}

/// What became of a request `C` to resume a session.
#[derive(Debug)]
pub enum Asked<C> {
    /// The secret is right, and the session will answer. One request waits at a time: an earlier one, whose client has a
    /// newer connection now, is handed back.
    Waits {
        /// The earlier one.
        instead_of: Option<Box<C>>,
    },
    /// The secret is wrong; the session has not noticed.
    WrongSecret(Box<C>),
    /// The session cannot be resumed, or is over.
    NoSession,
}

/// The supervisor has taken a session's seat, for good: the session is over, and nobody resumes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatTaken {
    /// The session's number of the join that brought it there: it may have left meanwhile, and be on its way into another
    /// room.
    pub join_seq: u32,
    /// What its connection ends with.
    pub reason: EndReason,
    /// What its client's user is told.
    pub text: Option<PlainText>,
}

/// Where a session is asked to give itself to another socket, or told that there is nothing to give any more.
#[derive(Debug)]
pub struct ResumeRequests<C>(Mutex<Desk<C>>);

#[derive(Debug)]
struct Desk<C> {
    /// Those of the present membership; they go with its resume buffer.
    secrets: Weak<ResumeSecrets>,
    /// Mostly nothing, and then there is none.
    papers: Option<Box<Papers<C>>>,
}

#[derive(Debug)]
struct Papers<C> {
    waiting: Option<Box<C>>,
    taken: Option<SeatTaken>,
}

impl<C> Default for Papers<C> {
    fn default() -> Self {
        Self { waiting: None, taken: None }
    }
}

impl<C> Default for ResumeRequests<C> {
    fn default() -> Self {
        Self(Mutex::new(Desk::default()))
    }
}

impl<C> Default for Desk<C> {
    fn default() -> Self {
        Self { secrets: Weak::new(), papers: None }
    }
}

impl<C> ResumeRequests<C> {
    /// A membership begins that can be resumed with these.
    pub fn open(&self, secrets: &Arc<ResumeSecrets>) {
        lock(&self.0).secrets = Arc::downgrade(secrets);
    }

    /// Asks, with that secret. Where this says that the request waits, the session's pump is to be told.
    pub fn ask(&self, secret: &ResumeSecret, request: Box<C>) -> Asked<C> {
        let mut desk = lock(&self.0);
        let Some(secrets) = desk.secrets.upgrade() else { return Asked::NoSession };
        if secrets.know(secret) {
            Asked::Waits { instead_of: desk.papers.get_or_insert_default().waiting.replace(request) }
        } else {
            Asked::WrongSecret(request)
        }
    }

    /// The request that waits, for the session to answer.
    #[must_use]
    pub fn take(&self) -> Option<Box<C>> {
        lock(&self.0).papers.as_mut()?.waiting.take()
    }

    /// The seat of a join is taken.
    pub(super) fn seat_taken(&self, taken: SeatTaken) {
        lock(&self.0).papers.get_or_insert_default().taken = Some(taken);
    }

    /// How the seat of that join was taken.
    pub(super) fn how_taken(&self, join_seq: u32) -> Option<SeatTaken> {
        let desk = lock(&self.0);
        desk.papers.as_ref()?.taken.as_ref().filter(|taken| taken.join_seq == join_seq).cloned()
    }

    /// The session is over: whoever waits gets no answer, and that is one.
    pub fn close(&self) {
        let desk = std::mem::take(&mut *lock(&self.0));
        // Outside of the lock: the answer wakes somebody.
        drop(desk);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// A request is whatever is asked; here, only who waits for its answer.
    type Request = oneshot::Sender<()>;

    fn ask(desk: &ResumeRequests<Request>, secret: ResumeSecret) -> (Asked<Request>, oneshot::Receiver<()>) {
        let (answer, answered) = oneshot::channel();
        (desk.ask(&secret, Box::new(answer)), answered)
    }

    #[test]
    fn only_the_right_secret_waits_and_only_one_request() {
        let (right, wrong) = (ResumeSecret::random(), ResumeSecret::random());
        let secrets = ResumeSecrets::new(right);
        let desk = ResumeRequests::default();
        assert!(matches!(ask(&desk, right).0, Asked::NoSession), "no membership that can be resumed has begun");
        desk.open(&secrets);
        for _ in 0..1000 {
            assert!(matches!(ask(&desk, wrong).0, Asked::WrongSecret(_)));
        }
        assert!(desk.take().is_none(), "a stranger's request got as far as the session");
        let (first, mut answered) = ask(&desk, right);
        assert!(matches!(first, Asked::Waits { instead_of: None }));
        assert!(matches!(ask(&desk, wrong).0, Asked::WrongSecret(_)));
        let Asked::Waits { instead_of: Some(earlier) } = ask(&desk, right).0 else {
            panic!("the first is handed back")
        };
        earlier.send(()).expect("somebody waits");
        assert!(answered.try_recv().is_ok());
        assert!(desk.take().is_some() && desk.take().is_none());
    }

    #[test]
    fn a_session_that_is_over_leaves_nobody_waiting() {
        let right = ResumeSecret::random();
        let secrets = ResumeSecrets::new(right);
        let desk = ResumeRequests::default();
        desk.open(&secrets);
        let (asked, mut answered) = ask(&desk, right);
        assert!(matches!(asked, Asked::Waits { .. }));
        desk.close();
        assert_eq!(answered.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
        assert!(matches!(ask(&desk, right).0, Asked::NoSession));
    }

    #[test]
    fn a_membership_takes_its_secrets_with_it() {
        let (first, second) = (ResumeSecret::random(), ResumeSecret::random());
        let desk = ResumeRequests::default();
        let former = ResumeSecrets::new(first);
        desk.open(&former);
        let present = ResumeSecrets::new(second);
        desk.open(&present);
        assert!(matches!(ask(&desk, first).0, Asked::WrongSecret(_)));
        drop(present);
        assert!(matches!(ask(&desk, second).0, Asked::NoSession));
    }
}
