//! What a client's token is good for: at its join, on a resume, and when it renews what it was granted.

use std::{sync::Arc, time::Instant};

use super::{
    actor::Session,
    grants,
    state::RequestError,
    tokens::{Denied, TokenJudge},
};
use crate::{
    auth::{Grant, TicketDigest, TokenError},
    config::Milliseconds,
    messages::session::Credential,
    protocol::{ErrorCode, Meta, RoomName, client::BearerToken, server::ErrorFrame},
    telemetry::{self, Event},
};

/// What was granted before, if it holds for that room now.
fn still_admits(grant: Arc<Grant>, room: &RoomName) -> Result<Arc<Grant>, Denied> {
    let over = grant.left(Instant::now()).is_zero().then_some(TokenError::Expired);
    over.map_or_else(|| grant.admits(room), Err).map_err(Denied::Bad)?;
    Ok(grant)
}

impl Session {
    /// Whether this client may join that room, and with what: by the token in its frame, else by that of its handshake, else as
    /// anybody.
    pub(super) fn may_enter(
        &mut self,
        token: Option<&BearerToken<'_>>,
        room: &RoomName,
    ) -> Result<Option<Arc<Grant>>, Denied> {
        let subnet = self.shared.subnet.get();
        let tokens = &self.setup().tokens;
        if let Some(token) = token {
            let ticket = TicketDigest::of(token.reveal());
            // The ticket that this connection was let in by is its own from then on: for its next try, and its next room.
            let again = ticket.and_then(|shown| match self.credential.as_deref() {
                Some(Credential::Ticket(ticket, grant)) if *ticket == shown => Some(Arc::clone(grant)),
                _ => None,
            });
            let grant = match again {
                Some(grant) => still_admits(grant, room)?,
                None => tokens.grant(token, room, subnet).inspect(|_| TokenJudge::accepted())?,
            };
            if let Some(ticket) = ticket {
                self.credential = Some(Box::new(Credential::Ticket(ticket, Arc::clone(&grant))));
            }
            return Ok(Some(grant));
        }
        match self.credential.as_deref() {
            None => tokens.without().map(|()| None),
            Some(Credential::Token(token)) => {
                let grant = tokens.grant(token, room, subnet).inspect(|_| TokenJudge::accepted())?;
                *self.credential.as_deref_mut().expect("it is there") = Credential::Grant(Arc::clone(&grant));
                Ok(Some(grant))
            }
            Some(Credential::Grant(grant) | Credential::Ticket(_, grant)) => {
                still_admits(Arc::clone(grant), room).map(Some)
            }
        }
    }

    /// Renews what this session is granted. Says whether it was, and answers the client, unless that follows by itself.
    pub(super) fn renew(
        &mut self,
        token: &BearerToken<'_>,
        re: Option<&str>,
        is_answer: bool,
    ) -> Result<bool, RequestError> {
        let room = self.rules.room()?.room.clone();
        let (tokens, subnet) = (&self.setup().tokens, self.shared.subnet.get());
        let grant = tokens.grant(token, &room, subnet).and_then(|grant| {
            if self.shared.is_of_same_user(&grant) { Ok(grant) } else { Err(tokens.other_user(subnet)) }
        });
        let now = Instant::now();
        match grant {
            Ok(grant) => {
                TokenJudge::accepted();
                self.rules.permit(grant.permissions);
                self.shared.granted(Some(Arc::clone(&grant)), now);
                self.shared.send(&grants::frame(&grant, re.filter(|_| is_answer), now));
                Ok(true)
            }
            Err(denied) => {
                self.tell_of(denied);
                let (code, message, retry) = denied.told();
                let retry_after_ms = retry.map(|time| Milliseconds::rounded_up(time).0);
                self.send_error(message, &ErrorFrame { re, retry_after_ms, ..ErrorFrame::new(code, message) });
                Ok(false)
            }
        }
    }

    /// A join that the token, or the lack of one, does not allow.
    pub(super) fn deny_join(&self, denied: Denied, room: &RoomName, attempt: u32, re: Option<&str>) {
        self.tell_of(denied);
        let (code, message, retry) = denied.told();
        telemetry::emit(&Event::JoinRefused { context: self.ids().within(Some(room)), code, attempt });
        let retry_after_ms = retry.map(|time| Milliseconds::rounded_up(time).0);
        self.send_error_quietly(&ErrorFrame { re, retry_after_ms, ..ErrorFrame::new(code, message) });
    }

    /// Why, for who runs the server.
    pub(super) fn tell_of(&self, denied: Denied) {
        telemetry::emit(&Event::TokenDenied { context: self.ids(), reason: denied.outcome() });
    }

    /// The client's metadata as the room is to have it.
    pub(super) fn overlay(&self, grant: Option<&Grant>, meta: Option<Meta>) -> Result<Option<Meta>, RequestError> {
        let Some(grant) = grant else { return Ok(meta) };
        let meta = grant.overlay(meta);
        let most = self.setup().tokens.meta_bytes();
        if meta.as_ref().is_some_and(|meta| meta.as_str().len() > most) {
            let message = "meta and that of the token are longer together than limits.metaBytes";
            return Err(RequestError { code: ErrorCode::InvalidMessage, message });
        }
        Ok(meta)
    }
}
