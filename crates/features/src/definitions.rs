//! What a user writes in `features/*.yaml`: entities, sources, feature views and on-demand features.
//!
//! The types here are the file, word for word, and refuse unknown keys. [`Definitions`] is what they mean together:
//! validated, resolved, and content-addressed, so that a stored value can name the definition that it was computed
//! with. Nothing here reads a file or a clock.

mod compose;
mod digest;
mod reference;
mod resolved;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use types::{Duration, ValueType};

pub use compose::Problem;
pub use reference::FeatureRef;
pub use resolved::{Definitions, Feature, JoinKey, OnDemand, SourceSpec, View};

/// One file of `features/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureFile {
    /// Version of the file format; 1.
    pub version: u32,
    /// What features are about: a user, an item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<EntityFile>,
    /// Where feature values are computed from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceFile>,
    /// Values that come with a request, such as the hour of day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<TypedName>,
    /// Groups of features over one source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feature_views: Vec<FeatureViewFile>,
    /// Features computed at request time from request values and other features.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_demand_features: Vec<OnDemandFile>,
}

/// An entity and the keys that identify it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityFile {
    /// Its name.
    pub name: String,
    /// The columns that identify it, in sources, label rows and requests alike.
    pub join_keys: Vec<TypedName>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A name and its type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypedName {
    /// The name.
    pub name: String,
    /// bool, int32, int64, float32, float64, string or timestamp.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Parquet files with one row per entity and event time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Its name.
    pub name: String,
    /// A path below the project folder, with `*` and `?` within a folder or file name and `**` for any folders; or
    /// `file:` and an absolute path.
    pub path: String,
    /// The column that says when a row became true.
    pub event_time: String,
    /// The column that says when a row became known. It breaks ties between rows of one event time, and hides rows
    /// that came late from label rows before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Features of one entity (or several together) over one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureViewFile {
    /// Its name, the part of a feature reference before the colon.
    pub name: String,
    /// What the features are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// What the features are about, when it is several entities together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// The source that they are computed from.
    pub source: String,
    /// How old a value may be, from its event time; without it, any age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The features.
    pub features: Vec<FeatureFileEntry>,
}

/// One feature of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureFileEntry {
    /// Its name, the part of a feature reference after the colon, and the name of the model's input.
    pub name: String,
    /// bool, int32, int64, float32, float64, string or timestamp.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// A SQL expression over the source's columns; without it, the column of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The value of an entity that has none; `none` to pass null to the model. Without it, a row that lacks the value
    /// is refused.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One on-demand feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnDemandFile {
    /// Its name, referred to as `on_demand:NAME`.
    pub name: String,
    /// bool, int32, int64, float32, float64, string or timestamp.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// A SQL expression over request values and features, by their short names.
    pub expression: String,
    /// The value where the expression gives null; `none` to pass null to the model.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A key that is there, even with null, is not a key that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
