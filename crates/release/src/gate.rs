//! The names of the gates, and what one answers.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::ParseError;

/// A check that a release must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GateName {
    /// The version says what it was made from.
    Lineage,
    /// The model loads, and takes what its declaration provides.
    Schema,
    /// The online rail answers what the offline rail computes.
    Parity,
    /// It predicts well enough, and not worse than stable.
    Quality,
    /// It answers fast enough, and not slower than stable.
    Latency,
}

impl GateName {
    /// All gates, in the order in which they run: what is cheap to learn first, what must not be disturbed last.
    pub const ALL: [Self; 5] = [Self::Lineage, Self::Schema, Self::Parity, Self::Quality, Self::Latency];

    /// The gate as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lineage => "lineage",
            Self::Schema => "schema",
            Self::Parity => "parity",
            Self::Quality => "quality",
            Self::Latency => "latency",
        }
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GateName {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|gate| gate.as_str() == text)
            .ok_or_else(|| ParseError::new("gate", text, "lineage, schema, parity, quality or latency"))
    }
}

/// What a gate answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateOutcome {
    /// Whether the candidate passes.
    pub passed: bool,
    /// One line for people, with the number that decided.
    pub summary: String,
    /// Everything that the answer rests on, for the record.
    pub evidence: serde_json::Value,
}
