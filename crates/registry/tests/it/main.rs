//! The registry on real databases, and beside a real MLflow.

mod fixture;
mod governance;
mod lineage;
mod models;
mod opens;
mod runs;
mod schema;
