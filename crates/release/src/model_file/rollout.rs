//! The way to production, in Argo Rollouts' words.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use types::{Duration, Percent};

/// The steps, and what ends them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rollout {
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What sends the candidate back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_on: Option<RollbackOn>,
}

impl Default for Rollout {
    /// Everything at once, which is what a model without declared steps gets.
    fn default() -> Self {
        Self { steps: vec![Step::SetWeight(Percent::ALL)], rollback_on: None }
    }
}

impl Rollout {
    /// Whether there is more to do than to switch.
    #[must_use]
    pub fn is_gradual(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::SetWeight(weight) => *weight != Percent::ALL,
            Step::Shadow(_) | Step::Pause(_) => true,
        })
    }
}

/// One step of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Copies of live requests, whose answers nobody sees.
    Shadow(Shadow),
    /// This share of the entities from now on.
    SetWeight(Percent),
    /// Stay here and look.
    Pause(Pause),
}

/// How long copies are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// For this long.
    pub duration: Duration,
}

/// How long a weight is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// At least this long.
    pub duration: Duration,
    /// And until the candidate has answered so many requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<MinRequests>,
    /// But no longer than this, after which a person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
}

/// How many requests are enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinRequests {
    /// As many as the analysis takes when nothing fails.
    Auto,
    /// This many.
    Count(u64),
}

impl Serialize for MinRequests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Count(count) => serializer.serialize_u64(*count),
        }
    }
}

impl<'de> Deserialize<'de> for MinRequests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = MinRequests;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto` or a whole number of requests")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<MinRequests, E> {
                match text {
                    "auto" => Ok(MinRequests::Auto),
                    _ => text
                        .parse()
                        .map(MinRequests::Count)
                        .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_u64<E: de::Error>(self, count: u64) -> Result<MinRequests, E> {
                Ok(MinRequests::Count(count))
            }
            fn visit_i64<E: de::Error>(self, count: i64) -> Result<MinRequests, E> {
                u64::try_from(count)
                    .map(MinRequests::Count)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for MinRequests {
    fn schema_name() -> Cow<'static, str> {
        "MinRequests".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many requests are enough: as many as the analysis takes when nothing fails, or a number.",
            "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 0 }]
        })
    }
}

/// What sends a candidate back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackOn {
    /// Failed requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<ErrorLimit>,
    /// Slow requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyLimit>,
    /// The chance that a candidate as good as stable is sent back, over the whole rollout.
    #[serde(default = "one_percent")]
    pub false_rollback: Percent,
}

/// How much worse errors may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorLimit {
    /// Relative to stable's error rate, what counts as no worse.
    pub tolerance: Percent,
    /// The candidate's excess error rate must be shown to be below this before it is promoted.
    #[serde(default = "one_percent")]
    pub max_excess: Percent,
}

/// How much slower answers may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyLimit {
    /// Relative to the share of stable's answers above its own 95th percentile, what counts as no worse.
    pub tolerance: Percent,
    /// No answer that takes less than this counts as slow, whatever stable takes: nobody can tell.
    #[serde(default = "LatencyLimit::default_floor")]
    pub floor: Duration,
}

impl LatencyLimit {
    /// Two milliseconds: less is lost in the network between any two machines.
    #[must_use]
    pub const fn default_floor() -> Duration {
        Duration::from_micros(2_000)
    }
}

fn one_percent() -> Percent {
    Percent::new(1.0).expect("1 lies between 0 and 100")
}
