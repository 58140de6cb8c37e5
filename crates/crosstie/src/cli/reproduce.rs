//! `crosstie reproduce MODEL/V`: makes a version's run again from its record, and compares its metrics.
//!
//! In this order, and each with its own refusal before the next begins: what the record must have ([`recorded`]), the code
//! in a fresh folder, the data's digests ([`data`]), the environment ([`environment`]), and a registry of its own
//! ([`isolated`]). Only then the workflow runs, in this process as with `crosstie run`. It speaks to that registry alone:
//! what it logs and registers is nobody's to mistake for the version it is compared with ([`compare`]), and is gone with
//! the folder.
//!
//! Exit codes: 0 when every metric is the same, 1 when one is not, 2 when it could not be tried.

mod compare;
mod data;
mod environment;
mod isolated;
mod recorded;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use pipelines::{Plan, RunOptions, Workflow, checkout};
use serde_json::{Value as JsonValue, json};
use types::ModelVersion;
use uuid::Uuid;

use super::{
    Context,
    output::{Ended, Told},
    path_of,
    run::{
        attach::Attacher,
        follow,
        record::{Record, WORKFLOW_RUN_TAG, feature_digests},
        step_environment,
    },
};
use crate::project::{PROJECT_FILE, yaml};
use compare::{Comparison, Tolerance};
use environment::{Environment, Policy};
use isolated::Isolated;
use recorded::Recorded;

/// The tag of a reproduction's runs: which version they are made after.
const REPRODUCTION_TAG: &str = "crosstie.reproduction_of";
/// The folder of the fresh tree, in the attempt's own.
const TREE: &str = "tree";
/// The folder of state in a project's.
const STATE: &str = ".crosstie";
/// Says that it could not be tried.
const COULD_NOT: u8 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    /// MODEL/VERSION, such as click-ranker/7.
    version: ModelVersion,
    /// The Python environment: one that is equal to the recorded one, or else a new one; the one at hand, whatever it
    /// has; always a new one.
    #[arg(long, value_enum, default_value_t = Policy::Auto)]
    environment: Policy,
    /// The relative difference up to which two numbers count as the same.
    #[arg(long, default_value_t = 1e-9, value_name = "SHARE")]
    tolerance: f64,
    /// A metric that is no result, such as how long something took; `name*` for all that begin so.
    #[arg(long = "ignore", value_name = "METRIC")]
    ignored: Vec<String>,
    /// Leave the folder, with code, logs and registry, also when all is the same.
    #[arg(long)]
    keep: bool,
    /// Show every line that the steps write.
    #[arg(long)]
    verbose: bool,
}

pub(super) async fn run(context: &Context, flags: Flags) -> Result<()> {
    let uid = Uuid::now_v7();
    let folder = context.state().join("reproductions").join(uid.to_string());
    let attempt = match Attempt::prepare(context, &flags, uid, folder.clone()).await {
        Ok(attempt) => attempt.run(&flags).await,
        Err(error) => {
            // Nothing was run, so there is nothing to look at.
            fs::remove_dir_all(&folder).ok();
            Err(error)
        }
    };
    match attempt {
        Ok(comparison) if comparison.is_same() => Ok(()),
        Ok(_) => Err(Told.into()),
        Err(error) => {
            context.output.failure(&error);
            Err(Ended(COULD_NOT).into())
        }
    }
}

/// Everything that was recorded, at hand again.
struct Attempt<'a> {
    context: &'a Context,
    recorded: Recorded,
    uid: Uuid,
    /// The attempt's own folder.
    folder: PathBuf,
    /// The project's folder in the fresh tree.
    project: PathBuf,
    plan: Plan,
    environment: Environment,
    files: usize,
}

impl<'a> Attempt<'a> {
    async fn prepare(context: &'a Context, flags: &Flags, uid: Uuid, folder: PathBuf) -> Result<Self> {
        let output = context.output;
        let client = context.client()?;
        let path = format!("models/{}/versions/{}/lineage", path_of(&flags.version.model), flags.version.version);
        let recorded = Recorded::fetch(&client, client.get(&path).await?).await?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let tree = folder.join(TREE);
        let project = checkout(&recorded.code, &context.dir, &tree).await?;
        data::check_inside(&project, &tree).context("the project's folder cannot be used")?;
        remove_state(&project).context("cannot remove the state that the commit has")?;
        output.progress(&format!("code         {} in {}", recorded.code_shown(), project.display()));
        let plan = plan(&recorded, &tree, &project)?;
        let files = data::provide(&recorded, &context.dir, &tree, &project).await?;
        output.progress(&format!("data         {files} file(s) have the content that was read then"));
        let environment =
            environment::provide(flags.environment, (&recorded.lock, &recorded.lock_text), context, &folder).await?;
        output.progress(&format!("environment  {}", environment.shown()));
        Ok(Self { context, recorded, uid, folder, project, plan, environment, files })
    }

    async fn run(self, flags: &Flags) -> Result<Comparison> {
        let output = self.context.output;
        // It says where the team's stores are and who is alerted: nothing that a second try may touch.
        data::write(&self.project.join(PROJECT_FILE), "version: 1\n", &self.folder.join(TREE))
            .context("cannot write in the fresh folder")?;
        let registry = Isolated::start(&self.project, &self.environment).await?;
        self.check_features(&registry.client.get("features").await?)?;
        output.progress(&format!("registry     {} (its own, in that folder)", registry.client.base()));
        let tags = BTreeMap::from([
            (REPRODUCTION_TAG.to_owned(), flags.version.to_string()),
            (WORKFLOW_RUN_TAG.to_owned(), self.uid.to_string()),
        ]);
        let search = self.environment.path.clone();
        let mut env = step_environment(&registry.client, registry.token.as_deref(), &self.project, search);
        env.extend(self.environment.variables());
        let options = RunOptions::new(self.uid, self.folder.join("run"), self.project.clone())
            .with_env(env)
            .without_inherited(isolated::elsewhere())
            .with_run_tags(tags.clone());
        let record = Record { tags, ..Record::default() };
        let mut attacher = Attacher::new(registry.client.clone(), self.uid, record);
        let report = follow(output, self.plan.clone(), options, flags.verbose, &mut attacher).await?;
        if !report.succeeded() {
            bail!("the workflow did not come to its end: {}", report.render());
        }
        let made = registry.metrics(&flags.version.model, &attacher.runs().await?).await?;
        let tolerance = Tolerance { share: flags.tolerance, ignored: flags.ignored.clone() };
        let comparison = compare::compare(&self.recorded.metrics, &made, &tolerance);
        drop(registry);
        let kept = flags.keep || !comparison.is_same();
        if !kept {
            fs::remove_dir_all(&self.folder).ok();
        }
        output.answer(&self.answer(flags, &comparison, kept), || {
            let place = if kept { format!("\nThe folder: {}", self.folder.display()) } else { String::new() };
            format!("{}{place}", comparison.render(&flags.version))
        });
        Ok(comparison)
    }

    /// Definitions that were in force then and are not in the commit would make other features.
    fn check_features(&self, listed: &JsonValue) -> Result<()> {
        let here = feature_digests(listed);
        let differs = |(name, digest): &(&String, &types::Digest)| here[name.as_str()] != digest.to_string();
        let other: Vec<&str> =
            self.recorded.lineage.features.iter().filter(differs).map(|(name, _)| name.as_str()).collect();
        if other.is_empty() {
            return Ok(());
        }
        bail!(
            "the run used other definitions than the code has: {} (they were applied to the server from elsewhere)",
            other.join(", ")
        )
    }

    fn answer(&self, flags: &Flags, comparison: &Comparison, kept: bool) -> JsonValue {
        json!({
            "version": flags.version,
            "run": self.recorded.lineage.run.as_ref().map(|run| &run.id),
            "same": comparison.is_same(),
            "metrics": comparison.metrics,
            "code": self.recorded.code_shown(),
            "data": { "files": self.files },
            "environment": { "how": self.environment.shown(), "differences": self.environment.differences() },
            "folder": kept.then_some(&self.folder),
        })
    }
}

/// Takes away a folder of state, or a link to one, that was committed: the reproduction's registry begins with nothing.
fn remove_state(project: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(project.join(STATE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The workflow that made the run, with the parameters that it had.
fn plan(recorded: &Recorded, tree: &Path, project: &Path) -> Result<Plan> {
    let path = data::inside(tree, project, &recorded.workflow_file);
    let text = path.and_then(|path| fs::read_to_string(path).ok());
    let text = text.with_context(|| format!("the code has no workflow {}", recorded.workflow_file))?;
    let read: Result<Workflow, _> = yaml::parse(&recorded.workflow_file, &text);
    let workflow = read.map_err(|problem| anyhow::anyhow!("{}: {}", recorded.workflow_file, problem.message))?;
    let plan = Plan::compile(&workflow, &recorded.parameters).map_err(|problems| {
        let told: Vec<String> =
            problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
        anyhow::anyhow!("{} cannot be run: {}", recorded.workflow_file, told.join("; "))
    })?;
    if plan.digest() != recorded.workflow_digest {
        bail!("{} of this code is not the workflow that made the run: its digest differs", recorded.workflow_file);
    }
    Ok(plan)
}
