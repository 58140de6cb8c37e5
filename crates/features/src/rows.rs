//! What a read of features answers, with where each value came from.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use types::{Duration, ParseError, Timestamp, Value};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Written to the online store from the offline source.
    Materialized,
    /// Written to the online store by a producer.
    Pushed,
    /// Read from the offline source.
    Offline,
    /// The default that the definition declares.
    Default,
    /// Came with the request.
    Request,
    /// Computed by an on-demand expression.
    OnDemand,
    /// A feature's value that came with the request, in place of the stored one.
    Override,
    /// There is none, and no default is declared.
    Missing,
}

impl Origin {
    const ALL: [Self; 8] = [
        Self::Materialized,
        Self::Pushed,
        Self::Offline,
        Self::Default,
        Self::Request,
        Self::OnDemand,
        Self::Override,
        Self::Missing,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Materialized => "materialized",
            Self::Pushed => "pushed",
            Self::Offline => "offline",
            Self::Default => "default",
            Self::Request => "request",
            Self::OnDemand => "on_demand",
            Self::Override => "override",
            Self::Missing => "missing",
        }
    }

    /// Whether a rail had a value, rather than standing in for one.
    #[must_use]
    pub const fn is_found(self) -> bool {
        match self {
            Self::Materialized | Self::Pushed | Self::Offline | Self::OnDemand => true,
            Self::Default | Self::Request | Self::Override | Self::Missing => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Origin {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected = "materialized, pushed, offline, default, request, on_demand, override or missing";
        let found = Self::ALL.into_iter().find(|origin| origin.as_str() == text);
        found.ok_or_else(|| ParseError::new("origin", text, expected))
    }
}

/// One feature of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureCell {
    /// The value.
    pub value: Value,
    /// When it became true, where it has such a time.
    pub event_time: Option<Timestamp>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether it is the last known one because its store is away.
    pub degraded: bool,
    /// The file that it was read from, on the offline rail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Arc<str>>,
}

impl FeatureCell {
    /// A value without a time.
    #[must_use]
    pub const fn timeless(value: Value, origin: Origin) -> Self {
        Self { value, event_time: None, origin, degraded: false, file: None }
    }

    /// How old it is at `now`.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.event_time.map(|time| now.since(time))
    }
}

/// Why a row cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `view:feature`, `request:name` or `on_demand:name`.
    pub feature: String,
    /// The entity: `user_id=7`; empty for request values.
    pub entity: String,
    /// What to tell the caller; names both.
    pub message: String,
}

/// The features of one row, in the order of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureRow {
    /// One per feature of the plan.
    pub cells: Vec<FeatureCell>,
    /// Set when a feature without a default is missing: then the row must not be scored.
    pub refusal: Option<Refusal>,
}
