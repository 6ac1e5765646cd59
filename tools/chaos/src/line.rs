//! One connection: two sockets, and what is wrong between them.

use std::{io, net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};

use crate::{
    faults::{Cut, Direction, Ending, Faults},
    pipe::{Pipe, throw_away},
};

/// Bytes that the kernel takes for the proxy from either side (it doubles them for its own bookkeeping): little, so that
/// a stall is soon felt by whoever goes on writing.
pub(crate) const RECEIVE_BUFFER: u32 = 16 * 1024;
/// How long both sides may take to hang up after a FIN that neither asked for.
const LINGER: Duration = Duration::from_secs(5);

/// One connection through the proxy.
#[derive(Debug)]
pub struct Line {
    client: SocketAddr,
    up: watch::Sender<Faults>,
    down: watch::Sender<Faults>,
    end: watch::Sender<Option<Ending>>,
}

impl Line {
    pub(crate) fn new(client: SocketAddr) -> Self {
        let (up, _) = watch::channel(Faults::default());
        let (down, _) = watch::channel(Faults::default());
        let (end, _) = watch::channel(None);
        Self { client, up, down, end }
    }

    /// Who made it.
    pub fn client(&self) -> SocketAddr {
        self.client
    }

    /// Changes what is wrong with one direction, from now on.
    pub fn change(&self, direction: Direction, change: impl FnOnce(&mut Faults)) {
        self.of(direction).send_modify(change);
    }

    /// Nothing is read and nothing passes in either direction; the sockets stay open.
    pub fn stall(&self) {
        for direction in [Direction::Up, Direction::Down] {
            self.change(direction, |faults| faults.stalled = true);
        }
    }

    /// Ends the connection after that many more bytes in one direction.
    pub fn cut_after(&self, direction: Direction, bytes: u64, ending: Ending) {
        self.change(direction, |faults| faults.cut = Some(Cut { after: bytes, ending }));
    }

    /// Ends the connection now.
    pub fn end(&self, ending: Ending) {
        self.end.send_replace(Some(ending));
    }

    /// Takes all its faults away. What was stalled or delayed arrives.
    pub fn heal(&self) {
        for direction in [Direction::Up, Direction::Down] {
            self.change(direction, |faults| *faults = Faults::default());
        }
    }

    fn of(&self, direction: Direction) -> &watch::Sender<Faults> {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// Carries bytes both ways until the connection has ended.
    pub(crate) async fn run(&self, client: TcpStream, server: SocketAddr) {
        let Ok(server) = connect(server).await else { return reset(&client) };
        // It fails only where the connection is gone, and that is found out soon.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let up = Pipe::new(&client, &server, &self.up);
        let down = Pipe::new(&server, &client, &self.down);
        let ended = tokio::select! {
            ended = async { tokio::try_join!(up.run(), down.run()) } => ended.err(),
            ending = self.ended() => Some(ending),
        };
        match ended {
            // Both sides said FIN, and heard each other's.
            None => {}
            Some(Ending::Reset) => {
                reset(&client);
                reset(&server);
            }
            Some(Ending::Fin) => {
                finish(&client);
                finish(&server);
                // Closing a socket with unread bytes would reset it.
                let both = async { tokio::join!(throw_away(&client), throw_away(&server)) };
                let _ = timeout(LINGER, both).await;
            }
        }
    }

    async fn ended(&self) -> Ending {
        let mut end = self.end.subscribe();
        loop {
            if let Some(ending) = *end.borrow_and_update() {
                return ending;
            }
            // The sender is this line's own: it outlives this.
            let _ = end.changed().await;
        }
    }
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.connect(server).await
}

/// Closing the socket will reset the connection.
fn reset(socket: &TcpStream) {
    // It fails only where the connection is gone already.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

fn finish(socket: &TcpStream) {
    // As above.
    let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write);
}
