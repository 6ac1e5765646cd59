//! Rooms, and who comes and goes.

use super::series::{Samples, Series, closed, float};
use crate::{
    metrics::state::MetricsState,
    protocol::{ErrorCode, LeaveReason},
    telemetry::{CensusReport, Reconnection, TokenOutcome},
};

/// Room sizes. A room cap beyond the last one puts its rooms into `+Inf`.
const SIZES: [usize; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 32, 64, 128];

pub(super) const SERIES: &[Series] = &[
    Series::gauge(
        "switchboard_rooms",
        "Rooms with at least one peer, as the supervisor last reported.",
        &[],
        |s, out| {
            out.size(census(s).map_or(0, |c| c.rooms));
        },
    ),
    Series::gauge("switchboard_peers", "Peers in rooms, as the supervisor last reported.", &[], |s, out| {
        out.size(census(s).map_or(0, |c| c.peers));
    }),
    Series::histogram(
        "switchboard_room_peers",
        "The rooms that are open now, by their number of peers. A picture of the moment: its counts fall, too, so use it \
         without rate().",
        &[],
        occupancy,
    ),
    Series::counter("switchboard_joins_total", "Joins granted.", &[], |s, out| out.count(&[], s.totals.joins)),
    Series::counter(
        "switchboard_join_rejections_total",
        "Joins refused, by the code that the client was told.",
        &[closed::<ErrorCode>("code")],
        |s, out| out.counts(&s.totals.join_rejections),
    ),
    Series::counter(
        "switchboard_tokens_total",
        "Join tokens, those that renew included, by what became of them; `missing` is a join without one that needs one.",
        &[closed::<TokenOutcome>("outcome")],
        |s, out| out.counts(&s.totals.tokens),
    ),
    Series::counter(
        "switchboard_leaves_total",
        "Stays in a room that ended, by reason.",
        &[closed::<LeaveReason>("reason")],
        |s, out| out.counts(&s.totals.leaves),
    ),
    Series::histogram(
        "switchboard_room_stay_seconds",
        "How long peers stayed in a room, observed at their leave.",
        &[],
        |s, out| {
            out.buckets(&[], &s.totals.time_in_room);
        },
    ),
    Series::gauge(
        "switchboard_joins_per_minute",
        "Joins in the last 60 s, as the supervisor counts them.",
        &[],
        |s, out| {
            out.count(&[], census(s).map_or(0, |c| c.joins_per_minute));
        },
    ),
    Series::gauge(
        "switchboard_leaves_per_minute",
        "Leaves in the last 60 s, as the supervisor counts them.",
        &[],
        |s, out| {
            out.count(&[], census(s).map_or(0, |c| c.leaves_per_minute));
        },
    ),
    Series::counter(
        "switchboard_reconnection_attempts_total",
        "Joins by clients that had lost their connection (attempt above 0), by result.",
        &[closed::<Reconnection>("result")],
        |s, out| out.counts(&s.totals.reconnections),
    ),
    Series::counter("switchboard_rooms_opened_total", "Rooms opened.", &[], |s, out| {
        out.count(&[], s.totals.rooms_opened);
    }),
    Series::counter("switchboard_rooms_ended_total", "Rooms that ended with their last peer.", &[], |s, out| {
        out.count(&[], s.totals.rooms_ended);
    }),
    Series::counter("switchboard_rooms_lost_total", "Rooms whose actor died under their peers.", &[], |s, out| {
        out.count(&[], s.totals.rooms_lost);
    }),
    Series::histogram(
        "switchboard_room_lifetime_seconds",
        "How long rooms were open, observed at their end.",
        &[],
        |s, out| {
            out.buckets(&[], &s.totals.room_lifetime);
        },
    ),
];

fn census(state: &MetricsState) -> Option<&CensusReport> {
    state.totals.census.as_ref()
}

fn occupancy(state: &MetricsState, out: &mut Samples) {
    let rooms_of = |size: usize| -> u64 {
        let occupancy = census(state).map_or(&[][..], |c| &c.occupancy);
        occupancy.iter().take(size).sum()
    };
    let bounds = SIZES.into_iter().map(|size| (float(size as u64), rooms_of(size)));
    let peers = census(state).map_or(0, |c| c.peers);
    out.distribution(&[], bounds, rooms_of(usize::MAX), float(peers as u64));
}
