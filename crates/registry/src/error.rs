//! What can go wrong in the registry. Messages are MLflow's own, since its clients and their users match them.

use types::ErrorKind;

use crate::{
    OriginError,
    schema::{MLFLOW_RELEASE, MLFLOW_STAMP},
};

/// A failed operation of the registry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request can never succeed as it is.
    #[error("{0}")]
    Invalid(String),
    /// What was named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What was to be made exists.
    #[error("{0}")]
    AlreadyExists(String),
    /// The state of what was named does not allow it.
    #[error("{0}")]
    InvalidState(String),
    /// Governance refused the mutation; the message says how to get there.
    #[error("{0}")]
    Refused(String),
    /// The governance port could not answer, so the mutation was not made.
    #[error("{0}")]
    Ungoverned(String),
    /// The database holds MLflow's tables as an older release made them.
    #[error(
        "the database holds the tables of an older MLflow (its migration is `{found}`; MLflow {MLFLOW_RELEASE}, which \
         this version of Crosstie speaks, has `{MLFLOW_STAMP}`). Nothing was changed. Make a backup, then upgrade it \
         with MLflow {MLFLOW_RELEASE}: mlflow db upgrade {uri}"
    )]
    OlderSchema {
        /// The migration found, or `none`.
        found: String,
        /// The database as MLflow's command names it.
        uri: String,
    },
    /// The database holds MLflow's tables at a migration that is not known here.
    #[error(
        "the database holds MLflow's tables at migration `{found}`, which this version of Crosstie does not know: it \
         speaks MLflow {MLFLOW_RELEASE} (`{MLFLOW_STAMP}`). Nothing was changed. If a newer MLflow has upgraded it, use \
         a newer Crosstie"
    )]
    UnknownSchema {
        /// The migration found.
        found: String,
    },
    /// The files of a version do not lie in this server's artifact store.
    #[error("the files of `{subject}` lie at `{uri}`, which this server's artifact store does not hold")]
    Elsewhere {
        /// The version or run.
        subject: String,
        /// Where they lie.
        uri: String,
    },
    /// A file of another host, which this server has no way to.
    #[error(
        "{uri} is not a valid remote uri. For remote access on windows, please consider using a different scheme such as \
         SMB (e.g. smb://<hostname>/<path>)."
    )]
    OtherHost {
        /// The file's URI.
        uri: String,
    },
    /// A row holds what no writer puts there.
    #[error("the database holds `{value}` as {what}")]
    Corrupt {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// The registry elsewhere did not do what it was asked.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The artifact store failed.
    #[error(transparent)]
    Artifacts(#[from] artifacts::Error),
}

impl Error {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::Elsewhere { .. } => ErrorKind::InvalidArgument,
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::AlreadyExists(_) => ErrorKind::AlreadyExists,
            Self::InvalidState(_) | Self::OlderSchema { .. } | Self::UnknownSchema { .. } => {
                ErrorKind::FailedPrecondition
            }
            Self::Refused(_) => ErrorKind::PermissionDenied,
            Self::Ungoverned(_) => ErrorKind::Unavailable,
            // MLflow's kind for it, on which its own tests insist.
            Self::Corrupt { .. } | Self::OtherHost { .. } => ErrorKind::Internal,
            // What a request names and is not there, where nothing else looked for it.
            Self::Database(database::Error::Constraint { constraint: database::Constraint::ForeignKey, .. }) => {
                ErrorKind::InvalidArgument
            }
            Self::Origin(error) => error.kind,
            Self::Database(error) => error.kind(),
            Self::Artifacts(error) => error.kind(),
        }
    }

    /// The request is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// What the registry's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
