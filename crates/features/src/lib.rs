//! Features: one definition, two rails, and proof that they agree.
//!
//! The offline rail computes feature values from Parquet as they were known at a time ([`Service::training_set`],
//! [`Service::as_known_at`]); the online rail answers the newest ones in microseconds ([`Service::read_online`]). Both
//! share the definitions, the compiled expressions, and the code that applies TTLs, defaults and on-demand expressions,
//! so that they can only differ in what was stored, and [`parity`] says where they do.
//!
//! This is the only crate that knows DataFusion, and it uses it for expressions alone: the point-in-time join is
//! our own kernel. No SQL is planned while a request waits.

mod columns;
pub mod definitions;
mod error;
pub mod expressions;
pub mod join;
mod materialize;
mod metrics;
mod offline;
pub mod online;
pub mod parity;
mod plan;
mod push;
mod repo;
mod rows;
mod sample;
mod service;
mod source;
mod suggest;
pub mod table;

pub use columns::data_type;
pub use definitions::{Definitions, FeatureFile, FeatureRef, Problem};
pub use error::Error;
pub use materialize::MaterializeReport;
pub use metrics::METRICS;
pub use offline::{Knowledge, OfflineRow, TrainingOptions};
pub use online::OnlineStore;
pub use plan::{EntityRow, PlannedFeature, ReadPlan};
pub use push::{PushReport, PushRow};
pub use repo::Watermark;
pub use rows::{FeatureCell, FeatureRow, Origin, Refusal};
pub use sample::{Sample, SampleKind};
pub use service::{Config, Service};
