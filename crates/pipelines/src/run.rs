//! A plan run to its end: tasks start as those before them succeed, events tell what happens, logs are kept.
//!
//! As with Argo's `failFast`, a failing step keeps further ones from starting, and those that already run are let
//! finish: what they write is whole. Only cancelling the run ends them. A step's environment is, later ones winning:
//! the executor's own without [`RunOptions::withheld`], [`RunOptions::env`], `MLFLOW_RUN_CONTEXT`, the template's `env`.
//!
//! `MLFLOW_RUN_CONTEXT` is how the stock MLflow client takes tags for the runs that it starts
//! (`mlflow.tracking.context.system_environment_context`): JSON of names to texts, applied after what the client finds
//! out by itself. So a step's runs carry their lineage without a line in the user's code.
//!
//! Nothing is spawned: dropping the future drops the steps, and the executor ends what they started.

mod log;
mod report;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::Error,
    event::Event,
    executor::{Executor, ExecutorError, Exit, OutputFile, Step, StepOutcome},
    plan::{Plan, PlannedTask},
    text::{Reference, Text},
};

use self::log::StepLog;
pub use self::report::{RunReport, TaskReport, TaskStatus};

/// The variable that the MLflow client reads tags for new runs from.
const MLFLOW_RUN_CONTEXT: &str = "MLFLOW_RUN_CONTEXT";

/// Lines of one step on their way to its log: enough that a burst does not stop the step, little enough to hold.
const LINES_IN_FLIGHT: usize = 256;

/// How and where a plan is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The run's id, `{{workflow.uid}}`.
    pub uid: Uuid,
    /// A folder of this run's own, for logs (`TASK.log`) and scripts; made if it is not there.
    pub dir: PathBuf,
    /// Where steps run unless they say otherwise: the project folder.
    pub working_dir: PathBuf,
    /// Variables for every step, beside those of the executor's own process.
    pub env: BTreeMap<String, String>,
    /// Variables of the executor's own process that no step gets.
    pub withheld: BTreeSet<String>,
    /// Tags that every MLflow run started by a step will carry.
    pub run_tags: BTreeMap<String, String>,
    /// How many steps may run at the same time.
    pub parallelism: NonZeroUsize,
}

impl RunOptions {
    /// Options of a run with its id, its own folder, and the project's. As many steps run at once as there are cores.
    #[must_use]
    pub fn new(uid: Uuid, dir: PathBuf, working_dir: PathBuf) -> Self {
        let parallelism = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            uid,
            dir,
            working_dir,
            env: BTreeMap::new(),
            withheld: BTreeSet::new(),
            run_tags: BTreeMap::new(),
            parallelism,
        }
    }

    /// With variables for every step.
    #[must_use]
    pub fn with_env(self, env: BTreeMap<String, String>) -> Self {
        Self { env, ..self }
    }

    /// Without these variables of the executor's own process.
    #[must_use]
    pub fn without_inherited(self, withheld: BTreeSet<String>) -> Self {
        Self { withheld, ..self }
    }

    /// With tags for every MLflow run.
    #[must_use]
    pub fn with_run_tags(self, run_tags: BTreeMap<String, String>) -> Self {
        Self { run_tags, ..self }
    }

    /// With at most this many steps at the same time.
    #[must_use]
    pub fn with_parallelism(self, parallelism: NonZeroUsize) -> Self {
        Self { parallelism, ..self }
    }
}

/// Runs `plan` with `executor`.
///
/// Events are sent in order; a receiver that is full holds the run up, one that is gone is not missed. The report names
/// every task of the plan, whatever happened.
///
/// # Errors
/// When the run's own files cannot be written. A step that fails is in the report.
pub async fn run(
    plan: &Plan,
    executor: Arc<dyn Executor>,
    options: &RunOptions,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<RunReport, Error> {
    let scratch = options.dir.join("scratch");
    tokio::fs::create_dir_all(&scratch).await.map_err(|source| Error::Folder { path: scratch.clone(), source })?;
    let name = plan.run_name(&options.uid);
    let run = Run { plan, executor: executor.as_ref(), options, name, scratch, events, cancel };
    run.to_the_end().await
}

/// One run's unchanging surroundings.
struct Run<'a> {
    plan: &'a Plan,
    executor: &'a dyn Executor,
    options: &'a RunOptions,
    name: String,
    scratch: PathBuf,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
}

/// What a task that succeeded left for later ones.
type Outputs = Vec<Option<StepOutcome>>;

impl Run<'_> {
    async fn to_the_end(&self) -> Result<RunReport, Error> {
        let started = Instant::now();
        let tasks = self.plan.tasks();
        self.emit(Event::RunStarted {
            name: self.name.clone(),
            uid: self.options.uid.to_string(),
            tasks: tasks.iter().map(|task| task.name.clone()).collect(),
            notices: self.executor.notice(&self.plan.images()).into_iter().collect(),
        })
        .await;

        let mut outputs: Outputs = vec![None; tasks.len()];
        let mut reports: Vec<Option<TaskReport>> = vec![None; tasks.len()];
        let mut waiting: Vec<usize> = (0..tasks.len()).collect();
        let mut running = FuturesUnordered::new();
        let mut failed = false;
        loop {
            while !failed && !self.cancel.is_cancelled() && running.len() < self.options.parallelism.get() {
                let ready = |index: &usize| tasks[*index].dependencies.iter().all(|&before| outputs[before].is_some());
                let Some(place) = waiting.iter().position(ready) else { break };
                let index = waiting.remove(place);
                let step = self.step(&tasks[index], &outputs);
                running.push(async move { (index, self.task(&tasks[index], step).await) });
            }
            let Some((index, ended)) = running.next().await else { break };
            let (report, outcome) = ended?;
            failed |= matches!(report.status, TaskStatus::Failed { .. });
            outputs[index] = outcome;
            reports[index] = Some(report);
        }
        for index in waiting {
            self.emit(Event::TaskSkipped { task: tasks[index].name.clone() }).await;
        }
        let reports = reports.into_iter().zip(tasks).map(|(report, task)| report.unwrap_or_else(|| skipped(task)));
        Ok(RunReport {
            name: self.name.clone(),
            uid: self.options.uid,
            duration: started.elapsed(),
            cancelled: self.cancel.is_cancelled(),
            tasks: reports.collect(),
        })
    }

    /// Runs one task and tells about it. The outcome is there only if it succeeded.
    async fn task(
        &self,
        task: &PlannedTask,
        step: Result<Step, String>,
    ) -> Result<(TaskReport, Option<StepOutcome>), Error> {
        let path = self.options.dir.join(format!("{}.log", task.name));
        let started = Instant::now();
        let start = Event::TaskStarted { task: task.name.clone(), template: task.template.clone(), log: path.clone() };
        self.emit(start).await;
        let mut log = StepLog::create(path, task.name.clone(), self.events.clone()).await?;
        let outcome = match step {
            Ok(step) => self.execute(&step, &mut log).await?,
            Err(reason) => Err(reason),
        };
        let duration = started.elapsed();
        let (status, outcome) = match outcome {
            Ok(outcome) => match outcome.exit {
                Exit::Code(0) => (TaskStatus::Succeeded, Some(outcome)),
                Exit::Cancelled => (TaskStatus::Cancelled, None),
                Exit::Code(_) | Exit::Signal(_) => (TaskStatus::Failed { reason: outcome.exit.to_string() }, None),
            },
            Err(reason) => (TaskStatus::Failed { reason }, None),
        };
        let (log, tail) = log.finish().await?;
        self.tell_end(&task.name, &status, duration).await;
        let report = TaskReport {
            name: task.name.clone(),
            template: task.template.clone(),
            status,
            duration,
            log: Some(log),
            tail,
            result: outcome.as_ref().and_then(|outcome| outcome.result.clone()),
            parameters: outcome.as_ref().map(|outcome| outcome.parameters.clone()).unwrap_or_default(),
        };
        Ok((report, outcome))
    }

    async fn execute(&self, step: &Step, log: &mut StepLog) -> Result<Result<StepOutcome, String>, Error> {
        let (lines, mut arriving) = mpsc::channel(LINES_IN_FLIGHT);
        let follow = async {
            while let Some(line) = arriving.recv().await {
                log.write(line).await?;
            }
            Ok(())
        };
        let (outcome, followed) = tokio::join!(self.executor.execute(step, lines, &self.cancel), follow);
        followed?;
        Ok(outcome.map_err(|error| chain(&error)))
    }

    async fn tell_end(&self, task: &str, status: &TaskStatus, duration: Duration) {
        let task = task.to_owned();
        self.emit(match status {
            TaskStatus::Succeeded => Event::TaskSucceeded { task, duration },
            TaskStatus::Failed { reason } => Event::TaskFailed { task, duration, reason: reason.clone() },
            TaskStatus::Cancelled => Event::TaskCancelled { task, duration },
            TaskStatus::Skipped => Event::TaskSkipped { task },
        })
        .await;
    }

    async fn emit(&self, event: Event) {
        // Whoever listened has gone; the run and its logs go on.
        let _ = self.events.send(event).await;
    }

    /// The task's step with every reference resolved, or why an input cannot be what it became.
    fn step(&self, task: &PlannedTask, outputs: &Outputs) -> Result<Step, String> {
        let mut inputs = BTreeMap::new();
        for (name, argument) in &task.arguments {
            let value = self.resolve(&argument.text, &self.plan.inputs, Some(outputs));
            if let Some(allowed) = argument.allowed.as_ref().filter(|allowed| !allowed.contains(&value)) {
                return Err(format!("input parameter `{name}` is `{value}`, which is none of {}", allowed.join(", ")));
            }
            inputs.insert(name.clone(), value);
        }
        let resolve = |text: &Text| self.resolve(text, &inputs, None);
        let working_dir = match &task.step.working_dir {
            Some(dir) => self.options.working_dir.join(resolve(dir)),
            None => self.options.working_dir.clone(),
        };
        let mut env = self.options.env.clone();
        if !self.options.run_tags.is_empty() {
            let tags = serde_json::json!(self.options.run_tags).to_string();
            env.insert(MLFLOW_RUN_CONTEXT.to_owned(), tags);
        }
        env.extend(task.step.env.iter().map(|(name, value)| (name.clone(), resolve(value))));
        let output = |output: &crate::plan::OutputTemplate| OutputFile {
            name: output.name.clone(),
            path: PathBuf::from(resolve(&output.path)),
            default: output.default.clone(),
        };
        Ok(Step {
            task: task.name.clone(),
            image: task.step.image.clone(),
            command: task.step.command.iter().map(resolve).collect(),
            source: task.step.source.as_ref().map(resolve),
            env,
            withheld: self.options.withheld.clone(),
            working_dir,
            scratch: self.scratch.clone(),
            keeps_result: task.keeps_result,
            outputs: task.step.outputs.iter().map(output).collect(),
        })
    }

    fn resolve(&self, text: &Text, inputs: &BTreeMap<String, String>, outputs: Option<&Outputs>) -> String {
        let outcome = |task: &str| {
            let index = self.plan.tasks().iter().position(|planned| planned.name == task)?;
            outputs?[index].as_ref()
        };
        // That every reference leads somewhere was made sure of when the plan was compiled.
        text.resolve(|reference| match reference {
            Reference::Input(name) => inputs.get(name).cloned().unwrap_or_default(),
            Reference::WorkflowParameter(name) => self.plan.parameters().get(name).cloned().unwrap_or_default(),
            Reference::WorkflowName => self.name.clone(),
            Reference::WorkflowUid => self.options.uid.to_string(),
            Reference::TaskResult(task) => outcome(task).and_then(|outcome| outcome.result.clone()).unwrap_or_default(),
            Reference::TaskParameter(task, name) => {
                outcome(task).and_then(|outcome| outcome.parameters.get(name).cloned()).unwrap_or_default()
            }
        })
    }
}

fn skipped(task: &PlannedTask) -> TaskReport {
    TaskReport {
        name: task.name.clone(),
        template: task.template.clone(),
        status: TaskStatus::Skipped,
        duration: Duration::ZERO,
        log: None,
        tail: Vec::new(),
        result: None,
        parameters: BTreeMap::new(),
    }
}

/// The error and what caused it, in one line: a report has no other place for the cause.
fn chain(error: &ExecutorError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
