//! The online store: one row per view, definition and entity, answered in microseconds.
//!
//! Stores are chosen by URI. Whatever the store, a row is one blob ([`StoredRow`]), so a reader sees a whole row of one
//! time or none, never a mixture of two.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod embedded;
mod row;

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use thiserror::Error as ThisError;
use types::{Digest, ErrorKind};

pub use embedded::Embedded;
pub use row::{EntityKey, Layout, Rank, StoredRow};

/// Which rows: those of one view under one definition. A changed definition is another space, so that a canary's
/// features never overwrite the stable version's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Space {
    /// The view.
    pub view: String,
    /// The digest of its definition.
    pub digest: Digest,
}

/// What one request wants of one space.
#[derive(Debug)]
pub struct Read {
    /// The space.
    pub space: Arc<Space>,
    /// The entities.
    pub keys: Vec<EntityKey>,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows that are now what the store answers.
    pub stored: u64,
    /// Rows that lost against a newer one.
    pub superseded: u64,
}

/// Where the newest row of each entity is kept for serving.
///
/// The contract, which `conformance` checks for every implementation:
/// - **Order.** Of two rows of one key the one with the greater [`Rank`] (event time, then created time, null lowest)
///   stays, in whichever order and from whichever writer they come; at equal rank the one put last.
/// - **Atomicity.** A reader sees whole rows. A batch is not atomic: after a failure some of its rows may be stored, and
///   putting the batch again is safe (idempotent).
/// - **Durability.** When a put has answered, its rows survive a crash of the process; what a reader has seen is durable.
/// - **Consistency.** A read that begins after a put has answered sees it, near caches included.
/// - **Retry.** Errors whose kind is retryable may be retried as they are; others not.
#[async_trait]
pub trait OnlineStore: Send + Sync + Debug {
    /// The rows of all keys of all reads, in their order; one round trip for a whole request.
    async fn get_many(&self, reads: &[Read]) -> Result<Vec<Vec<Option<StoredRow>>>, Error>;

    /// Stores each row that is not older than what is there.
    async fn put_if_newer(&self, space: &Space, rows: Vec<(EntityKey, StoredRow)>) -> Result<Written, Error>;

    /// Keys whose row was pushed by a producer, the one created last first; at most `limit`.
    async fn recently_pushed(&self, space: &Space, limit: usize) -> Result<Vec<EntityKey>, Error>;

    /// The spaces that hold rows, with how many.
    async fn spaces(&self) -> Result<Vec<(Space, u64)>, Error>;

    /// Writes a copy of all rows, as they are at one moment, to the file `to`, which does not exist yet, for a store of the
    /// same kind to be opened on. `false` when the store keeps its own backups, as a server does.
    async fn back_up(&self, to: &Path) -> Result<bool, Error>;

    /// Forgets all rows of a space whose definition nothing serves any more; says how many there were.
    async fn remove(&self, space: &Space) -> Result<u64, Error>;
}

/// A failure of an online store.
#[derive(Debug, ThisError)]
pub enum Error {
    /// A URI of a store that this version does not have.
    #[error("online store `{uri}`: {reason}")]
    Uri {
        /// As given.
        uri: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another process has the store open.
    #[error("the online store `{path}` is in use by another process; is `crosstie up` already running there?")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The store failed.
    #[error("cannot {attempt} the online store")]
    Store {
        /// What was attempted: `read`, `write`, `open`.
        attempt: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether trying again helps.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Uri { .. } => ErrorKind::InvalidArgument,
            Self::InUse { .. } => ErrorKind::FailedPrecondition,
            Self::Store { .. } => ErrorKind::Unavailable,
        }
    }

    fn store<E: Into<Box<dyn std::error::Error + Send + Sync>>>(attempt: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Store { attempt, source: source.into() }
    }
}

/// Opens the store at `uri`: `redb:PATH`, a file that one process has open at a time.
///
/// # Errors
/// When the URI is of no store that is built in, or the store cannot be opened.
pub async fn open(uri: &str) -> Result<Arc<dyn OnlineStore>, Error> {
    let refused = |reason| Error::Uri { uri: uri.to_owned(), reason };
    match uri.split_once(':') {
        Some(("redb", "")) => Err(refused("write `redb:` and the path of a file")),
        Some(("redb", path)) => {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            Ok(Arc::new(runtime::blocking(move || Embedded::open(&path)).await?))
        }
        Some(("redis" | "rediss", _)) => Err(refused("Redis is not built into this version; use `redb:PATH`")),
        Some(_) | None => Err(refused("expected `redb:PATH`")),
    }
}
