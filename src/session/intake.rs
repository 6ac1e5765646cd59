//! What the kernel takes in for each connection of the arbiter before it is read ([`crate::memory::Intake`]).

use super::{
    registry::Registry,
    setup::SessionConfig,
    shared::{SESSIONS, SessionShared},
};

/// A connection has come to its session: it takes in what each does, which may be less from now on.
pub(super) fn came(shared: &SessionShared) {
    fit(&shared.setup);
    shared.take_in_as_others();
}

/// What each takes in follows how many there are.
pub(super) fn fit(setup: &SessionConfig) {
    let [connected, joined, _parked] = SESSIONS.with(Registry::counts);
    let before = setup.taken_in.get();
    let each = setup.intake.of_each(connected + joined, before);
    if each != before {
        setup.taken_in.set(each);
        for session in SESSIONS.with(Registry::all) {
            session.take_in_as_others();
        }
    }
}

impl SessionShared {
    /// Unless it takes in the least, because it is read no further.
    pub(super) fn take_in_as_others(&self) {
        if !self.held_back.get() {
            self.connection.set_receive_buffer(self.setup.taken_in.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, rc::Rc};

    use socket2::SockRef;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::{
        memory::LEAST_INTAKE,
        protocol::EndReason,
        session::{
            open::fit_intake,
            takeovers::{Client, PATIENCE, Stage},
        },
    };

    const COUNT: usize = 40;
    const USUAL: usize = 65_536;

    /// A client whose session reads nothing.
    async fn unread(listener: &TcpListener) -> TcpStream {
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let _nobody = Client::over(None, socket, tokio::io::duplex(1).0);
        for session in sessions() {
            session.paused.set(true);
        }
        client
    }

    fn sessions() -> Vec<Rc<SessionShared>> {
        SESSIONS.with(Registry::all)
    }

    #[actix::test]
    async fn what_many_clients_send_that_nobody_reads_is_within_its_part_of_the_budget() {
        let _stage = Stage::set(|settings| {
            settings.server.workers = 1;
            settings.limits.memory_bytes = 4 * COUNT * 2 * LEAST_INTAKE;
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        SockRef::from(&listener).set_recv_buffer_size(USUAL).unwrap();
        let mut clients = Vec::new();
        for _ in 0..COUNT {
            clients.push(unread(&listener).await);
        }
        assert_eq!(sessions()[0].setup.taken_in.get(), LEAST_INTAKE);
        for _ in 0..100 {
            for client in &clients {
                while client.try_write(&[0; LEAST_INTAKE]).is_ok() {}
            }
            tokio::task::yield_now().await;
        }
        let held: u64 = sessions().iter().map(|session| session.connection.kernel_bytes()).sum();
        // The kernel doubles it, and takes the last packet whole.
        let most = (COUNT * 4 * LEAST_INTAKE) as u64;
        assert!(held <= most, "{held} bytes in the kernel, and {most} are its part");
        let first = Rc::clone(&sessions()[0]);
        for session in sessions().iter().skip(1) {
            session.kill_switch.kill(EndReason::Disconnected);
        }
        let ended = async {
            while sessions().len() > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("they end");
        fit_intake();
        assert_eq!(first.setup.taken_in.get(), USUAL, "and those that stay take in more again");
    }
}
