//! What a run tells while it goes on. Events of one task come in order; those of different tasks interleave.

use std::{path::PathBuf, time::Duration};

/// Which of a process's two outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, which is also the step's `outputs.result`.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of a step's output, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it was written.
    pub stream: Stream,
    /// The text; what is not UTF-8 is replaced.
    pub text: String,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run begins; nothing has started yet.
    RunStarted {
        /// The workflow's name, as in `{{workflow.name}}`.
        name: String,
        /// Its id, as in `{{workflow.uid}}`.
        uid: String,
        /// The tasks' names, in an order in which they could run.
        tasks: Vec<String>,
        /// What the person who reads along should know, such as that images are not pulled.
        notices: Vec<String>,
    },
    /// A step starts.
    TaskStarted {
        /// The task.
        task: String,
        /// The template that it runs.
        template: String,
        /// Where its output is kept.
        log: PathBuf,
    },
    /// A step wrote a line.
    TaskLine {
        /// The task.
        task: String,
        /// What it wrote.
        line: Line,
    },
    /// A step ended well.
    TaskSucceeded {
        /// The task.
        task: String,
        /// How long it took.
        duration: Duration,
    },
    /// A step failed; no further one will start.
    TaskFailed {
        /// The task.
        task: String,
        /// How long it took.
        duration: Duration,
        /// Why: `exited with code 1`.
        reason: String,
    },
    /// A step was ended because the run was cancelled.
    TaskCancelled {
        /// The task.
        task: String,
        /// How long it had taken.
        duration: Duration,
    },
    /// A step will not start, because another failed or the run was cancelled.
    TaskSkipped {
        /// The task.
        task: String,
    },
}
