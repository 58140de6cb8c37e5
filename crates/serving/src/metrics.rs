//! What serving tells of itself: Triton's `nv_inference_*` under its names and labels, and what Triton lacks under ours.

mod meters;

use telemetry::{MetricDef, MetricKind, Metrics, SECONDS, Unit};
use types::ErrorKind;

pub(crate) use meters::{Meters, Timings};

/// Labels of everything that belongs to a version.
const VERSION: &[&str] = &["model", "version"];

const fn triton(name: &'static str, help: &'static str, unit: Unit) -> MetricDef {
    MetricDef { name, kind: MetricKind::Counter, help, unit, labels: VERSION }
}

const SUCCESS: MetricDef =
    triton("nv_inference_request_success", "Requests that were answered, by model and version.", Unit::Count);
const FAILURE: MetricDef = MetricDef {
    name: "nv_inference_request_failure",
    kind: MetricKind::Counter,
    help: "Requests that were refused or failed, by model, version and reason.",
    unit: Unit::Count,
    labels: &["model", "version", "reason"],
};
const COUNT: MetricDef = triton("nv_inference_count", "Rows that were scored.", Unit::Count);
const EXECUTIONS: MetricDef =
    triton("nv_inference_exec_count", "Executions of a model; one may score many rows.", Unit::Count);
const REQUEST_TIME: MetricDef = triton(
    "nv_inference_request_duration_us",
    "Time from a request's arrival to its answer, summed, in microseconds.",
    Unit::Microseconds,
);
const QUEUE_TIME: MetricDef = triton(
    "nv_inference_queue_duration_us",
    "Time that requests waited before their execution, summed, in microseconds.",
    Unit::Microseconds,
);
const INPUT_TIME: MetricDef = triton(
    "nv_inference_compute_input_duration_us",
    "Time to make the inputs of executions, features included, summed, in microseconds.",
    Unit::Microseconds,
);
const INFER_TIME: MetricDef = triton(
    "nv_inference_compute_infer_duration_us",
    "Time of executions, summed, in microseconds.",
    Unit::Microseconds,
);
const OUTPUT_TIME: MetricDef = triton(
    "nv_inference_compute_output_duration_us",
    "Time to take outputs apart and log them, summed, in microseconds.",
    Unit::Microseconds,
);
const LATENCY: MetricDef = MetricDef {
    name: "crosstie_inference_seconds",
    kind: MetricKind::Histogram(SECONDS),
    help: "Time from a request's arrival to its answer, by model, version, arm and outcome, in seconds.",
    unit: Unit::Seconds,
    labels: &["model", "version", "arm", "outcome"],
};
const FEATURES: MetricDef = MetricDef {
    name: "crosstie_inference_features_seconds",
    kind: MetricKind::Histogram(SECONDS),
    help: "Time to add the features of a request, in seconds.",
    unit: Unit::Seconds,
    labels: VERSION,
};
const DEGRADED: MetricDef = MetricDef {
    name: "crosstie_inference_degraded_total",
    kind: MetricKind::Counter,
    help: "Requests that were answered with a last known feature value in place of a current one.",
    unit: Unit::Count,
    labels: VERSION,
};
const UNROUTED: MetricDef = MetricDef {
    name: "crosstie_inference_unrouted_total",
    kind: MetricKind::Counter,
    help: "Requests that reached no version: unknown model or version, none ready, or too many requests.",
    unit: Unit::Count,
    labels: &["reason"],
};
pub(crate) const IN_FLIGHT: MetricDef = MetricDef {
    name: "crosstie_inference_in_flight",
    kind: MetricKind::Gauge,
    help: "Requests being answered now.",
    unit: Unit::Count,
    labels: &[],
};
pub(crate) const LOADED: MetricDef = MetricDef {
    name: "crosstie_model_loaded",
    kind: MetricKind::Gauge,
    help: "Whether a model version is loaded (1) or not (0).",
    unit: Unit::Count,
    labels: VERSION,
};
pub(crate) const LOAD_FAILURES: MetricDef = MetricDef {
    name: "crosstie_model_load_failures_total",
    kind: MetricKind::Counter,
    help: "Attempts to load a model version that failed.",
    unit: Unit::Count,
    labels: VERSION,
};
const LOG_FAILURES: MetricDef = MetricDef {
    name: "crosstie_inference_unlogged_rows_total",
    kind: MetricKind::Counter,
    help: "Served rows that the prediction log did not take.",
    unit: Unit::Count,
    labels: &[],
};
pub(crate) const PLAN_REVISION: MetricDef = MetricDef {
    name: "crosstie_traffic_plan_revision",
    kind: MetricKind::Gauge,
    help: "The revision of the traffic plan that is served.",
    unit: Unit::Count,
    labels: &[],
};
pub(crate) const PLAN_FAILURES: MetricDef = MetricDef {
    name: "crosstie_traffic_plan_poll_failures_total",
    kind: MetricKind::Counter,
    help: "Times that the traffic plan could not be read, and the last one was served on.",
    unit: Unit::Count,
    labels: &[],
};
const SHADOWS: MetricDef = MetricDef {
    name: "crosstie_shadow_copies_total",
    kind: MetricKind::Counter,
    help: "Copies of requests for a shadow version: answered, failed, or dropped because too many waited.",
    unit: Unit::Count,
    labels: &["model", "version", "outcome"],
};
pub(crate) const WINDOWS_DROPPED: MetricDef = MetricDef {
    name: "crosstie_arm_windows_dropped_total",
    kind: MetricKind::Counter,
    help: "Seconds of an arm that were never reported, because the database was away for too long.",
    unit: Unit::Count,
    labels: &[],
};
pub(crate) const REPORT_FAILURES: MetricDef = MetricDef {
    name: "crosstie_gateway_report_failures_total",
    kind: MetricKind::Counter,
    help: "Times that what this gateway follows (acknowledge) or counted (windows) could not be reported.",
    unit: Unit::Count,
    labels: &["report"],
};

/// All metrics of this crate.
pub const METRICS: &[MetricDef] = &[
    SUCCESS,
    FAILURE,
    COUNT,
    EXECUTIONS,
    REQUEST_TIME,
    QUEUE_TIME,
    INPUT_TIME,
    INFER_TIME,
    OUTPUT_TIME,
    LATENCY,
    FEATURES,
    DEGRADED,
    UNROUTED,
    IN_FLIGHT,
    LOADED,
    LOAD_FAILURES,
    LOG_FAILURES,
    PLAN_REVISION,
    PLAN_FAILURES,
    SHADOWS,
    WINDOWS_DROPPED,
    REPORT_FAILURES,
];

/// Counts a request that reached no version.
pub(crate) fn unrouted(metrics: &Metrics, kind: ErrorKind) {
    metrics.add(&UNROUTED, &[outcome(kind)], 1.0);
}

/// Counts rows that the prediction log did not take.
pub(crate) fn unlogged(metrics: &Metrics, rows: usize) {
    metrics.add(&LOG_FAILURES, &[], rows as f64);
}

/// The outcome's label.
const fn outcome(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "invalid",
        ErrorKind::Unauthenticated | ErrorKind::PermissionDenied | ErrorKind::FailedPrecondition => "refused",
        ErrorKind::NotFound => "not_found",
        ErrorKind::ResourceExhausted => "shed",
        ErrorKind::OutOfSpace | ErrorKind::Unavailable => "unavailable",
        ErrorKind::DeadlineExceeded => "late",
        ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::Unimplemented | ErrorKind::Internal => "failed",
    }
}

/// The reason in Triton's words.
const fn triton_reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ResourceExhausted | ErrorKind::DeadlineExceeded => "REJECTED",
        ErrorKind::Internal | ErrorKind::OutOfSpace | ErrorKind::Unavailable => "BACKEND",
        ErrorKind::InvalidArgument
        | ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::FailedPrecondition
        | ErrorKind::Conflict
        | ErrorKind::Unimplemented => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_prometheus_allows() {
        Metrics::new(&[METRICS]).unwrap();
    }
}
