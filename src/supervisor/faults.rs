//! Failing on demand, in test builds only: how the tests prove that a server that hangs ends, and that a room or a session
//! that panics harms only itself.

use std::{thread, time::Duration};

use actix::Handler;

use super::Supervisor;
use crate::messages::{session::Control, supervisor::Fault};

/// Longer than any patience: for ever, as far as a test can see.
const FOR_EVER: Duration = Duration::from_secs(3600);

impl Handler<Fault> for Supervisor {
    type Result = ();

    fn handle(&mut self, fault: Fault, _: &mut Self::Context) {
        match fault {
            Fault::SupervisorPanic => panic!("a fault was injected"),
            Fault::SupervisorStall => thread::sleep(FOR_EVER),
            Fault::SessionPanic(session) => {
                if let Some(seated) = self.state.seated(session) {
                    seated.member.post(Control::Panic);
                }
            }
        }
    }
}
