//! What people are shown: every comparison of the latest window, and the way of the scores over the last windows.

use serde::{Deserialize, Serialize};
use types::{ModelName, ModelVersion, Timestamp};

use crate::{Finding, Segment};

/// How a comparison came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing that chance would not explain, or too little to matter.
    Clean,
    /// Shifted.
    Drifted,
    /// Has values that the reference does not know.
    NewCategories,
    /// Too few independent rows to tell.
    TooFew,
    /// Follows the clock, or is declared to differ from the training data by nature.
    NotCompared,
}

impl State {
    /// The state as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Drifted => "drifted",
            Self::NewCategories => "new_categories",
            Self::TooFew => "too_few",
            Self::NotCompared => "not_compared",
        }
    }
}

/// One feature of one window against the reference, over all traffic or one segment value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The feature, or the column of the model's answer.
    pub feature: String,
    /// Whether it is the model's answer.
    pub is_prediction: bool,
    /// Where; `None` for traffic as a whole.
    pub segment: Option<Segment>,
    /// Rows in the window.
    pub rows: u64,
    /// How many independent rows they are worth.
    pub effective_rows: f64,
    /// Population stability on the frozen bins.
    pub psi: f64,
    /// What it must exceed to count as drift, at this size.
    pub psi_threshold: f64,
    /// Jensen-Shannon distance on the frozen bins.
    pub jensen_shannon: f64,
    /// The share of rows with values that the reference does not know.
    pub new_share: f64,
    /// How it came out.
    pub state: State,
}

/// One window of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowSummary {
    /// Its first moment.
    pub since: Timestamp,
    /// Its end; so far, if it is open.
    pub until: Timestamp,
    /// Its rows.
    pub rows: u64,
    /// Whether it is still filled.
    pub is_open: bool,
    /// Every comparison, by feature and segment.
    pub comparisons: Vec<Comparison>,
}

/// What is known of a model's drift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// The model.
    pub model: ModelName,
    /// The version that was looked at last; `None` before the first look.
    pub version: Option<ModelVersion>,
    /// When its reference was frozen; `None` when it has none, so that nothing can be compared.
    pub reference_frozen_at: Option<Timestamp>,
    /// The rows of the reference.
    pub reference_rows: u64,
    /// The last windows, newest first.
    pub windows: Vec<WindowSummary>,
    /// What holds now.
    pub findings: Vec<Finding>,
}
