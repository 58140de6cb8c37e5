//! The registry on real databases, and beside a real MLflow.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod artifact_records;
mod charts;
mod fixture;
mod gc;
mod governance;
mod lineage;
mod made_by;
mod models;
mod opens;
mod pages;
mod runs;
mod schema;
mod verify;
mod webhooks;
