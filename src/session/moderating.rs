//! A client that moderates its room: what it asks goes to the supervisor, which knows all seats, and the answers come back in
//! order.

use std::sync::Arc;

use super::{
    actor::Session,
    state::{Re, RequestError},
};
use crate::{
    config::Milliseconds,
    messages::{
        moderation::{ModerationError, RoomOrder},
        send_unbounded,
        session::Moderated,
        supervisor::{MOST_MODERATING, Moderate},
    },
    protocol::{
        EndReason, ErrorCode, Permissions, error_texts,
        server::{ErrorFrame, ServerFrame},
    },
};

impl Session {
    /// Whoever may not is told so, and the supervisor is asked for nothing.
    pub(super) fn moderate(&mut self, order: RoomOrder, re: Re) -> Result<(), RequestError> {
        self.rules.room_to(Permissions::ADMIN)?;
        if self.moderating == MOST_MODERATING {
            let message = "more kicks and locks of this session wait for their answers than may";
            return Err(RequestError { code: ErrorCode::RateLimited, message });
        }
        self.moderating += 1;
        let member = Arc::clone(self.me());
        if !send_unbounded(&self.setup().ports.moderate, Moderate { member, order, re }) {
            self.shared.kill_switch.kill(EndReason::Internal);
        }
        Ok(())
    }

    /// The supervisor's answer to the oldest that waits for one.
    pub(super) fn moderated(&mut self, Moderated { re, outcome }: &Moderated) {
        self.moderating -= 1;
        let re = re.as_deref();
        match outcome {
            Ok(RoomOrder::Kick(_)) => self.shared.send(&ServerFrame::Kicked { re, who: None }),
            Ok(RoomOrder::Lock(locked)) => self.shared.send(&ServerFrame::RoomState { re, locked: *locked }),
            Err(error) => {
                let (code, message) = (error.code(), message(*error));
                let retry_after_ms = error.retry_after().map(|time| Milliseconds::rounded_up(time).0);
                self.send_error(message, &ErrorFrame { re, retry_after_ms, ..ErrorFrame::new(code, message) });
            }
        }
    }
}

fn message(error: ModerationError) -> &'static str {
    match error {
        ModerationError::UnknownPeer | ModerationError::UnknownBan => error_texts::NO_SUCH_PEER,
        ModerationError::TooManyBans { .. } => error_texts::TOO_MANY_BANS,
        ModerationError::NothingToBanBy => "nothing is known of this peer that a ban could go by: kick without one",
        ModerationError::BanTime => "a ban takes from 1 second to 30 days",
        ModerationError::TextTooLong { .. } => "the reason is too long",
        ModerationError::HandedOver => "the server is going away; ask again when you are back",
        ModerationError::UnknownRoom | ModerationError::NotInRoom => "this session is in no room; join first",
    }
}
