//! Workflows: the Argo manifest as a model, its graph as a plan, and the plan run step by step.
//!
//! The file is Argo's, so that the same one runs here and on the cluster. What is run here is a subset: one `dag` of
//! `script` and `container` templates with parameters. Everything else is refused by name, with its place in the
//! manifest, before anything starts: a field that is skipped in silence would make the two runs differ.
//!
//! The way is [`Workflow`] (as written) → [`Plan::compile`] (pure: references resolved, order known, every fault
//! named) → [`run`] (drives an [`Executor`], tells [`Event`]s, keeps logs, answers a [`RunReport`]).
//!
//! Beside it is what a run is known by and can be made again from: the commit and what differed from it ([`snapshot`],
//! [`checkout`]), the data file by file ([`DataManifest`]), the environment ([`EnvironmentLock`]).
//!
//! There is no `METRICS` table: a run lives in the command's own process, which nobody scrapes.

mod data;
mod environment;
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

pub use data::{DataError, DataFault, DataFile, DataManifest, data_of};
pub use environment::{Difference, EnvironmentError, EnvironmentLock, Package, list_environment};
pub use error::{Error, Problem};
pub use event::{Event, Line, Stream};
pub use executor::{Executor, ExecutorError, Exit, OutputFile, Step, StepOutcome};
pub use git::{CheckoutError, Code, GitState, Snapshot, SnapshotError, checkout, git_state, snapshot};
pub use local::LocalExecutor;
pub use manifest::Workflow;
pub use plan::{Plan, PlannedTask};
pub use run::{RunOptions, RunReport, TaskReport, TaskStatus, run};
