//! The port to whoever knows what became of versions. Lineage owns it, since releases are on the registry's own floor.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::ModelName;

use crate::error::Result;

/// A release of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The version's number.
    pub version: u32,
    /// The release's number.
    pub release: i64,
    /// Where it stands, in one word.
    pub stage: String,
}

/// What a version does for callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serves {
    /// The version's number.
    pub version: u32,
    /// The release that brought it there.
    pub release: i64,
    /// As what: `stable`, `canary`, `shadow`.
    pub role: String,
    /// Whether callers get its answers.
    pub live: bool,
}

/// What became of a model's versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downstream {
    /// Their releases, oldest first.
    pub releases: Vec<Released>,
    /// What serves.
    pub serving: Vec<Serves>,
}

/// Knows releases and traffic. Asked for each model of a graph; must answer from records and change nothing.
#[async_trait]
pub trait Deployments: fmt::Debug + Send + Sync {
    /// What became of the model's versions; nothing for a model that was never released.
    ///
    /// # Errors
    /// [`crate::Error::Ungoverned`] when the records do not answer.
    async fn of(&self, model: &ModelName) -> Result<Downstream>;
}

/// Knows of no release: a registry alone.
#[derive(Debug, Clone, Copy)]
pub struct Unreleased;

#[async_trait]
impl Deployments for Unreleased {
    async fn of(&self, _: &ModelName) -> Result<Downstream> {
        Ok(Downstream::default())
    }
}
