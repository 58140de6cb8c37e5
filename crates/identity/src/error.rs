//! What can go wrong with principals, tokens and the trail.

use std::{io, path::PathBuf};

use types::{ErrorKind, Role};

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// A name that no principal can have.
    #[error("`{name}` cannot be a principal's name: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The principal has a token already.
    #[error("`{name}` has a token already: revoke it first, or choose another name")]
    Exists {
        /// The principal's name.
        name: String,
    },
    /// Nobody of that name has a token.
    #[error("`{name}` has no token")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The caller is not an admin.
    #[error("`{name}` is {role}, and only an admin makes or revokes tokens")]
    Forbidden {
        /// The caller.
        name: String,
        /// What the caller may do.
        role: Role,
    },
    /// The machine has no randomness to make a token of.
    #[error("no random bytes for a token")]
    Randomness {
        /// What the system says.
        #[source]
        source: getrandom::Error,
    },
    /// The file with the first token cannot be read or written.
    #[error("cannot keep the first token in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A row of the trail that is not JSON: another program's.
    #[error("an entry of the audit trail is damaged")]
    Detail {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// The kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Name { .. } => ErrorKind::InvalidArgument,
            Self::Exists { .. } => ErrorKind::AlreadyExists,
            Self::Unknown { .. } => ErrorKind::NotFound,
            Self::Forbidden { .. } => ErrorKind::PermissionDenied,
            Self::File { .. } => ErrorKind::FailedPrecondition,
            Self::Randomness { .. } | Self::Detail { .. } => ErrorKind::Internal,
        }
    }
}
