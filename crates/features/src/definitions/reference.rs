//! How a model file, a label request and a plan name a feature.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::ParseError;

/// The part before the colon of a request-time value.
pub(crate) const REQUEST: &str = "request";
/// The part before the colon of an on-demand feature.
pub(crate) const ON_DEMAND: &str = "on_demand";

/// `user_activity:clicks_7d`, `request:hour_of_day` or `on_demand:is_evening`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum FeatureRef {
    /// A feature of a view.
    View {
        /// The view.
        view: String,
        /// The feature in it.
        feature: String,
    },
    /// A value that comes with the request.
    Request(String),
    /// A feature computed at request time.
    OnDemand(String),
}

impl FeatureRef {
    /// Parses `VIEW:FEATURE`, `request:NAME` or `on_demand:NAME`.
    ///
    /// # Errors
    /// When there is not exactly one colon with something on both sides.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let malformed =
            || ParseError::new("feature reference", text, "`VIEW:FEATURE`, `request:NAME` or `on_demand:NAME`");
        let (group, name) = text.split_once(':').ok_or_else(malformed)?;
        if group.is_empty() || name.is_empty() || name.contains(':') {
            return Err(malformed());
        }
        Ok(match group {
            REQUEST => Self::Request(name.to_owned()),
            ON_DEMAND => Self::OnDemand(name.to_owned()),
            view => Self::View { view: view.to_owned(), feature: name.to_owned() },
        })
    }

    /// The part after the colon, which is what a model's input is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::View { feature, .. } => feature,
            Self::Request(name) | Self::OnDemand(name) => name,
        }
    }
}

impl fmt::Display for FeatureRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::View { view, feature } => write!(f, "{view}:{feature}"),
            Self::Request(name) => write!(f, "{REQUEST}:{name}"),
            Self::OnDemand(name) => write!(f, "{ON_DEMAND}:{name}"),
        }
    }
}

impl FromStr for FeatureRef {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for FeatureRef {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

impl From<FeatureRef> for String {
    fn from(reference: FeatureRef) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_survive_text_and_name_the_input() {
        for (text, name) in
            [("user_activity:clicks_7d", "clicks_7d"), ("request:hour", "hour"), ("on_demand:is_evening", "is_evening")]
        {
            let reference = FeatureRef::parse(text).unwrap();
            assert_eq!((reference.to_string().as_str(), reference.name()), (text, name));
        }
        for text in ["", "clicks_7d", ":x", "x:", "a:b:c"] {
            assert!(FeatureRef::parse(text).is_err(), "{text}");
        }
    }
}
