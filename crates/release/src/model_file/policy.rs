//! Approvals, promises and watching, as a team declares them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::{Duration, ParseError, Percent};

/// Who must sign a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    /// How many different principals.
    pub required: u32,
    /// Whether the version's author may neither approve nor waive.
    pub not_author: bool,
}

impl Default for Approvals {
    /// Four eyes.
    fn default() -> Self {
        Self { required: 1, not_author: true }
    }
}

/// What callers are promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// The share of requests that are answered.
    pub availability: Percent,
    /// The 95th percentile of latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<Duration>,
}

/// How inputs and answers are watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The length of one window.
    pub window: Duration,
    /// What windows are compared with.
    #[serde(default)]
    pub reference: DriftReference,
    /// Inputs that are expected to move, such as a counter that only grows, and are not watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// A window of fewer rows than this is not judged.
    #[serde(default = "Drift::default_min_rows")]
    pub min_rows: u64,
}

impl Drift {
    /// 200 rows: with fewer, the noise of a score over ten bins is as large as the drift that is looked for.
    #[must_use]
    pub const fn default_min_rows() -> u64 {
        200
    }
}

/// What a window is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftReference {
    /// The data that the version was trained on.
    #[default]
    Training,
}

/// A ratio of counts, written `click / prediction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Kpi {
    /// The event that counts.
    pub event: String,
    /// What it is counted per: `prediction`, or another event.
    pub per: String,
}

impl TryFrom<String> for Kpi {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        let malformed = || ParseError::new("KPI", &text, "EVENT / prediction, such as `click / prediction`");
        let is_event =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let (event, per) = text.split_once('/').ok_or_else(malformed)?;
        let (event, per) = (event.trim(), per.trim());
        if is_event(event) && is_event(per) {
            Ok(Self { event: event.to_owned(), per: per.to_owned() })
        } else {
            Err(malformed())
        }
    }
}

impl From<Kpi> for String {
    fn from(kpi: Kpi) -> Self {
        kpi.to_string()
    }
}

impl fmt::Display for Kpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.event, self.per)
    }
}
