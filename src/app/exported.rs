//! What of the configuration `switchboard_limit` tells.

use crate::config::{Capacity, Settings};

/// The limits as they are in force: what is configured, or the less that this process can hold.
pub(super) fn limits(settings: &Settings, capacity: &Capacity) -> Vec<(&'static str, f64)> {
    let limits = &settings.limits;
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats, and no limit comes near 2^53")]
    let gauge = |value: usize| value as f64;
    vec![
        ("max_connections", gauge(capacity.connections)),
        ("sockets", gauge(capacity.sockets)),
        ("sockets_per_address", gauge(capacity.sockets_per_address)),
        ("head_bytes", gauge(limits.head_bytes)),
        ("request_timeout_seconds", settings.http.request_timeout_ms.get().as_secs_f64()),
        ("socket_timeout_seconds", settings.http.socket_timeout_ms.get().as_secs_f64()),
        ("peers_per_room", gauge(limits.peers_per_room)),
        ("rooms", gauge(limits.rooms)),
        ("frame_bytes", gauge(limits.frame_bytes)),
        ("fragments", gauge(limits.fragments)),
        ("queue_bytes", gauge(limits.queue_bytes)),
        ("queue_frames", gauge(limits.queue_frames)),
        ("meta_bytes", gauge(limits.meta_bytes)),
        ("room_name_bytes", gauge(limits.room_name_bytes)),
        ("recipients", gauge(limits.recipients)),
        ("json_depth", gauge(limits.json_depth)),
        ("resume_frames", gauge(limits.resume_frames)),
        ("resume_bytes", gauge(limits.resume_bytes)),
        ("resume_window_seconds", limits.resume_window_ms.get().as_secs_f64()),
        ("parked_sessions", gauge(limits.most_parked(capacity.connections))),
        ("parked_per_room", gauge(limits.most_parked_per_room())),
        ("resume_secrets", f64::from(limits.resume_secrets)),
        ("frame_rate", f64::from(limits.frame_rate)),
        ("frame_burst", f64::from(limits.frame_burst)),
        ("flood_timeout_seconds", limits.flood_timeout_ms.get().as_secs_f64()),
        ("handshake_rate", f64::from(limits.handshake_rate)),
        ("handshake_burst", f64::from(limits.handshake_burst)),
        ("http_rate", f64::from(limits.http_rate)),
        ("http_burst", f64::from(limits.http_burst)),
        ("connections_per_address", gauge(limits.connections_per_address)),
        ("rooms_per_address", gauge(limits.rooms_per_address)),
        ("joins_per_minute", f64::from(limits.joins_per_minute)),
        ("new_rooms_per_minute", f64::from(limits.new_rooms_per_minute)),
        ("new_rooms_burst", f64::from(limits.new_rooms_burst)),
        ("addresses", gauge(limits.addresses)),
        ("token_failures_per_minute", f64::from(settings.ops.token_failures_per_minute)),
        ("join_timeout_seconds", limits.join_timeout_ms.get().as_secs_f64()),
        ("join_wait_seconds", limits.join_wait_ms.get().as_secs_f64()),
        ("join_reply_seconds", limits.join_reply_ms.get().as_secs_f64()),
        ("heartbeat_interval_seconds", settings.heartbeat.interval_ms.get().as_secs_f64()),
        ("ping_timeout_seconds", settings.heartbeat.ping_timeout().get().as_secs_f64()),
        ("drain_seconds", settings.server.drain_ms.get().as_secs_f64()),
        ("log_burst_lines", gauge(settings.log.burst_lines)),
        ("log_burst_refusals", gauge(settings.log.burst_refusals)),
        ("log_event_lines", gauge(settings.log.event_lines)),
    ]
}
