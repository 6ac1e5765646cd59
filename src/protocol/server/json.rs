//! Server frames as version 1 of the protocol writes them: JSON text.
//!
//! Raw pieces (payloads, metadata) are copied in as text; everything else is escaped.

use super::{
    error_body::ErrorBody,
    frames::{ErrorFrame, Joined, PeerView, ServerFrame},
    object::Object,
};
use crate::protocol::{frame::TextFrame, ids::PeerId, kinds::SignalKind, meta::Meta, plain_text::PlainText, who::Who};

/// The frame as bytes for a socket. The guess of its length is one that it seldom exceeds, so that it is allocated once.
// Inlined, so that who relays a signal pays for no other frame.
#[inline]
#[must_use]
pub fn encode(frame: &ServerFrame<'_>) -> TextFrame {
    match frame {
        ServerFrame::Signal { from, kind, data } => signal(*from, *kind, data),
        other => write(other),
    }
}

/// All that are sent less often.
fn write(frame: &ServerFrame<'_>) -> TextFrame {
    match *frame {
        // `encode` hands on none of these. They are here for the compiler, which then asks for every other frame.
        ServerFrame::Signal { from, kind, data } => signal(from, kind, data),
        ServerFrame::Welcome { session, server } => server.to(session),
        ServerFrame::Joined(ref joined) => write_joined(frame, joined),
        ServerFrame::Left { re, room } => {
            object(frame, 128 + room.as_str().len(), |left| left.text_if("re", re).text("room", room.as_str()))
        }
        ServerFrame::PeerJoined { id, meta, user, polite, who, replaces } => {
            let length = 96 + length(meta) + user.map_or(0, str::len) + who_length(who) + replaces.map_or(0, |_| 48);
            object(frame, length, |peer| {
                let peer = peer.peer("id", id).who_if(who).meta_if(meta).text_if("user", user);
                peer.flag("polite", polite).peer_if("replaces", replaces)
            })
        }
        ServerFrame::PeerLeft { id, reason } => {
            object(frame, 96, |peer| peer.peer("id", id).word("reason", reason.as_str()))
        }
        ServerFrame::PeerUpdated { re, id, meta } => {
            object(frame, 160 + length(Some(meta)), |peer| peer.text_if("re", re).peer("id", id).meta_if(Some(meta)))
        }
        ServerFrame::PeerAway { id, until_ms } => {
            object(frame, 96, |peer| peer.peer("id", id).number("until", until_ms))
        }
        ServerFrame::PeerBack { id } => object(frame, 96, |peer| peer.peer("id", id)),
        ServerFrame::Permissions { re, permissions, expires_in_ms } => object(frame, 192, |object| {
            let object = object.text_if("re", re).texts("permissions", permissions.words());
            object.number("expiresInMs", expires_in_ms)
        }),
        ServerFrame::IceServers { re, json, ttl_ms } => object(frame, 128 + json.len(), |object| {
            object.text_if("re", re).raw("iceServers", json).number_if("ttlMs", ttl_ms)
        }),
        ServerFrame::Pong { re, t, ack } => {
            object(frame, 64 + t.map_or(0, str::len) + re.map_or(0, str::len), |pong| {
                pong.text_if("re", re).raw_if("t", t).number_if("ack", ack)
            })
        }
        ServerFrame::Error(ref error) => object(frame, 256 + error.message.len(), |object| write_error(object, error)),
        ServerFrame::RoomClosed { room } => {
            object(frame, 48 + room.as_str().len(), |closed| closed.text("room", room.as_str()))
        }
        ServerFrame::Kicked { re, who } => object(frame, 96, |kicked| kicked.text_if("re", re).who_if(who)),
        ServerFrame::RoomState { re, locked } => {
            object(frame, 96, |state| state.text_if("re", re).flag("locked", locked))
        }
        ServerFrame::Notice { text } => {
            object(frame, 48 + text.as_str().len(), |notice| notice.text("text", text.as_str()))
        }
        ServerFrame::Bye { reason, action, retry_after_ms, message } => {
            object(frame, 128 + message.map_or(0, |text| text.as_str().len()), |bye| {
                let bye = bye.word("reason", reason.as_str()).word("action", action.as_str());
                bye.number("retryAfterMs", retry_after_ms).text_if("message", message.map(PlainText::as_str))
            })
        }
    }
}

/// The frame's `type` and what `fill` adds; `length` guesses the length of it all.
fn object(frame: &ServerFrame<'_>, length: usize, fill: impl FnOnce(Object<'_>) -> Object<'_>) -> TextFrame {
    TextFrame::build(length, |out| fill(Object::frame(out, frame.kind())).close())
}

fn length(meta: Option<&Meta>) -> usize {
    meta.map_or(0, |meta| meta.as_str().len())
}

/// Of the field, with its key.
fn who_length(who: Option<Who>) -> usize {
    who.map_or(0, |_| Who::TEXT_BYTES + 9)
}

fn write_joined(frame: &ServerFrame<'_>, joined: &Joined<'_>) -> TextFrame {
    let peers = joined.peers.unwrap_or_default();
    let peers: usize = peers.iter().map(|peer| 96 + length(peer.meta.as_ref()) + who_length(peer.who)).sum();
    let raw = peers + joined.ice_servers_json.len() + length(joined.meta) + who_length(joined.who);
    object(frame, 384 + joined.room.as_str().len() + raw, |object| {
        object
            .text_if("re", joined.re)
            .object("self", |me| {
                let user = joined.grant.and_then(|grant| grant.user);
                me.peer("id", joined.me).who_if(joined.who).meta_if(joined.meta).text_if("user", user)
            })
            .text("room", joined.room.as_str())
            .flag_if("complete", joined.resumed.map(|resumed| resumed.complete))
            .number_if("ack", joined.resumed.map(|resumed| resumed.ack))
            .array_if("peers", joined.peers, write_peer)
            .number("capacity", joined.capacity as u64)
            .flag_if("locked", joined.locked.then_some(true))
            .raw("iceServers", joined.ice_servers_json)
            .number_if("iceTtlMs", joined.ice_ttl_ms)
            .texts_if("permissions", joined.grant.map(|grant| grant.permissions.words()))
            .number_if("expiresInMs", joined.grant.map(|grant| grant.expires_in_ms))
            .object_if("resume", joined.resume, |object, (token, window_ms)| {
                object.text("token", &token.to_string()).number("windowMs", window_ms)
            })
    })
}

fn write_peer(out: &mut Vec<u8>, peer: &PeerView) {
    Object::open(out)
        .peer("id", peer.id)
        .who_if(peer.who)
        .meta_if(peer.meta.as_ref())
        .text_if("user", peer.user.as_deref())
        .flag("polite", peer.polite)
        .object_if("away", peer.away_until_ms, |away, until| away.number("until", until))
        .close();
}

fn write_error<'o>(object: Object<'o>, error: &ErrorFrame<'_>) -> Object<'o> {
    let object = object.text_if("re", error.re);
    let object = ErrorBody::new(error.code, error.message).after(error.retry_after_ms).write(object);
    if error.peers.is_empty() && error.unknown_peers.is_empty() {
        return object;
    }
    let names: Vec<String> = error.peers.iter().map(PeerId::to_string).collect();
    let unknown = error.unknown_peers.iter().map(|name| &**name);
    object.texts("peers", names.iter().map(String::as_str).chain(unknown))
}

/// The hot path, so one allocation of the exact size and nothing but copies.
fn signal(from: PeerId, kind: SignalKind, data: &str) -> TextFrame {
    const FROM: &[u8] = br#"{"type":"signal","from":""#;
    const KIND: &[u8] = br#"","kind":""#;
    const DATA: &[u8] = br#"","data":"#;
    let kind = kind.as_str();
    let length = FROM.len() + PeerId::TEXT_BYTES + KIND.len() + kind.len() + DATA.len() + data.len() + 1;
    TextFrame::build(length, |out| {
        out.extend_from_slice(FROM);
        out.extend_from_slice(from.encode(&mut [0; PeerId::TEXT_BYTES]).as_bytes());
        out.extend_from_slice(KIND);
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(DATA);
        out.extend_from_slice(data.as_bytes());
        out.push(b'}');
    })
}
