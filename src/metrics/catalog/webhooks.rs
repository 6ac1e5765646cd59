//! What waits for the receiver of webhooks.

use super::series::Series;

pub(super) const SERIES: &[Series] = &[
    Series::gauge(
        "switchboard_webhook_events_waiting",
        "Events that wait for the receiver of webhooks, those included that are being sent.",
        &[],
        |s, out| out.size(s.totals.webhooks.map_or(0, |waiting| waiting.events)),
    ),
    Series::gauge(
        "switchboard_webhook_bytes_waiting",
        "Bytes of those events, as webhooks.queue_bytes counts them.",
        &[],
        |s, out| out.size(s.totals.webhooks.map_or(0, |waiting| waiting.bytes)),
    ),
];
