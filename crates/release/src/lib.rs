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
mod attention;
mod controller;
mod error;
mod gate;
mod gateway;
mod histogram;
pub mod latency;
pub mod machine;
mod metrics;
pub mod model_file;
mod ports;
pub mod quality;
mod release;
mod repo;
mod report;
mod service;
pub mod shadow;
mod tally;

pub use assignment::{Assignment, Canary, Pinned, ReleaseId};
pub use attention::{Attention, AttentionKind};
pub use controller::Controller;
pub use error::Error;
pub use gate::{GateName, GateOutcome};
pub use gateway::{Acknowledgement, Arm, ArmWindow, GatewayReport, ModelReport};
pub use histogram::Histogram;
pub use machine::Refusal;
pub use metrics::METRICS;
pub use model_file::{LatencyGate, MetricBound, ModelFile, Problem, QualityMetric};
pub use ports::{AuditSink, Author, Candidate, Candidates, GateCheck, PortError, Ports, TrafficControl};
pub use release::{Approval, Filter, GateReport, Kind, NewWaiver, Release, Stage, Verdict, Waiver};
pub use report::{ArmTotal, Hold, Judgement, Point, RolloutReport, Share, StepProgress, StepReport};
pub use service::Service;
