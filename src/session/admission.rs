//! What a client's token is good for: at its join, on a resume, and when it renews what it was granted.

use std::{rc::Rc, sync::Arc, time::Instant};

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

impl Session {
    /// What the bearer of that token may do in that room, if `may` has nothing against it: one for all the ways in which a client
    /// shows a token.
    ///
    /// A ticket belongs to the connection that it was accepted on, and is not asked for again there: it may be shown again, in
    /// any of these ways, whatever became of the request that it came with. Only the latest is remembered.
    pub(super) fn judge_token(
        &mut self,
        token: &BearerToken<'_>,
        room: &RoomName,
        may: impl FnOnce(&Grant) -> Result<(), TokenError>,
    ) -> Result<Arc<Grant>, Denied> {
        let (tokens, subnet) = (&self.setup().tokens, self.shared.subnet.get());
        let ticket = TicketDigest::of(token.reveal());
        let again = ticket.and_then(|shown| match self.credential() {
            Some(Credential::Ticket(ticket, grant)) if *ticket == shown => Some(Arc::clone(grant)),
            _ => None,
        });
        let grant = match again {
            Some(grant) => tokens.still_admits(grant, room, subnet, may)?,
            None => tokens.grant(token, room, subnet, may)?,
        };
        if let Some(ticket) = ticket {
            self.remember_credential(Credential::Ticket(ticket, Arc::clone(&grant)).into());
        }
        Ok(grant)
    }

    /// Whether this client may join that room, and with what: by the token in its frame, else by that of its handshake, else as
    /// anybody.
    pub(super) fn may_enter(
        &mut self,
        token: Option<&BearerToken<'_>>,
        room: &RoomName,
    ) -> Result<Option<Arc<Grant>>, Denied> {
        if let Some(token) = token {
            return self.judge_token(token, room, |_| Ok(())).inspect(|_| TokenJudge::accepted()).map(Some);
        }
        let subnet = self.shared.subnet.get();
        if let Some(Credential::Grant(grant) | Credential::Ticket(_, grant)) = self.credential() {
            let grant = Arc::clone(grant);
            return self.setup().tokens.still_admits(grant, room, subnet, |_| Ok(())).map(Some);
        }
        match self.take_credential().map(|credential| *credential) {
            Some(Credential::Token(token)) => {
                let judged = self.judge_token(&token, room, |_| Ok(())).inspect(|_| TokenJudge::accepted());
                match &judged {
                    Err(_) => self.remember_credential(Credential::Token(token).into()),
                    Ok(grant) if self.credential().is_none() => {
                        self.remember_credential(Credential::Grant(Arc::clone(grant)).into());
                    }
                    // A ticket is kept already.
                    Ok(_) => {}
                }
                judged.map(Some)
            }
            _ => self.setup().tokens.without(subnet).map(|()| None),
        }
    }

    fn credential(&self) -> Option<&Credential> {
        self.memory.as_ref()?.credential.as_deref()
    }

    /// The credential goes along with the connection to another session.
    pub(super) fn take_credential(&mut self) -> Option<Box<Credential>> {
        self.memory.as_mut()?.credential.take()
    }

    /// For the client's later joins.
    pub(super) fn remember_credential(&mut self, credential: Box<Credential>) {
        self.memory.get_or_insert_default().credential = Some(credential);
    }

    /// Renews what this session is granted. Says whether it was, and answers the client, unless that follows by itself.
    pub(super) fn renew(
        &mut self,
        token: &BearerToken<'_>,
        re: Option<&str>,
        is_answer: bool,
    ) -> Result<bool, RequestError> {
        let room = self.rules.room()?.room.clone();
        let shared = Rc::clone(&self.shared);
        let is_same = |grant: &Grant| if shared.is_of_same_user(grant) { Ok(()) } else { Err(TokenError::OtherUser) };
        let grant = self.judge_token(token, &room, is_same);
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
