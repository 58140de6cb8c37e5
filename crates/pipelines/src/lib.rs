//! Workflows: the Argo manifest as a model, its graph as a plan, and the plan run step by step.
//!
//! The file is Argo's, so that the same one runs here and on the cluster. What is run here is a subset: one `dag` of
//! `script` and `container` templates with parameters. Everything else is refused by name, with its place in the
//! manifest, before anything starts: a field that is skipped in silence would make the two runs differ.
//!
//! The way is [`Workflow`] (as written) → [`Plan::compile`] (pure: references resolved, order known, every fault
//! named) → [`run`] (drives an [`Executor`], tells [`Event`]s, keeps logs, answers a [`RunReport`]).
//!
//! There is no `METRICS` table: a run lives in the command's own process, which nobody scrapes.

mod error;
mod event;
mod executor;
mod git;
mod local;
pub mod manifest;
mod plan;
mod run;
mod text;

#[cfg(feature = "testing")]
pub mod conformance;

pub use error::{Error, Problem};
pub use event::{Event, Line, Stream};
pub use executor::{Executor, ExecutorError, Exit, OutputFile, Step, StepOutcome};
pub use git::{GitState, git_state};
pub use local::LocalExecutor;
pub use manifest::Workflow;
pub use plan::{Plan, PlannedTask};
pub use run::{RunOptions, RunReport, TaskReport, TaskStatus, run};
