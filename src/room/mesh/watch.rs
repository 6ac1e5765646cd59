//! The rooms of one arbiter of which somebody reports: kept current by the rooms, looked at by the arbiter's tick.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    health::{Findings, MeshHealth},
    shares::Shares,
};
use crate::{
    limits::Subnet,
    protocol::RoomName,
    telemetry::{self, Event, MeshReport, MeshRoom, PairState, Source},
};

thread_local! {
    /// Shared with the rooms of this thread and with nobody else.
    static MESHES: RefCell<Vec<Weak<RefCell<Watched>>>> = const { RefCell::new(Vec::new()) };
}

/// One room.
#[derive(Debug)]
pub struct Watched {
    name: RoomName,
    pub(in crate::room) health: MeshHealth<Source>,
    /// While it is known to be fractured: somebody who reaches some and not all.
    fractured: Option<Source>,
}

impl Watched {
    /// Watches over that room, until it is dropped.
    pub(in crate::room) fn new(name: RoomName) -> Rc<RefCell<Self>> {
        let watched = Rc::new(RefCell::new(Self { name, health: MeshHealth::default(), fractured: None }));
        MESHES.with_borrow_mut(|meshes| meshes.push(Rc::downgrade(&watched)));
        watched
    }
}

/// What each address counts for, in all rooms, by the name of the room. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct AlertShares(Arc<Mutex<ByState>>);

#[derive(Debug, Default)]
struct ByState {
    reporting: Shares<Subnet, RoomName>,
    failing: Shares<Subnet, RoomName>,
    fractured: Shares<Subnet, RoomName>,
}

fn watched() -> Vec<Rc<RefCell<Watched>>> {
    MESHES.with_borrow_mut(|meshes| {
        meshes.retain(|mesh| mesh.strong_count() > 0);
        meshes.iter().filter_map(Weak::upgrade).collect()
    })
}

/// This thread, or the whole process, has stood still for so long: nobody was silent meanwhile.
pub fn late(by: Duration) {
    for mesh in watched() {
        mesh.borrow_mut().health.late(by);
    }
}

/// Looks at all rooms of this thread.
pub fn look(now: Instant, shares: &AlertShares) -> MeshReport {
    let mut report = MeshReport::default();
    for mesh in watched() {
        // Only a room has it, too, and no room runs at this moment.
        let mut mesh = mesh.borrow_mut();
        let findings = mesh.health.look(now);
        count(&mut report, &mesh.name, &findings, now, shares);
        mesh.tell(&findings);
    }
    shares.sweep(now);
    report
}

fn count(report: &mut MeshReport, name: &RoomName, findings: &Findings<Source>, now: Instant, shares: &AlertShares) {
    report.pairs.merge(&findings.pairs);
    let mut shares = shares.0.lock().unwrap_or_else(PoisonError::into_inner);
    let ByState { reporting, failing, fractured } = &mut *shares;
    for (state, pairs, shares) in [
        (MeshRoom::Reporting, &findings.known, reporting),
        (MeshRoom::Failing, &findings.failed, failing),
        (MeshRoom::Fractured, &findings.fractured, fractured),
    ] {
        if !pairs.is_empty() {
            report.rooms.add(state);
            let sites: Vec<_> = pairs.iter().map(|(one, other)| (site(*one), site(*other))).collect();
            if shares.count(name, &sites, now) {
                report.counted.add(state);
            }
        }
    }
}

/// An IPv4 address, or an IPv6 /48: who has one /64 mostly has many.
fn site(source: Source) -> Subnet {
    Subnet::of(source.address()).site()
}

impl AlertShares {
    fn sweep(&self, now: Instant) {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ByState { reporting, failing, fractured } = &mut *shares;
        for shares in [reporting, failing, fractured] {
            shares.sweep(now);
        }
    }
}

impl Watched {
    /// Says in the log that the room is fractured, or is so no more.
    fn tell(&mut self, findings: &Findings<Source>) {
        let fractured = findings.fractured.first().map(|(source, _)| *source);
        let former = std::mem::replace(&mut self.fractured, fractured);
        let context = telemetry::Context::of_room(&self.name, former.or(fractured));
        let [connected, waiting, failed] =
            [PairState::Connected, PairState::Waiting, PairState::Failed].map(|state| findings.pairs.get(state));
        match (former, fractured) {
            (None, Some(_)) => telemetry::emit(&Event::MeshFractured { context, connected, waiting, failed }),
            (Some(_), None) => telemetry::emit(&Event::MeshWhole { context, connected, waiting, failed }),
            _ => {}
        }
    }
}
