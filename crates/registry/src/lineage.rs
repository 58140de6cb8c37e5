//! Where a version comes from, read off what standard MLflow calls left behind: its run, the run's dataset inputs, and
//! tags that the client or the workflow's environment set. Nothing is asked of user code.
//!
//! What is not known is listed as missing, with what to add; nothing is made up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{Digest, ModelVersion, Timestamp};

use crate::{Author, Run, Service, error::Result, experiments, repo, versions};

/// The tag with the commit, which stock clients set in a git work tree.
const COMMIT_TAG: &str = "mlflow.source.git.commit";
/// The tag with the repository's address.
const REPOSITORY_TAG: &str = "mlflow.source.git.repoURL";
/// Whether the work tree differed from the commit: `true` or `false`.
const DIRTY_TAG: &str = "crosstie.git.dirty";
/// The features used, as a JSON object from view to definition digest.
const FEATURES_TAG: &str = "crosstie.features";
/// The digest of the environment's lock file.
const ENVIRONMENT_TAG: &str = "crosstie.environment";
/// The workflow that made the run, as JSON.
const WORKFLOW_TAG: &str = "crosstie.workflow";
/// The input's tag that says what the dataset was for.
const CONTEXT_TAG: &str = "mlflow.data.context";

/// Where a version comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// Which version.
    pub version: ModelVersion,
    /// The run that made it.
    pub run: Option<LineageRun>,
    /// The data that the run read.
    pub datasets: Vec<LineageDataset>,
    /// The features that it was trained on: view (or on-demand feature) to the digest of its definition.
    pub features: BTreeMap<String, Digest>,
    /// The code.
    pub git: Option<GitState>,
    /// The digest of the environment's lock file.
    pub environment: Option<Digest>,
    /// The workflow that ran it.
    pub workflow: Option<LineageWorkflow>,
    /// Who registered the version.
    pub author: Option<Author>,
    /// What is not known.
    pub missing: Vec<Missing>,
}

/// The run behind a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineageRun {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its experiment's name.
    pub experiment: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// Its params.
    pub params: BTreeMap<String, String>,
    /// Its latest metrics; those that are no finite number are left out.
    pub metrics: BTreeMap<String, f64>,
}

/// A dataset that a run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageDataset {
    /// Its name.
    pub name: String,
    /// Its digest, as the client computed it.
    pub digest: String,
    /// Its source, as JSON.
    pub source: String,
    /// What it was for: `training`, `evaluation`.
    pub context: Option<String>,
}

/// The code behind a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitState {
    /// The commit.
    pub commit: String,
    /// Whether the work tree differed from it; `None` if nobody looked.
    pub dirty: Option<bool>,
    /// The repository's address.
    pub repository: Option<String>,
}

/// The workflow that made a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageWorkflow {
    /// Its name.
    pub name: String,
    /// The digest of its file.
    pub digest: Digest,
    /// The parameters it was run with.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// Something that lineage should tell and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What: `run`, `datasets`, `git`, `environment`, …
    pub what: String,
    /// What to do so that the next version has it.
    pub add: String,
}

impl Missing {
    fn new(what: &str, add: &str) -> Self {
        Self { what: what.to_owned(), add: add.to_owned() }
    }
}

impl Service {
    /// Where a version comes from.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn lineage(&self, version: &ModelVersion) -> Result<Lineage> {
        let id = version.clone();
        self.database
            .read(async move |tx| {
                let found = versions::required(tx, id.model.as_str(), id.version).await?;
                let author = repo::authors::of(tx, &found).await?;
                let run = match found.run_id.as_deref().filter(|run| !run.is_empty()) {
                    Some(run) => repo::runs::by_id(tx, run).await?,
                    None => None,
                };
                let Some(info) = run else { return Ok(assemble(id.clone(), None, author)) };
                let view = crate::ViewType::All;
                let experiment = experiments::required(tx, info.experiment_id, view).await?.name;
                let run = repo::runs::with_data(tx, vec![info]).await?.pop();
                Ok(assemble(id.clone(), run.map(|run| (run, experiment)), author))
            })
            .await
    }
}

/// Puts together what is known and lists what is not.
fn assemble(version: ModelVersion, run: Option<(Run, String)>, author: Option<Author>) -> Lineage {
    let mut lineage = Lineage {
        version,
        run: None,
        datasets: Vec::new(),
        features: BTreeMap::new(),
        git: None,
        environment: None,
        workflow: None,
        author,
        missing: Vec::new(),
    };
    if lineage.author.is_none() {
        lineage.missing.push(Missing::new("author", "register the version through this server, with a token"));
    }
    let Some((run, experiment)) = run else {
        lineage.missing.push(Missing::new(
            "run",
            "register the version from a run of this server: log the model inside `mlflow.start_run()` and register \
             what `log_model` returns, or pass `run_id`",
        ));
        return lineage;
    };
    read_tags(&mut lineage, &run);
    lineage.datasets = datasets(&run);
    if lineage.datasets.is_empty() {
        let add = "log what the run reads with `mlflow.log_input(dataset, context=\"training\")`";
        lineage.missing.push(Missing::new("datasets", add));
    }
    lineage.run = Some(describe(run, experiment));
    lineage
}

fn datasets(run: &Run) -> Vec<LineageDataset> {
    let datasets = run.datasets.iter().map(|input| LineageDataset {
        name: input.dataset.name.clone(),
        digest: input.dataset.digest.clone(),
        source: input.dataset.source.clone(),
        context: input.tags.iter().find(|tag| tag.key == CONTEXT_TAG).map(|tag| tag.value.clone()),
    });
    datasets.collect()
}

fn read_tags(lineage: &mut Lineage, run: &Run) {
    let tag = |key: &str| run.tag(key).filter(|value| !value.is_empty());
    match tag(FEATURES_TAG).map(serde_json::from_str) {
        Some(Ok(features)) => lineage.features = features,
        Some(Err(_)) => lineage.missing.push(malformed("features", FEATURES_TAG, "a JSON object from view to digest")),
        None => lineage.missing.push(Missing::new(
            "features",
            "make the training set with `crosstie features training-set` in a step of `crosstie run`, or set the run's \
             tag `crosstie.features` to a JSON object from feature view to definition digest (`{}` if it uses none)",
        )),
    }
    match tag(COMMIT_TAG) {
        Some(commit) => {
            let dirty = tag(DIRTY_TAG).and_then(|value| value.parse().ok());
            lineage.git =
                Some(GitState { commit: commit.to_owned(), dirty, repository: tag(REPOSITORY_TAG).map(str::to_owned) });
        }
        None => lineage.missing.push(Missing::new(
            "git",
            "run the training from a git work tree, by `crosstie run` or with the run's tag \
             `mlflow.source.git.commit` set",
        )),
    }
    match tag(ENVIRONMENT_TAG).map(Digest::parse) {
        Some(Ok(digest)) => lineage.environment = Some(digest),
        Some(Err(_)) => lineage.missing.push(malformed("environment", ENVIRONMENT_TAG, "`sha256:` and 64 digits")),
        None => lineage.missing.push(Missing::new(
            "environment",
            "keep a lock file of the environment in the project and run the training by `crosstie run`, or set the \
             run's tag `crosstie.environment` to the lock file's digest",
        )),
    }
    if let Some(text) = tag(WORKFLOW_TAG) {
        match serde_json::from_str::<LineageWorkflow>(text) {
            Ok(workflow) => lineage.workflow = Some(workflow),
            Err(_) => {
                lineage.missing.push(malformed("workflow", WORKFLOW_TAG, "JSON with name, digest and parameters"))
            }
        }
    }
}

fn malformed(what: &str, tag: &str, expected: &str) -> Missing {
    Missing::new(what, &format!("set the run's tag `{tag}` to {expected}: what it holds now is not that"))
}

fn describe(run: Run, experiment: String) -> LineageRun {
    let finite = run.metrics.into_iter().filter(|metric| metric.value.is_finite());
    LineageRun {
        id: run.info.id,
        name: run.info.name.unwrap_or_default(),
        experiment,
        started: run.info.started.map(Timestamp::from_millis),
        params: run.params.into_iter().map(|param| (param.key, param.value)).collect(),
        metrics: finite.map(|metric| (metric.key, metric.value)).collect(),
    }
}
