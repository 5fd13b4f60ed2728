//! Spans of lanes: waiting time and completion of jobs. Their target is only enabled if traces are
//! exported, so otherwise they cost nothing.

use crate::middleware::TRACES;
use tracing::Span;
use tracing::field::Empty;

/// Creates the span of a job, from submission to outcome.
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

/// Creates the span of a call that runs several jobs. It has no parent, so that its log lines carry no
/// job's request id. In the trace it belongs to the first job, with links to and from the others.
pub(super) fn of_call<'a>(lane: &str, jobs: impl ExactSizeIterator<Item = &'a Span> + Clone) -> Span {
    let call = tracing::error_span!(
        target: TRACES,
        parent: None,
        "batch",
        otel.name = format_args!("batch {lane}"),
        portcullis.lane.name = lane,
        portcullis.batch.size = i64::try_from(jobs.len()).unwrap_or(i64::MAX)
    );
    if !call.is_disabled() {
        for job in jobs.clone() {
            call.follows_from(job);
        }
        // The first one is the parent.
        for job in jobs.skip(1) {
            job.follows_from(&call);
        }
    }
    call
}
