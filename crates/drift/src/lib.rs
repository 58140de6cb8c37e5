//! Drift and KPIs: what the prediction log says about inputs, answers and what became of them.
//!
//! A version's reference (its training run's rows) is frozen once into bins and dictionaries, for all rows and for each
//! value of each segment. Traffic is looked at in windows, by feature and segment, against these. Values that the
//! training data never had are looked for every few seconds, while the window is still open, and page; shifted
//! distributions are judged when it closes, and are tickets.
//!
//! What keeps this quiet on a clean day, with a few hundred comparisons of short windows: a score must be large *and*
//! beyond what chance gives at the window's effective size, corrected for the number of comparisons (`judge`). Rows are not
//! independent (a user comes back, an item is popular), so they count by what they hang on (`independence`).
//!
//! Not here: rollout analysis, which must not rest on a log; delivery of alerts.

mod datum;
mod error;
mod finding;
mod independence;
mod judge;
mod kpi;
mod mapping;
mod metrics;
mod ports;
mod reference;
mod repo;
mod report;
pub mod scores;
mod service;
mod shape;
mod watcher;
mod window;
#[cfg(test)]
mod world;

pub use error::Error;
pub use finding::{Finding, FindingKind, Mapping, NewCategory, Segment};
pub use kpi::KpiRow;
pub use metrics::METRICS;
pub use ports::{BoxError, KpiDef, Policy, Ports, ReferenceRows, References, Watched, WatchedModel};
pub use report::{Comparison, DriftReport, State, WindowSummary};
pub use service::Service;
