//! Names to addresses, by the system's resolver: it cannot be told how long it may take, and takes ten seconds and more where no
//! name server answers.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

type Found = io::Result<Vec<IpAddr>>;

/// Looks names up, each on a thread of its own.
pub(super) struct Resolver {
    look_up: Arc<dyn Fn(&str) -> Found + Send + Sync>,
    /// Look-ups that were not waited for to their end, by name. There are no more than names on the list: one that goes on is waited
    /// for again, and no other is begun beside it.
    running: BTreeMap<String, mpsc::Receiver<Found>>,
}

impl Resolver {
    /// With the system's resolver.
    pub(super) fn new() -> Self {
        Self::by(|host| Ok((host, 0).to_socket_addrs()?.map(|found| found.ip()).collect()))
    }

    /// With one that is handed in.
    fn by(look_up: impl Fn(&str) -> Found + Send + Sync + 'static) -> Self {
        Self { look_up: Arc::new(look_up), running: BTreeMap::new() }
    }

    /// The addresses of `host`, at `port`. Waits for no longer than `patience`.
    ///
    /// # Errors
    /// It has none, or they were not found in time ([`io::ErrorKind::TimedOut`]).
    pub(super) fn resolve(&mut self, host: &str, port: u16, patience: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        // One that has ended meanwhile tells how it was then.
        let running = self.running.remove(host);
        let running = running.filter(|found| matches!(found.try_recv(), Err(mpsc::TryRecvError::Empty)));
        let found = running.map_or_else(|| self.begin(host), Ok)?;
        match found.recv_timeout(patience) {
            Ok(addresses) => Ok(addresses?.into_iter().map(|address| SocketAddr::new(address, port)).collect()),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.running.insert(host.to_owned(), found);
                let text = format!("its address was not found within {} ms", patience.as_millis());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(io::Error::other("the look-up panicked")),
        }
    }

    fn begin(&self, host: &str) -> io::Result<mpsc::Receiver<Found>> {
        let (tell, found) = mpsc::sync_channel(1);
        let (look_up, host) = (Arc::clone(&self.look_up), host.to_owned());
        thread::Builder::new().name("ice-names".into()).spawn(move || {
            // Nobody waits for it any more: then it is of no use.
            let _ = tell.send(look_up(&host));
        })?;
        Ok(found)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        net::Ipv4Addr,
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(20);

    /// One that finds loopback for every name, but not before it is told to; how often it was begun, and what tells it by its end.
    pub(in crate::ice_checks) fn slow() -> (Resolver, Arc<AtomicUsize>, mpsc::Sender<()>) {
        let (go_on, wait) = mpsc::channel();
        let (wait, begun) = (Mutex::new(wait), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&begun);
        let resolver = Resolver::by(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = wait.lock().expect("nobody panicked").recv();
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        });
        (resolver, begun, go_on)
    }

    #[test]
    fn a_name_that_is_not_found_in_time_is_no_address_and_is_looked_up_once_at_a_time() {
        let (mut resolver, begun, go_on) = slow();
        for _ in 0..3 {
            let error = resolver.resolve("a.example", 1, SHORT).expect_err("it goes on");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        assert!(begun.load(Ordering::Relaxed) <= 1, "it goes on, and another one would, too");
        drop(go_on);
        let found = resolver.resolve("a.example", 7, LONG).expect("an address");
        assert_eq!(found, [SocketAddr::from((Ipv4Addr::LOCALHOST, 7))]);
        assert!(resolver.running.is_empty());
    }

    #[test]
    fn an_address_is_no_name() {
        let mut resolver = Resolver::by(|host| panic!("{host} is looked up"));
        for host in ["192.0.2.7", "2001:db8::7"] {
            let found = resolver.resolve(host, 7, SHORT).expect("itself");
            assert_eq!(found, [SocketAddr::new(host.parse().expect("an address"), 7)]);
        }
    }

    #[test]
    fn the_systems_resolver_finds_this_machine() {
        let found = Resolver::new().resolve("localhost", 7, LONG).expect("this machine");
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7), "{found:?}");
    }
}
