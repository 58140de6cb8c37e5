//! What can go wrong with artifacts.

use std::io;

use types::ErrorKind;

use crate::ArtifactPath;

/// A failed operation on artifacts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URI names a kind of store that this build does not have.
    #[error("artifact store `{uri}`: `{scheme}:` is not built into this version; use a folder (`file:DIR`)")]
    UnsupportedScheme {
        /// The URI as given.
        uri: String,
        /// Its scheme.
        scheme: String,
    },
    /// The URI is not one.
    #[error("`{uri}` is not an artifact store: expected `file:DIR` or a folder")]
    MalformedUri {
        /// The URI as given.
        uri: String,
    },
    /// The root folder cannot be made or used.
    #[error("cannot use {root} as an artifact folder")]
    Root {
        /// The folder.
        root: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A path that leaves the store, or that no file system can hold. The text is MLflow's, whole.
    #[error("Invalid path")]
    InvalidPath {
        /// The path as given.
        path: String,
    },
    /// Nothing lies there.
    #[error("No such artifact: '{path}'")]
    NotFound {
        /// The path.
        path: ArtifactPath,
    },
    /// The upload broke off; nothing was stored.
    #[error("the content of '{path}' broke off before its end")]
    Interrupted {
        /// The path.
        path: ArtifactPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file system refused.
    #[error("cannot {action} artifact '{path}'")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The path.
        path: ArtifactPath,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnsupportedScheme { .. } => ErrorKind::Unimplemented,
            Self::MalformedUri { .. } | Self::InvalidPath { .. } | Self::Interrupted { .. } => {
                ErrorKind::InvalidArgument
            }
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Root { .. } | Self::Io { .. } => ErrorKind::Internal,
        }
    }

    /// The error for `source`, met when trying to `action` what lies at `path`.
    pub(crate) fn io(action: &'static str, path: &ArtifactPath, source: io::Error) -> Self {
        let path = path.clone();
        let unfit = matches!(
            source.kind(),
            io::ErrorKind::InvalidFilename
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::DirectoryNotEmpty
        );
        if source.kind() == io::ErrorKind::NotFound {
            Self::NotFound { path }
        } else if unfit {
            Self::InvalidPath { path: path.to_string() }
        } else {
            Self::Io { action, path, source }
        }
    }
}
