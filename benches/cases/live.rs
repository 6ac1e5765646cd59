//! The whole way, from bytes in one socket to bytes in others, through everything between them. Of it all only the
//! kernel's part is not counted; the clients' part is, and is the same each time.

use switchboard::protocol::PeerId;

use super::{
    Step,
    server::{Client, JOIN, Server},
    texts,
};

/// The name of the peer that joined last, as a member hears it.
fn name_in(frame: &[u8]) -> &str {
    let text = std::str::from_utf8(frame).expect("a frame is text");
    let (_, rest) = text.split_once(r#""id":""#).expect("a name");
    &rest[..PeerId::TEXT_BYTES]
}

/// Two peers, the first of which knows the name of the second.
fn pair(server: &Server) -> (Client, Client, String) {
    let (mut members, mut heard) = server.room(2);
    let (second, first) = (members.pop().expect("two"), members.pop().expect("two"));
    (first, second, name_in(&heard.pop().expect("one has come")).to_owned())
}

/// Offers to one peer, so many in one write.
fn relays(at_once: usize) -> Step {
    let server = Server::start();
    let (sender, mut receiver, name) = pair(&server);
    let offers = texts::frame(&texts::offer(&name)).repeat(at_once);
    Step::of(move || {
        sender.send_json(&offers);
        server.until(async {
            for _ in 0..at_once {
                receiver.receive("signal").await;
            }
        });
    })
}

pub(crate) fn relay() -> Step {
    relays(1)
}

pub(crate) fn relay_8_at_once() -> Step {
    relays(8)
}

/// An offer to everybody, nine others.
pub(crate) fn broadcast_10() -> Step {
    let server = Server::start();
    let (mut members, _) = server.room(10);
    let sender = members.pop().expect("ten");
    let offer = texts::frame(&texts::offer("*"));
    Step::of(move || {
        sender.send_json(&offer);
        server.until(async {
            for receiver in &mut members {
                receiver.receive("signal").await;
            }
        });
    })
}

/// The last of ten leaves and joins again: through the supervisor and the room to everybody.
pub(crate) fn rejoin_10() -> Step {
    let server = Server::start();
    let (mut members, _) = server.room(10);
    let mut last = members.pop().expect("ten");
    let (leave, join) = (texts::frame(r#"{"type":"leave"}"#), texts::frame(JOIN));
    Step::of(move || {
        server.until(async {
            last.send_json(&leave);
            last.receive("left").await;
            for member in &mut members {
                member.receive("peer_left").await;
            }
            last.send_json(&join);
            last.receive("joined").await;
            for member in &mut members {
                member.receive("peer_joined").await;
            }
        });
    })
}
