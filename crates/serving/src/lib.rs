//! The data plane: which version answers a request, with which inputs, and what it answers.
//!
//! A request goes through admission, the router (one request, one version), [`Service::prepare`] (features, schema) and
//! the backend; every served row goes to the [`PredictionSink`] before the answer does. What is served is decided
//! elsewhere and arrives as a [`TrafficPlan`]; a gateway that has a plan needs nobody else to go on serving.
//!
//! While a release rolls out, a gateway also counts what each [`Arm`] was asked and how it answered ([`ArmWindow`]), sends
//! copies of requests to the shadow version, and acknowledges what it follows ([`GatewayReports`]). No answer waits
//! for any of it.
//!
//! Deliberately absent: protocols (see `api`), the way features are computed (see `features`, behind
//! [`FeatureSource`]), and any decision about traffic (see `release`).

mod admission;
mod error;
mod execution;
mod fleet;
mod inputs;
pub mod latency;
mod metrics;
mod plan;
mod ports;
mod request;
mod route;
mod service;
mod shadow;
mod statistics;
mod tensor;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod windows;

pub use error::{Error, InputError};
pub use metrics::METRICS;
pub use plan::{Canary, ModelPlan, TrafficPlan, VersionPlan, Watch, input_name};
pub use ports::{
    Arm, ArmWindow, Backend, BackendError, BoxError, Column, Enriched, EntityRows, FeatureError, FeatureSource,
    FeatureValue, FilesError, GatewayReports, LoadedModel, ModelFiles, ModelSpec, PlanSource, PredictionSink,
    ServedRow, ShadowSink, Shadowed,
};
pub use request::{
    InferRequest, InferResponse, InputRole, InputSpec, ModelMetadata, PrepareRequest, Prepared, PreparedRow, Scored,
    VersionState, VersionStatus,
};
pub use service::{Config, GatewayStatus, ModelStatus, Ports, Service};
pub use statistics::{BatchStatistics, CountAndTime, VersionStatistics};
pub use tensor::{Tensor, TensorData, element_count};
pub use windows::EVENT_SPAN;
