//! The servers: MLflow's REST API, Crosstie's own, and inference over HTTP and gRPC.
//!
//! Handlers are thin: they read a request, call one service of a floor below, and render the answer in the shape of the
//! protocol that was spoken. Every route stands in one table with the access that it needs ([`routes`]); every error
//! passes one mapping from kind to status ([`error`]). Decisions, SQL and files are elsewhere.

pub mod auth;
pub mod error;
pub mod features;
pub mod hosts;
pub mod inference;
pub mod lineage;
pub mod maintenance;
pub mod mlflow;
pub mod mlflow_ui;
pub mod monitoring;
mod path;
pub mod predictions;
pub mod releases;
pub mod routes;
pub mod server;
pub mod system;
