//! `crosstie init`, `validate`, `apply`: a project's files, before and on their way to the server.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use api::system::{AppliedProject, ProjectProblem};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Context;
use crate::project::{PROJECT_FILE, Project, read_files, schemas};

/// What `init` writes: a project that is valid as it is, with the next step in comments.
const NEW_PROJECT: &str = "\
# A Crosstie project. Features go to features/*.yaml, models to models/*.yaml, Argo Workflows to workflows/*.yaml.
# Stores are under .crosstie/ unless they are named here:
# stores:
#   database: postgres://user:password@host/name
#   artifacts: file:/srv/artifacts
version: 1
";

pub(super) fn init(context: &Context) -> Result<()> {
    let path = context.dir.join(PROJECT_FILE);
    if path.exists() {
        bail!("{} exists already", path.display());
    }
    for part in ["features", "models", "workflows"] {
        fs::create_dir_all(context.dir.join(part))
            .with_context(|| format!("cannot make {}", context.dir.join(part).display()))?;
    }
    fs::write(&path, NEW_PROJECT).with_context(|| format!("cannot write {}", path.display()))?;
    context.output.answer(&json!({ "written": path }), || format!("wrote {}; `crosstie up` serves it", path.display()));
    Ok(())
}

pub(super) fn validate(context: &Context) -> Result<()> {
    let Some(files) = read_files(&context.dir)? else {
        bail!("there is no {PROJECT_FILE} in {} or above it: `crosstie init` writes one", context.dir.display());
    };
    let project = Project::parse(&files).map_err(|problems| context.output.problems(&context.dir, &problems))?;
    let models: Vec<_> = project.models.keys().collect();
    let answer = json!({ "valid": true, "digest": project.digest, "files": files.len(), "models": models });
    context.output.answer(&answer, || {
        format!("{} files are valid; project {}, {} model(s)", files.len(), project.digest.short(), models.len())
    });
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Applied(AppliedProject),
    Problems(Vec<ProjectProblem>),
}

pub(super) async fn apply(context: &Context) -> Result<()> {
    let Some(files) = read_files(&context.dir)? else {
        bail!("there is no {PROJECT_FILE} in {} or above it: `crosstie init` writes one", context.dir.display());
    };
    match context.client()?.send_json(Method::PUT, "project", &files).await? {
        Answer::Problems(problems) => Err(context.output.problems(&context.dir, &problems)),
        Answer::Applied(applied) => {
            context.output.answer(&applied, || {
                let what = if applied.changed { "is in force now" } else { "was in force already" };
                format!("project {} {what}", applied.digest.short())
            });
            Ok(())
        }
    }
}

pub(super) fn schema(context: &Context, out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut written = Vec::new();
    for (name, text) in schemas::all() {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    context.output.answer(&written, || format!("wrote {} schemas to {}", written.len(), out.display()));
    Ok(())
}
