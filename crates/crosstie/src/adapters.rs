//! Glue between siblings: each module makes one crate's service fit another crate's port. Newtypes without decisions;
//! what there is to decide is decided by the crates on either side.

pub(crate) mod alert_sources;
pub(crate) mod audit_sink;
pub(crate) mod backends;
pub(crate) mod candidates;
pub(crate) mod definitions;
pub(crate) mod deployments;
pub(crate) mod drift_sources;
pub(crate) mod explanations;
pub(crate) mod feature_source;
pub(crate) mod gates;
pub(crate) mod gateway_reports;
pub(crate) mod governance;
pub(crate) mod maintenance;
pub(crate) mod model_files;
pub(crate) mod plan_source;
pub(crate) mod prediction_sink;
pub(crate) mod projects;
pub(crate) mod shadows;
pub(crate) mod traffic_control;
pub(crate) mod upstream;
