//! Alerts as they are stored and listed.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value as Json;
use telemetry::Severity;
use types::{ModelName, Timestamp};

use crate::severity;

/// One time that a condition held, from firing to resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Its name, which messages carry: a UUID.
    pub id: String,
    /// Who said so.
    pub source: String,
    /// The condition's key; the source and the key together are one alert as long as it fires.
    pub key: String,
    /// What kind of thing it is.
    pub name: String,
    /// How urgent it is: as urgent as it ever was.
    #[serde(serialize_with = "severity::serialize")]
    pub severity: Severity,
    /// What is wrong, as it was last said.
    pub summary: String,
    /// The model that it is about.
    pub model: Option<ModelName>,
    /// What receivers route and group by.
    pub labels: BTreeMap<String, String>,
    /// The numbers behind it, as they were last said.
    pub details: Json,
    /// Since when the condition held.
    pub since: Timestamp,
    /// Whether it still fires.
    pub status: Status,
    /// Counts its messages: 1 when it fired, one more each time that it became more urgent, and one when it resolved.
    pub sequence: i64,
    /// When it was raised.
    pub fired_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// Since when the condition was not seen any more, while that may still pass.
    pub missing_since: Option<Timestamp>,
    /// Its messages, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// Whether an alert still fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The condition holds.
    Firing,
    /// It does not hold any more.
    Resolved,
}

impl Status {
    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Firing, Self::Resolved].into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One message to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Which of the alert's messages.
    pub sequence: i64,
    /// What it says.
    pub status: Status,
    /// The receiver's server; the rest of its URL may be a secret.
    pub receiver: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, if it is not over.
    pub next_attempt_at: Option<Timestamp>,
    /// When the receiver said yes.
    pub delivered_at: Option<Timestamp>,
    /// When it was given up: after days, or because the receiver is no route any more.
    pub abandoned_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// Which alerts to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Of one model only.
    pub model: Option<ModelName>,
    /// Only those that fire.
    pub firing_only: bool,
    /// At most so many.
    pub limit: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self { model: None, firing_only: false, limit: 100 }
    }
}
