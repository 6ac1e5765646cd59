use std::{future::poll_fn, net::Ipv4Addr};

use bytes::Bytes;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, ServerName},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::ws::{AnySocket, Connection, Decoder, Flushed, READ, frame_header::Bound};

const NAME: &str = "meet.example";

fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let server = server.unwrap().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (Arc::new(server), Arc::new(client.with_root_certificates(roots).with_no_client_auth()))
}

fn name() -> ServerName<'static> {
    NAME.try_into().unwrap()
}

/// Both ends of a TCP connection whose server's kernel keeps little.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    SockRef::from(&listener).set_send_buffer_size(8192).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

/// A socket after its handshake, and its client.
async fn connected() -> (TlsSocket, TlsStream<TcpStream>) {
    let ((server, client), (server_config, client_config)) = (pair().await, configs());
    let mut socket = TlsSocket::new(server, server_config).unwrap();
    let connecting = TlsConnector::from(client_config).connect(name(), client);
    let (made, client) = tokio::join!(socket.handshake(&[], 16_384), connecting);
    made.unwrap();
    assert!(socket.is_established());
    (socket, client.unwrap())
}

fn connection(socket: TlsSocket) -> Connection {
    Connection::new(AnySocket::from(socket), Box::new(()))
}

#[tokio::test]
async fn a_handshake_may_begin_with_what_was_read_before_and_has_a_longest() {
    for (early, most, fits) in [(1_usize, 16_384, true), (1, 100, false), (200, 100, false)] {
        let ((server, mut client), (server_config, client_config)) = (pair().await, configs());
        let mut connection = ClientConnection::new(client_config, name()).unwrap();
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).unwrap();
        client.write_all(&hello[early..]).await.unwrap();
        let mut socket = TlsSocket::new(server, server_config).unwrap();
        // The client says nothing more: whether it gets an answer is what is asked.
        let answered = tokio::select! {
            made = socket.handshake(&hello[..early], most) => !matches!(made, Err(TlsError::TooLong)),
            read = client.read_u8() => read.is_ok(),
        };
        assert_eq!(answered, fits, "{early} {most}");
        assert!(!socket.is_established());
    }
}

#[tokio::test]
async fn what_a_jammed_kernel_takes_in_pieces_comes_out_whole_and_waits_as_long() {
    let (socket, mut client) = connected().await;
    let mut connection = connection(socket);
    let frames: Vec<Bytes> = (0..200_u8).map(|n| Bytes::from(vec![n; 1 + usize::from(n) * 37])).collect();
    let expected: Vec<u8> = frames.concat();
    for frame in frames {
        connection.outbox.push(frame);
    }
    assert_eq!(connection.flush().unwrap(), Flushed::Jammed, "{} bytes fit into the kernel", expected.len());
    let waiting = connection.waiting_bytes();
    assert!(waiting > 0);
    assert_eq!((connection.flush().unwrap(), connection.waiting_bytes()), (Flushed::Jammed, waiting));
    let reading = async {
        let mut got = vec![0; expected.len()];
        client.read_exact(&mut got).await.unwrap();
        got
    };
    let (flushed, got) = tokio::join!(poll_fn(|cx| connection.poll_flush(cx)), reading);
    flushed.unwrap();
    assert!(got == expected, "other bytes");
    assert_eq!(connection.waiting_bytes(), 0);
}

#[tokio::test]
async fn a_socket_that_is_handed_on_goes_on_in_the_middle_of_a_record() {
    let (socket, mut client) = connected().await;
    let mut connection = connection(socket);
    let frames: Vec<Bytes> = (0..100_u8).map(|n| Bytes::from(vec![n; 2000])).collect();
    let expected: Vec<u8> = frames.concat();
    for frame in frames {
        connection.outbox.push(frame);
    }
    assert_eq!(connection.flush().unwrap(), Flushed::Jammed);
    client.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    let (socket, permit, unsent) = connection.into_parts().unwrap();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut connection = Connection::<AnySocket>::from_parts(socket, permit, unsent).unwrap();
            poll_fn(|cx| connection.poll_flush(cx)).await.unwrap();
            let mut decoder = Decoder::new(Bound { bytes: 1024, fragments: 1 });
            poll_fn(|cx| connection.poll_fill(&mut decoder, READ, cx)).await.unwrap()
        })
    });
    let mut got = vec![0; expected.len()];
    client.read_exact(&mut got).await.unwrap();
    assert!(got == expected, "other bytes");
    assert_eq!(thread.join().unwrap(), 7, "the frame that had come");
}

#[tokio::test]
async fn data_is_read_in_the_pieces_that_are_asked_for_and_its_end_is_the_end() {
    let (mut socket, mut client) = connected().await;
    client.write_all(&[7; 5000]).await.unwrap();
    let mut got = BytesMut::new();
    for most in [1, 1000, 3999] {
        assert_eq!(poll_fn(|cx| Socket::poll_read(&mut socket, cx, &mut got, most)).await.unwrap(), most);
        // What is decrypted already makes no kernel's socket ready.
        if most < 3999 {
            poll_fn(|cx| Socket::poll_read_ready(&mut socket, cx)).await.unwrap();
        }
    }
    assert!(got.len() == 5000 && got.iter().all(|byte| *byte == 7));
    client.shutdown().await.unwrap();
    assert_eq!(poll_fn(|cx| Socket::poll_read(&mut socket, cx, &mut got, 10)).await.unwrap(), 0);
    Socket::finish(&mut socket);
    assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 0, "closed in the proper way");
}

#[tokio::test]
async fn a_socket_that_ends_without_a_word_is_no_proper_end() {
    let (mut socket, client) = connected().await;
    let (mut tcp, _) = client.into_inner();
    tcp.shutdown().await.unwrap();
    let read = poll_fn(|cx| Socket::poll_read(&mut socket, cx, &mut BytesMut::new(), 10)).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn records_without_data_are_read_for_so_long_only() {
    let (mut socket, client) = connected().await;
    let (mut tcp, mut tls) = client.into_inner();
    let mut empty = Vec::new();
    // A change of keys is the shortest thing that is no data.
    let flood = async {
        loop {
            tls.refresh_traffic_keys().unwrap();
            empty.clear();
            tls.write_tls(&mut empty).unwrap();
            if tcp.write_all(&empty).await.is_err() {
                return;
            }
        }
    };
    let read = tokio::select! {
        read = poll_fn(|cx| Socket::poll_read(&mut socket, cx, &mut BytesMut::new(), 10)) => read,
        () = flood => Ok(0),
    };
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
}
