//! The spans of lanes: how long a job waited, and when it was done. They are of a target that
//! nobody watches unless traces are sent, and then cost nothing.

use crate::middleware::TRACES;
use tracing::Span;
use tracing::field::Empty;

/// Around a job, from its caller's asking to its outcome.
pub(super) fn of_job(lane: &str) -> Span {
    tracing::error_span!(
        target: TRACES,
        "lane",
        otel.name = format_args!("lane {lane}"),
        portcullis.lane.name = lane,
        portcullis.lane.wait_seconds = Empty,
        "error.type" = Empty
    )
}

/// Around a call that does several jobs. It is no part of any job's request, so that a log line
/// from within names none of them; in the trace it stands in that of the first, linked to the
/// others, and they to it.
pub(super) fn of_call<'a>(lane: &str, jobs: impl ExactSizeIterator<Item = &'a Span> + Clone) -> Span {
    let call = tracing::error_span!(
        target: TRACES,
        parent: None,
        "batch",
        otel.name = format_args!("batch {lane}"),
        portcullis.lane.name = lane,
        portcullis.batch.size = jobs.len()
    );
    if !call.is_disabled() {
        for job in jobs.clone() {
            call.follows_from(job);
        }
        for job in jobs {
            job.follows_from(&call);
        }
    }
    call
}
