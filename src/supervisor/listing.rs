//! What operators and webhooks are shown of rooms and seats. It changes nothing.

use std::{collections::HashMap, ops::Bound, time::Instant};

use super::{
    outcomes::Known,
    seated::Seated,
    span::{Far, Span, SpanRoom},
    state::{Occupied, Room, Seat, SupervisorState},
};
use crate::{
    messages::listing::{LOOKED_AT, Page, PeerFilter, RoomDetails, RoomFilter, RoomView, SeatView},
    protocol::{PeerId, RoomName, SessionId, Who},
};

/// What there is to be shown: the seats here, and who is in their rooms on other nodes.
pub(super) struct Listing<'s, R> {
    pub(super) state: &'s SupervisorState<Seated, R>,
    pub(super) span: Option<&'s Span>,
}

impl<R: Clone> Listing<'_, R> {
    /// A page of rooms, in the order of their names.
    pub(super) fn rooms(&self, filter: &RoomFilter, now: Instant) -> Page<RoomView> {
        let mut page = Page { items: Vec::new(), next: None };
        let mut looked_at = 0;
        let mut names = self.names_after(filter.after.as_deref(), &filter.prefix).peekable();
        while let Some(name) = names.next() {
            let Some(room) = self.state.rooms.get(name) else { continue };
            looked_at += 1;
            let is_locked = self.state.moderation.is_locked(name, now);
            if room.sessions.len() + self.far(name).len() >= filter.min_peers
                && filter.locked.is_none_or(|locked| locked == is_locked)
            {
                looked_at += room.sessions.len() + self.far(name).len();
                page.items.push(self.view(name, room, now));
            }
            if (page.items.len() >= filter.limit || looked_at >= LOOKED_AT) && names.peek().is_some() {
                page.next = Some(name.clone());
                break;
            }
        }
        page
    }

    /// A room with its members.
    pub(super) fn describe(&self, name: &RoomName, now: Instant) -> Option<RoomDetails> {
        let room = self.state.rooms.get(name)?;
        Some(RoomDetails { room: self.view(name, room, now), members: self.members(name, room, now) })
    }

    /// A page of peers, in the order of the names of their rooms, and in one room as they joined.
    pub(super) fn peers(&self, filter: &PeerFilter, now: Instant) -> Page<SeatView> {
        let mut page = Page { items: Vec::new(), next: None };
        let mut looked_at = 0;
        let prefix = filter.room.as_deref().unwrap_or_default();
        let names = self.names_after(filter.after.as_deref(), prefix);
        let is_meant = |name: &&RoomName| filter.room.as_deref().is_none_or(|room| room == name.as_str());
        // The room that is asked for is the first that begins so.
        let mut names = names.take_while(is_meant).peekable();
        while let Some(name) = names.next() {
            let Some(room) = self.state.rooms.get(name) else { continue };
            looked_at += 1 + room.sessions.len() + self.far(name).len();
            let fits = |seat: &SeatView| {
                filter.who.is_none_or(|who| seat.who == Some(who))
                    && filter.user.as_deref().is_none_or(|user| seat.user.as_deref() == Some(user))
            };
            page.items.extend(self.members(name, room, now).into_iter().filter(fits));
            if (page.items.len() >= filter.limit || looked_at >= LOOKED_AT) && names.peek().is_some() {
                page.next = Some(name.clone());
                break;
            }
        }
        page
    }

    /// The names that begin with `prefix`, in order, from behind `after` on.
    fn names_after<'a>(&'a self, after: Option<&'a str>, prefix: &'a str) -> impl Iterator<Item = &'a RoomName> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let names = self.state.names.range::<str, _>((from, Bound::Unbounded));
        names.take_while(move |name| name.as_str().starts_with(prefix))
    }

    /// Who is in that room on other nodes.
    fn far(&self, name: &RoomName) -> FarPeers<'_> {
        FarPeers(self.span.and_then(|span| span.room(name)))
    }

    fn view(&self, name: &RoomName, room: &Room<R>, now: Instant) -> RoomView {
        let seats = room.sessions.iter().filter_map(|session| self.state.seats.get(session));
        let far = self.far(name);
        RoomView {
            name: name.clone(),
            peers: room.sessions.len() + far.len(),
            away: seats.filter(|seat| is_away(seat)).count() + far.iter().filter(|far| far.is_away()).count(),
            locked: self.state.moderation.is_locked(name, now),
            age: now.saturating_duration_since(room.opened),
        }
    }

    /// In joining order.
    fn members(&self, name: &RoomName, room: &Room<R>, now: Instant) -> Vec<SeatView> {
        let who: HashMap<SessionId, Who> = self.state.identities.of_room(name).collect();
        let node = self.span.map(|span| span.name().clone());
        let near = room.sessions.iter().filter_map(|session| {
            let seat = self.state.seats.get(session)?;
            Some(SeatView {
                peer: seat.member.member.peer,
                session: Some(*session),
                node: node.clone(),
                room: name.clone(),
                who: who.get(session).copied(),
                user: seat.user.clone(),
                stayed: now.saturating_duration_since(seat.since),
                away: is_away(seat),
            })
        });
        let far = self.far(name);
        let elsewhere = far.iter().map(|far| SeatView {
            peer: far.peer.peer,
            session: None,
            node: far.peer.node.clone(),
            room: name.clone(),
            who: far.peer.profile.who,
            user: far.peer.profile.user.clone(),
            stayed: now.saturating_duration_since(far.since),
            away: far.is_away(),
        });
        let mut members: Vec<_> = near.chain(elsewhere).collect();
        if far.len() > 0 {
            members.sort_by_key(|member| far.number(member.peer));
        }
        members
    }
}

/// Those in a room of a cluster; nobody, in one of this process alone.
struct FarPeers<'s>(Option<&'s SpanRoom>);

impl<'s> FarPeers<'s> {
    fn iter(&self) -> impl Iterator<Item = &'s Far> {
        self.0.into_iter().flat_map(|room| room.far.values())
    }

    fn len(&self) -> usize {
        self.0.map_or(0, |room| room.far.len())
    }

    /// Of the join of anybody in the room.
    fn number(&self, peer: PeerId) -> Option<u64> {
        self.0?.numbers.get(&peer).copied()
    }
}

impl<R: Clone> SupervisorState<Seated, R> {
    /// Where this session's seat is, and who sits on it.
    pub(super) fn place(&self, session: SessionId) -> Option<(&RoomName, &Seated, Known)> {
        let seat = self.seats.get(&session)?;
        let known = Known { who: self.identities.who(&seat.room, session), user: seat.user.clone() };
        Some((&seat.room, &seat.member, known))
    }
}

fn is_away(seat: &Seat<Seated>) -> bool {
    seat.occupied != Occupied::Here
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        config::Settings,
        protocol::client::Identified,
        room::fake::FakeSession,
        supervisor::{caps::Caps, state::Applicant},
    };

    type State = SupervisorState<Seated, ()>;

    fn empty(now: Instant) -> State {
        State::new(Caps { rooms: 10_000, ..Caps::from(&Settings::default()) }, now)
    }

    fn name(text: &str) -> RoomName {
        RoomName::parse(text, 128).expect("a sane name")
    }

    /// Seats somebody there, and says by which session.
    fn seat(
        state: &mut State,
        session: &FakeSession,
        room: &str,
        user: Option<&str>,
        who: Option<Who>,
        now: Instant,
    ) -> SessionId {
        let member = session.member();
        let seated = Seated { member: Arc::clone(&member), join_seq: 1 };
        let (identified, user) = (who.map(|who| Identified { who, replace: false }), user.map(Into::into));
        let applicant =
            Applicant { session: member.session, member: seated, subnet: None, cap: None, identified, user };
        state.join(applicant, &name(room), now, || ()).expect("a seat");
        member.session
    }

    fn listing(state: &State) -> Listing<'_, ()> {
        Listing { state, span: None }
    }

    fn rooms(state: &State, filter: &RoomFilter) -> (Vec<String>, Option<String>) {
        let page = listing(state).rooms(filter, Instant::now());
        (page.items.iter().map(|room| room.name.to_string()).collect(), page.next.map(|name| name.to_string()))
    }

    fn some(limit: usize) -> RoomFilter {
        RoomFilter { limit, ..RoomFilter::default() }
    }

    #[actix::test]
    async fn rooms_come_in_order_page_by_page_and_each_once() {
        let now = Instant::now();
        let (mut state, session) = (empty(now), FakeSession::new());
        for room in ["b", "c", "a/2", "a/1", "ä", "a/3"] {
            seat(&mut state, &session, room, None, None, now);
        }
        let all = ["a/1", "a/2", "a/3", "b", "c", "ä"].map(str::to_owned);
        assert_eq!(rooms(&state, &some(100)), (all.to_vec(), None));
        for limit in 1..=6 {
            let (mut got, mut after) = (Vec::new(), None);
            loop {
                let (page, next) = rooms(&state, &RoomFilter { after: after.take(), ..some(limit) });
                assert!(page.len() <= limit);
                got.extend(page);
                let Some(next) = next else { break };
                after = Some(next);
            }
            assert_eq!(got, all, "by {limit}");
        }
        let prefixed =
            |after: Option<&str>| RoomFilter { prefix: "a/".into(), after: after.map(Into::into), ..some(2) };
        assert_eq!(rooms(&state, &prefixed(None)), (all[..2].to_vec(), Some("a/2".into())));
        assert_eq!(rooms(&state, &prefixed(Some("a/2"))), (all[2..3].to_vec(), None));
        assert_eq!(rooms(&state, &prefixed(Some("a"))).0.len(), 2, "a cursor before all of them");
        assert_eq!(rooms(&state, &prefixed(Some("b"))), (Vec::new(), None));
    }

    #[actix::test]
    async fn a_room_that_ends_is_not_listed_and_one_with_too_few_is_passed_over() {
        let now = Instant::now();
        let (mut state, session) = (empty(now), FakeSession::new());
        let first = seat(&mut state, &session, "a", None, None, now);
        let second = seat(&mut state, &session, "b", None, None, now);
        seat(&mut state, &session, "b", None, None, now);
        state.away(second);
        let full = RoomFilter { min_peers: 2, ..some(10) };
        let page = listing(&state).rooms(&full, now + Duration::from_secs(3));
        let [room] = &page.items[..] else { panic!("{page:?}") };
        assert_eq!((room.name.as_str(), room.peers, room.away, room.age.as_secs()), ("b", 2, 1, 3));
        assert_eq!(rooms(&state, &some(10)).0, ["a", "b"]);
        state.leave(first, now);
        assert_eq!(rooms(&state, &some(10)).0, ["b"]);
        assert!(listing(&state).describe(&name("a"), now).is_none());
    }

    #[actix::test]
    async fn peers_are_found_by_room_by_user_and_by_who() {
        let now = Instant::now();
        let (mut state, session) = (empty(now), FakeSession::new());
        let ada = Who::of("correct-horse-battery-staple-417", &name("a"));
        let in_a = seat(&mut state, &session, "a", Some("ada"), Some(ada), now);
        let other = seat(&mut state, &session, "a", None, None, now);
        let in_b = seat(&mut state, &session, "b", Some("ada"), None, now);
        seat(&mut state, &session, "ab", None, None, now);
        state.away(in_a);
        let found = |filter: PeerFilter| -> Vec<SessionId> {
            let page = listing(&state).peers(&PeerFilter { limit: 10, ..filter }, now);
            page.items.iter().filter_map(|seat| seat.session).collect()
        };
        assert_eq!(found(PeerFilter { room: Some("a".into()), ..PeerFilter::default() }), [in_a, other]);
        assert_eq!(found(PeerFilter { user: Some("ada".into()), ..PeerFilter::default() }), [in_a, in_b]);
        assert_eq!(found(PeerFilter { who: Some(ada), ..PeerFilter::default() }), [in_a]);
        assert_eq!(found(PeerFilter { room: Some("nowhere".into()), ..PeerFilter::default() }), []);
        let page = listing(&state).peers(&PeerFilter { limit: 1, ..PeerFilter::default() }, now);
        assert_eq!((page.items.len(), page.next), (2, Some(name("a"))), "a page ends with a room");
        let described = listing(&state).describe(&name("a"), now).expect("a room");
        let members: Vec<_> = described.members.iter().map(|seat| (seat.session, seat.away, seat.who)).collect();
        assert_eq!(members, [(Some(in_a), true, Some(ada)), (Some(other), false, None)]);
        assert_eq!((described.room.peers, described.room.away), (2, 1));
    }

    #[actix::test]
    async fn a_question_looks_at_so_many_and_no_more() {
        let now = Instant::now();
        let (mut state, session) = (empty(now), FakeSession::new());
        for number in 0..LOOKED_AT + 10 {
            seat(&mut state, &session, &format!("{number:05}"), None, None, now);
        }
        let nobody = RoomFilter { min_peers: 2, ..some(10) };
        let (found, next) = rooms(&state, &nobody);
        assert_eq!((found.len(), next.as_deref()), (0, Some("04095")), "an empty page that is not the last");
        assert_eq!(rooms(&state, &RoomFilter { after: next, ..nobody }), (Vec::new(), None));
    }
}
