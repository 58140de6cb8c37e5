//! What releases tell of themselves.

use telemetry::{MetricDef, MetricKind, Unit};

/// Decisions by where they led.
pub(crate) const DECISIONS: MetricDef = MetricDef {
    name: "crosstie_release_decisions_total",
    kind: MetricKind::Counter,
    help: "Decisions taken about releases, by the stage they led to.",
    unit: Unit::Count,
    labels: &["stage"],
};
/// What people were refused.
pub(crate) const REFUSALS: MetricDef = MetricDef {
    name: "crosstie_release_refusals_total",
    kind: MetricKind::Counter,
    help: "Approvals, waivers, pauses, aborts and rollbacks that were refused.",
    unit: Unit::Count,
    labels: &["action"],
};
/// How long gates take. Their bounds run to minutes: a gate may rescore a day of data.
pub(crate) const GATE_SECONDS: MetricDef = MetricDef {
    name: "crosstie_release_gate_seconds",
    kind: MetricKind::Histogram(&[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0]),
    help: "Time that a gate took to answer, by gate and answer (passed, failed, error).",
    unit: Unit::Seconds,
    labels: &["gate", "answer"],
};
/// What the rest of the system has not been told.
pub(crate) const UNAPPLIED: MetricDef = MetricDef {
    name: "crosstie_release_traffic_unapplied",
    kind: MetricKind::Gauge,
    help: "Committed traffic assignments that are not yet projected to gateways and the registry.",
    unit: Unit::Count,
    labels: &[],
};
/// Whether this process decides.
pub(crate) const LEADER: MetricDef = MetricDef {
    name: "crosstie_release_controller_leader",
    kind: MetricKind::Gauge,
    help: "1 while this process holds the lease of the release controller.",
    unit: Unit::Count,
    labels: &[],
};
/// Passes of the controller that could not be finished.
pub(crate) const FAILED_PASSES: MetricDef = MetricDef {
    name: "crosstie_release_controller_failures_total",
    kind: MetricKind::Counter,
    help: "Passes of the release controller that ended with an error and are tried again.",
    unit: Unit::Count,
    labels: &[],
};

/// Every metric of this crate.
pub const METRICS: &[MetricDef] = &[DECISIONS, REFUSALS, GATE_SECONDS, UNAPPLIED, LEADER, FAILED_PASSES];
