//! What alerts tell of themselves. An alert that cannot leave is only seen here, so this is what Prometheus watches.

use telemetry::{MetricDef, MetricKind, Unit};

/// What fires.
pub(crate) const FIRING: MetricDef = MetricDef {
    name: "crosstie_alerts_firing",
    kind: MetricKind::Gauge,
    help: "Alerts that fire, by severity. Told by the process that watches.",
    unit: Unit::Count,
    labels: &["severity"],
};
/// What has not arrived yet.
pub(crate) const UNDELIVERED: MetricDef = MetricDef {
    name: "crosstie_alerts_undelivered",
    kind: MetricKind::Gauge,
    help: "Messages that no receiver has accepted yet. Told by the process that watches.",
    unit: Unit::Count,
    labels: &[],
};
/// Attempts.
pub(crate) const ATTEMPTS: MetricDef = MetricDef {
    name: "crosstie_alerts_deliveries_total",
    kind: MetricKind::Counter,
    help: "Attempts to deliver a message, by outcome: delivered, failed, or abandoned for good.",
    unit: Unit::Count,
    labels: &["outcome"],
};
/// Sources that did not answer.
pub(crate) const SOURCE_FAILURES: MetricDef = MetricDef {
    name: "crosstie_alerts_source_failures_total",
    kind: MetricKind::Counter,
    help: "Times that a source of alerts could not say what holds; nothing is raised or resolved then.",
    unit: Unit::Count,
    labels: &["source"],
};
/// Whether this process watches.
pub(crate) const LEADER: MetricDef = MetricDef {
    name: "crosstie_alerts_watcher_leader",
    kind: MetricKind::Gauge,
    help: "1 while this process holds the lease of the alert watcher.",
    unit: Unit::Count,
    labels: &[],
};
/// Passes that could not be finished.
pub(crate) const FAILED_PASSES: MetricDef = MetricDef {
    name: "crosstie_alerts_watcher_failures_total",
    kind: MetricKind::Counter,
    help: "Passes of the alert watcher that ended with an error and are tried again.",
    unit: Unit::Count,
    labels: &[],
};

/// Every metric of this crate.
pub const METRICS: &[MetricDef] = &[FIRING, UNDELIVERED, ATTEMPTS, SOURCE_FAILURES, LEADER, FAILED_PASSES];
