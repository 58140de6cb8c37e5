//! What a run came to, task by task.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use uuid::Uuid;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// The workflow's name, as in `{{workflow.name}}`.
    pub name: String,
    /// The run's id, as in `{{workflow.uid}}`.
    pub uid: Uuid,
    /// How long all of it took.
    pub duration: Duration,
    /// Whether somebody cancelled it.
    pub cancelled: bool,
    /// Every task of the plan, in its order.
    pub tasks: Vec<TaskReport>,
}

impl RunReport {
    /// Whether every task succeeded.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.tasks.iter().all(|task| task.status == TaskStatus::Succeeded)
    }

    /// The tasks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &TaskReport> {
        self.tasks.iter().filter(|task| matches!(task.status, TaskStatus::Failed { .. }))
    }
}

/// What one task came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskReport {
    /// The task.
    pub name: String,
    /// The template that it ran.
    pub template: String,
    /// How it ended.
    pub status: TaskStatus,
    /// How long it took.
    pub duration: Duration,
    /// Its whole output, if it started.
    pub log: Option<PathBuf>,
    /// The last lines of its output.
    pub tail: Vec<String>,
    /// Its `outputs.result`, if somebody reads it.
    pub result: Option<String>,
    /// Its output parameters.
    pub parameters: BTreeMap<String, String>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskStatus {
    /// With code 0 and all that it declares.
    Succeeded,
    /// Not so.
    Failed {
        /// Why: `exited with code 1`.
        reason: String,
    },
    /// It was running when the run was cancelled.
    Cancelled,
    /// It never started.
    Skipped,
}
