//! WebSocket connections, and the HTTP requests beside them.

use std::collections::BTreeMap;

use super::series::{Series, closed, open};
use crate::telemetry::{Label, Listener, RequestBuckets, SocketRefusal};

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
        "Sockets refused before a request was read: at their accept, answered with 503 or closed; or closed because they said nothing and others needed their places.",
        &[closed::<Listener>("listener"), closed::<SocketRefusal>("reason")],
        |s, out| {
            for (listener, reasons) in Listener::ALL.iter().zip(&s.totals.sockets_refused) {
                for (reason, count) in reasons.iter() {
                    out.count(&[listener.label(), reason.label()], count);
                }
            }
        },
    ),
    Series::gauge(
        "switchboard_tracked_addresses",
        "Addresses that are remembered for the limits per address, at most switchboard_limit{name=\"addresses\"}.",
        &[],
        |s, out| out.size(s.totals.addresses.unwrap_or(0)),
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
