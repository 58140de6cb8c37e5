//! The five gates: each gathers what its judge needs from the rooms that know it, and hands over evidence.
//!
//! Judging is elsewhere: lineage in `registry`, schema in `serving` at load, parity in `features::parity`, quality and
//! latency in `release`.

mod evaluation;
mod latency;
mod lineage;
mod parity;
mod quality;
mod schema;
mod tensors;

pub(crate) use evaluation::{Evaluation, Evaluations};
pub(crate) use latency::Latency;
pub(crate) use lineage::Lineage;
pub(crate) use parity::Parity;
pub(crate) use quality::Quality;
pub(crate) use schema::Schema;

use release::{Candidate, GateOutcome, Pinned, PortError};
use serde_json::json;
use types::ErrorKind;

use super::backends::HTTP;

/// A gate's failure to come to a verdict, with what was attempted.
fn no_verdict<E>(kind: ErrorKind, attempted: &str) -> impl FnOnce(E) -> PortError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| PortError::because(kind, attempted, error)
}

/// Serving's refusal as a port's error.
fn from_serving(error: serving::Error) -> PortError {
    PortError::because(error.kind(), "the candidate could not be asked", error)
}

/// The features crate's error as a port's error.
fn from_features(error: features::Error) -> PortError {
    PortError::because(error.kind(), "the offline rail did not answer", error)
}

/// The version that is stable now beside the candidate, if there is one and it is another.
async fn stable_beside(releases: &release::Service, candidate: &Candidate) -> Result<Option<Pinned>, PortError> {
    let assignments = releases.assignments().await;
    let assignments =
        assignments.map_err(|error| PortError::because(error.kind(), "stable could not be looked up", error))?;
    let of_model = assignments.into_iter().find(|assignment| assignment.model == candidate.version.model);
    let stable = of_model.and_then(|assignment| assignment.stable);
    Ok(stable.filter(|pinned| pinned.version != candidate.version.version))
}

/// Whether a server of its own executes the version, which then makes its features itself, as of the moment it is asked:
/// neither can they be compared here, nor can it score rows of the past.
fn makes_its_own_features(backend: &str) -> bool {
    backend == HTTP
}

/// The verdict on a candidate that cannot be judged because it makes its own features.
fn not_to_be_judged(what: &str) -> GateOutcome {
    let summary = format!(
        "a server of its own executes this version and makes its features there, so {what}: waive this gate, with the \
         reason, if the version is adopted as it is"
    );
    GateOutcome { passed: false, evidence: json!({ "backend": HTTP }), summary }
}
