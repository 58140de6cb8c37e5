//! `crosstie run WORKFLOW.yaml`: executes an Argo Workflow here, in this process, as local processes.
//!
//! What is recorded of it ([`record`]: commit, environment, data, feature definitions, workflow) reaches the MLflow runs
//! of its steps without a line of the user's code: by the environment that stock MLflow clients read, and by what is
//! added to a run once it is there ([`attach`]).

pub(super) mod attach;
pub(super) mod record;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use anyhow::{Context as _, Result, anyhow};
use pipelines::{Event, LocalExecutor, Plan, RunOptions, RunReport, Stream, Workflow};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Context,
    client::Client,
    output::{Output, Told},
};
use crate::{
    project::{locate::locate, yaml},
    state_dir::write_whole,
};
use attach::Attacher;
use record::{Record, Subject};

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
    let (uid, dir) = run_folder(&context.state())?;
    let search = search_path(&context.dir);
    let subject = Subject { uid, dir: &context.dir, workflow: &path, plan: &plan, path: &search, scratch: &dir };
    let record = Record::take(context.output, &client, &subject).await?;
    write_whole(&dir.join(record::ENVIRONMENT), record.file(record::ENVIRONMENT))?;
    let env = step_environment(&client, context.server.token.as_deref(), &context.dir, search);
    let options = RunOptions::new(uid, dir, context.dir.clone()).with_env(env).with_run_tags(record.tags.clone());
    let mut attacher = Attacher::new(client, uid, record);
    let started = SystemTime::now();
    let report = follow(context.output, plan, options, flags.verbose, &mut attacher).await?;
    let runs = attacher.runs().await?;
    tell_rewritten(context, &attacher.record().written_since(started));
    finish(context, &report, &runs)
}

/// Says that a parameter names where the workflow writes: the record says of it what lay there before.
fn tell_rewritten(context: &Context, files: &[PathBuf]) {
    if let Some(first) = files.first() {
        context.output.progress(&format!(
            "  data: {} file(s) that are recorded as read were written by the run, such as {}: `crosstie reproduce` will not \
             find them as they were; let no parameter name where the workflow writes",
            files.len(),
            first.strip_prefix(&context.dir).unwrap_or(first).display()
        ));
    }
}

/// A folder of a new run's own, below the folder of state.
pub(super) fn run_folder(state: &Path) -> Result<(Uuid, PathBuf)> {
    let uid = Uuid::now_v7();
    let dir = state.join("runs").join(uid.to_string());
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok((uid, dir))
}

/// What steps find in their environment.
pub(super) fn step_environment(
    client: &Client,
    token: Option<&str>,
    project: &Path,
    path: String,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("CROSSTIE_SERVER".to_owned(), client.base().to_owned()),
        ("CROSSTIE_DIR".to_owned(), project.display().to_string()),
        ("MLFLOW_TRACKING_URI".to_owned(), client.base().to_owned()),
        // Where somebody set it, MLflow's clients register models there and not at the tracking server.
        ("MLFLOW_REGISTRY_URI".to_owned(), client.base().to_owned()),
        ("PATH".to_owned(), path),
    ]);
    if let Some(token) = token {
        env.insert("CROSSTIE_TOKEN".to_owned(), token.to_owned());
        env.insert("MLFLOW_TRACKING_TOKEN".to_owned(), token.to_owned());
    }
    env
}

pub(super) fn placed(file: &str, text: &str, problem: &pipelines::Problem) -> api::system::ProjectProblem {
    let (line, column) = locate(text, &problem.path).unwrap_or((0, 0));
    api::system::ProjectProblem {
        file: file.to_owned(),
        line,
        column,
        message: format!("{}: {}", problem.path, problem.message),
        help: problem.suggestion.clone(),
    }
}

/// The search path of steps: the project's virtual environment (active, or `.venv` at or above the project), this
/// program's own folder, then what the caller has.
pub(super) fn search_path(dir: &Path) -> String {
    let venv = env::var_os("VIRTUAL_ENV")
        .map(PathBuf::from)
        .or_else(|| dir.ancestors().map(|dir| dir.join(".venv")).find(|venv| venv.join("bin/python").exists()));
    let own = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let inherited = env::var_os("PATH").unwrap_or_default();
    let folders = venv.map(|venv| venv.join("bin")).into_iter().chain(own).chain(env::split_paths(&inherited));
    env::join_paths(folders)
        .map_or_else(|_| inherited.to_string_lossy().into_owned(), |path| path.to_string_lossy().into_owned())
}

/// Runs the plan, telling what happens as it does. An interrupt cancels it, and everything that it started. After each
/// step its runs are given what is recorded; where that fails it is tried again in the end, and told then.
pub(super) async fn follow(
    output: Output,
    plan: Plan,
    options: RunOptions,
    verbose: bool,
    attacher: &mut Attacher,
) -> Result<RunReport> {
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
        let ended = matches!(event, Event::TaskSucceeded { .. });
        tell(output, event, verbose);
        if ended && let Err(error) = attacher.attach().await {
            tracing::debug!(error = format!("{error:#}"), "what is recorded could not be added yet");
        }
    }
    let report = running.await.map_err(|error| anyhow!("the run broke off: {error}"))?;
    attacher.attach().await.context("what is recorded of the runs could not be added to them")?;
    report.context("the run could not be made")
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

fn finish(context: &Context, report: &RunReport, runs: &[registry::RunLineage]) -> Result<()> {
    let mut answer = report.to_json();
    answer["runs"] = json!(runs);
    context.output.answer(&answer, || report.render());
    attach::tell(context.output, runs);
    if report.succeeded() { Ok(()) } else { Err(Told.into()) }
}
