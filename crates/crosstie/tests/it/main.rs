//! The program as its users meet it: the built binary, run in folders of its own, on ports that nobody else has.
//!
//! What the services promise is tested beside them. Here is what only the whole can show: that it starts and stops, what it says when it cannot, and
//! that a kill loses nothing that was acknowledged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod artifact_stores;
mod console;
mod durability;
mod faults;
mod lineage;
mod maintenance;
mod mlflow_database;
mod mlflow_ui;
mod parity;
mod program;
mod project_files;
mod remote;
mod starting;
mod stock_client;
mod webhooks;
mod workflows;
