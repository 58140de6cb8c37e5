//! What the registry answers with: MLflow's entities. Times are milliseconds since 1970, MLflow's unit, since they are
//! handed through unchanged.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A tag or param.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl KeyValue {
    /// `key` with `value`.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// Whether something was deleted. Deleted experiments and runs can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleStage {
    /// In use.
    Active,
    /// Deleted, but kept.
    Deleted,
}

impl LifecycleStage {
    /// As MLflow writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "active" => Ok(Self::Active),
            "deleted" => Ok(Self::Deleted),
            other => Err(Error::Corrupt { what: "a lifecycle stage", value: other.to_owned() }),
        }
    }
}

/// Which lifecycle stages a search looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ViewType {
    /// What is not deleted.
    #[default]
    ActiveOnly,
    /// What is deleted.
    DeletedOnly,
    /// Both.
    All,
}

impl ViewType {
    /// The stages that it looks at.
    pub(crate) const fn stages(self) -> &'static [&'static str] {
        match self {
            Self::ActiveOnly => &["active"],
            Self::DeletedOnly => &["deleted"],
            Self::All => &["active", "deleted"],
        }
    }
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Its number.
    pub id: i64,
    /// Its name, unique, also among deleted ones.
    pub name: String,
    /// Where its runs' artifacts lie, unless a run says otherwise.
    pub artifact_location: String,
    /// Whether it is deleted.
    pub stage: LifecycleStage,
    /// When it was made.
    pub created: Option<i64>,
    /// When it was last changed.
    pub updated: Option<i64>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
}

/// How a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Under way.
    Running,
    /// Waiting to be started.
    Scheduled,
    /// Ended well.
    Finished,
    /// Ended badly.
    Failed,
    /// Ended by someone.
    Killed,
}

impl RunStatus {
    const ALL: [Self; 5] = [Self::Running, Self::Scheduled, Self::Finished, Self::Failed, Self::Killed];

    /// As MLflow writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The status of that number in MLflow's protocol, which counts from 1.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number.checked_sub(1)?)).copied()
    }
}

/// A run, without what was logged on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The experiment that it belongs to.
    pub experiment_id: i64,
    /// Who made it, as the client says.
    pub user_id: String,
    /// How it is doing.
    pub status: RunStatus,
    /// When it began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// Where its artifacts lie.
    pub artifact_uri: String,
    /// Whether it is deleted.
    pub stage: LifecycleStage,
}

/// One logged number.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// What it measures.
    pub key: String,
    /// The number; NaN and infinities are allowed.
    pub value: f64,
    /// When it was measured.
    pub timestamp: i64,
    /// At which step.
    pub step: i64,
    /// The logged model that it says something about.
    pub model_id: Option<String>,
    /// The dataset that it was computed on.
    pub dataset_name: Option<String>,
    /// That dataset's digest.
    pub dataset_digest: Option<String>,
    /// The run that logged it, where it is not clear from elsewhere.
    pub run_id: Option<String>,
}

/// A dataset that a run read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// Its digest, as the client computed it.
    pub digest: String,
    /// What kind of source it has: `local`, `s3`, …
    pub source_type: String,
    /// The source, as JSON.
    pub source: String,
    /// The schema, as JSON.
    pub schema: Option<String>,
    /// Statistics, as JSON.
    pub profile: Option<String>,
}

/// A dataset as an input of a run, with tags such as its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInput {
    /// The dataset.
    pub dataset: Dataset,
    /// `mlflow.data.context` and others.
    pub tags: Vec<KeyValue>,
}

/// A logged model as an output of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOutput {
    /// The logged model.
    pub model_id: String,
    /// At which step it was logged.
    pub step: i64,
}

/// A run with all that was logged on it; of each metric the latest point.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run itself.
    pub info: RunInfo,
    /// Latest metrics.
    pub metrics: Vec<Metric>,
    /// Params.
    pub params: Vec<KeyValue>,
    /// Tags.
    pub tags: Vec<KeyValue>,
    /// Datasets that it read.
    pub datasets: Vec<DatasetInput>,
    /// Logged models that it read.
    pub model_inputs: Vec<String>,
    /// Logged models that it made.
    pub model_outputs: Vec<ModelOutput>,
}

impl Run {
    /// A run of which only tags were logged yet.
    pub(crate) fn new(info: RunInfo, tags: Vec<KeyValue>) -> Self {
        Self {
            info,
            metrics: Vec::new(),
            params: Vec::new(),
            tags,
            datasets: Vec::new(),
            model_inputs: Vec::new(),
            model_outputs: Vec::new(),
        }
    }

    /// The value of the tag `key`.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
    }
}

/// How far a logged model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedModelStatus {
    /// Not said.
    Unspecified,
    /// Its files are being uploaded.
    Pending,
    /// Complete.
    Ready,
    /// The upload failed.
    Failed,
}

impl LoggedModelStatus {
    const ALL: [Self; 4] = [Self::Unspecified, Self::Pending, Self::Ready, Self::Failed];

    /// As MLflow's API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "LOGGED_MODEL_STATUS_UNSPECIFIED",
            Self::Pending => "LOGGED_MODEL_PENDING",
            Self::Ready => "LOGGED_MODEL_READY",
            Self::Failed => "LOGGED_MODEL_UPLOAD_FAILED",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Its number, in the database and on the wire.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Unspecified => 0,
            Self::Pending => 1,
            Self::Ready => 2,
            Self::Failed => 3,
        }
    }

    /// The status of that number.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.number() == number)
    }
}

/// A model as a run logged it, before and beside the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModel {
    /// Its id, `m-` and 32 hexadecimal digits.
    pub id: String,
    /// The experiment that it belongs to.
    pub experiment_id: i64,
    /// Its name.
    pub name: String,
    /// Where its files lie.
    pub artifact_uri: String,
    /// When it was made.
    pub created: i64,
    /// When it was last changed.
    pub updated: i64,
    /// How far it is.
    pub status: LoggedModelStatus,
    /// More about the status.
    pub status_message: Option<String>,
    /// What kind of model, as the client says.
    pub model_type: Option<String>,
    /// The run that logged it.
    pub source_run_id: Option<String>,
    /// Tags.
    pub tags: Vec<KeyValue>,
    /// Params.
    pub params: Vec<KeyValue>,
    /// Metrics that name it.
    pub metrics: Vec<Metric>,
}

/// An alias of a registered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub alias: String,
    /// The version that it points to.
    pub version: u32,
}

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredModel {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<i64>,
    /// When it, or a version of it, was last changed.
    pub updated: Option<i64>,
    /// What it is for.
    pub description: Option<String>,
    /// The newest version of each stage.
    pub latest_versions: Vec<Version>,
    /// Tags.
    pub tags: Vec<KeyValue>,
    /// Aliases.
    pub aliases: Vec<Alias>,
}

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The model's name.
    pub name: String,
    /// Its number, from 1, never used twice.
    pub version: u32,
    /// When it was registered.
    pub created: i64,
    /// When it was last changed.
    pub updated: Option<i64>,
    /// What is special about it.
    pub description: Option<String>,
    /// Who made it; MLflow's servers leave it empty.
    pub user_id: Option<String>,
    /// `None`, `Staging`, `Production` or `Archived`.
    pub stage: String,
    /// Where it was registered from.
    pub source: Option<String>,
    /// Where its files lie, if that is not the source itself.
    pub storage_location: Option<String>,
    /// The run that made it.
    pub run_id: Option<String>,
    /// `READY`, `PENDING_REGISTRATION`, `FAILED_REGISTRATION`.
    pub status: String,
    /// More about the status.
    pub status_message: Option<String>,
    /// A link to the run, if it was made elsewhere.
    pub run_link: Option<String>,
    /// Tags.
    pub tags: Vec<KeyValue>,
    /// Aliases that point to it.
    pub aliases: Vec<String>,
}
