//! `crosstie run WORKFLOW.yaml`: executes an Argo Workflow here, in this process, as local processes.
//!
//! What each step records of itself (commit, environment, feature definitions, workflow) reaches its runs by the
//! environment that stock MLflow clients read, so that no line of the user's code is needed.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow, bail};
use pipelines::{Event, LocalExecutor, Plan, RunOptions, RunReport, Stream, Workflow};
use serde_json::{Value as JsonValue, json};
use tokio::{process::Command, sync::mpsc};
use tokio_util::sync::CancellationToken;
use types::Digest;
use uuid::Uuid;

use super::{
    Context,
    client::Client,
    output::{Output, Told},
};
use crate::project::{locate::locate, yaml};

/// Prints the interpreter and every installed distribution, sorted: what a run's environment is known by.
const LIST_ENVIRONMENT: &str = "import sys, importlib.metadata as m\n\
print('python==%d.%d.%d' % sys.version_info[:3])\n\
print('\\n'.join(sorted({d.metadata['Name'].lower() + '==' + d.version for d in m.distributions()})))";

/// Lines of events that may wait to be printed before steps wait for the terminal.
const EVENTS: usize = 1_024;

#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    /// The manifest: the same file runs on Argo Workflows.
    workflow: PathBuf,
    /// Set a workflow parameter.
    #[arg(short, long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Show every line that the steps write.
    #[arg(long)]
    verbose: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) async fn run(context: &Context, flags: Flags) -> Result<()> {
    let path = if flags.workflow.is_absolute() || flags.workflow.exists() {
        flags.workflow.clone()
    } else {
        context.dir.join(&flags.workflow)
    };
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read the workflow {}", path.display()))?;
    let file = path.display().to_string();
    let workflow: Workflow =
        yaml::parse(&file, &text).map_err(|problem| context.output.problems(Path::new(""), &[problem]))?;
    let plan = Plan::compile(&workflow, &flags.parameters.into_iter().collect()).map_err(|problems| {
        let shown: Vec<_> = problems.iter().map(|problem| placed(&file, &text, problem)).collect();
        context.output.problems(Path::new(""), &shown)
    })?;
    let client = context.client()?;
    let options = options(context, &client, &plan).await?;
    let report = follow(context.output, plan, options, flags.verbose).await?;
    finish(context, &report)
}

fn placed(file: &str, text: &str, problem: &pipelines::Problem) -> api::system::ProjectProblem {
    let (line, column) = locate(text, &problem.path).unwrap_or((0, 0));
    api::system::ProjectProblem {
        file: file.to_owned(),
        line,
        column,
        message: format!("{}: {}", problem.path, problem.message),
        help: problem.suggestion.clone(),
    }
}

/// Where the run keeps its logs, and what its steps find in their environment.
async fn options(context: &Context, client: &Client, plan: &Plan) -> Result<RunOptions> {
    let uid = Uuid::now_v7();
    let dir = context.state().join("runs").join(uid.to_string());
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = search_path(&context.dir);
    let environment = environment(&path).await?;
    fs::write(dir.join("environment.txt"), &environment)
        .with_context(|| format!("cannot write in {}", dir.display()))?;
    let features: JsonValue = client.get("features").await?;
    let mut tags = BTreeMap::from([
        ("crosstie.environment".to_owned(), Digest::of(&environment).to_string()),
        ("crosstie.features".to_owned(), feature_digests(&features).to_string()),
        (
            "crosstie.workflow".to_owned(),
            json!({ "name": plan.name(), "digest": plan.digest(), "parameters": plan.parameters() }).to_string(),
        ),
    ]);
    if let Some(git) = pipelines::git_state(&context.dir).await {
        tags.insert("mlflow.source.git.commit".to_owned(), git.commit);
        tags.insert("crosstie.git.dirty".to_owned(), git.dirty.to_string());
        tags.extend(git.repository.map(|url| ("mlflow.source.git.repoURL".to_owned(), url)));
    }
    let mut env = BTreeMap::from([
        ("CROSSTIE_SERVER".to_owned(), client.base().to_owned()),
        ("CROSSTIE_DIR".to_owned(), context.dir.display().to_string()),
        ("MLFLOW_TRACKING_URI".to_owned(), client.base().to_owned()),
        ("PATH".to_owned(), path),
    ]);
    if let Some(token) = &context.server.token {
        env.insert("CROSSTIE_TOKEN".to_owned(), token.clone());
        env.insert("MLFLOW_TRACKING_TOKEN".to_owned(), token.clone());
    }
    Ok(RunOptions::new(uid, dir, context.dir.clone()).with_env(env).with_run_tags(tags))
}

/// The digests of all views and on-demand features, as the tag `crosstie.features` has them.
fn feature_digests(features: &JsonValue) -> JsonValue {
    let digests = |list: &str, prefix: &'static str| {
        let entries = features[list].as_array().cloned().unwrap_or_default();
        entries
            .into_iter()
            .filter_map(move |entry| Some((format!("{prefix}{}", entry["name"].as_str()?), entry["digest"].clone())))
    };
    digests("views", "").chain(digests("on_demand", "on_demand:")).collect()
}

/// The search path of steps: the project's virtual environment (active, or `.venv` at or above the project), this
/// program's own folder, then what the caller has.
fn search_path(dir: &Path) -> String {
    let venv = env::var_os("VIRTUAL_ENV")
        .map(PathBuf::from)
        .or_else(|| dir.ancestors().map(|dir| dir.join(".venv")).find(|venv| venv.join("bin/python").exists()));
    let own = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let inherited = env::var_os("PATH").unwrap_or_default();
    let folders = venv.map(|venv| venv.join("bin")).into_iter().chain(own).chain(env::split_paths(&inherited));
    env::join_paths(folders)
        .map_or_else(|_| inherited.to_string_lossy().into_owned(), |path| path.to_string_lossy().into_owned())
}

async fn environment(path: &str) -> Result<Vec<u8>> {
    let listed = Command::new("python3").args(["-c", LIST_ENVIRONMENT]).env("PATH", path).output().await;
    let listed =
        listed.context("cannot run python3: make a virtual environment `.venv` in the project, or activate yours")?;
    if !listed.status.success() {
        bail!("python3 cannot list its packages: {}", String::from_utf8_lossy(&listed.stderr).trim());
    }
    Ok(listed.stdout)
}

/// Runs the plan, telling what happens as it does. An interrupt cancels it, and everything that it started.
async fn follow(output: Output, plan: Plan, options: RunOptions, verbose: bool) -> Result<RunReport> {
    let (events, mut told) = mpsc::channel(EVENTS);
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    let executor = Arc::new(LocalExecutor::new());
    let running = tokio::spawn(async move { pipelines::run(&plan, executor, &options, events, cancel).await });
    while let Some(event) = told.recv().await {
        tell(output, event, verbose);
    }
    running.await.map_err(|error| anyhow!("the run broke off: {error}"))?.context("the run could not be made")
}

fn tell(output: Output, event: Event, verbose: bool) {
    match event {
        Event::RunStarted { name, uid, tasks, notices } => {
            output.progress(&format!("{name} ({uid}): {}", tasks.join(" → ")));
            notices.iter().for_each(|notice| output.progress(&format!("  {notice}")));
        }
        Event::TaskStarted { task, .. } => output.progress(&format!("  {task:<16} started")),
        Event::TaskLine { task, line } => {
            if verbose || line.stream == Stream::Stderr && line.text.starts_with("progress:") {
                output.progress(&format!("  {task:<16} | {}", line.text));
            }
        }
        Event::TaskSucceeded { task, duration } => {
            output.progress(&format!("  {task:<16} done in {:.1} s", duration.as_secs_f64()));
        }
        Event::TaskFailed { task, duration, reason } => {
            output.progress(&format!("  {task:<16} FAILED after {:.1} s: {reason}", duration.as_secs_f64()));
        }
        Event::TaskCancelled { task, .. } => output.progress(&format!("  {task:<16} cancelled")),
        Event::TaskSkipped { task } => output.progress(&format!("  {task:<16} not started")),
    }
}

fn finish(context: &Context, report: &RunReport) -> Result<()> {
    context.output.answer(&report.to_json(), || report.render());
    if report.succeeded() { Ok(()) } else { Err(Told.into()) }
}
