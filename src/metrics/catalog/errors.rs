//! Errors and panics.

use super::series::{Samples, Series, closed};
use crate::{
    metrics::state::MetricsState,
    protocol::{ErrorCategory, ErrorCode, Severity},
    telemetry::{Label, LabelSpec, LabelValues},
};

const CLASS: LabelSpec = LabelSpec {
    name: "class",
    values: LabelValues::Closed(|| ErrorCategory::ALL.iter().map(|class| class.as_str()).collect()),
};

pub(super) const SERIES: &[Series] = &[
    Series::counter(
        "switchboard_errors_total",
        "Errors, those that clients caused included. The class belongs to the code.",
        &[CLASS, closed::<ErrorCode>("code"), closed::<Severity>("severity")],
        errors,
    ),
    Series::gauge(
        "switchboard_error_fingerprints",
        "Kinds of errors seen since the start; one that was never seen before makes it grow.",
        &[],
        |s, out| out.size(s.journal.fingerprints()),
    ),
];

fn errors(state: &MetricsState, out: &mut Samples) {
    for (severity, codes) in Severity::ALL.iter().zip(&state.totals.errors) {
        for (code, count) in codes.iter() {
            out.count(&[code.category().as_str(), code.label(), severity.label()], count);
        }
    }
}
