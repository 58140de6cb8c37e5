//! Protects what serves from MLflow's own calls: for models that the project declares, only releases move the alias
//! `production`, and nothing that serves or may be rolled back to is deleted.

use std::sync::Arc;

use async_trait::async_trait;
use registry::{Governance, Mutation, Refusal};
use release::{Assignment, Pinned};
use types::{AuditEntry, ModelName, ModelVersion, Principal};

use super::plan_source::PRODUCTION;
use crate::project::ProjectStore;

/// MLflow's word for the stage that means the same as the alias.
const PRODUCTION_STAGE: &str = "Production";

/// Asks project and releases.
#[derive(Debug)]
pub(crate) struct ReleasesOnly {
    pub(crate) projects: Arc<ProjectStore>,
    pub(crate) releases: release::Service,
    pub(crate) identity: identity::Service,
    pub(crate) clock: runtime::SharedClock,
}

#[async_trait]
impl Governance for ReleasesOnly {
    async fn check(&self, principal: &Principal, mutation: &Mutation) -> Result<(), Refusal> {
        let unknown = |error: anyhow::Error| Refusal::Unknown {
            message: format!("it is not known whether this model is released here, so nothing was changed: {error:#}"),
        };
        let model = mutation.model();
        let project = self.projects.in_force().await.map_err(unknown)?;
        let assignments = self.releases.assignments().await.map_err(|error| unknown(error.into()))?;
        let assignment = assignments.iter().find(|assignment| &assignment.model == model);
        let declared = project.is_some_and(|project| project.models.contains_key(model));
        let Some(what) = moves_what_serves(mutation, declared, assignment) else { return Ok(()) };
        let message = format!(
            "{what}: {model} is released by Crosstie. Use `crosstie release create {model}/VERSION` to bring a version to \
             production, `crosstie rollback {model}` to go back"
        );
        let entry = AuditEntry {
            at: self.clock.now(),
            principal: principal.name.clone(),
            action: "registry.refused".to_owned(),
            subject: model.to_string(),
            detail: serde_json::json!({ "mutation": format!("{mutation:?}"), "because": what }),
        };
        self.identity.append(entry).await.map_err(|error| unknown(error.into()))?;
        Err(Refusal::Protected { message })
    }

    async fn pinned(&self) -> Result<Vec<ModelVersion>, Refusal> {
        let unknown = |error: release::Error| Refusal::Unknown {
            message: format!("it is not known what releases pin, so nothing was deleted: {error}"),
        };
        let assignments = self.releases.assignments().await.map_err(unknown)?;
        let of = |assignment: &Assignment| {
            let model = assignment.model.clone();
            pins(assignment).map(|pinned| ModelVersion::new(model.clone(), pinned.version)).collect::<Vec<_>>()
        };
        Ok(assignments.iter().flat_map(of).collect())
    }
}

/// Why the mutation is refused; `None` when it touches nothing that serves.
fn moves_what_serves(mutation: &Mutation, declared: bool, assignment: Option<&Assignment>) -> Option<String> {
    let pinned =
        |version: u32| assignment.is_some_and(|assignment| pins(assignment).any(|pinned| pinned.version == version));
    let production = |alias: &str, model: &ModelName| {
        (declared && alias == PRODUCTION).then(|| format!("the alias `{PRODUCTION}` of {model} is not set by hand"))
    };
    match mutation {
        Mutation::SetAlias { version, alias } => production(alias, &version.model),
        Mutation::DeleteAlias { model, alias } => production(alias, model),
        Mutation::DeleteModel { model } => (declared || assignment.is_some())
            .then(|| format!("the model {model} is not deleted while the project declares it")),
        Mutation::RenameModel { model, .. } => (declared || assignment.is_some())
            .then(|| format!("the model {model} is not renamed while the project declares it")),
        Mutation::DeleteVersion { version } => pinned(version.version)
            .then(|| format!("{version} is not deleted while it serves, is being released, or can be rolled back to")),
        Mutation::TransitionStage { version, stage, archive_existing } => {
            let touches = stage == PRODUCTION_STAGE || *archive_existing || pinned(version.version);
            (declared && touches).then(|| format!("{version} is not moved to the stage {stage} by hand"))
        }
    }
}

/// Every version that an assignment keeps loadable.
pub(crate) fn pins(assignment: &Assignment) -> impl Iterator<Item = &Pinned> {
    let canary = assignment.canary.as_ref().map(|canary| &canary.pinned);
    assignment
        .stable
        .iter()
        .chain(canary)
        .chain(&assignment.shadow)
        .chain(&assignment.previous)
        .chain(&assignment.candidates)
}
