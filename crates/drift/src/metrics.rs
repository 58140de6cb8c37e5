//! What drift tells of itself.

use telemetry::{MetricDef, MetricKind, Unit};

/// What holds now.
pub(crate) const FINDINGS: MetricDef = MetricDef {
    name: "crosstie_drift_findings",
    kind: MetricKind::Gauge,
    help: "Findings that hold now, by model, kind and severity.",
    unit: Unit::Count,
    labels: &["model", "kind", "severity"],
};
/// How far features moved.
pub(crate) const SCORE: MetricDef = MetricDef {
    name: "crosstie_drift_score",
    kind: MetricKind::Gauge,
    help: "Score of the last closed window against the reference, by model, feature, segment (`all` for none) and method (psi, jensen_shannon, new_share).",
    unit: Unit::Ratio,
    labels: &["model", "feature", "segment", "method"],
};
/// What became of predictions.
pub(crate) const KPI: MetricDef = MetricDef {
    name: "crosstie_kpi",
    kind: MetricKind::Gauge,
    help: "KPI over the last windows of predictions that are old enough to have their outcomes, by model, version, KPI and segment (`all` for none); NaN for what is not counted any more.",
    unit: Unit::Ratio,
    labels: &["model", "version", "kpi", "segment"],
};
/// The rows of the open window.
pub(crate) const WINDOW_ROWS: MetricDef = MetricDef {
    name: "crosstie_drift_window_rows",
    kind: MetricKind::Gauge,
    help: "Rows in the open window, by model and version.",
    unit: Unit::Count,
    labels: &["model", "version"],
};
/// How long a look takes.
pub(crate) const LOOK_SECONDS: MetricDef = MetricDef {
    name: "crosstie_drift_look_seconds",
    kind: MetricKind::Histogram(telemetry::SECONDS),
    help: "Time that one look at the traffic of all watched models took.",
    unit: Unit::Seconds,
    labels: &[],
};
/// Looks and counts that could not be finished.
pub(crate) const FAILED_LOOKS: MetricDef = MetricDef {
    name: "crosstie_drift_failures_total",
    kind: MetricKind::Counter,
    help: "Looks at the traffic, and counts of KPIs, that ended with an error and are tried again.",
    unit: Unit::Count,
    labels: &[],
};

/// Every metric of this crate.
pub const METRICS: &[MetricDef] = &[FINDINGS, SCORE, KPI, WINDOW_ROWS, LOOK_SECONDS, FAILED_LOOKS];
