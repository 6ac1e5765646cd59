//! A bad network for tests: a TCP proxy whose connections are delayed, slowed down, stalled, cut after so many bytes, or
//! reset, each direction for itself, whenever the test says so.
//!
//! The proxy runs on a thread of its own, so tests may be asynchronous or not. Dropping it ends it with all its
//! connections.
mod faults;
mod line;
mod pipe;

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::{net::TcpListener, runtime, sync::oneshot};

pub use faults::{Cut, Direction, Ending, Faults};
pub use line::Line;

/// The connections by the address of the client that made them.
type Lines = Arc<Mutex<HashMap<SocketAddr, Arc<Line>>>>;

/// A proxy in front of one server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    lines: Lines,
    thread: Option<JoinHandle<()>>,
    end: Option<oneshot::Sender<()>>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface for clients of `server`.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        // Its connections inherit it.
        socket2::SockRef::from(&listener).set_recv_buffer_size(line::RECEIVE_BUFFER as usize)?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let lines = Lines::default();
        let (end, ended) = oneshot::channel();
        let register = Arc::clone(&lines);
        let thread = std::thread::Builder::new().name("chaos".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = accept(listener, server, &register) => {}
                }
            });
        })?;
        Ok(Self { address, lines, thread: Some(thread), end: Some(end) })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connection of the client with that address. It is there once anything of the server came through it.
    pub fn line(&self, client: SocketAddr) -> Option<Arc<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).get(&client).map(Arc::clone)
    }

    /// All connections that have not ended.
    pub fn lines(&self) -> Vec<Arc<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }

    /// Takes all faults from all connections. What was stalled or delayed arrives.
    pub fn heal(&self) {
        for line in self.lines() {
            line.heal();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it was told already.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, server: SocketAddr, lines: &Lines) {
    let listener = TcpListener::from_std(listener).expect("a runtime with I/O");
    loop {
        // Out of descriptors, or a client that is gone already: nothing that ends a proxy.
        let Ok((client, address)) = listener.accept().await else { continue };
        let line = Arc::new(Line::new(address));
        lines.lock().unwrap_or_else(PoisonError::into_inner).insert(address, Arc::clone(&line));
        let lines = Arc::clone(lines);
        tokio::spawn(async move {
            line.run(client, server).await;
            lines.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
        });
    }
}
