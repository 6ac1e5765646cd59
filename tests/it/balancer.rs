//! The balancer that is shipped as an example keeps the clients of a room on one server, and moves only the rooms that it must.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};

use crate::support::{
    TestPeer, TestServer, eventually,
    haproxy::Haproxy,
    http::{self, dial_from},
    ws::Handshake,
};

const NAMES: [&str; 3] = ["one", "two", "three"];
const ROOMS: usize = 24;
/// Not the balancer's own: the whole of 127.0.0.0/8 is this machine.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn server(name: &str) -> TestServer {
    TestServer::set("server.node", name)
        .set("limits.exempt_loopback", false)
        .set("limits.connections_per_address", 1000)
        .set("http.trusted_proxies", "127.0.0.1")
        .set("server.drain_ms", 20_000)
        .start()
}

/// Comes to `room` by way of the balancer, as the client library does.
fn join(at: SocketAddr, room: &str) -> TestPeer {
    let handshake = Handshake::new().request_line(&format!("GET /ws?room={room} HTTP/1.1"));
    let mut peer = TestPeer::open(dial_from(CLIENT, at), &handshake);
    peer.welcome = Some(peer.receive("welcome"));
    peer.join(room);
    peer
}

fn node(peer: &TestPeer) -> String {
    peer.welcome.as_ref().expect("welcome").text("node")
}

/// Who is where: each room with its server.
fn places(at: SocketAddr, rooms: &[String], peers: &mut Vec<TestPeer>) -> BTreeMap<String, String> {
    let mut places = BTreeMap::new();
    for room in rooms {
        let (first, second) = (join(at, room), join(at, room));
        assert_eq!(node(&first), node(&second), "room {room}");
        assert_eq!(second.joined.as_ref().expect("joined")["peers"].as_array().map(Vec::len), Some(1), "room {room}");
        places.insert(room.clone(), node(&first));
        peers.extend([first, second]);
    }
    places
}

#[test]
fn a_room_stays_on_one_server_and_a_drain_moves_that_servers_rooms_alone() {
    let servers = NAMES.map(|name| (name, server(name)));
    let proxy = Haproxy::start(&servers.each_ref().map(|(name, server)| (*name, server.public)));
    eventually("HAProxy knows that all of them are ready", || {
        let answered: BTreeSet<u16> = (0..6).map(|_| http::get(proxy.address, "/readyz", &[]).status).collect();
        super::support::expect_eq(&answered, &BTreeSet::from([200]))
    });
    let rooms: Vec<String> = (0..ROOMS).map(|number| format!("room-{number}")).collect();
    let mut peers = Vec::new();
    let before = places(proxy.address, &rooms, &mut peers);
    let used: BTreeSet<&String> = before.values().collect();
    assert_eq!(used.len(), NAMES.len(), "{before:?}");
    servers[0].1.wait_for_log("a connection whose client is told apart from the balancer", |line| {
        line.event() == "connection_opened"
            && line.json["remote"].as_str().is_some_and(|at| at.starts_with("127.0.0.9"))
    });
    drop(peers);

    let (gone, leaving) = &servers[1];
    leaving.terminate();
    eventually("HAProxy asks the one that drains no more", || {
        let after: Vec<String> = before.iter().filter(|(_, at)| at == gone).map(|(room, _)| room.clone()).collect();
        let at: BTreeSet<String> = after.iter().map(|room| connected_to(proxy.address, room)).collect();
        if at.contains(*gone) || at.is_empty() { Err(format!("{at:?}")) } else { Ok(()) }
    });
    let mut peers = Vec::new();
    let after = places(proxy.address, &rooms, &mut peers);
    for (room, was) in &before {
        if was == gone {
            assert_ne!(&after[room], was, "room {room}");
        } else {
            assert_eq!(&after[room], was, "room {room}");
        }
    }
}

/// The server that a handshake for that room comes to; or what it was answered.
fn connected_to(at: SocketAddr, room: &str) -> String {
    let handshake = Handshake::new().request_line(&format!("GET /ws?room={room} HTTP/1.1"));
    let (response, stream) = handshake.send_on(dial_from(CLIENT, at));
    if response.status == 101 { TestPeer::on(stream).receive("welcome").text("node") } else { format!("{response:?}") }
}
