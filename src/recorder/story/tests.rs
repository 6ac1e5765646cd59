use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::{
    protocol::LeaveReason,
    recorder::{
        diagram::mermaid,
        fact::{Blocks, NOBODY, SIZE_BLOCK},
    },
};

const SECOND: u64 = 1_000_000_000;

/// The peer of that number: its id begins with it.
fn peer(number: u64) -> PeerId {
    PeerId::from_halves(number << 56 | 1, number)
}

fn short(number: u64) -> ShortId {
    ShortId::of(peer(number))
}

fn fact(seconds: u64, who: u64, what: What) -> Fact {
    Fact { at: seconds * SECOND, who: short(who), what }
}

fn signal(seconds: u64, who: u64, to: u64, kind: SignalKind) -> Fact {
    let (to, size, outcome) = (short(to), Blocks::of(SIZE_BLOCK), RelayOutcome::Delivered);
    fact(seconds, who, What::Signal { to, kind, size, outcome })
}

fn story(facts: Vec<Fact>, now: u64) -> Story {
    Story::of(vec![Piece { facts, lost: 0 }], &[], now * SECOND, 1000)
}

fn waits(facts: Vec<Fact>, now: u64) -> Vec<(ShortId, ShortId, u64)> {
    let told = story(facts, now).unanswered.into_iter();
    told.map(|offer| (offer.from, offer.to, offer.waited / SECOND)).collect()
}

use SignalKind::{Answer, App, Candidate, Offer};

#[test]
fn an_offer_without_an_answer_is_told_with_how_long_it_waited() {
    let offer = signal(1, 1, 2, Offer);
    assert_eq!(waits(vec![offer], 1), [], "it may be on its way");
    assert_eq!(waits(vec![offer], 9), [(short(1), short(2), 8)]);
    assert_eq!(waits(vec![offer, signal(3, 2, 1, Candidate), signal(3, 2, 1, App)], 9).len(), 1, "those are none");
    assert_eq!(waits(vec![offer, signal(3, 2, 1, Answer)], 9), []);
    assert_eq!(waits(vec![offer, signal(3, 3, 1, Answer)], 9).len(), 1, "somebody else's");
    let left = fact(4, 2, What::left(peer(2), LeaveReason::Disconnected));
    assert_eq!(waits(vec![offer, left], 99), [(short(1), short(2), 3)], "until the end of one of the two");
    assert_eq!(waits(vec![offer, signal(7, 1, 2, Offer)], 9), [(short(1), short(2), 8)], "since the first");
}

#[test]
fn who_answers_has_taken_back_an_offer_of_its_own() {
    let glare = vec![signal(1, 1, 2, Offer), signal(1, 2, 1, Offer), signal(2, 2, 1, Answer)];
    assert_eq!(waits(glare, 99), []);
}

#[test]
fn an_offer_that_did_not_arrive_is_waited_for_by_nobody() {
    let lost = What::Signal { to: short(2), kind: Offer, size: Blocks::of(1), outcome: RelayOutcome::Busy };
    assert_eq!(waits(vec![fact(1, 1, lost)], 99), []);
}

#[test]
fn an_offer_to_all_is_one_to_each_that_is_there() {
    let came = |who| fact(0, who, What::joined(peer(who)));
    let all = What::Broadcast { others: 2, kind: Offer, size: Blocks::of(1) };
    let facts = vec![came(1), came(2), came(3), fact(1, 1, all), signal(2, 3, 1, Answer)];
    assert_eq!(waits(facts, 9), [(short(1), short(2), 8)]);
}

#[test]
fn a_peer_has_its_whole_id_where_anything_says_it() {
    let mut facts = vec![signal(1, 1, 2, Offer), signal(2, 3, 4, Offer)];
    facts.push(fact(3, 3, What::left(peer(3), LeaveReason::Left)));
    let told = Story::of(vec![Piece { facts, lost: 5 }], &[peer(2)], 0, 1000);
    let half = |number| short(number).to_string();
    let ids: Vec<_> = told.peers.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, [half(1), peer(2).to_string(), peer(3).to_string(), half(4)]);
    assert_eq!(told.older, 5);
}

#[test]
fn the_newest_are_told_and_the_others_counted() {
    let facts: Vec<_> = (0..10).map(|second| signal(second, 1, 2, App)).collect();
    let told = Story::of(vec![Piece { facts, lost: 2 }], &[], 10 * SECOND, 3);
    assert_eq!((told.facts.len(), told.facts[0].at, told.older), (3, 7 * SECOND, 9));
}

#[test]
fn a_diagram_shows_who_did_what_and_who_did_not_answer() {
    let lost = What::Signal { to: short(2), kind: App, size: Blocks::of(65), outcome: RelayOutcome::Busy };
    let facts = vec![
        fact(0, 1, What::joined(peer(1))),
        fact(1, 2, What::joined(peer(2))),
        signal(2, 1, 2, Offer),
        signal(3, 1, 2, Candidate),
        signal(4, 1, 2, Candidate),
        fact(5, 1, lost),
        fact(6, 2, What::away(peer(2))),
        Fact { at: 7 * SECOND, who: NOBODY, what: What::Locked(true) },
    ];
    let expected = "\
sequenceDiagram
    participant P1 as 01000000
    participant P2 as 02000000
    Note over P1: +0.000 s joined
    Note over P2: +1.000 s joined
    P1->>P2: +2.000 s offer (64 bytes)
    P1->>P2: +3.000 s 2 × candidate
    P1-xP2: +5.000 s app (128 bytes) lost: busy
    Note over P2: +6.000 s away
    Note over P1,P2: +7.000 s locked
    Note over P1,P2: no answer from 02000000 for 10.000 s
";
    assert_eq!(mermaid(&story(facts, 12)), expected);
    assert_eq!(mermaid(&story(Vec::new(), 12)), "sequenceDiagram\n    %% nothing is recorded\n");
}

proptest! {
    /// Whatever the threads: facts are in the order of time, those of one sender as its thread had them, and none is lost or
    /// made up.
    #[test]
    fn threads_are_merged_by_time_and_each_keeps_its_order(
        threads in prop::collection::vec(prop::collection::vec((1_u64..4, 0_u64..3), 0..40), 0..5),
    ) {
        let mut pieces = Vec::new();
        for (thread, facts) in threads.iter().enumerate() {
            let mut at = 0;
            let facts = facts.iter().map(|(step, to)| {
                at += step;
                // Each sender is on one thread; which fact it is stands in its size.
                let size = Blocks::of(usize::try_from(at).expect("small") * SIZE_BLOCK);
                let what = What::Signal { to: short(10 + to), kind: Offer, size, outcome: RelayOutcome::Delivered };
                Fact { at, who: short(thread as u64), what }
            });
            pieces.push(Piece { facts: facts.collect(), lost: 0 });
        }
        let all: usize = pieces.iter().map(|piece| piece.facts.len()).sum();
        let told = Story::of(pieces.clone(), &[], 0, usize::MAX);
        prop_assert_eq!(told.facts.len(), all);
        prop_assert!(told.facts.is_sorted_by_key(|fact| fact.at));
        for (thread, piece) in pieces.iter().enumerate() {
            let of_thread = told.facts.iter().filter(|fact| fact.who == short(thread as u64)).copied();
            prop_assert_eq!(of_thread.collect::<Vec<_>>(), piece.facts.clone());
        }
        prop_assert_eq!(told.grouped().iter().map(|(_, count)| count).sum::<usize>(), all);
    }

    /// Against the rule in its plain form: the first offer to a peer counts, from which on neither of the two has answered.
    #[test]
    fn offers_without_answers_are_those_of_a_naive_search(
        steps in prop::collection::vec((0_u64..4, 0_u64..4, 0_u8..3), 0..60),
    ) {
        let facts: Vec<_> = (1..).zip(&steps).filter(|(_, (who, to, _))| who != to).map(|(second, (who, to, what))| match what {
            0 => signal(second, *who, *to, Offer),
            1 => signal(second, *who, *to, Answer),
            _ => fact(second, *who, What::left(peer(*who), LeaveReason::Left)),
        }).collect();
        let now = 100;
        let found: BTreeSet<_> = waits(facts.clone(), now).into_iter().collect();
        let mut expected = BTreeSet::new();
        for (place, offer) in facts.iter().enumerate() {
            let (Some(Offer), Some(to)) = (offer.what.signal(), offer.what.to()) else { continue };
            let between = |fact: &Fact| {
                let pair = (fact.who, fact.what.to());
                fact.what.signal() == Some(Answer) && [(offer.who, Some(to)), (to, Some(offer.who))].contains(&pair)
            };
            let leaves = |fact: &Fact| matches!(fact.what, What::Left(..)) && [offer.who, to].contains(&fact.who);
            let is_first = !facts[..place].iter().rev().take_while(|fact| !between(fact) && !leaves(fact))
                .any(|fact| fact.who == offer.who && fact.what.to() == Some(to) && fact.what.signal() == Some(Offer));
            let end = facts[place..].iter().find(|fact| between(fact) || leaves(fact));
            let until = end.map_or(now * SECOND, |fact| fact.at);
            if is_first && !end.is_some_and(between) && until - offer.at >= ANSWER_NS {
                expected.insert((offer.who, to, (until - offer.at) / SECOND));
            }
        }
        prop_assert_eq!(found, expected);
    }
}
