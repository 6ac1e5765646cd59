//! Which STUN and TURN servers the session's client is told of, and how often it may ask.

use std::time::Instant;

use super::{actor::Session, state::RequestError};
use crate::{
    auth::Grant,
    config::Milliseconds,
    ice::{IceList, Recipient},
    limits::Bucket,
    protocol::{
        ErrorCode,
        server::{ErrorFrame, ServerFrame},
    },
    telemetry::{self, LimitHit},
};

impl Session {
    /// The client came by that host, with this connection.
    pub(super) fn came_by(&mut self, host: Option<Box<str>>) {
        if host.is_some() || self.memory.is_some() {
            self.memory.get_or_insert_default().host = host;
        }
    }

    /// The host goes along with the connection to another session.
    pub(super) fn take_host(&mut self) -> Option<Box<str>> {
        self.memory.as_mut()?.host.take()
    }

    /// The servers for this client, with credentials that are good from now on where they are made for it.
    pub(super) fn ice_list(&self, grant: Option<&Grant>, now: Instant) -> IceList<'_> {
        let host = self.memory.as_ref().and_then(|memory| memory.host.as_deref());
        let recipient = Recipient { peer: self.me().peer, until: grant.map(|grant| grant.ends), host, now };
        let list = self.setup().ice.list_for(recipient);
        if list.ttl_ms.is_some() {
            telemetry::tally(|t| t.turn_credentials += 1);
        }
        list
    }

    /// A client asks for them anew.
    pub(super) fn ice(&mut self, re: Option<&str>, now: Instant) -> Result<(), RequestError> {
        self.rules.room()?;
        let rate = self.setup().ice_rate;
        let requests = self.memory.get_or_insert_default().ice.get_or_insert_with(|| Bucket::full(now));
        if let Err(wait) = requests.take(rate, now) {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::IcePerMinute));
            let retry_after_ms = Some(Milliseconds::rounded_up(wait).0);
            let message = "this session asks for ICE servers more often than it may";
            let frame = ErrorFrame { re, retry_after_ms, ..ErrorFrame::new(ErrorCode::RateLimited, message) };
            self.send_error(message, &frame);
            return Ok(());
        }
        let grant = self.shared.current_grant();
        let IceList { json, ttl_ms } = self.ice_list(grant.as_deref(), now);
        self.shared.send(&ServerFrame::IceServers { re, json: &json, ttl_ms });
        Ok(())
    }
}
