//! What is logged and counted about the receiver. All of it on the dispatcher's thread, but for what the supervisor drops.

use std::time::{Duration, Instant};

use super::{account::Account, attempt::Outcome};
use crate::telemetry::{self, Event, WebhookDrop, WebhookOutcome, WebhookReport};

/// While the receiver gets nothing, it is told again this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How it stands with the receiver.
#[derive(Debug)]
pub(super) struct Reporter {
    account: Account,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    told: Instant,
}

impl Reporter {
    pub(super) fn new(account: Account) -> Self {
        Self { account, failing: None }
    }

    /// An attempt is over.
    pub(super) fn attempted(&mut self, outcome: &Outcome, now: Instant) {
        telemetry::tally(|t| {
            t.webhook_requests.add(outcome.what);
            t.webhook_duration.observe(outcome.took);
        });
        let (waiting, dropped) = (self.account.waiting().0, self.account.dropped());
        if outcome.what == WebhookOutcome::Delivered {
            if let Some(Failing { since, .. }) = self.failing.take() {
                let failed = now.saturating_duration_since(since);
                telemetry::emit(&Event::WebhookRestored { failed, waiting, dropped });
            }
            return;
        }
        let is_due = self.failing.as_ref().is_none_or(|failing| now >= failing.told + TELL_EVERY);
        if is_due {
            let since = self.failing.as_ref().map_or(now, |failing| failing.since);
            self.failing = Some(Failing { since, told: now });
            let Outcome { what: outcome, status, detail, .. } = outcome;
            let detail = &*telemetry::redaction::scrub(detail);
            telemetry::emit(&Event::WebhookFailed { outcome: *outcome, status: *status, detail, waiting, dropped });
        }
    }

    /// The figures of this moment.
    pub(super) fn figures(&self) {
        let (events, bytes) = self.account.waiting();
        telemetry::tally(|t| t.webhooks = Some(WebhookReport { events, bytes }));
        telemetry::flush();
    }
}

/// The receiver will not get so many events.
pub(super) fn dropped(account: &Account, why: WebhookDrop, events: u64) {
    account.drop_events(events);
    telemetry::tally(|t| t.webhooks_dropped.add_n(why, events));
}
