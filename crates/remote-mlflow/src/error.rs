//! What can go wrong with an MLflow elsewhere. Every message names it, since whoever reads it may not know of it.

use std::time::Duration;

use registry::OriginError;
use types::ErrorKind;

/// A call that was not answered as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address.
    #[error("this is not the address of an MLflow server: {reason}")]
    Address {
        /// What is wrong with it. Not the address, in which a password may be.
        reason: String,
    },
    /// No client could be made.
    #[error("no HTTP client can be made for the MLflow server at {address}")]
    Client {
        /// The server.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It is not there, or went away.
    #[error("the MLflow server at {address} does not answer")]
    Away {
        /// The server.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It sends nothing more.
    #[error("the MLflow server at {address} sent nothing for {waited:?}")]
    Stalled {
        /// The server.
        address: String,
        /// For how long.
        waited: Duration,
    },
    /// It refused, in its own words.
    #[error("the MLflow server at {address} answered {status} to {call}: {message}")]
    Refused {
        /// The server.
        address: String,
        /// What was asked.
        call: String,
        /// Its status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// An answer that is not MLflow's.
    #[error("the answer of {address} to {call} is not MLflow's: {reason}")]
    Strange {
        /// The server.
        address: String,
        /// What was asked.
        call: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Files that cannot be read through it.
    #[error(
        "the files of {subject} lie at `{location}`, which cannot be read through the MLflow server at {address}: only its \
         own artifact proxy (`mlflow-artifacts:`), run artifacts and logged models can"
    )]
    Unreachable {
        /// The server.
        address: String,
        /// Whose files.
        subject: String,
        /// Where they lie.
        location: String,
    },
    /// More than anyone should send.
    #[error("{address} has more than {limit} {what}")]
    TooMuch {
        /// The server.
        address: String,
        /// Of what.
        what: String,
        /// How much is taken.
        limit: usize,
    },
    /// A path that leads out of the API.
    #[error("this path is not passed on")]
    Path,
}

impl Error {
    /// What kind of failure it is, for whoever asked us.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Address { .. } | Self::Path => ErrorKind::InvalidArgument,
            Self::Away { .. } | Self::Stalled { .. } => ErrorKind::Unavailable,
            Self::Client { .. } | Self::Strange { .. } => ErrorKind::Internal,
            Self::Unreachable { .. } | Self::TooMuch { .. } => ErrorKind::FailedPrecondition,
            Self::Refused { status, .. } => match *status {
                404 => ErrorKind::NotFound,
                // It is this server that is not let in: no other token of the caller's would help.
                401 | 403 => ErrorKind::FailedPrecondition,
                429 | 500..=599 => ErrorKind::Unavailable,
                _ => ErrorKind::InvalidArgument,
            },
        }
    }
}

impl From<Error> for OriginError {
    fn from(error: Error) -> Self {
        let (kind, mut message) = (error.kind(), error.to_string());
        if let Error::Refused { status: 401 | 403, .. } = &error {
            message.push_str(" (set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, for `crosstie up`)");
        }
        Self::because(kind, message, error)
    }
}
