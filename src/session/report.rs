//! What a client reports of itself: counted here; what it says of its connections to others goes on to the room.

use std::time::{Duration, Instant};

use super::{actor::Session, state::RequestError};
use crate::{
    config::Milliseconds,
    limits::Bucket,
    messages::room::ToRoom,
    protocol::{ErrorCode, PairEvent, PeerId, ReportEvent, error_texts, server::ErrorFrame},
    telemetry::{self, LimitHit, ReportDrop, Tally},
};

/// This server takes no reports.
const OFF: RequestError = RequestError { code: ErrorCode::UnknownType, message: error_texts::NO_REPORTS };

impl Session {
    /// Takes a report. It is answered only if it is refused.
    pub(super) fn report(
        &mut self,
        events: &[ReportEvent],
        re: Option<&str>,
        now: Instant,
    ) -> Result<(), RequestError> {
        let rate = self.setup().report_rate.ok_or(OFF)?;
        self.rules.room()?;
        let reports = self.memory.get_or_insert_default().reports.get_or_insert_with(|| Bucket::full(now));
        if let Err(wait) = reports.take(rate, now) {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::ReportInterval));
            let retry_after_ms = Some(Milliseconds::rounded_up(wait).0);
            let message = "this session reports more often than it may";
            let frame = ErrorFrame { re, retry_after_ms, ..ErrorFrame::new(ErrorCode::RateLimited, message) };
            self.send_error(message, &frame);
            return Ok(());
        }
        let pairs = self.known_pairs(events)?;
        self.pass_on(pairs)
    }

    /// Counts all events; of those about peers of this room, what they say.
    fn known_pairs(&self, events: &[ReportEvent]) -> Result<Vec<(PeerId, PairEvent)>, RequestError> {
        let (room, me) = (self.rules.room()?, self.me().peer);
        let mut pairs = Vec::new();
        telemetry::tally(|t| {
            for event in events {
                t.reports.add(event.kind());
                if let ReportEvent::Pair(peer, event) = event {
                    match peer.filter(|peer| *peer != me && room.find(*peer).is_some()) {
                        Some(peer) => {
                            count_pair(*event, t);
                            pairs.push((peer, *event));
                        }
                        None => t.reports_dropped.add(ReportDrop::Stranger),
                    }
                } else {
                    count(*event, t);
                }
            }
        });
        Ok(pairs)
    }

    fn pass_on(&self, pairs: Vec<(PeerId, PairEvent)>) -> Result<(), RequestError> {
        let lost = pairs.len() as u64;
        if lost > 0 {
            let report = ToRoom::Report { peer: self.me().peer, pairs: pairs.into() };
            if self.rules.room()?.port.try_send(report).is_err() {
                telemetry::tally(|t| t.reports_dropped.add_n(ReportDrop::RoomBusy, lost));
            }
        }
        Ok(())
    }
}

fn count(event: ReportEvent, tally: &mut Tally) {
    match event {
        ReportEvent::Opened(ms) => tally.client_connect.observe(milliseconds(ms)),
        ReportEvent::RoundTrip(ms) => tally.client_rtt.observe(milliseconds(ms)),
        ReportEvent::Reconnected(ms) => tally.client_outage.observe(milliseconds(ms)),
        ReportEvent::SessionEnded(ms) => tally.client_session.observe(milliseconds(ms)),
        ReportEvent::Error(code) => tally.client_errors.add(code),
        ReportEvent::ReconnectAttempt | ReportEvent::ReconnectFailed | ReportEvent::Pair(..) | ReportEvent::Other => {}
    }
}

fn count_pair(event: PairEvent, tally: &mut Tally) {
    match event {
        PairEvent::Connected(ms, candidate) => {
            tally.pairs_connected.add(candidate);
            tally.pair_connect.observe(milliseconds(ms));
        }
        PairEvent::Failed(reason) => tally.pairs_failed.add(reason),
        PairEvent::RoundTrip(ms) => tally.pair_rtt.observe(milliseconds(ms)),
        PairEvent::Attempt | PairEvent::Restarted | PairEvent::Closed => {}
    }
}

fn milliseconds(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}
