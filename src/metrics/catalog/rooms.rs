//! Rooms, and who comes and goes.

use super::series::{Samples, Series, float};
use crate::{metrics::state::MetricsState, telemetry::CensusReport};

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
    Series::gauge(
        "switchboard_users",
        "Different people in rooms, as the supervisor last reported: by the user that a token names, else by the who of an \
         identity, which is another in each room. Peers that bring neither are not in it. Of several servers the sum counts \
         those twice who are on two.",
        &[],
        |s, out| out.size(census(s).map_or(0, |c| c.users)),
    ),
    Series::histogram(
        "switchboard_room_peers",
        "The rooms that are open now, by their number of peers. A picture of the moment: its counts fall, too, so use it \
         without rate().",
        &[],
        occupancy,
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
    Series::gauge(
        "switchboard_locked_rooms",
        "Rooms that let nobody in, those that are gone and whose lock is remembered included.",
        &[],
        |s, out| {
            out.size(census(s).map_or(0, |c| c.locked_rooms));
        },
    ),
    Series::gauge("switchboard_bans", "Bans that are in force, in all rooms.", &[], |s, out| {
        out.size(census(s).map_or(0, |c| c.bans));
    }),
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
