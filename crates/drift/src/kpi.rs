//! KPIs: what became of predictions, once outcomes have had their time.

use serde::{Deserialize, Serialize};
use types::{ModelVersion, Timestamp};

use crate::Segment;

/// One KPI of one version, over all of its traffic or one segment value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KpiRow {
    /// Which KPI.
    pub kpi: String,
    /// The version that answered.
    pub version: ModelVersion,
    /// Where; `None` for all of its traffic.
    pub segment: Option<Segment>,
    /// The first moment whose predictions count.
    pub since: Timestamp,
    /// The last one: younger predictions may still get outcomes.
    pub until: Timestamp,
    /// Predictions that count.
    pub predictions: u64,
    /// Of these, how many got the event.
    pub events: u64,
    /// What it is counted per: the predictions, or how many got the other event.
    pub per: u64,
    /// `events` by `per`, each prediction weighted by the inverse of the share that was logged; `None` when there is
    /// nothing to divide by.
    pub value: Option<f64>,
    /// The lower end of its 95 % confidence interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}
