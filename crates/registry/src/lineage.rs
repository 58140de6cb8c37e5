//! Where a version comes from, read off what standard MLflow calls left behind: its run, the run's dataset inputs, tags
//! that the client or the workflow's environment set, and files in the run's folder `crosstie/`. Nothing is asked of
//! user code.
//!
//! What is not known is listed as missing, with the line that adds it; nothing is made up. One function judges
//! ([`judge`]): the tag on the run, the command line, the console and the gate all say what it says.

mod deployments;
mod dot;
mod evidence;
mod graph;
mod judge;
mod judging;
mod readers;
mod releasable;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::{Digest, ModelVersion, Timestamp};

use crate::{Author, Run, Service, error::Result, experiments, made_by::made_by, repo, runs, sources, versions};

pub use deployments::{Deployments, Downstream, Released, Serves, Unreleased};
pub use evidence::EVIDENCE;
pub use graph::{Edge, Graph, Node, NodeKind};
pub use judge::{Missing, verdict};
pub(crate) use judging::Judging;
pub use readers::{ReadDataset, Readers, Reading};
pub use releasable::RELEASABLE_TAG;

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
    /// The program that was started, as the client names it: a script, a notebook, a project.
    #[serde(default)]
    pub source: Option<String>,
    /// The digest of the environment's lock file.
    pub environment: Option<Digest>,
    /// The workflow that ran it.
    pub workflow: Option<LineageWorkflow>,
    /// Who registered the version.
    pub author: Option<Author>,
    /// The logged model that the version is.
    #[serde(default)]
    pub model_id: Option<String>,
    /// What the run keeps beside its tags, in its folder `crosstie/`: lock file, uncommitted changes, notebook, manifest
    /// of the data. `None` where the run's artifacts lie in no store of this server.
    #[serde(default)]
    pub files: Option<BTreeSet<String>>,
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
    /// The project's folder in the repository; empty where it is the repository itself.
    #[serde(default)]
    pub path: Option<String>,
}

/// The workflow that made a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageWorkflow {
    /// Its name.
    pub name: String,
    /// The digest of its file.
    pub digest: Digest,
    /// Its file, from the project's folder.
    #[serde(default)]
    pub file: Option<String>,
    /// The parameters it was run with.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// A run's lineage, as far as a run alone has one: what it lacks before a version of it could be released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLineage {
    /// The run.
    pub run_id: String,
    /// Its name.
    pub name: String,
    /// Whether it made a model, so that there is something to release.
    pub has_model: bool,
    /// Whether nothing is missing.
    pub releasable: bool,
    /// What is not known.
    pub missing: Vec<Missing>,
}

impl Service {
    /// Where a version comes from.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn lineage(&self, version: &ModelVersion) -> Result<Lineage> {
        self.know(version).await?;
        let (id, store) = (version.clone(), self.artifacts.clone());
        let (mut lineage, run) = self
            .database
            .read(async move |tx| {
                let found = versions::required(tx, id.model.as_str(), id.version).await?;
                let author = repo::authors::of(tx, &found).await?;
                let run = match made_by(tx, &store, &found).await? {
                    Some(run) => repo::runs::by_id(tx, &run).await?,
                    None => None,
                };
                let mut lineage = Lineage::of(id.clone(), author);
                let places = [found.source.as_deref(), found.storage_location.as_deref()];
                lineage.model_id = places.into_iter().flatten().find_map(sources::logged_model_at);
                let Some(info) = run else { return Ok::<_, crate::Error>((lineage, None)) };
                let view = crate::ViewType::All;
                let experiment = experiments::required(tx, info.experiment_id, view).await?.name;
                let run = repo::runs::with_data(tx, vec![info]).await?.pop();
                Ok((lineage, run.map(|run| (run, experiment))))
            })
            .await?;
        let Some((run, experiment)) = run else {
            lineage.missing.push(judge::no_run());
            return Ok(lineage);
        };
        let evidence = self.evidence_of(&run).await?;
        judge::read(&mut lineage, &run, &evidence);
        lineage.run = Some(describe(run, experiment));
        Ok(lineage)
    }

    /// What a run lacks, and whether it made something to release.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn run_lineage(&self, run_id: &str) -> Result<RunLineage> {
        let id = run_id.to_owned();
        let (run, has_model) = self
            .database
            .read(async move |tx| {
                let info = runs::required(tx, &id).await?;
                let has_model = repo::lineage::made_a_model(tx, &id).await?;
                Ok::<_, crate::Error>((repo::runs::with_data(tx, vec![info]).await?.pop(), has_model))
            })
            .await?;
        let run = run.ok_or_else(|| crate::Error::NotFound(format!("Run with id={run_id} not found")))?;
        let evidence = self.evidence_of(&run).await?;
        let missing = judge::missing(&run, &evidence);
        Ok(RunLineage {
            run_id: run_id.to_owned(),
            name: run.info.name.unwrap_or_default(),
            has_model,
            releasable: missing.is_empty(),
            missing,
        })
    }
}

impl Service {
    /// The runs that one run of a workflow made, oldest first.
    ///
    /// # Errors
    /// The database's and the artifact store's.
    pub async fn runs_of_workflow(&self, uid: &str) -> Result<Vec<RunLineage>> {
        let uid = uid.to_owned();
        let found = self.database.read(async move |tx| repo::lineage::runs_of_workflow(tx, &uid).await).await?;
        let mut runs = Vec::new();
        for run in found {
            runs.push(self.run_lineage(&run).await?);
        }
        Ok(runs)
    }
}

impl Lineage {
    /// What is known before the run is looked at.
    fn of(version: ModelVersion, author: Option<Author>) -> Self {
        let mut lineage = Self {
            version,
            run: None,
            datasets: Vec::new(),
            features: BTreeMap::new(),
            git: None,
            source: None,
            environment: None,
            workflow: None,
            author,
            model_id: None,
            files: None,
            missing: Vec::new(),
        };
        if lineage.author.is_none() {
            lineage.missing.push(judge::no_author());
        }
        lineage
    }
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
