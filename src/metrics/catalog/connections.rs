//! WebSocket connections, and the HTTP requests beside them.

use std::collections::BTreeMap;

use super::series::{Series, closed, open};
use crate::{
    protocol::{EndReason, ErrorCode},
    telemetry::{Label, LimitHit, Listener, Rejection, RequestBuckets, SocketRefusal},
};

pub(super) const SERIES: &[Series] = &[
    Series::gauge(
        "switchboard_connections",
        "Open WebSocket connections, as all arbiters last reported them.",
        &[],
        |s, out| {
            out.size(s.arbiters.values().map(|a| a.latest.connections).sum());
        },
    ),
    Series::gauge(
        "switchboard_joined_connections",
        "Open WebSocket connections whose client is in a room.",
        &[],
        |s, out| out.size(s.arbiters.values().map(|a| a.latest.joined).sum()),
    ),
    Series::gauge(
        "switchboard_parked_sessions",
        "Sessions without a connection whose seat is kept until their client comes back.",
        &[],
        |s, out| out.size(s.arbiters.values().map(|a| a.latest.parked).sum()),
    ),
    Series::counter("switchboard_connections_opened_total", "WebSocket connections opened.", &[], |s, out| {
        out.count(&[], s.totals.connections_opened);
    }),
    Series::counter(
        "switchboard_connections_closed_total",
        "WebSocket connections ended, by reason.",
        &[closed::<EndReason>("reason")],
        |s, out| out.counts(&s.totals.connections_closed),
    ),
    Series::histogram(
        "switchboard_connection_duration_seconds",
        "How long WebSocket connections were open, observed at their end.",
        &[],
        |s, out| out.buckets(&[], &s.totals.connection_duration),
    ),
    Series::counter(
        "switchboard_handshakes_refused_total",
        "Upgrades to a WebSocket refused, by the code that the client was told.",
        &[closed::<ErrorCode>("code")],
        |s, out| out.counts(&s.totals.handshakes_refused),
    ),
    Series::gauge(
        "switchboard_sockets",
        "Open sockets of each listener, in whatever state: WebSocket connections, requests, and those that say nothing.",
        &[closed::<Listener>("listener")],
        |s, out| {
            for (listener, open) in Listener::ALL.iter().zip(s.totals.sockets.unwrap_or_default()) {
                out.count(&[listener.label()], open as u64);
            }
        },
    ),
    Series::counter(
        "switchboard_sockets_refused_total",
        "Sockets refused at their accept, before anything was read: answered with 503, or closed.",
        &[closed::<Listener>("listener"), closed::<SocketRefusal>("reason")],
        |s, out| {
            for (listener, reasons) in Listener::ALL.iter().zip(&s.totals.sockets_refused) {
                for (reason, count) in reasons.iter() {
                    out.count(&[listener.label(), reason.label()], count);
                }
            }
        },
    ),
    Series::counter(
        "switchboard_http_rejections_total",
        "What came over sockets and became no request, or whose body was not read, by what it was.",
        &[closed::<Rejection>("kind")],
        |s, out| out.counts(&s.totals.http_rejections),
    ),
    Series::counter(
        "switchboard_limit_hits_total",
        "Limits of one connection's or one address's share that did their work, by the limit. frame_rate, byte_rate \
         and byte_rate_per_address count spells of sending too fast, parked_sessions and parked_per_room sessions that were given up, join_wait connections \
         that were closed, the others what was refused; connections_per_address also seats of somebody absent that a \
         newcomer of that address got.",
        &[closed::<LimitHit>("limit")],
        |s, out| out.counts(&s.totals.limit_hits),
    ),
    Series::gauge(
        "switchboard_tracked_addresses",
        "Addresses that are remembered for the limits per address, at most switchboard_limit{name=\"addresses\"}.",
        &[],
        |s, out| out.size(s.totals.addresses.unwrap_or(0)),
    ),
    Series::counter(
        "switchboard_pings_sent_total",
        "WebSocket pings sent to clients that were silent for heartbeat.interval_ms.",
        &[],
        |s, out| out.count(&[], s.totals.pings_sent),
    ),
    Series::counter(
        "switchboard_discarded_frames_total",
        "Frames thrown away because the connection they waited for was cut.",
        &[],
        |s, out| out.count(&[], s.totals.discarded_frames),
    ),
    Series::counter(
        "switchboard_discarded_bytes_total",
        "Bytes thrown away because the connection they waited for was cut.",
        &[],
        |s, out| out.count(&[], s.totals.discarded_bytes),
    ),
    Series::counter(
        "switchboard_http_requests_total",
        "HTTP requests answered. Status 0 with route other holds combinations beyond the 256th.",
        &[open("method", "the method, or `other`"), open("route", "the route's pattern"), open("status", "the status")],
        |s, out| {
            for request in s.totals.http.iter() {
                let status = request.status.to_string();
                out.count(&[request.method, request.route, &status], request.took.count());
            }
        },
    ),
    Series::histogram(
        "switchboard_http_request_duration_seconds",
        "How long HTTP requests took, from their head to the response's.",
        &[open("method", "the method, or `other`"), open("route", "the route's pattern")],
        |s, out| {
            let mut routes: BTreeMap<_, RequestBuckets> = BTreeMap::new();
            for request in s.totals.http.iter() {
                let route = routes.entry((request.method, request.route));
                route.and_modify(|took| took.merge(&request.took)).or_insert(request.took);
            }
            for ((method, route), took) in routes {
                out.buckets(&[method, route], &took);
            }
        },
    ),
];
