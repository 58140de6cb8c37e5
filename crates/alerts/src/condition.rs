//! What sources say: the conditions that hold now.

use std::{collections::BTreeMap, error::Error as StdError};

use async_trait::async_trait;
use serde_json::Value as Json;
use telemetry::Severity;
use types::{ModelName, Timestamp};

/// Any failure of another room.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Something that someone should know, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What tells it from every other condition of its source, as long as it holds: `click-ranker/user_country/acme`. A
    /// condition that is worse than before keeps its key.
    pub key: String,
    /// What kind of thing it is, in camel case: `NewCategories`.
    pub name: String,
    /// How urgent it is. An alert is as urgent as its condition ever was while it held.
    pub severity: Severity,
    /// What is wrong, in a sentence for people.
    pub summary: String,
    /// The model that it is about.
    pub model: Option<ModelName>,
    /// What receivers route and group by: short, and the same as long as it holds.
    pub labels: BTreeMap<String, String>,
    /// The numbers behind it.
    pub details: Json,
    /// Since when it holds.
    pub since: Timestamp,
}

/// Knows conditions.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Its name, which never changes: `drift`.
    fn name(&self) -> &'static str;

    /// Everything that holds now. Called each second, so it is cheap. What is not in the answer does not hold any more; an
    /// error says nothing about anything, and changes nothing.
    async fn conditions(&self) -> Result<Vec<Condition>, BoxError>;
}
