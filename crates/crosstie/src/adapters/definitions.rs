//! Which definitions a served version reads its features by.
//!
//! A traffic plan names definitions by digest. The project that holds them is looked up once for each version; after
//! that a request finds its compiled plan without a lock that anyone holds for long, and without the database.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Result, anyhow};
use features::{FeatureRef, ReadPlan};
use serving::VersionPlan;
use types::{Digest, ModelVersion};

use crate::project::{Project, ProjectStore};

/// A version's definitions, found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The project that holds them.
    pub(crate) project: Arc<Project>,
    /// How its features are read.
    pub(crate) read: Arc<ReadPlan>,
    /// The feature names as the plan has them, shared by all answers.
    pub(crate) names: Vec<Arc<str>>,
    digests: BTreeMap<String, Digest>,
}

/// Definitions by version.
#[derive(Debug)]
pub(crate) struct VersionDefinitions {
    projects: Arc<ProjectStore>,
    found: RwLock<HashMap<ModelVersion, Arc<Found>>>,
}

impl VersionDefinitions {
    /// Looks versions' definitions up in `projects`.
    pub(crate) fn new(projects: Arc<ProjectStore>) -> Self {
        Self { projects, found: RwLock::default() }
    }

    /// The definitions that `plan` pins.
    ///
    /// # Errors
    /// When no project that is known here has them.
    pub(crate) fn of(&self, plan: &VersionPlan) -> Result<Arc<Found>> {
        let known = self.found.read().unwrap_or_else(PoisonError::into_inner).get(&plan.version).cloned();
        if let Some(found) = known.filter(|found| found.digests == plan.feature_digests && names_of(found, plan)) {
            return Ok(found);
        }
        let references: Vec<FeatureRef> =
            plan.features.iter().map(|name| FeatureRef::parse(name)).collect::<Result<_, _>>()?;
        let pins = |project: &Arc<Project>| {
            project.definitions.digests(&references).is_ok_and(|digests| digests == plan.feature_digests)
        };
        let project = self.projects.known().into_iter().find(pins);
        let project =
            project.ok_or_else(|| anyhow!("no project known here has the feature definitions of {}", plan.version))?;
        let found = Arc::new(Found {
            read: Arc::new(ReadPlan::new(&project.definitions, &references)?),
            names: plan.features.iter().map(|name| name.as_str().into()).collect(),
            digests: plan.feature_digests.clone(),
            project,
        });
        self.found.write().unwrap_or_else(PoisonError::into_inner).insert(plan.version.clone(), Arc::clone(&found));
        Ok(found)
    }

    /// The project whose definitions `version` was last served by.
    pub(crate) fn project_of(&self, version: &ModelVersion) -> Option<Digest> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.get(version).map(|found| found.project.digest)
    }
}

fn names_of(found: &Found, plan: &VersionPlan) -> bool {
    found.names.iter().map(|name| &**name).eq(plan.features.iter().map(String::as_str))
}
