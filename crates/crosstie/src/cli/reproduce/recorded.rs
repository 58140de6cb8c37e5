//! What a version's record gives to make its run again, and everything that it does not give, named at once.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use pipelines::{Code, DataManifest, EnvironmentLock};
use registry::Lineage;
use reqwest::Method;
use types::Digest;

use crate::cli::{
    client::Client,
    run::record::{CHANGES, DATA, ENVIRONMENT},
};

/// A record that has all it needs.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) lineage: Lineage,
    pub(super) code: Code,
    pub(super) workflow_file: String,
    pub(super) workflow_digest: Digest,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) lock: EnvironmentLock,
    /// The lock file as it was recorded.
    pub(super) lock_text: String,
    pub(super) data: Option<DataManifest>,
    pub(super) metrics: BTreeMap<String, f64>,
}

impl Recorded {
    /// Reads the record of `lineage`.
    ///
    /// # Errors
    /// With all that is missing, in one message.
    pub(super) async fn fetch(client: &Client, lineage: Lineage) -> Result<Self> {
        let missing = gaps(&lineage);
        if !missing.is_empty() {
            bail!("{} cannot be reproduced; its record has no\n  {}", lineage.version, missing.join("\n  "));
        }
        let (Some(run), Some(workflow)) = (lineage.run.clone(), lineage.workflow.clone()) else {
            bail!("{} cannot be reproduced: it has no run, or its run no workflow", lineage.version)
        };
        let has = |name: &str| lineage.files.as_ref().is_some_and(|files| files.contains(name));
        let patch = if has(CHANGES) { Some(file(client, &run.id, CHANGES).await?) } else { None };
        let git = lineage.git.as_ref();
        let code = Code {
            commit: git.map(|git| git.commit.clone()),
            repository: git.and_then(|git| git.repository.clone()),
            path: git.and_then(|git| git.path.clone()).unwrap_or_default(),
            patch,
        };
        let lock_text = String::from_utf8_lossy(&file(client, &run.id, ENVIRONMENT).await?).into_owned();
        let data = match has(DATA) {
            true => Some(serde_json::from_slice(&file(client, &run.id, DATA).await?).context("its data.json is none")?),
            false => None,
        };
        Ok(Self {
            code,
            workflow_file: workflow.file.unwrap_or_default(),
            workflow_digest: workflow.digest,
            parameters: workflow.parameters,
            lock: EnvironmentLock::parse(&lock_text),
            lock_text,
            data,
            metrics: run.metrics,
            lineage,
        })
    }

    /// The code in a few words.
    pub(super) fn code_shown(&self) -> String {
        let commit = self.code.commit.as_ref().map_or_else(
            || "a folder without a repository".to_owned(),
            |commit| format!("commit {}", &commit[..commit.len().min(12)]),
        );
        match &self.code.patch {
            Some(_) if self.code.commit.is_some() => format!("{commit} with what differed from it"),
            Some(_) | None => commit,
        }
    }
}

/// What the record lacks, each with what would have added it.
fn gaps(lineage: &Lineage) -> Vec<String> {
    let mut gaps = Vec::new();
    if lineage.run.is_none() {
        gaps.push("run: the version names none that this server has".to_owned());
        return gaps;
    }
    let Some(files) = &lineage.files else {
        gaps.push("files: the run's artifacts lie in no store of this server".to_owned());
        return gaps;
    };
    let dirty = lineage.git.as_ref().is_none_or(|git| git.dirty != Some(false));
    if dirty && !files.contains(CHANGES) {
        gaps.push(match &lineage.git {
            None => "code: neither a commit nor its folder was recorded".to_owned(),
            Some(git) if git.dirty == Some(true) => {
                "changes: the work tree differed from the commit, and what differed was not kept".to_owned()
            }
            Some(_) => "changes: nobody looked whether the work tree differed from the commit".to_owned(),
        });
    }
    if !files.contains(ENVIRONMENT) {
        gaps.push("environment: the lock file was not kept".to_owned());
    }
    match &lineage.workflow {
        None => gaps.push(format!(
            "workflow: the run was started by hand ({}); only what `crosstie run` made can be run again",
            lineage.source.as_deref().unwrap_or("by what, is not known")
        )),
        Some(workflow) if workflow.file.is_none() => {
            gaps.push("workflow file: the manifest did not lie in the project's folder".to_owned());
        }
        Some(_) => {}
    }
    if !files.contains(DATA) && !lineage.datasets.is_empty() {
        let names: Vec<&str> = lineage.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
        gaps.push(format!(
            "data: the digests of the files of {} were not kept (name their folder by a parameter of the workflow)",
            names.join(", ")
        ));
    }
    gaps
}

async fn file(client: &Client, run: &str, name: &str) -> Result<Vec<u8>> {
    let request = client.request(Method::GET, &format!("lineage/runs/{run}/files/{name}"));
    let response = client.send(request).await.with_context(|| format!("cannot read the run's {name}"))?;
    Ok(response.bytes().await.context("the answer broke off")?.to_vec())
}
