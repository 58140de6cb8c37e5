//! Why a release cannot be had, found or changed.

use std::sync::Arc;

use thiserror::Error;
use types::{ErrorKind, ModelName, ModelVersion};

use crate::{GateName, PortError, Refusal, ReleaseId, Stage};

/// A failure of the release service.
#[derive(Debug, Clone, Error)]
pub enum Error {
    /// The database refused or is away.
    #[error("cannot read or write releases")]
    Database(#[from] database::Error),
    /// A stored value is not what this crate writes.
    #[error("{what} in the database is malformed")]
    Malformed {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A candidate could not be looked up.
    #[error("cannot freeze {version} for a release: {reason}")]
    Freeze {
        /// The version.
        version: ModelVersion,
        /// What the lookup said; public.
        reason: String,
        /// Its failure.
        #[source]
        source: Arc<PortError>,
    },
    /// The model's file asks for a gate that this process does not have.
    #[error("the gate `{gate}` that {version} needs is not available in this Crosstie")]
    GateUnavailable {
        /// The gate.
        gate: GateName,
        /// The version.
        version: ModelVersion,
    },
    /// There is no such release.
    #[error("there is no release {0}")]
    UnknownRelease(ReleaseId),
    /// Nothing serves this model.
    #[error("no version of `{0}` has been released")]
    NothingServes(ModelName),
    /// One release at a time.
    #[error("release {active} of {version} is still {stage}: finish or abort it before another release of `{}` starts", version.model)]
    AlreadyActive {
        /// The release in the way.
        active: ReleaseId,
        /// What it releases.
        version: ModelVersion,
        /// Where it stands.
        stage: Stage,
    },
    /// The version serves already.
    #[error("{0} serves already")]
    AlreadyServes(ModelVersion),
    /// The version serves as something else than it is now.
    #[error(
        "{version} serves since release {release}, with other {what} than it has now, and cannot stand beside itself: \
         register it again, as a new version"
    )]
    ServesOtherwise {
        /// The version.
        version: ModelVersion,
        /// The release that it serves by.
        release: ReleaseId,
        /// What is not the same.
        what: &'static str,
    },
    /// There is nothing to go back to.
    #[error("cannot roll back `{model}`: {reason}")]
    NoWayBack {
        /// The model.
        model: ModelName,
        /// Why.
        reason: String,
    },
    /// The caller may not, or the release is not where this makes sense.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was asked for is not well-formed.
    #[error("{0}")]
    Invalid(String),
    /// Another decision was faster each time.
    #[error("release {0} was changed by someone else meanwhile")]
    Raced(ReleaseId),
}

impl Error {
    /// The kind of failure, from the caller's point of view.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(source) => source.kind(),
            Self::Malformed { .. } => ErrorKind::Internal,
            Self::Freeze { source, .. } => source.kind,
            Self::GateUnavailable { .. }
            | Self::AlreadyActive { .. }
            | Self::ServesOtherwise { .. }
            | Self::NoWayBack { .. } => ErrorKind::FailedPrecondition,
            Self::UnknownRelease(_) | Self::NothingServes(_) => ErrorKind::NotFound,
            Self::AlreadyServes(_) => ErrorKind::AlreadyExists,
            Self::Refused(refusal) => refusal.kind(),
            Self::Invalid(_) => ErrorKind::InvalidArgument,
            Self::Raced(_) => ErrorKind::Conflict,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }
}
