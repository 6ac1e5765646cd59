//! What clients report of themselves, and of their connections to each other: what is known of rooms at the moment.

use super::series::{Samples, Series, closed};
use crate::{
    metrics::state::MetricsState,
    telemetry::{Counts, Label, MeshReport, MeshRoom, PairState},
};

pub(super) const SERIES: &[Series] = &[
    Series::gauge(
        "switchboard_mesh_pairs",
        "Pairs of peers in rooms where somebody reports: connected when either of the two says so, failed when both say so, or \
         one does and the other says nothing for 15 s, silent when neither reports, else waiting. All but the silent ones are \
         expected to be connected.",
        &[closed::<PairState>("state")],
        |s, out| each(s, out, |mesh| &mesh.pairs),
    ),
    Series::gauge(
        "switchboard_mesh_rooms",
        "Rooms where somebody reports: all of them, those with a pair that has failed, and those that are fractured, where \
         somebody has reached some of the others, and not all, for more than 15 s.",
        &[closed::<MeshRoom>("state")],
        |s, out| each(s, out, |mesh| &mesh.rooms),
    ),
    Series::gauge(
        "switchboard_mesh_counted_rooms",
        "The part of switchboard_mesh_rooms that alerts go by: of each state, one address counts for at most 5 rooms in 10 \
         minutes, whichever end of a pair it is.",
        &[closed::<MeshRoom>("state")],
        |s, out| each(s, out, |mesh| &mesh.counted),
    ),
];

/// A value for each label, over all arbiters.
fn each<L: Label>(state: &MetricsState, out: &mut Samples, counts: fn(&MeshReport) -> &Counts<L>) {
    let mut sum = Counts::<L>::new();
    state.arbiters.values().for_each(|arbiter| sum.merge(counts(&arbiter.latest.mesh)));
    sum.iter().for_each(|(label, count)| out.count(&[label.label()], count));
}
