//! Every fault, each as both ends of the connection see it.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_chaos::{Direction, Ending, Line, Proxy};

const PATIENCE: Duration = Duration::from_secs(10);

/// Both ends of one connection through a proxy.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    line: Arc<Line>,
    proxy: Proxy,
}

impl Pair {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
        let client = TcpStream::connect(proxy.address()).unwrap();
        let (server, _) = listener.accept().unwrap();
        for end in [&client, &server] {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
            end.set_write_timeout(Some(PATIENCE)).unwrap();
            end.set_nodelay(true).unwrap();
        }
        // The server has heard of it, so the proxy has registered it.
        let line = proxy.line(client.local_addr().unwrap()).expect("the connection is registered");
        Self { client, server, line, proxy }
    }

    /// The writing and the reading end of that direction.
    fn ends(&mut self, direction: Direction) -> (&mut TcpStream, &mut TcpStream) {
        match direction {
            Direction::Up => (&mut self.client, &mut self.server),
            Direction::Down => (&mut self.server, &mut self.client),
        }
    }

    #[track_caller]
    fn passes(&mut self, direction: Direction, text: &str) {
        let (from, to) = self.ends(direction);
        from.write_all(text.as_bytes()).unwrap();
        let mut heard = vec![0; text.len()];
        to.read_exact(&mut heard).unwrap();
        assert_eq!(heard, text.as_bytes());
    }
}

/// Reads to the end of the connection, and says how it ended.
fn read_all(from: &mut TcpStream) -> (Vec<u8>, Ending) {
    let mut heard = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return (heard, Ending::Fin),
            Ok(read) => heard.extend_from_slice(&bytes[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (heard, Ending::Reset),
            Err(error) => panic!("after {} bytes: {error}", heard.len()),
        }
    }
}

const BOTH: [Direction; 2] = [Direction::Up, Direction::Down];

#[test]
fn without_faults_everything_passes_and_each_side_ends_for_itself() {
    let mut pair = Pair::new();
    for direction in BOTH {
        pair.passes(direction, "hello");
    }
    pair.client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut pair.server), (Vec::new(), Ending::Fin));
    pair.passes(Direction::Down, "goes on");
    pair.server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut pair.client), (Vec::new(), Ending::Fin));
}

#[test]
fn a_reset_of_one_side_resets_the_other() {
    let mut pair = Pair::new();
    pair.passes(Direction::Up, "hello");
    socket2::SockRef::from(&pair.client).set_linger(Some(Duration::ZERO)).unwrap();
    let Pair { client, mut server, .. } = pair;
    drop(client);
    assert_eq!(read_all(&mut server).1, Ending::Reset);
}

#[test]
fn what_is_delayed_comes_late_but_not_slower() {
    let delay = Duration::from_millis(200);
    for direction in BOTH {
        let mut pair = Pair::new();
        pair.line.change(direction, |faults| faults.delay = delay);
        let began = Instant::now();
        for n in 0..10 {
            let (from, _) = pair.ends(direction);
            from.write_all(&[n; 1_000]).unwrap();
        }
        let (_, to) = pair.ends(direction);
        let mut heard = vec![0; 10_000];
        to.read_exact(&mut heard).unwrap();
        let took = began.elapsed();
        assert!(took >= delay, "{direction:?}: it came after {took:?}");
        assert!(took < delay * 9, "{direction:?}: ten delayed pieces are not ten delays: {took:?}");
        assert!(heard.is_sorted(), "{direction:?}: out of order");
    }
}

#[test]
fn no_more_passes_than_the_rate_allows() {
    for direction in BOTH {
        let mut pair = Pair::new();
        pair.line.change(direction, |faults| faults.rate = NonZeroU32::new(20_000));
        let (from, to) = pair.ends(direction);
        let began = Instant::now();
        from.write_all(&[7; 8_000]).unwrap();
        to.read_exact(&mut [0; 8_000]).unwrap();
        // The last beat's bytes are there at its beginning.
        assert!(began.elapsed() >= Duration::from_millis(370), "{direction:?}: {:?}", began.elapsed());
    }
}

#[test]
fn a_cut_lets_just_that_many_bytes_pass() {
    for direction in BOTH {
        for ending in [Ending::Fin, Ending::Reset] {
            let mut pair = Pair::new();
            pair.passes(direction, "before");
            pair.line.cut_after(direction, 1_234, ending);
            let (from, to) = pair.ends(direction);
            from.write_all(&[7; 5_000]).unwrap();
            let (heard, end) = read_all(to);
            assert_eq!(end, ending, "{direction:?}");
            // What a reset overtakes in the receiver's kernel is thrown away with the connection.
            assert!(heard.len() == 1_234 || (ending == Ending::Reset && heard.len() < 1_234), "{}", heard.len());
            assert_eq!(read_all(from).1, ending, "{direction:?}: the sender sees it, too");
        }
    }
}

#[test]
fn a_stall_holds_everything_back_until_it_is_over() {
    for direction in BOTH {
        let mut pair = Pair::new();
        let line = Arc::clone(&pair.line);
        line.stall();
        let (from, to) = pair.ends(direction);
        from.write_all(b"late").unwrap();
        to.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let nothing = to.read(&mut [0; 4]).unwrap_err();
        assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing}");
        to.set_read_timeout(Some(PATIENCE)).unwrap();
        line.heal();
        let mut heard = [0; 4];
        to.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"late");
    }
}

#[test]
fn who_goes_on_writing_into_a_stall_is_jammed() {
    let mut pair = Pair::new();
    pair.line.change(Direction::Up, |faults| faults.stalled = true);
    pair.client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let piece = vec![7; 1 << 20];
    let jammed = (0..64).find_map(|_| pair.client.write_all(&piece).err());
    assert!(jammed.is_some(), "64 MiB went into a stalled connection");
    pair.passes(Direction::Down, "the other direction is not stalled");
}

#[test]
fn a_connection_can_be_ended_at_any_time_even_while_it_is_stalled() {
    for ending in [Ending::Fin, Ending::Reset] {
        let mut pair = Pair::new();
        pair.passes(Direction::Up, "hello");
        pair.line.stall();
        pair.line.end(ending);
        assert_eq!(read_all(&mut pair.client).1, ending);
        assert_eq!(read_all(&mut pair.server).1, ending);
    }
}

#[test]
fn nobody_is_there_without_a_server() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let proxy = Proxy::start(gone).unwrap();
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read_all(&mut client).1, Ending::Reset);
}

#[test]
fn aproxy_that_is_dropped_takes_its_connections_along() {
    let mut pair = Pair::new();
    pair.passes(Direction::Up, "hello");
    let Pair { mut client, mut server, proxy, line } = pair;
    assert_eq!(proxy.lines().len(), 1);
    assert_eq!(line.client(), client.local_addr().unwrap());
    drop(proxy);
    read_all(&mut client);
    read_all(&mut server);
}
