//! What Crosstie tells of itself: metrics and alerts as static tables, and their exposition.
//!
//! A crate declares `pub const METRICS: &[MetricDef]`; dashboards, docs and the runbook are rendered from the same tables,
//! so nothing can be measured without being described. There is no global registry: `crosstie` makes one [`Metrics`]
//! from all tables and hands it out.

mod alert;
mod metric;
mod metrics;

pub use alert::{AlertDef, Severity};
pub use metric::{MetricDef, MetricKind, SECONDS, Unit};
pub use metrics::{Counter, Error, Gauge, Histogram, Metrics};
