//! What this crate measures.

use telemetry::{Counter, MetricDef, MetricKind, Metrics, Unit};

/// Rows written to the online store from the offline source.
pub(crate) const MATERIALIZED_ROWS: MetricDef = MetricDef {
    name: "crosstie_feature_materialized_rows_total",
    kind: MetricKind::Counter,
    help: "Rows that materialization put into the online store.",
    unit: Unit::Count,
    labels: &["view"],
};

/// Rows taken from producers.
pub(crate) const PUSHED_ROWS: MetricDef = MetricDef {
    name: "crosstie_feature_pushed_rows_total",
    kind: MetricKind::Counter,
    help: "Rows that producers pushed and the online store took.",
    unit: Unit::Count,
    labels: &["view"],
};

/// Rows refused because the store has newer ones.
pub(crate) const SUPERSEDED_ROWS: MetricDef = MetricDef {
    name: "crosstie_feature_superseded_rows_total",
    kind: MetricKind::Counter,
    help: "Rows, pushed or materialized, that lost against a newer one in the online store.",
    unit: Unit::Count,
    labels: &["view"],
};

/// Until when a view is materialized.
pub(crate) const WATERMARK: MetricDef = MetricDef {
    name: "crosstie_feature_watermark_seconds",
    kind: MetricKind::Gauge,
    help: "Unix time until which the view is materialized; now minus this is the lag.",
    unit: Unit::Seconds,
    labels: &["view"],
};

/// How old the newest value was when it was materialized.
pub(crate) const FRESHNESS: MetricDef = MetricDef {
    name: "crosstie_feature_freshness_seconds",
    kind: MetricKind::Gauge,
    help: "Age of the newest event time of the view's source at its last materialization.",
    unit: Unit::Seconds,
    labels: &["view"],
};

/// Rows read for serving.
const READ_ROWS: MetricDef = MetricDef {
    name: "crosstie_feature_online_rows_total",
    kind: MetricKind::Counter,
    help: "Rows of features read online.",
    unit: Unit::Count,
    labels: &[],
};

/// Entities without a row.
const MISSES: MetricDef = MetricDef {
    name: "crosstie_feature_online_misses_total",
    kind: MetricKind::Counter,
    help: "Entities that the online store had no row for.",
    unit: Unit::Count,
    labels: &[],
};

/// Values that defaults stood in for.
const DEFAULTS: MetricDef = MetricDef {
    name: "crosstie_feature_online_defaults_total",
    kind: MetricKind::Counter,
    help: "Feature values served from their declared default.",
    unit: Unit::Count,
    labels: &[],
};

/// Rows that could not be scored.
const REFUSALS: MetricDef = MetricDef {
    name: "crosstie_feature_online_refusals_total",
    kind: MetricKind::Counter,
    help: "Rows refused because a feature without a default was missing.",
    unit: Unit::Count,
    labels: &[],
};

/// All of them.
pub const METRICS: &[MetricDef] =
    &[MATERIALIZED_ROWS, PUSHED_ROWS, SUPERSEDED_ROWS, WATERMARK, FRESHNESS, READ_ROWS, MISSES, DEFAULTS, REFUSALS];

/// The counters of the read path, found once.
#[derive(Debug)]
pub(crate) struct ReadMetrics {
    pub(crate) rows: Counter,
    pub(crate) misses: Counter,
    pub(crate) defaults: Counter,
    pub(crate) refusals: Counter,
}

impl ReadMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            rows: metrics.counter(&READ_ROWS, &[]),
            misses: metrics.counter(&MISSES, &[]),
            defaults: metrics.counter(&DEFAULTS, &[]),
            refusals: metrics.counter(&REFUSALS, &[]),
        }
    }
}
