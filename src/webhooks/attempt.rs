//! One request to the receiver, and what its answer means.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{account::Account, event::RoomEvent, queue::Verdict, signature::SigningKeys};
use crate::{
    outbound::{Answer, OutboundClient, OutboundError},
    telemetry::WebhookOutcome,
};

/// Who is asked, and as who.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    pub(super) client: OutboundClient,
    /// `webhooks.url`.
    pub(super) url: Arc<str>,
    /// The name of this server, empty if it has none.
    pub(super) node: Arc<str>,
    /// Another in each process: with an event's number it is an id that no other event has.
    pub(super) run: Arc<str>,
    /// Says how many events were dropped.
    pub(super) account: Account,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) what: WebhookOutcome,
    pub(super) verdict: Verdict,
    /// 0: there was no answer.
    pub(super) status: u16,
    /// What went wrong, if no status says it.
    pub(super) detail: String,
    pub(super) took: Duration,
}

impl Receiver {
    /// Sends an event, and waits for the answer.
    pub(super) fn post(&self, event: &RoomEvent, keys: &SigningKeys) -> Outcome {
        let body = event.body(&self.node, self.account.dropped());
        // The same at each attempt: who has written it down already knows that by it.
        let id = format!("msg_{}_{}", self.run, event.sequence);
        let began = Instant::now();
        let timestamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = keys.sign(&id, timestamp, &body);
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", &timestamp.to_string()),
            ("webhook-signature", signature.as_str()),
        ];
        let answer = self.client.post(&self.url, &headers, body.as_bytes());
        Outcome { took: began.elapsed(), ..Outcome::of(answer, SystemTime::now()) }
    }
}

impl Outcome {
    /// What it was when nothing came of it but that.
    pub(super) fn failed(what: WebhookOutcome, detail: String) -> Self {
        Self { what, verdict: Verdict::Later(None), status: 0, detail, took: Duration::ZERO }
    }

    fn of(answer: Result<Answer, OutboundError>, now: SystemTime) -> Self {
        let Answer { status, retry_after } = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let what = match error {
                    OutboundError::Timeout => WebhookOutcome::Timeout,
                    OutboundError::Unreachable(_) => WebhookOutcome::Unreachable,
                    OutboundError::Tls(_) => WebhookOutcome::Tls,
                    OutboundError::Malformed(_) => WebhookOutcome::Malformed,
                };
                return Self::failed(what, error.to_string());
            }
        };
        let later = || Verdict::Later(retry_after.as_deref().and_then(|text| wait(text, now)));
        let (what, verdict) = match status {
            200..=299 => (WebhookOutcome::Delivered, Verdict::Delivered),
            300..=399 => (WebhookOutcome::Redirected, Verdict::Refused),
            408 => (WebhookOutcome::Timeout, later()),
            429 => (WebhookOutcome::Throttled, later()),
            400..=499 => (WebhookOutcome::Refused, Verdict::Refused),
            500..=599 => (WebhookOutcome::ServerError, later()),
            _ => (WebhookOutcome::Malformed, Verdict::Later(None)),
        };
        Self { what, verdict, status, detail: String::new(), took: Duration::ZERO }
    }
}

/// What `Retry-After` asks for (RFC 9110 section 10.2.3): seconds, or a date.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim_ascii();
    let date = || httpdate::parse_http_date(text).ok().map(|date| date.duration_since(now).unwrap_or_default());
    text.parse().ok().map(Duration::from_secs).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, retry_after: Option<&str>) -> (WebhookOutcome, Verdict) {
        // 1994-11-06T08:49:37Z, the example of RFC 9110.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let outcome = Outcome::of(Ok(Answer { status, retry_after: retry_after.map(str::to_owned) }), now);
        assert_eq!(outcome.status, status);
        (outcome.what, outcome.verdict)
    }

    #[test]
    fn what_is_tried_again_is_what_may_work_later() {
        for status in [200, 202, 204, 299] {
            assert_eq!(of(status, None), (WebhookOutcome::Delivered, Verdict::Delivered), "{status}");
        }
        for status in [301, 302, 303, 307, 308, 304] {
            assert_eq!(of(status, None), (WebhookOutcome::Redirected, Verdict::Refused), "{status}");
        }
        for status in [400, 401, 403, 404, 410, 422] {
            assert_eq!(of(status, None), (WebhookOutcome::Refused, Verdict::Refused), "{status}");
        }
        assert_eq!(of(408, None), (WebhookOutcome::Timeout, Verdict::Later(None)));
        assert_eq!(of(500, None), (WebhookOutcome::ServerError, Verdict::Later(None)));
        assert_eq!(of(429, None), (WebhookOutcome::Throttled, Verdict::Later(None)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_anything_else_is_nothing() {
        let later = |text| of(503, Some(text)).1;
        assert_eq!(later("120"), Verdict::Later(Some(Duration::from_secs(120))));
        assert_eq!(later(" 0 "), Verdict::Later(Some(Duration::ZERO)));
        assert_eq!(later("Sun, 06 Nov 1994 08:50:07 GMT"), Verdict::Later(Some(Duration::from_secs(30))));
        assert_eq!(later("Sun, 06 Nov 1994 08:00:00 GMT"), Verdict::Later(Some(Duration::ZERO)), "it is over");
        for text in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(later(text), Verdict::Later(None), "{text}");
        }
    }
}
