//! What a run came to, task by task, for programs and for people.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, time::Duration};

use serde_json::{Value as Json, json};
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

    /// For programs. Times are seconds.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "uid": self.uid.to_string(),
            "succeeded": self.succeeded(),
            "cancelled": self.cancelled,
            "duration": self.duration.as_secs_f64(),
            "tasks": self.tasks.iter().map(TaskReport::to_json).collect::<Vec<_>>(),
        })
    }

    /// For people: how it ended, and of what failed the reason, the log's last lines and where the rest is.
    #[must_use]
    pub fn render(&self) -> String {
        let count = |status: &str| self.tasks.iter().filter(|task| task.status.as_str() == status).count();
        let outcome = match (self.succeeded(), self.cancelled) {
            (true, _) => "succeeded",
            (false, true) => "was cancelled",
            (false, false) => "failed",
        };
        let mut text = format!("{} {outcome} in {:.1} s:", self.name, self.duration.as_secs_f64());
        for status in ["succeeded", "failed", "cancelled", "skipped"] {
            let tasks = count(status);
            if tasks > 0 {
                let _ = write!(text, " {tasks} {status}");
            }
        }
        for task in self.failures() {
            let reason = task.status.reason().unwrap_or_default();
            let _ = write!(text, "\n\n{} failed: {reason}", task.name);
            for line in &task.tail {
                let _ = write!(text, "\n  | {line}");
            }
            if let Some(log) = &task.log {
                let _ = write!(text, "\n  the whole log: {}", log.display());
            }
        }
        text
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

impl TaskReport {
    fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "template": self.template,
            "status": self.status.as_str(),
            "reason": self.status.reason(),
            "duration": self.duration.as_secs_f64(),
            "log": self.log,
            "tail": self.tail,
            "result": self.result,
            "parameters": self.parameters,
        })
    }
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

impl TaskStatus {
    /// The status in one word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed { reason } => Some(reason),
            Self::Succeeded | Self::Cancelled | Self::Skipped => None,
        }
    }
}
