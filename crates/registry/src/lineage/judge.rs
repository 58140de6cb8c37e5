//! The judgement: what a run's record tells, and what it lacks. Pure, and the only one: whoever says "releasable" asks
//! here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use types::{Digest, ModelVersion};

use super::{
    GitState, Lineage, LineageDataset, LineageWorkflow,
    evidence::{self, Evidence},
};
use crate::Run;

/// The tag with the commit, which stock clients set in a git work tree.
const COMMIT_TAG: &str = "mlflow.source.git.commit";
/// The tag with the repository's address.
const REPOSITORY_TAG: &str = "mlflow.source.git.repoURL";
/// Whether the work tree differed from the commit: `true` or `false`. The second is MLflow's own name for it.
const DIRTY_TAGS: [&str; 2] = ["crosstie.git.dirty", "mlflow.source.git.dirty"];
/// The project's folder in the repository.
const PATH_TAG: &str = "crosstie.git.path";
/// The features used, as a JSON object from view to definition digest.
const FEATURES_TAG: &str = "crosstie.features";
/// The digest of the environment's lock file.
const ENVIRONMENT_TAG: &str = "crosstie.environment";
/// The workflow that made the run, as JSON.
const WORKFLOW_TAG: &str = "crosstie.workflow";
/// The program that was started, which stock clients set.
const SOURCE_TAG: &str = "mlflow.source.name";
/// The input's tag that says what the dataset was for.
const CONTEXT_TAG: &str = "mlflow.data.context";

/// Something that lineage should tell and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What: `run`, `datasets`, `git`, `environment`, …
    pub what: String,
    /// What to do so that the next version has it.
    pub add: String,
    /// The line of Python that adds it, with the stock client; empty where no line does.
    #[serde(default)]
    pub line: String,
}

impl Missing {
    fn new(what: &str, add: &str, line: &str) -> Self {
        Self { what: what.to_owned(), add: add.to_owned(), line: line.to_owned() }
    }
}

/// The judgement in one line: `yes`, or `no` with what is missing and the lines that add it.
#[must_use]
pub fn verdict(missing: &[Missing]) -> String {
    if missing.is_empty() {
        return "yes".to_owned();
    }
    let told = missing.iter().map(|missing| {
        let how = if missing.line.is_empty() { &missing.add } else { &missing.line };
        format!("{}: {how}", missing.what)
    });
    format!("no: {}", told.collect::<Vec<_>>().join("; "))
}

/// Whether a change of this tag can change the judgement.
pub(super) fn looks_at(tag: &str) -> bool {
    let others = [COMMIT_TAG, PATH_TAG, FEATURES_TAG, ENVIRONMENT_TAG, WORKFLOW_TAG, SOURCE_TAG];
    DIRTY_TAGS.contains(&tag) || others.contains(&tag)
}

/// The version names no run of this server.
pub(super) fn no_run() -> Missing {
    Missing::new(
        "run",
        "register the version from a run of this server: log the model inside `mlflow.start_run()` and register what \
         `log_model` returns, or pass `run_id`",
        "mlflow.register_model(logged.model_uri, name)  # of `logged = mlflow.….log_model(…)` in `mlflow.start_run()`",
    )
}

/// Nobody is known to have registered the version.
pub(super) fn no_author() -> Missing {
    Missing::new("author", "register the version through this server, with a token", "")
}

/// What the run lacks.
pub(super) fn missing(run: &Run, evidence: &Evidence) -> Vec<Missing> {
    let nobody = crate::Author { name: String::new(), anonymous: true };
    let any = ModelVersion::parse("m/1").expect("a model's name and a version");
    let mut lineage = Lineage::of(any, Some(nobody));
    read(&mut lineage, run, evidence);
    lineage.missing
}

/// Reads the run's record into `lineage`, and lists what it lacks.
pub(super) fn read(lineage: &mut Lineage, run: &Run, evidence: &Evidence) {
    lineage.files.clone_from(&evidence.files);
    read_features(lineage, run);
    read_code(lineage, run, evidence);
    read_environment(lineage, run, evidence);
    read_workflow(lineage, run);
    lineage.datasets = datasets(run);
    let line = "mlflow.log_input(mlflow.data.from_pandas(df, source=\"…\"), context=\"training\")";
    if lineage.datasets.is_empty() {
        lineage.missing.push(Missing::new("datasets", &format!("log what the run reads with `{line}`"), line));
    }
    if let Some(dataset) = lineage.datasets.iter().find(|dataset| dataset.digest.is_empty()) {
        let add = format!("give the dataset `{}` the digest of its content: `{line}` computes it", dataset.name);
        lineage.missing.push(Missing::new("datasets", &add, line));
    }
}

fn tag<'a>(run: &'a Run, key: &str) -> Option<&'a str> {
    run.tag(key).filter(|value| !value.is_empty())
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

fn read_features(lineage: &mut Lineage, run: &Run) {
    match tag(run, FEATURES_TAG).map(serde_json::from_str) {
        Some(Ok(features)) => lineage.features = features,
        Some(Err(_)) => lineage.missing.push(malformed("features", FEATURES_TAG, "a JSON object from view to digest")),
        None => lineage.missing.push(Missing::new(
            "features",
            "make the training set with `crosstie features training-set` in a step of `crosstie run`, or set the run's \
             tag `crosstie.features` to a JSON object from feature view to definition digest (`{}` if it uses none)",
            "mlflow.set_tag(\"crosstie.features\", \"{}\")",
        )),
    }
}

/// The code is known by a commit, with what differed from it, or by itself: a notebook, a script, a whole project.
fn read_code(lineage: &mut Lineage, run: &Run, evidence: &Evidence) {
    let dirty = DIRTY_TAGS.iter().find_map(|key| tag(run, key)).and_then(|value| value.to_lowercase().parse().ok());
    let kept = evidence.files.as_ref().map(keeps_code);
    lineage.git = tag(run, COMMIT_TAG).map(|commit| GitState {
        commit: commit.to_owned(),
        dirty,
        repository: tag(run, REPOSITORY_TAG).map(str::to_owned),
        path: tag(run, PATH_TAG).map(str::to_owned),
    });
    if kept == Some(true) {
        return;
    }
    match &lineage.git {
        None => lineage.missing.push(Missing::new(
            "git",
            "run the training from a git work tree, by `crosstie run` or with the run's tag `mlflow.source.git.commit` \
             set; or keep the notebook or script itself with the run, in `crosstie/`",
            "mlflow.log_artifact(\"train.ipynb\", \"crosstie\")",
        )),
        Some(GitState { dirty: Some(false), .. }) => {}
        Some(GitState { dirty: Some(true), .. }) if kept.is_none() => {}
        Some(GitState { dirty: Some(true), .. }) => lineage.missing.push(Missing::new(
            "changes",
            "the work tree differed from the commit: run the training by `crosstie run`, which keeps what differed, or \
             log it as `crosstie/changes.patch`",
            "mlflow.log_text(subprocess.check_output([\"git\", \"diff\", \"--binary\", \"HEAD\"], text=True), \
             \"crosstie/changes.patch\")",
        )),
        Some(GitState { dirty: None, .. }) => lineage.missing.push(Missing::new(
            "dirty",
            "say whether the work tree differed from the commit: run the training by `crosstie run`, or set the run's \
             tag `mlflow.source.git.dirty` to `true` or `false`",
            "mlflow.set_tag(\"mlflow.source.git.dirty\", str(bool(subprocess.check_output([\"git\", \"status\", \
             \"--porcelain\"]))).lower())",
        )),
    }
}

/// Whether something in the run's folder is code.
fn keeps_code(files: &BTreeSet<String>) -> bool {
    files.iter().any(|file| ![evidence::ENVIRONMENT, evidence::DATA].contains(&file.as_str()))
}

fn read_environment(lineage: &mut Lineage, run: &Run, evidence: &Evidence) {
    let absent = || {
        Missing::new(
            "environment",
            "run the training by `crosstie run`, which keeps the exact packages, or log them as \
             `crosstie/environment.txt`",
            "mlflow.log_text(\"\\n\".join(f\"{d.name}=={d.version}\" for d in importlib.metadata.distributions()), \
             \"crosstie/environment.txt\")",
        )
    };
    match (evidence.environment, tag(run, ENVIRONMENT_TAG).map(Digest::parse)) {
        (Some(kept), _) => lineage.environment = Some(kept),
        (None, Some(Ok(told))) => {
            lineage.environment = Some(told);
            if evidence.files.is_some() {
                lineage.missing.push(absent());
            }
        }
        (None, Some(Err(_))) => {
            lineage.missing.push(malformed("environment", ENVIRONMENT_TAG, "`sha256:` and 64 digits"));
        }
        (None, None) => lineage.missing.push(absent()),
    }
}

fn read_workflow(lineage: &mut Lineage, run: &Run) {
    lineage.source = tag(run, SOURCE_TAG).map(str::to_owned);
    let Some(text) = tag(run, WORKFLOW_TAG) else {
        if lineage.source.is_none() {
            lineage.missing.push(Missing::new(
                "workflow",
                "run the training by `crosstie run`, or say what was started by the run's tag `mlflow.source.name`, \
                 which stock clients set",
                "mlflow.set_tag(\"mlflow.source.name\", sys.argv[0])",
            ));
        }
        return;
    };
    match serde_json::from_str::<LineageWorkflow>(text) {
        Ok(workflow) => lineage.workflow = Some(workflow),
        Err(_) => {
            lineage.missing.push(malformed("workflow", WORKFLOW_TAG, "JSON with name, digest and parameters"));
        }
    }
}

fn malformed(what: &str, tag: &str, expected: &str) -> Missing {
    let add = format!("set the run's tag `{tag}` to {expected}: what it holds now is not that");
    Missing::new(what, &add, &format!("mlflow.set_tag(\"{tag}\", …)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyValue, LifecycleStage, RunInfo, RunStatus};

    fn run(tags: &[(&str, &str)]) -> Run {
        let info = RunInfo {
            id: "r".to_owned(),
            name: None,
            experiment_id: 0,
            user_id: String::new(),
            status: RunStatus::Finished,
            started: None,
            ended: None,
            artifact_uri: String::new(),
            stage: LifecycleStage::Active,
        };
        let tags = tags.iter().map(|(key, value)| KeyValue::new(*key, *value)).collect();
        let (metrics, params, datasets) = (Vec::new(), Vec::new(), Vec::new());
        Run { info, metrics, params, tags, datasets, model_inputs: Vec::new(), model_outputs: Vec::new() }
    }

    fn with_files(files: &[&str]) -> Evidence {
        Evidence { files: Some(files.iter().map(|file| (*file).to_owned()).collect()), environment: None }
    }

    fn lacks(tags: &[(&str, &str)], evidence: &Evidence, what: &str) -> bool {
        missing(&run(tags), evidence).iter().any(|missing| missing.what == what)
    }

    #[test]
    fn a_dirty_tree_is_enough_once_what_differed_is_kept() {
        let commit = ("mlflow.source.git.commit", "abc");
        assert!(lacks(&[commit], &with_files(&[]), "dirty"));
        assert!(!lacks(&[commit, ("mlflow.source.git.dirty", "False")], &with_files(&[]), "dirty"));
        let dirty = [commit, ("crosstie.git.dirty", "true")];
        assert!(lacks(&dirty, &with_files(&["environment.txt", "data.json"]), "changes"));
        assert!(!lacks(&dirty, &with_files(&["changes.patch"]), "changes"));
        assert!(!lacks(&dirty, &Evidence::default(), "changes"), "elsewhere nobody can look");
    }

    #[test]
    fn a_notebook_without_a_repository_is_enough_by_itself() {
        assert!(lacks(&[], &with_files(&[]), "git"));
        assert!(!lacks(&[], &with_files(&["train.ipynb"]), "git"));
    }

    #[test]
    fn a_digest_without_the_lock_file_is_not_enough_where_one_can_look() {
        let digest = Digest::of("lock");
        let told = [("crosstie.environment", &*digest.to_string())];
        assert!(lacks(&told, &with_files(&[]), "environment"));
        assert!(!lacks(&told, &Evidence::default(), "environment"));
        assert!(!lacks(
            &[],
            &Evidence { environment: Some(digest), ..with_files(&["environment.txt"]) },
            "environment"
        ));
    }

    #[test]
    fn the_verdict_has_a_line_for_everything_that_is_missing() {
        let missing = missing(&run(&[]), &with_files(&[]));
        let said = verdict(&missing);
        assert!(said.starts_with("no: ") && said.contains("mlflow.log_input(mlflow.data.from_pandas("), "{said}");
        assert!(missing.iter().all(|missing| !missing.line.is_empty()), "{missing:?}");
        assert_eq!(verdict(&[]), "yes");
    }
}
