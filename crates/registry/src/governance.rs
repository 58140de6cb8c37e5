//! The port through which what serves is protected: whoever knows about releases is asked before the registry lets go
//! of an alias, a version or a model.

use std::fmt;

use async_trait::async_trait;
use types::{ModelName, ModelVersion, Principal};

use crate::error::{Error, Result};

/// A change that could move or unpin what serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// Point an alias to a version.
    SetAlias {
        /// The version.
        version: ModelVersion,
        /// The alias.
        alias: String,
    },
    /// Remove an alias.
    DeleteAlias {
        /// The model.
        model: ModelName,
        /// The alias.
        alias: String,
    },
    /// Delete a model with all its versions.
    DeleteModel {
        /// The model.
        model: ModelName,
    },
    /// Give a model another name.
    RenameModel {
        /// The model.
        model: ModelName,
        /// The new name.
        to: String,
    },
    /// Delete a version.
    DeleteVersion {
        /// The version.
        version: ModelVersion,
    },
    /// Move a version to a stage.
    TransitionStage {
        /// The version.
        version: ModelVersion,
        /// `None`, `Staging`, `Production` or `Archived`.
        stage: String,
        /// Whether other versions leave that stage.
        archive_existing: bool,
    },
}

impl Mutation {
    /// The model that it changes.
    #[must_use]
    pub const fn model(&self) -> &ModelName {
        match self {
            Self::SetAlias { version, .. }
            | Self::DeleteVersion { version }
            | Self::TransitionStage { version, .. } => &version.model,
            Self::DeleteAlias { model, .. } | Self::DeleteModel { model } | Self::RenameModel { model, .. } => model,
        }
    }
}

/// Why a mutation is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would move or unpin what serves; the message says how to release instead.
    #[error("{message}")]
    Protected {
        /// What the caller is told.
        message: String,
    },
    /// It is not known whether it would; nothing is changed then.
    #[error("{message}")]
    Unknown {
        /// What the caller is told.
        message: String,
    },
}

/// Decides about mutations. Asked before each, outside of the registry's transaction; must answer quickly and change
/// nothing but an audit trail.
#[async_trait]
pub trait Governance: fmt::Debug + Send + Sync {
    /// Whether `principal` may make `mutation`.
    async fn check(&self, principal: &Principal, mutation: &Mutation) -> Result<(), Refusal>;

    /// The versions that serve, are being released, or can be rolled back to: their files must stay.
    async fn pinned(&self) -> Result<Vec<ModelVersion>, Refusal>;
}

/// Allows everything: a registry without releases.
#[derive(Debug, Clone, Copy)]
pub struct Ungoverned;

#[async_trait]
impl Governance for Ungoverned {
    async fn check(&self, _: &Principal, _: &Mutation) -> Result<(), Refusal> {
        Ok(())
    }

    async fn pinned(&self) -> Result<Vec<ModelVersion>, Refusal> {
        Ok(Vec::new())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Protected { message } => Self::Refused(message),
            Refusal::Unknown { message } => Self::Ungoverned(message),
        }
    }
}
