//! What was found: a level, not an event. A finding holds until a later window shows that it is over.

use std::fmt;

use serde::{Deserialize, Serialize};
use telemetry::Severity;
use types::{ModelVersion, Timestamp};

/// One value of one segment: `customer_id` = `hooli`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The dimension.
    pub name: String,
    /// Its value, as text.
    pub value: String,
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.value)
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A feature has values that the reference does not know.
    NewCategories,
    /// A feature is distributed otherwise than in the reference.
    DataDrift,
    /// So are the model's answers.
    PredictionDrift,
}

impl FindingKind {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewCategories => "new_categories",
            Self::DataDrift => "data_drift",
            Self::PredictionDrift => "prediction_drift",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value that the reference does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewCategory {
    /// The value.
    pub value: String,
    /// The share of rows that have it.
    pub share: f64,
}

/// What a new value probably was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// The value that the reference knows: `US`.
    pub from: String,
    /// The new value: `USA`.
    pub to: String,
    /// The share of rows that `from` had in the reference.
    pub share_before: f64,
    /// The share that it has now.
    pub share_now: f64,
}

/// Something that holds now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The same for as long as it is the same trouble: of model, kind, feature and segment, not of the version.
    pub key: String,
    /// What is wrong.
    pub kind: FindingKind,
    /// How urgent it is.
    #[serde(with = "severity")]
    pub severity: Severity,
    /// The version whose traffic shows it.
    pub version: ModelVersion,
    /// The feature, or the column of the model's answer.
    pub feature: String,
    /// Where; `None` for traffic as a whole.
    pub segment: Option<Segment>,
    /// When it was first seen.
    pub since: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// One sentence for people.
    pub summary: String,
    /// The rows that were looked at.
    pub rows: u64,
    /// The share of them with new values, if that is what is wrong.
    pub share: f64,
    /// The new values, commonest first.
    pub new_categories: Vec<NewCategory>,
    /// What they probably were before.
    pub mappings: Vec<Mapping>,
    /// Population stability against the frozen reference.
    pub psi: f64,
    /// Jensen-Shannon distance from it.
    pub jensen_shannon: f64,
}

impl Finding {
    /// The key of a trouble.
    #[must_use]
    pub fn key_of(version: &ModelVersion, kind: FindingKind, feature: &str, segment: Option<&Segment>) -> String {
        let place = segment.map_or_else(|| "all".to_owned(), |segment| format!("{}={}", segment.name, segment.value));
        format!("drift/{}/{kind}/{feature}/{place}", version.model)
    }
}

/// Severities by their words.
mod severity {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use telemetry::Severity;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(severity)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
        let text = String::deserialize(deserializer)?;
        [Severity::Info, Severity::Ticket, Severity::Page]
            .into_iter()
            .find(|severity| severity.to_string() == text)
            .ok_or_else(|| D::Error::custom("expected info, ticket or page"))
    }
}
