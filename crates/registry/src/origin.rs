//! The port to a registry elsewhere: an MLflow of which only the REST API can be reached. Whoever speaks to it answers what
//! is known of a version there, and hands over its files.

use std::fmt;

use artifacts::Content;
use async_trait::async_trait;
use types::{ErrorKind, ModelName, ModelVersion};

use crate::{Run, Version};

/// The registry elsewhere did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct OriginError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What was attempted, where, and what was answered.
    pub message: String,
    /// Why.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl OriginError {
    /// A failure of `kind`.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// A failure of `kind` because of `source`.
    #[must_use]
    pub fn because(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }
}

/// A version as it is elsewhere.
#[derive(Debug, Clone)]
pub struct OriginVersion {
    /// The version, with its tags.
    pub version: Version,
    /// The URI of its files, as its own registry knows them.
    pub location: String,
    /// The run that made it, if it names one that is there.
    pub run: Option<OriginRun>,
}

/// A run as it is elsewhere.
#[derive(Debug, Clone)]
pub struct OriginRun {
    /// The run; the number of its experiment means nothing here.
    pub run: Run,
    /// Its experiment's name.
    pub experiment: String,
}

/// Files that can be handed over.
#[derive(Debug, Clone, Copy)]
pub enum OriginFolder<'a> {
    /// Those of a version.
    Version(&'a OriginVersion),
    /// Those in a folder of a run's artifacts.
    Run(&'a OriginRun, &'a str),
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginFile {
    /// Its path from the folder.
    pub path: String,
    /// Its size in bytes, if that is known.
    pub size: Option<u64>,
}

/// A registry elsewhere. Every call may be made again; none takes unbounded time but the reading of a file, which ends
/// once nothing comes any more.
#[async_trait]
pub trait Origin: fmt::Debug + Send + Sync {
    /// Where it is, as people write it.
    fn address(&self) -> &str;

    /// What is known of a version, and of the run that made it.
    async fn version(&self, version: &ModelVersion) -> Result<OriginVersion, OriginError>;

    /// All files of a folder and below it; none if it is not there.
    async fn files(&self, folder: OriginFolder<'_>) -> Result<Vec<OriginFile>, OriginError>;

    /// The content of a file.
    async fn open(&self, folder: OriginFolder<'_>, path: &str) -> Result<Content, OriginError>;

    /// The version that an alias names there; `None` if there is no such model or alias.
    async fn aliased(&self, model: &ModelName, alias: &str) -> Result<Option<u32>, OriginError>;

    /// Points an alias to a version there.
    async fn set_alias(&self, version: &ModelVersion, alias: &str) -> Result<(), OriginError>;
}
