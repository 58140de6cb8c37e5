//! Why alerts could not be read or written.

use thiserror::Error;
use types::ErrorKind;

use crate::BoxError;

/// Why alerts could not be read or written.
#[derive(Debug, Error)]
pub enum Error {
    /// The database did not do it.
    #[error("the database failed")]
    Database(#[from] database::Error),
    /// A stored row is not what this program writes.
    #[error("the stored {what} cannot be read")]
    Malformed {
        /// What it is.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// This machine cannot make HTTP connections at all.
    #[error("no HTTP client can be made")]
    Client {
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl Error {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(source) => source.kind(),
            Self::Malformed { .. } | Self::Client { .. } => ErrorKind::Internal,
        }
    }
}
