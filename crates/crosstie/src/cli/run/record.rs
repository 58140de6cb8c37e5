//! What a workflow's runs are known by, taken before its first step starts: commit and what differed from it,
//! environment, feature definitions, the data file by file, the workflow with its parameters.
//!
//! Tags reach every MLflow run of the steps by the environment that stock clients read; files and datasets are added to
//! a run once it is there ([`super::attach`]). What cannot be taken is told, and stops nothing: the run then is not
//! releasable, which its tag says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use pipelines::{DataManifest, Plan, data_of, git_state, list_environment, snapshot};
use serde_json::{Value as JsonValue, json};
use types::Digest;
use uuid::Uuid;

use crate::{
    cli::{client::Client, output::Output},
    project::{Project, read_files},
};

/// The tag by which the runs of one `crosstie run` are found.
pub(in crate::cli) const WORKFLOW_RUN_TAG: &str = "crosstie.run";
/// The names of the files that a run keeps.
pub(in crate::cli) const ENVIRONMENT: &str = "environment.txt";
pub(in crate::cli) const CHANGES: &str = "changes.patch";
pub(in crate::cli) const DATA: &str = "data.json";

/// Characters of a dataset's digest that MLflow keeps.
const DIGEST_LENGTH: usize = 36;

/// What every run of the workflow is given.
#[derive(Debug, Default)]
pub(in crate::cli) struct Record {
    /// Tags, set by the client itself.
    pub(in crate::cli) tags: BTreeMap<String, String>,
    /// Files of the run's folder `crosstie/`.
    pub(in crate::cli) files: Vec<(&'static str, Vec<u8>)>,
    /// The files of data, as they were when the run started.
    pub(in crate::cli) read: Vec<PathBuf>,
    /// Dataset inputs, as MLflow's `log-inputs` takes them.
    pub(in crate::cli) datasets: Vec<JsonValue>,
}

/// What is to be recorded.
pub(in crate::cli) struct Subject<'a> {
    pub(in crate::cli) uid: Uuid,
    /// The project's folder.
    pub(in crate::cli) dir: &'a Path,
    /// The manifest's file.
    pub(in crate::cli) workflow: &'a Path,
    pub(in crate::cli) plan: &'a Plan,
    /// The search path of steps.
    pub(in crate::cli) path: &'a str,
    /// A folder that git ignores, for scratch files.
    pub(in crate::cli) scratch: &'a Path,
}

impl Record {
    /// Takes the record.
    ///
    /// # Errors
    /// When there is no Python to list, or the server does not answer.
    pub(in crate::cli) async fn take(output: Output, client: &Client, subject: &Subject<'_>) -> Result<Self> {
        let mut record = Self::default();
        let environment = list_environment(Path::new("python3"), subject.path).await?;
        let features: JsonValue = client.get("features").await?;
        record.tag("crosstie.environment", Digest::of(&environment).to_string());
        record.tag("crosstie.features", feature_digests(&features).to_string());
        record.tag("crosstie.workflow", workflow(subject).to_string());
        record.tag(WORKFLOW_RUN_TAG, subject.uid.to_string());
        record.files.push((ENVIRONMENT, environment.into_bytes()));
        record.code(output, subject).await;
        record.data(output, subject).await?;
        Ok(record)
    }

    /// The content of one of its files; empty if it has not got it.
    pub(in crate::cli) fn file(&self, name: &str) -> &[u8] {
        self.files.iter().find(|(known, _)| *known == name).map_or(&[], |(_, content)| content)
    }

    /// The files of data that somebody wrote to since then.
    pub(in crate::cli) fn written_since(&self, started: SystemTime) -> Vec<PathBuf> {
        let is_newer = |path: &&PathBuf| {
            fs::metadata(path).and_then(|about| about.modified()).is_ok_and(|written| written > started)
        };
        self.read.iter().filter(is_newer).cloned().collect()
    }

    fn tag(&mut self, key: &str, value: String) {
        self.tags.insert(key.to_owned(), value);
    }

    async fn code(&mut self, output: Output, subject: &Subject<'_>) {
        let state = git_state(subject.dir).await;
        let is_clean = state.as_ref().is_some_and(|git| !git.dirty);
        if let Some(git) = state {
            self.tag("mlflow.source.git.commit", git.commit);
            self.tag("crosstie.git.dirty", git.dirty.to_string());
            self.tag("crosstie.git.path", git.path);
            self.tags.extend(git.repository.map(|url| ("mlflow.source.git.repoURL".to_owned(), url)));
        }
        if is_clean {
            return;
        }
        match snapshot(subject.dir, &subject.scratch.join("git")).await {
            Ok(Some(kept)) => {
                let size = kept.patch.len().div_ceil(1_000);
                output.progress(&format!("  uncommitted: {} file(s) are kept with the run ({size} kB)", kept.files));
                self.files.push((CHANGES, kept.patch));
            }
            Ok(None) => {}
            Err(error) => {
                output.progress(&format!("  uncommitted changes are NOT kept: {:#}", anyhow::Error::from(error)))
            }
        }
        fs::remove_dir_all(subject.scratch.join("git")).ok();
    }

    async fn data(&mut self, output: Output, subject: &Subject<'_>) -> Result<()> {
        let (dir, parameters) = (subject.dir.to_owned(), subject.plan.parameters().clone());
        let taken = tokio::task::spawn_blocking(move || taken(&dir, &parameters)).await;
        match taken.context("the data's digests were not computed")? {
            Ok((manifest, datasets)) if !manifest.files.is_empty() => {
                let megabytes = manifest.size() as f64 / 1e6;
                output.progress(&format!("  data: {} file(s), {megabytes:.1} MB, by digest", manifest.files.len()));
                self.read = manifest.files.keys().map(|path| subject.dir.join(path)).collect();
                self.files.push((DATA, serde_json::to_vec_pretty(&manifest)?));
                self.datasets = datasets;
            }
            Ok(_) => {}
            Err(error) => output.progress(&format!("  the data's digests are NOT kept: {error:#}")),
        }
        Ok(())
    }
}

/// The workflow as its tag has it.
fn workflow(subject: &Subject<'_>) -> JsonValue {
    let file = subject.workflow.canonicalize().ok();
    let dir = subject.dir.canonicalize().ok();
    let file = file.zip(dir).and_then(|(file, dir)| Some(file.strip_prefix(dir).ok()?.display().to_string()));
    let plan = subject.plan;
    json!({ "name": plan.name(), "digest": plan.digest(), "file": file, "parameters": plan.parameters() })
}

/// The data of the workflow's parameters and of the project's feature views: all files, and each as a dataset.
fn taken(dir: &Path, parameters: &BTreeMap<String, String>) -> Result<(DataManifest, Vec<JsonValue>)> {
    let mut groups: Vec<(String, Vec<PathBuf>)> = data_of(parameters, dir)?.into_iter().collect();
    let project = read_files(dir)?.and_then(|files| Project::parse(&files).ok());
    for view in project.iter().flat_map(|project| project.definitions.views()) {
        // A source that is not here is the server's own; what it holds is none of this folder's facts.
        if let Ok(files) = view.source_files(dir) {
            groups.push((view.name().to_owned(), files));
        }
    }
    let manifest = DataManifest::collect(dir, groups.iter().flat_map(|(_, files)| files))?;
    let datasets = groups.iter().map(|(name, files)| dataset(dir, name, files, &manifest.part(dir, files)));
    let datasets = datasets.collect();
    Ok((manifest, datasets))
}

fn dataset(dir: &Path, name: &str, files: &[PathBuf], part: &DataManifest) -> JsonValue {
    let place = match files {
        [one] => one.clone(),
        many => common_folder(many).unwrap_or_else(|| dir.to_owned()),
    };
    let uri = url::Url::from_file_path(&place).map_or_else(|()| place.display().to_string(), String::from);
    json!({
        "tags": [{ "key": "mlflow.data.context", "value": "workflow" }],
        "dataset": {
            "name": name,
            "digest": part.digest().hex()[..DIGEST_LENGTH],
            "source_type": "local",
            "source": json!({ "uri": uri }).to_string(),
            "profile": json!({ "files": part.files.len(), "bytes": part.size() }).to_string(),
        },
    })
}

fn common_folder(files: &[PathBuf]) -> Option<PathBuf> {
    let first = files.first()?.parent()?;
    first.ancestors().find(|folder| files.iter().all(|file| file.starts_with(folder))).map(Path::to_path_buf)
}

/// The digests of all views and on-demand features, as the tag `crosstie.features` has them.
pub(in crate::cli) fn feature_digests(features: &JsonValue) -> JsonValue {
    let digests = |list: &str, prefix: &'static str| {
        let entries = features[list].as_array().cloned().unwrap_or_default();
        entries
            .into_iter()
            .filter_map(move |entry| Some((format!("{prefix}{}", entry["name"].as_str()?), entry["digest"].clone())))
    };
    digests("views", "").chain(digests("on_demand", "on_demand:")).collect()
}
