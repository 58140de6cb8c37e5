//! What can go wrong with artifacts.

use std::io;

use types::ErrorKind;

use crate::ArtifactPath;

/// A failed operation on artifacts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URI names a kind of store that this build does not have.
    #[error(
        "artifact store `{uri}`: `{scheme}:` is not built into this version; use `file:DIR` or `s3://BUCKET/PREFIX`"
    )]
    UnsupportedScheme {
        /// The URI as given.
        uri: String,
        /// Its scheme.
        scheme: String,
    },
    /// The URI is not one.
    #[error("`{uri}` is not an artifact store: expected `file:DIR`, a folder, or `s3://BUCKET/PREFIX`")]
    MalformedUri {
        /// The URI as given.
        uri: String,
    },
    /// The URI of a bucket, or the settings that go with it, cannot be used.
    #[error("artifact store `{uri}`: {reason}")]
    MalformedS3 {
        /// The URI as given.
        uri: String,
        /// What is wrong.
        reason: String,
    },
    /// The service has no such bucket.
    #[error("there is no bucket `{bucket}`; buckets are made with the service's own tools")]
    NoBucket {
        /// Its name.
        bucket: String,
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
    /// An upload in parts names its parts wrongly, or they are not what the store has.
    #[error("the parts of '{path}' are not the parts that were uploaded, numbered from 1")]
    Parts {
        /// The path.
        path: ArtifactPath,
    },
    /// S3 refused, or did not answer.
    #[error("cannot {action} {} on S3", named(path))]
    S3 {
        /// What was attempted.
        action: &'static str,
        /// The path.
        path: ArtifactPath,
        /// Why.
        #[source]
        source: Box<object_store::Error>,
    },
    /// The disk is full, or the file would be larger than it may be.
    #[error(
        "there is no room for artifact '{path}', so nothing was stored: free some space in the artifact store, and try again"
    )]
    Full {
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
            Self::MalformedUri { .. }
            | Self::MalformedS3 { .. }
            | Self::InvalidPath { .. }
            | Self::Parts { .. }
            | Self::Interrupted { .. } => ErrorKind::InvalidArgument,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Full { .. } => ErrorKind::OutOfSpace,
            Self::NoBucket { .. } | Self::Root { .. } | Self::Io { .. } => ErrorKind::Internal,
            Self::S3 { source, .. } if is_refusal(source) => ErrorKind::Internal,
            Self::S3 { .. } => ErrorKind::Unavailable,
        }
    }

    /// The error for what S3 said when it was asked to `action` what lies at `path`.
    pub(crate) fn s3(action: &'static str, path: &ArtifactPath, source: object_store::Error) -> Self {
        let path = path.clone();
        if matches!(source, object_store::Error::NotFound { .. }) || status(&source) == Some(404) {
            Self::NotFound { path }
        } else {
            Self::S3 { action, path, source: Box::new(source) }
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
        let full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        if full {
            Self::Full { path, source }
        } else if source.kind() == io::ErrorKind::NotFound {
            Self::NotFound { path }
        } else if unfit {
            Self::InvalidPath { path: path.to_string() }
        } else {
            Self::Io { action, path, source }
        }
    }
}

/// Whether trying again will not help: the service answered, and what it calls wrong is the request or who makes it.
fn is_refusal(error: &object_store::Error) -> bool {
    /// Too slow, and too often.
    const PASSING: [u16; 2] = [408, 429];
    status(error).is_some_and(|status| (400..500).contains(&status) && !PASSING.contains(&status))
}

/// The HTTP status that S3 answered with. The client has kinds for some of them, depending on the call, and a text for all.
pub(crate) fn status(error: &object_store::Error) -> Option<u16> {
    const BEFORE: &str = "status code: ";
    let text = error.to_string();
    text.get(text.find(BEFORE)? + BEFORE.len()..)?.get(..3)?.parse().ok()
}

fn named(path: &ArtifactPath) -> String {
    if path.is_root() { "artifacts".to_owned() } else { format!("artifact '{path}'") }
}
