//! What drift is judged against, and for which models: the evaluation data that training runs left, and the declarations
//! under which versions serve.

use std::sync::Arc;

use async_trait::async_trait;
use drift::{BoxError, KpiDef, Policy, ReferenceRows, References, Watched, WatchedModel};
use release::{ModelFile, PortError, model_file::Drift};
use types::{Duration, ErrorKind, ModelVersion};

use super::gates::{Evaluation, Evaluations};
use crate::project::ProjectStore;

/// The column of the evaluation data with the model's own answers, if the run wrote them.
const SCORE: &str = "score";
/// The window of KPIs of a model whose drift nobody asked about.
const UNWATCHED: Duration = Duration::from_secs(3_600);

/// A version's reference is the evaluation data of its training run: rows of the days before it, with every feature as
/// it was used.
#[derive(Debug)]
pub(crate) struct TrainingData {
    pub(crate) evaluations: Evaluations,
}

#[async_trait]
impl References for TrainingData {
    async fn reference(&self, version: &ModelVersion) -> Result<Option<ReferenceRows>, BoxError> {
        match self.evaluations.of(version).await {
            Ok(Evaluation { rows, .. }) => {
                let score = rows.column_by_name(SCORE).map(|_| SCORE.to_owned());
                Ok(Some(ReferenceRows { columns: rows, score }))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether there is no such data, as opposed to a store that does not answer.
fn is_absent(error: &PortError) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::FailedPrecondition)
}

/// The versions that serve, stable and canary, of models that have a declaration.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) releases: release::Service,
    pub(crate) projects: Arc<ProjectStore>,
}

#[async_trait]
impl Watched for Serving {
    async fn watched(&self) -> Result<Vec<WatchedModel>, BoxError> {
        let mut watched = Vec::new();
        for assignment in self.releases.assignments().await? {
            for pinned in assignment.stable.iter().chain(assignment.canary.iter().map(|canary| &canary.pinned)) {
                let project = self.projects.by_digest(pinned.project_digest).await?;
                if let Some(declared) = project.models.get(&assignment.model) {
                    let version = ModelVersion::new(assignment.model.clone(), pinned.version);
                    watched.push(of_declaration(version, declared));
                }
            }
        }
        Ok(watched)
    }
}

fn of_declaration(version: ModelVersion, declared: &ModelFile) -> WatchedModel {
    let inputs = declared.features.iter().flatten().map(|feature| serving::input_name(feature).to_owned());
    let kpis = declared.kpis.iter().map(|(name, kpi)| KpiDef {
        name: name.clone(),
        event: kpi.event.clone(),
        per: kpi.per.clone(),
    });
    let policy = declared.drift.as_ref().map(|drift| Policy {
        window: drift.window,
        min_rows: drift.min_rows,
        exclude: drift.exclude.iter().map(|feature| serving::input_name(feature).to_owned()).collect(),
    });
    WatchedModel {
        version,
        // A model that declares no policy is not compared with anything; its KPIs are counted all the same.
        features: if policy.is_some() { inputs.collect() } else { Vec::new() },
        segments: declared.segments.clone(),
        policy: policy.unwrap_or(Policy {
            window: UNWATCHED,
            min_rows: Drift::default_min_rows(),
            exclude: Vec::new(),
        }),
        kpis: kpis.collect(),
        attribution: declared.attribution,
    }
}
