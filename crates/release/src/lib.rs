//! Releases: the attempt to bring one model version to production, and the way back.
//!
//! A release freezes what is judged, passes gates with evidence, is signed by someone who did not make it, and becomes
//! stable. The decision is a pure function ([`machine::step`]); a decision, the traffic that follows from it and its audit
//! row commit together. The controller only finds out what the decision needs to know next, reading it off the stored
//! state, so it may crash anywhere. What serves is [`Assignment`]; the alias in the registry is a projection of it.
//!
//! Not here: how a gate judges, how gateways learn what serves, who a caller is. Those are [ports](Ports).

pub mod analysis;
mod assignment;
mod controller;
mod error;
mod gate;
pub mod latency;
pub mod machine;
mod metrics;
pub mod model_file;
mod ports;
pub mod quality;
mod release;
mod repo;
mod service;

pub use assignment::{Assignment, Canary, Pinned, ReleaseId};
pub use error::Error;
pub use gate::{GateName, GateOutcome};
pub use machine::Refusal;
pub use metrics::METRICS;
pub use model_file::{LatencyGate, MetricBound, ModelFile, Problem, QualityMetric};
pub use ports::{AuditSink, Author, Candidate, Candidates, GateCheck, PortError, Ports, TrafficControl};
pub use release::{Approval, Filter, GateReport, Kind, NewWaiver, Release, Stage, Verdict, Waiver};
pub use service::Service;
