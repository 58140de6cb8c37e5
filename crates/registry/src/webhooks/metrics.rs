//! What webhooks tell of themselves.

use telemetry::{MetricDef, MetricKind, Unit};

/// What has not arrived yet.
pub(crate) const UNDELIVERED: MetricDef = MetricDef {
    name: "crosstie_webhooks_undelivered",
    kind: MetricKind::Gauge,
    help: "Messages of webhooks that are still to be delivered. Told by the process that delivers.",
    unit: Unit::Count,
    labels: &[],
};
/// Attempts.
pub(crate) const ATTEMPTS: MetricDef = MetricDef {
    name: "crosstie_webhooks_deliveries_total",
    kind: MetricKind::Counter,
    help: "Attempts to deliver a webhook's message, by outcome: delivered, failed (tried again), or abandoned for good.",
    unit: Unit::Count,
    labels: &["outcome"],
};
/// Whether this process delivers.
pub(crate) const LEADER: MetricDef = MetricDef {
    name: "crosstie_webhooks_leader",
    kind: MetricKind::Gauge,
    help: "1 while this process holds the lease under which webhooks are delivered.",
    unit: Unit::Count,
    labels: &[],
};
/// Passes that could not be finished.
pub(crate) const FAILED_PASSES: MetricDef = MetricDef {
    name: "crosstie_webhooks_failures_total",
    kind: MetricKind::Counter,
    help: "Passes over what is to be delivered that ended with an error and are tried again.",
    unit: Unit::Count,
    labels: &[],
};

/// Every metric of this crate.
pub const METRICS: &[MetricDef] = &[UNDELIVERED, ATTEMPTS, LEADER, FAILED_PASSES];
