//! Actors that fail on demand, in test builds only: how the tests prove that a server that hangs ends, and that a room or a
//! session that panics harms only itself.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use actix::{ArbiterHandle, Recipient, WeakRecipient};

use super::supervisor::Ping;

/// The latest actor of each name, for the tests' route: nobody else has a use for such a list.
static ACTORS: Mutex<Option<HashMap<String, WeakRecipient<Ping>>>> = Mutex::new(None);

fn actors() -> MutexGuard<'static, Option<HashMap<String, WeakRecipient<Ping>>>> {
    ACTORS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets an actor be found by this name. It is not kept from ending.
pub fn enlist(name: String, actor: &Recipient<Ping>) {
    let mut actors = actors();
    let actors = actors.get_or_insert_default();
    if actors.len().is_power_of_two() {
        actors.retain(|_, actor| actor.upgrade().is_some());
    }
    actors.insert(name, actor.downgrade());
}

/// The first worker that started.
static WORKER: OnceLock<ArbiterHandle> = OnceLock::new();

/// Lets a worker be found.
pub fn enlist_worker(worker: &ArbiterHandle) {
    // One is enough.
    let _ = WORKER.set(worker.clone());
}

/// Has one of the workers run this on its thread. `false`: there is none.
pub fn run_on_worker(fault: impl FnOnce() + Send + 'static) -> bool {
    WORKER.get().is_some_and(|worker| worker.spawn_fn(fault))
}

/// Has the actor of that name run this, in its own context. `false`: there is none.
pub fn run_in(name: &str, fault: impl FnOnce() + Send + 'static) -> bool {
    let actor = actors().as_ref().and_then(|actors| actors.get(name)?.upgrade());
    actor.is_some_and(|actor| actor.try_send(Ping(Box::new(fault))).is_ok())
}
