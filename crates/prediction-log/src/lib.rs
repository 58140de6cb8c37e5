//! The record of served predictions and of what became of them.
//!
//! A row is in the operating system's hands before its answer goes out, so killing the process loses nothing that was
//! answered; it is on disk within a second. Outcomes are on disk before they are acknowledged. Records first go to a
//! local segment of checksummed frames and are later rolled into Parquet files by model, date and hour, which any
//! analytical tool reads. A crash between writing a Parquet file and deleting its segment leaves records twice; every
//! read is deduplicated by id, so nobody sees it.
//!
//! Not here: sampling, drift and KPIs, which read this log, and rollout analysis, which must not (DESIGN §4).

mod dedup;
mod error;
mod frame;
mod head;
mod hour;
mod journal;
mod log;
mod metrics;
mod record;
mod rolled;
mod segment;

pub use error::Error;
pub use log::{Config, Log};
pub use metrics::METRICS;
pub use record::{Arm, LoggedFeature, Outcome, OutcomeReport, PredictionRecord, Scan};
