//! What serves, as a gateway's traffic plan: the assignments of releases, and for models of which no release became stable
//! yet the version that the alias `production` names.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use features::ReadPlan;
use release::{Assignment, Pinned};
use serving::{BoxError, Canary, ModelPlan, PlanSource, TrafficPlan, VersionPlan, Watch};
use types::{Digest, ErrorKind, ModelName, ModelVersion};

use super::backends::{BackendOf, HTTP};
use crate::project::{Project, ProjectStore};

/// The alias that mirrors stable, and that alone decides what serves of a model without a declaration.
pub(crate) const PRODUCTION: &str = "production";
/// Composes plans.
#[derive(Debug)]
pub(crate) struct Plans {
    releases: release::Service,
    registry: registry::Service,
    projects: Arc<ProjectStore>,
    backends: BackendOf,
    /// The digest and backend of versions that serve by alias; a registered version's files do not change, and if they
    /// do, it is refused at load.
    aliased: Mutex<HashMap<ModelVersion, (Digest, &'static str)>>,
    /// What each alias named when that could last be found out.
    last: Mutex<HashMap<ModelName, VersionPlan>>,
}

impl Plans {
    /// Composes plans from what is released, and what is aliased.
    pub(crate) fn new(
        releases: release::Service,
        registry: registry::Service,
        projects: Arc<ProjectStore>,
        backends: BackendOf,
    ) -> Self {
        Self { releases, registry, projects, backends, aliased: Mutex::default(), last: Mutex::default() }
    }

    async fn compose(&self) -> Result<TrafficPlan> {
        let mut plan = TrafficPlan::default();
        for assignment in self.releases.assignments().await? {
            plan.revision = plan.revision.max(assignment.revision);
            let model = self.model(&assignment).await.with_context(|| format!("cannot plan {}", assignment.model))?;
            plan.models.insert(assignment.model.clone(), model);
        }
        for (model, version) in self.registry.aliased(PRODUCTION).await? {
            if plan.models.get(&model).is_some_and(|planned| planned.stable.is_some()) {
                continue;
            }
            if let Some(version) = self.aliased(ModelVersion::new(model.clone(), version)).await? {
                serve(plan.models.entry(model).or_default(), version);
            }
        }
        Ok(plan)
    }

    /// What an alias names. One that names what cannot be served, such as files that lie elsewhere, is passed over: other
    /// models' rollbacks must not wait until somebody moves it.
    async fn aliased(&self, version: ModelVersion) -> Result<Option<VersionPlan>> {
        let model = version.model.clone();
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match self.by_alias(version.clone()).await {
            Ok(planned) => {
                last().insert(model, planned.clone());
                Ok(Some(planned))
            }
            Err(error) => {
                let known = last().get(&model).cloned();
                // Nothing was ever planned of it here; the plan on disk may know it.
                if known.is_none() && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal) {
                    return Err(error.into());
                }
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, %version, "the alias names what cannot be served, and is passed over");
                Ok(known)
            }
        }
    }

    async fn model(&self, assignment: &Assignment) -> Result<ModelPlan> {
        let rolled_out = assignment.canary.as_ref().map(|canary| &canary.pinned).or(assignment.shadow.as_ref());
        let watch =
            rolled_out.map(|pinned| Watch { release: pinned.release.to_string(), slow_after: assignment.slow_after });
        let mut plan = ModelPlan { revision: assignment.revision, watch, ..ModelPlan::default() };
        if let Some(pinned) = &assignment.stable {
            let project = self.projects.by_digest(pinned.project_digest).await?;
            if let Some(declared) = project.models.get(&assignment.model) {
                plan.route_by.clone_from(&declared.route_by);
                plan.segments.clone_from(&declared.segments);
            }
            plan.stable = Some(self.version(&assignment.model, pinned).await?);
        }
        if let Some(canary) = &assignment.canary {
            let version = self.version(&assignment.model, &canary.pinned).await?;
            plan.canary = Some(Canary { version, weight: canary.weight });
        }
        if let Some(pinned) = &assignment.shadow {
            plan.shadow = Some(self.version(&assignment.model, pinned).await?);
        }
        for pinned in assignment.candidates.iter().chain(&assignment.previous) {
            let planned = plan.versions().any(|version| version.version.version == pinned.version);
            if !planned {
                plan.others.push(self.version(&assignment.model, pinned).await?);
            }
        }
        Ok(plan)
    }

    async fn version(&self, model: &ModelName, pinned: &Pinned) -> Result<VersionPlan> {
        let project = self.projects.by_digest(pinned.project_digest).await?;
        version_plan(&project, model, pinned)
    }

    async fn by_alias(&self, version: ModelVersion) -> Result<VersionPlan, registry::Error> {
        let known = self.aliased.lock().unwrap_or_else(PoisonError::into_inner).get(&version).copied();
        let (digest, backend) = match known {
            Some(known) => known,
            None => {
                let found = (self.registry.artifact_digest(&version).await?, self.backends.version(&version).await?);
                self.aliased.lock().unwrap_or_else(PoisonError::into_inner).insert(version.clone(), found);
                found
            }
        };
        Ok(VersionPlan::plain(version, backend, digest))
    }
}

/// Lets `version` serve until a release of the model becomes stable; as its release declares it, if that is under way.
fn serve(plan: &mut ModelPlan, version: VersionPlan) {
    let candidate = plan.others.iter().position(|other| other.version == version.version);
    plan.stable = Some(candidate.map_or(version, |place| plan.others.remove(place)));
}

/// A pinned version, with the features that its project declares for it. One that a server of its own executes makes its
/// features there, and takes what callers send.
pub(crate) fn version_plan(project: &Project, model: &ModelName, pinned: &Pinned) -> Result<VersionPlan> {
    let version = ModelVersion::new(model.clone(), pinned.version);
    let mut plan = VersionPlan::plain(version, pinned.backend.clone(), pinned.artifact_digest);
    plan.release = Some(pinned.release.to_string());
    if pinned.backend == HTTP {
        return Ok(plan);
    }
    let Some(declared) = project.models.get(model) else { return Ok(plan) };
    let references = project.features_of(declared);
    let read = ReadPlan::new(&project.definitions, &references)?;
    plan.features = references.iter().map(ToString::to_string).collect();
    plan.feature_digests = pinned.feature_digests.clone();
    plan.entity_keys = read.entity_keys().iter().map(|key| (key.name.clone(), key.value_type)).collect();
    plan.request_values = read.request_values().to_vec();
    plan.feature_types =
        read.features().iter().map(|feature| (feature.name().to_owned(), feature.value_type)).collect();
    Ok(plan)
}

#[async_trait]
impl PlanSource for Plans {
    async fn current(&self) -> Result<TrafficPlan, BoxError> {
        Ok(self.compose().await?)
    }
}

/// The digests that the project in force has for `model`'s features.
pub(crate) fn feature_digests(project: &Project, model: &ModelName) -> Result<BTreeMap<String, Digest>> {
    let Some(declared) = project.models.get(model) else { return Ok(BTreeMap::new()) };
    Ok(project.definitions.digests(&project.features_of(declared))?)
}
