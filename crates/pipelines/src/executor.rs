//! The port to whatever executes a step.
//!
//! **Contract.** `execute` runs the step once, to its end; it is never called twice for one step, and steps of one run
//! may be executed at the same time. Lines arrive in the order in which each stream wrote them, and all of them before
//! `execute` returns. A step that ran and failed is an `Ok` with its [`Exit`]; an `Err` is a step that could not be
//! run, or whose outputs could not be had. On cancellation everything that the step started is ended before
//! `execute` returns [`Exit::Cancelled`]; when the future is dropped instead, the same is begun without waiting for it.
//! The conformance suite is `pipelines::conformance`, behind the feature `testing`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::PathBuf,
};

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Line;

/// One step, with every reference resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The task's name; safe as a file name.
    pub task: String,
    /// The image that the manifest names, for executors that run images.
    pub image: String,
    /// The program and its arguments; a script's file is appended by the executor.
    pub command: Vec<String>,
    /// The script's text, if the template is a script.
    pub source: Option<String>,
    /// Variables set for the step beside those that the executor's own process has.
    pub env: BTreeMap<String, String>,
    /// Variables of the executor's own process that the step does not get.
    pub withheld: BTreeSet<String>,
    /// Where it runs.
    pub working_dir: PathBuf,
    /// A folder of this run for the executor's own files.
    pub scratch: PathBuf,
    /// Whether somebody reads `outputs.result`.
    pub keeps_result: bool,
    /// The files to read back as output parameters.
    pub outputs: Vec<OutputFile>,
}

/// An output parameter that the step writes as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// The parameter.
    pub name: String,
    /// The file; relative ones lie in the step's working directory.
    pub path: PathBuf,
    /// The value when the step writes none.
    pub default: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal from elsewhere.
    Signal(i32),
    /// By us, because the run was cancelled.
    Cancelled,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Self::Cancelled => f.write_str("was cancelled"),
        }
    }
}

/// What a step left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutcome {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output without the last line end, if that was to be kept.
    pub result: Option<String>,
    /// Its output parameters, if it ended with code 0.
    pub parameters: BTreeMap<String, String>,
}

/// Why a step could not be run, or its outputs not be had.
#[derive(Debug, Error)]
pub enum ExecutorError {
    /// The program does not exist.
    #[error("command `{program}` was not found: is it on the PATH of the project's environment?")]
    CommandNotFound {
        /// The program.
        program: String,
    },
    /// The working directory does not exist.
    #[error("working directory `{}` does not exist", path.display())]
    WorkingDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The process could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The process's end could not be waited for.
    #[error("cannot follow `{program}`")]
    Follow {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The script could not be put where its command finds it.
    #[error("cannot write the script to `{}`", path.display())]
    Script {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The step did not write a file that it declares.
    #[error("wrote no file `{}` for its output parameter `{name}`, which has no default", path.display())]
    OutputMissing {
        /// The parameter.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The step's file could not be read.
    #[error("cannot read `{}` for the output parameter `{name}`", path.display())]
    Output {
        /// The parameter.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The output is larger than Argo hands on.
    #[error("{what} is longer than {limit} bytes, the most that Argo hands on")]
    OutputTooLong {
        /// `outputs.result` or the output parameter.
        what: String,
        /// The limit.
        limit: usize,
    },
}

/// What executes steps: processes of this machine, or a cluster.
#[async_trait]
pub trait Executor: Send + Sync + fmt::Debug {
    /// Its name, as in a target's settings: `local`.
    fn name(&self) -> &'static str;

    /// What a reader of the run should know about how these images are run here, if anything.
    fn notice(&self, images: &[&str]) -> Option<String>;

    /// Runs `step` to its end, telling each line that it writes.
    ///
    /// # Errors
    /// When the step could not be run or its outputs could not be had; a step that ran and failed is `Ok`.
    async fn execute(
        &self,
        step: &Step,
        lines: mpsc::Sender<Line>,
        cancel: &CancellationToken,
    ) -> Result<StepOutcome, ExecutorError>;
}
