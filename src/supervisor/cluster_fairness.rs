//! What is sent from node to node faster than it is taken, and who waits for it.

use super::fake_nodes::{Nodes, Peer, bounds};
use crate::messages::{Busy, Note, session::Posted};

/// As many bytes as one sender may have waiting, and some more.
fn flood(from: &Peer, to: &Peer) -> usize {
    let text = "x".repeat(30_000);
    let posted = (0..1000).take_while(|_| from.send(Some(to), &text) == [Posted::Taken]);
    posted.count()
}

#[actix::test]
async fn what_the_cluster_does_not_take_waits_on_its_senders_account() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let bob = nodes.joined(1, "Bob").await;
    ann.told("peer_joined", &[&bob]).await;
    nodes.hub.set_holds(true);
    let sent = flood(&ann, &bob);
    assert!(sent > 1, "a share");
    assert_eq!(ann.send(Some(&bob), &"x".repeat(30_000)), [Posted::Busy(Busy::StillWaits)]);
    nodes.settle().await;
    assert_eq!(ann.send(Some(&bob), &"x".repeat(30_000)), [Posted::Busy(Busy::StillWaits)], "it was not taken");
    assert!(!ann.member.kill_switch.take_notes().has(Note::InboxReady));
    nodes.hub.set_holds(false);
    assert!(ann.member.kill_switch.take_notes().has(Note::InboxReady), "there is room");
    assert_eq!(ann.send(Some(&bob), "more"), [Posted::Taken]);
}

/// Bob reads nothing: of Ann, who sends him more than her share, the rest waits on her own node, and Cid is not concerned.
#[actix::test]
async fn a_receiver_that_does_not_read_stops_its_sender_on_the_other_node_and_nobody_else() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut cid = nodes.joined(0, "Cid").await;
    let mut bob = nodes.joined(1, "Bob").await;
    ann.told("peer_joined", &[&cid]).await;
    ann.told("peer_joined", &[&bob]).await;
    cid.told("peer_joined", &[&bob]).await;
    let mut sent = 0;
    for _ in 0..1000 {
        let _ = ann.member.kill_switch.take_notes();
        let more = flood(&ann, &bob);
        sent += more;
        nodes.settle().await;
        if more == 0 {
            break;
        }
    }
    assert!(!ann.member.kill_switch.take_notes().has(Note::InboxReady), "Ann waits");
    let most = bounds().connected.signals.bytes() * 3;
    assert!(sent as u64 * 30_000 < most, "{sent} messages are within a queue there, a share beside it and one here");
    assert!(nodes.hub.take_asked().contains(&"flow Waits".to_owned()));
    assert_eq!(cid.send(Some(&bob), "from a quiet one"), [Posted::Taken]);
    nodes.settle().await;
    assert!(bob.member.inbox.total().fits(bounds().connected.signals));
    // Bob reads: all of it comes, in order, and Ann goes on.
    let mut heard = (0, 0);
    let (from, other) = (ann.member.peer, cid.member.peer);
    while heard != (sent, 1) {
        let signal = bob.read_signal().await;
        heard.0 += usize::from(signal == from);
        heard.1 += usize::from(signal == other);
    }
    nodes.settle().await;
    assert!(ann.member.kill_switch.take_notes().has(Note::InboxReady), "there is room");
    assert!(nodes.hub.take_asked().contains(&"flow Flows".to_owned()));
    assert!(ann.is_silent(), "nothing was dropped");
}
