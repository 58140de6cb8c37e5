//! What can go wrong between a served row and the disk.

use std::{io, path::PathBuf};

use thiserror::Error;
use types::ErrorKind;

/// A failure of the prediction log.
#[derive(Debug, Error)]
pub enum Error {
    /// Another process has the folder.
    #[error("the prediction log in {} is open in another process", dir.display())]
    Locked {
        /// The log's folder.
        dir: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A record has no JSON form.
    #[error("cannot encode a record of the prediction log")]
    Encode(#[source] serde_json::Error),
    /// A record is longer than a frame may be.
    #[error("a record of {bytes} bytes is longer than the {limit} bytes that the prediction log takes")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest.
        limit: usize,
    },
    /// A rolled file is not what this crate writes.
    #[error("cannot read the rolled file {}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A rolled file lacks a column or holds a value that nothing wrote.
    #[error("the rolled file {} is malformed: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An outcome cannot be right.
    #[error("outcome {index}: {problem}")]
    InvalidOutcome {
        /// Its place in the batch, from 0.
        index: usize,
        /// What is wrong.
        problem: String,
    },
    /// An earlier write did not reach the disk, so nothing more is promised.
    #[error("outcomes did not reach the disk earlier, so none are taken until Crosstie restarts and recovers the log")]
    Poisoned,
}

impl Error {
    /// The kind of failure, from the caller's point of view.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Locked { .. } => ErrorKind::FailedPrecondition,
            Self::InvalidOutcome { .. } | Self::TooLong { .. } => ErrorKind::InvalidArgument,
            Self::Io { .. } | Self::Poisoned => ErrorKind::Unavailable,
            Self::Encode(_) | Self::Parquet { .. } | Self::Malformed { .. } => ErrorKind::Internal,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }
}

/// Names what was attempted on which file when the file system refuses.
pub(crate) trait IoContext<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, Error>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action, path: path.to_owned(), source })
    }
}
