//! What the prediction log tells of itself.

use telemetry::{MetricDef, MetricKind, Unit};

/// Rows taken.
pub(crate) const APPENDED: MetricDef = MetricDef {
    name: "crosstie_prediction_log_records_total",
    kind: MetricKind::Counter,
    help: "Records appended, by kind (predictions, outcomes).",
    unit: Unit::Count,
    labels: &["kind"],
};
/// Rows lost.
pub(crate) const FAILED: MetricDef = MetricDef {
    name: "crosstie_prediction_log_failures_total",
    kind: MetricKind::Counter,
    help: "Appends, syncs and rolls that failed, by kind and operation. A failed append is a lost record.",
    unit: Unit::Count,
    labels: &["kind", "operation"],
};
/// Outcomes that came again.
pub(crate) const DUPLICATES: MetricDef = MetricDef {
    name: "crosstie_prediction_log_duplicate_outcomes_total",
    kind: MetricKind::Counter,
    help: "Outcomes that were already known by prediction and event.",
    unit: Unit::Count,
    labels: &[],
};
/// What a crash left.
pub(crate) const TORN: MetricDef = MetricDef {
    name: "crosstie_prediction_log_torn_bytes_total",
    kind: MetricKind::Counter,
    help: "Bytes of an unfinished last frame that recovery cut off, by kind. None of them was acknowledged.",
    unit: Unit::Bytes,
    labels: &["kind"],
};
/// What a disk broke.
pub(crate) const CORRUPT: MetricDef = MetricDef {
    name: "crosstie_prediction_log_corrupt_frames_total",
    kind: MetricKind::Counter,
    help: "Stretches of a segment that do not match their checksum and were skipped, by kind.",
    unit: Unit::Count,
    labels: &["kind"],
};
/// What waits to be rolled.
pub(crate) const UNROLLED: MetricDef = MetricDef {
    name: "crosstie_prediction_log_unrolled_bytes",
    kind: MetricKind::Gauge,
    help: "Bytes in local segments that are not yet rolled into Parquet, by kind.",
    unit: Unit::Bytes,
    labels: &["kind"],
};

/// Every metric of this crate.
pub const METRICS: &[MetricDef] = &[APPENDED, FAILED, DUPLICATES, TORN, CORRUPT, UNROLLED];
