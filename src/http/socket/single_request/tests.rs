use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use actix_rt::net::TcpStream;

use tokio::sync::oneshot;

use super::*;

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listening = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listening.local_addr().unwrap()).await.unwrap();
    (client, listening.accept().await.unwrap().0)
}

fn once(socket: TcpStream, head: &str, read: &str, body: Body, most: usize) -> SingleRequestStream {
    SingleRequestStream::new(
        socket.into(),
        BytesMut::from(&*[head, read].concat()),
        head.len(),
        body,
        most,
        false,
        None,
    )
}

/// What the library reads of a request of which `read` came with the head and `sent` later.
async fn exchange(read: &str, sent: &str, body: Body, most: usize) -> (String, bool) {
    const HEAD: &str = "POST / HTTP/1.1\r\n\r\n";
    let (mut client, socket) = pair().await;
    let mut once = once(socket, HEAD, read, body, most);
    client.write_all(sent.as_bytes()).await.unwrap();
    let mut all = String::new();
    timeout(Duration::from_secs(10), once.read_to_string(&mut all)).await.expect("an end").unwrap();
    (all.strip_prefix(HEAD).expect("the head").to_owned(), once.input().was_cut())
}

#[actix::test]
async fn the_end_comes_where_the_request_ends() {
    let sized = Body::Sized;
    for (read, sent, body, most, wanted, cut) in [
        ("", "GET / HTTP/1.1\r\n\r\n", Body::None, 9, "", false),
        ("GET / HTTP/1.1\r\n\r\n", "", Body::None, 9, "", false),
        ("abcdef", "", sized(3), 9, "abc", false),
        ("", "abcdef", sized(3), 9, "abc", false),
        ("ab", "cdef", sized(3), 9, "abc", false),
        ("ab", "", sized(10), 9, "", true),
        ("ab", "", sized(u64::MAX), 9, "", true),
        ("ab", "", sized(2), 0, "", true),
        ("2\r\nab\r\n", "2\r\ncd\r\n", Body::Chunked, 9, "2\r\nab\r\n2\r", true),
        ("2\r\n", "", Body::Chunked, 0, "", true),
    ] {
        let found = exchange(read, sent, body, most).await;
        assert_eq!(found, (wanted.to_owned(), cut), "{read:?}, {sent:?}, {body:?}, {most}");
    }
}

#[actix::test]
async fn an_answer_is_the_end_of_a_body_that_does_not_come() {
    let (_client, socket) = pair().await;
    let mut once = once(socket, "", "", Body::Chunked, 9);
    let input = Rc::clone(once.input());
    let mut all = Vec::new();
    let mut reading = std::pin::pin!(once.read_to_end(&mut all));
    assert!(timeout(Duration::from_millis(20), &mut reading).await.is_err(), "there may be more");
    input.answered();
    timeout(Duration::from_secs(10), reading).await.expect("an end").unwrap();
}

#[actix::test]
async fn an_answer_to_http_1_0_says_that_the_connection_ends_too() {
    let (mut client, socket) = pair().await;
    let mut once = SingleRequestStream::new(socket.into(), BytesMut::new(), 0, Body::None, 0, true, None);
    once.write_all(b"HTTP/1.0 200 OK\r\na: b\r\n\r\n").await.unwrap();
    once.write_all(b"body\n").await.unwrap();
    once.shutdown().await.unwrap();
    let mut all = String::new();
    client.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "HTTP/1.0 200 OK\r\nconnection: close\r\na: b\r\n\r\nbody\n");
}

#[actix::test]
async fn what_still_comes_behind_an_answer_is_read_for_a_while_and_no_longer() {
    let (mut client, socket) = pair().await;
    let mut once = once(socket, "", "", Body::Sized(1 << 40), 0);
    let flood = async { while client.write_all(&[0; 4096]).await.is_ok() {} };
    let close = async {
        once.shutdown().await.unwrap();
        drop(once);
    };
    timeout(Duration::from_secs(10), async { tokio::join!(flood, close) }).await.expect("an end");
}

#[actix::test]
async fn who_only_waits_for_its_client_to_hang_up_makes_room() {
    let (_client, socket) = pair().await;
    let (make_room, needed) = oneshot::channel();
    let mut once = SingleRequestStream::new(
        socket.into(),
        BytesMut::new(),
        0,
        Body::Sized(9),
        0,
        false,
        Some(Waits::told_by(needed)),
    );
    let mut closing = std::pin::pin!(once.shutdown());
    assert!(timeout(Duration::from_millis(20), &mut closing).await.is_err(), "it lingers");
    make_room.send(()).unwrap();
    assert!(closing.now_or_never().is_some_and(|end| end.is_ok()), "it waits on");
}
