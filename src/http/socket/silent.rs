//! The sockets of one listener that hold a place for nothing: those that have not said what they want, and those that were answered
//! and do not hang up. Whoever comes needs their places more, and each may pour a whole head into the kernel before anybody reads it.
//! So there is a bound for all of them, and where places run out one goes for each newcomer: the one that has waited longest, of
//! whoever has most of them. A head that came with its socket waits for nothing, and is not among them.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::sockets::Sockets;
use crate::limits::{Subnet, Waiting, WaitingPlace};

/// Told when somebody else needs the place.
type Goes = oneshot::Sender<()>;

/// With this part of the public listener's places left, one of these goes for whoever comes. Beside all WebSocket connections that
/// there may be there are more places than that, so that a server full of those has no need of it.
const SPARE_PART: usize = 16;

/// The same of the operators' listener: scrapes must get in whoever holds sockets open there.
const SPARE_PART_OF_OPS: usize = 4;

/// See the module. Cloning shares it.
#[derive(Debug, Clone)]
pub(in crate::http) struct Silent {
    waiting: Waiting<Goes>,
    spare_part: usize,
}

/// One of them, for as long as it waits. Ready when it has to go, or when nobody can tell any more.
#[derive(Debug)]
pub(in crate::http) struct Waits {
    needed: oneshot::Receiver<()>,
    /// Held for its Drop.
    _place: Option<WaitingPlace<Goes>>,
}

impl Silent {
    /// Those of the public listener: at most so many.
    pub(in crate::http) fn of_public(most: usize) -> Self {
        // Those of one address are bounded as its sockets are.
        Self { waiting: Waiting::new(most, usize::MAX), spare_part: SPARE_PART }
    }

    /// Those of the operators'.
    pub(in crate::http) fn of_ops() -> Self {
        Self { waiting: Waiting::new(usize::MAX, usize::MAX), spare_part: SPARE_PART_OF_OPS }
    }

    /// One more, from there; another may have to go for it.
    pub(in crate::http) fn wait(&self, from: IpAddr) -> Waits {
        let (goes, needed) = oneshot::channel();
        let (place, other) = self.waiting.enter(Some(Subnet::of(from)), goes);
        tell(other);
        Waits { needed, _place: Some(place) }
    }

    /// Somebody comes. Where few of these places are left, one of them goes: whether one does.
    pub(in crate::http) fn make_room_in(&self, sockets: &Sockets) -> bool {
        sockets.is_nearly_full(self.spare_part) && tell(self.waiting.evict())
    }
}

/// Whether there was anybody to be told.
fn tell(one: Option<Goes>) -> bool {
    one.is_some_and(|goes| goes.send(()).is_ok())
}

impl Waits {
    /// One that another list remembers.
    pub(in crate::http) fn told_by(needed: oneshot::Receiver<()>) -> Self {
        Self { needed, _place: None }
    }
}

impl Future for Waits {
    type Output = Result<(), oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.needed).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::FutureExt;

    use super::*;
    use crate::{limits::AddressPermit, telemetry::SocketRefusal};

    fn goes(waits: &mut Waits) -> bool {
        waits.now_or_never().is_some()
    }

    #[test]
    fn whoever_has_most_of_them_makes_room_the_oldest_first_where_few_places_are_left() {
        let sockets = Sockets::new(32, SocketRefusal::Total);
        let take = || sockets.take(Some(AddressPermit::uncounted())).expect("a place");
        let silent = Silent::of_public(3);
        let from = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let mut other = silent.wait(from(1));
        let mut flood: Vec<_> = (0..2).map(|_| silent.wait(from(2))).collect();
        assert!(!flood.iter_mut().any(goes));
        flood.push(silent.wait(from(2)));
        assert!(goes(&mut flood[0]), "beyond the bound");
        let mut places: Vec<_> = (0..29).map(|_| take()).collect();
        assert!(!silent.make_room_in(&sockets) && !flood[1..].iter_mut().any(goes), "three places are left");
        places.push(take());
        assert!(silent.make_room_in(&sockets));
        assert!(goes(&mut flood[1]) && !goes(&mut flood[2]) && !goes(&mut other));
        flood.clear();
        assert!(silent.make_room_in(&sockets) && goes(&mut other), "who does not wait any more makes no room");
        assert!(!silent.make_room_in(&sockets));
    }
}
