//! Stages, MLflow's older way to say which version is in use.

use types::{ModelVersion, Principal};

use crate::{
    Mutation, Service, Version,
    error::{Error, Result},
    models, repo,
    rules::{self, python_list},
    versions,
};

const STAGES: [&str; 4] = ["None", "Staging", "Production", "Archived"];
/// Stages in which a version is in use.
const ACTIVE: [&str; 2] = ["Staging", "Production"];

/// A version's move to a stage.
#[derive(Debug, Clone, Default)]
pub struct Transition {
    /// The model.
    pub name: String,
    /// The version's number.
    pub version: String,
    /// The stage, in any case.
    pub stage: String,
    /// Whether the versions that are in that stage move to `Archived`.
    pub archive_existing: bool,
}

impl Service {
    /// Moves a version to a stage.
    ///
    /// # Errors
    /// When governance refuses, there is no such stage or version, or existing ones cannot be archived.
    pub async fn transition_stage(&self, by: &Principal, transition: Transition) -> Result<Version> {
        let Transition { name, version, stage, archive_existing } = transition;
        let canonical = canonical(&stage)?;
        if archive_existing && !ACTIVE.contains(&canonical) {
            return Err(Error::invalid(format!(
                "Model version transition cannot archive existing model versions because '{stage}' is not an Active \
                 stage. Valid stages are {}",
                python_list(ACTIVE)
            )));
        }
        let version = ModelVersion::new(models::parse_name(&name)?, rules::version_number(&name, &version)?);
        let stage = canonical.to_owned();
        self.permit(by, &Mutation::TransitionStage { version: version.clone(), stage, archive_existing }).await?;
        let now = self.now();
        self.database
            .write(async move |tx| {
                let name = version.model.as_str();
                let mut moved = versions::required(tx, name, version.version).await?;
                if archive_existing {
                    repo::versions::archive_others(tx, name, version.version, canonical, now).await?;
                }
                moved.stage = canonical.to_owned();
                moved.updated = Some(now);
                repo::versions::update(tx, &moved).await?;
                repo::models::touch(tx, name, now).await?;
                Ok(moved)
            })
            .await
    }

    /// The newest version of each of `stages`; of every stage if none are named.
    ///
    /// # Errors
    /// When there is no such model or stage.
    pub async fn latest_versions(&self, name: &str, stages: &[String]) -> Result<Vec<Version>> {
        rules::check_model_name(name, "name")?;
        let stages = stages.iter().map(|stage| canonical(stage)).collect::<Result<Vec<_>>>()?;
        let name = name.to_owned();
        self.database
            .read(async move |tx| {
                let mut latest = models::required(tx, &name).await?.latest_versions;
                latest.retain(|version| stages.is_empty() || stages.contains(&version.stage.as_str()));
                repo::versions::add_data(tx, &mut latest).await?;
                Ok(latest)
            })
            .await
    }
}

fn canonical(stage: &str) -> Result<&'static str> {
    let found = STAGES.into_iter().find(|known| known.eq_ignore_ascii_case(stage));
    found.ok_or_else(|| {
        let known = STAGES.join(", ");
        Error::invalid(format!("Invalid Model Version stage: {stage}. Value must be one of {known}."))
    })
}
