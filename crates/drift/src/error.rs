//! Why drift could not be looked at or told.

use std::sync::Arc;

use thiserror::Error;
use types::{ErrorKind, ModelVersion};

/// A failure of drift.
#[derive(Debug, Clone, Error)]
pub enum Error {
    /// The database refused or is away.
    #[error("cannot read or write what is known of drift")]
    Database(#[from] database::Error),
    /// The prediction log could not be read.
    #[error("cannot read the prediction log")]
    Log(#[source] Arc<prediction_log::Error>),
    /// Which models are watched could not be found out.
    #[error("cannot find out which models are watched")]
    Watched(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A version's reference could not be read.
    #[error("cannot read what {version} is compared with")]
    Reference {
        /// The version.
        version: ModelVersion,
        /// Why not.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A stored value is not what this crate writes.
    #[error("{what} in the database is malformed")]
    Malformed {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Arc<serde_json::Error>,
    },
}

impl Error {
    /// The kind of failure, from the caller's point of view.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(source) => source.kind(),
            Self::Log(source) => source.kind(),
            Self::Watched(_) | Self::Reference { .. } => ErrorKind::Unavailable,
            Self::Malformed { .. } => ErrorKind::Internal,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }
}
