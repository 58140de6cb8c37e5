//! Names of registered models and of their versions, as MLflow allows them.

use std::{borrow::Borrow, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ParseError;

/// MLflow's column width.
const LONGEST: usize = 256;

/// A registered model's name: not empty, without `/` and `:` (MLflow's rule) or control characters, not a relative path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ModelName(String);

impl ModelName {
    /// Parses a name.
    ///
    /// # Errors
    /// When it is empty, longer than 256 characters, `.` or `..`, or contains `/`, `:` or a control character.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fits = !text.is_empty()
            && text.chars().count() <= LONGEST
            && !matches!(text, "." | "..")
            && !text.contains(|c: char| matches!(c, '/' | ':') || c.is_control());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError::new("model name", text, "1 to 256 characters without `/`, `:` and control characters"))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ModelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ModelName {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

/// A model version, written `click-ranker/7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ModelVersion {
    /// The registered model.
    pub model: ModelName,
    /// The version, counted from 1 and never used twice.
    pub version: u32,
}

impl ModelVersion {
    /// Version `version` of `model`.
    #[must_use]
    pub const fn new(model: ModelName, version: u32) -> Self {
        Self { model, version }
    }

    /// Parses `MODEL/VERSION`; `models:/MODEL/VERSION` is accepted too.
    ///
    /// # Errors
    /// When there is no `/`, the name is not valid, or the version is not a number from 1.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError::new("model version", text, "MODEL/VERSION, such as `click-ranker/7`");
        let bare = text.strip_prefix("models:/").unwrap_or(text);
        let (model, version) = bare.rsplit_once('/').ok_or_else(malformed)?;
        let model = ModelName::parse(model).map_err(|_| malformed())?;
        let version = version.parse().ok().filter(|v| *v > 0).ok_or_else(malformed)?;
        Ok(Self { model, version })
    }
}

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.model, self.version)
    }
}

impl FromStr for ModelVersion {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ModelVersion {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

impl From<ModelVersion> for String {
    fn from(version: ModelVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_with_and_without_scheme() {
        for text in ["click-ranker/7", "models:/click-ranker/7"] {
            let version = ModelVersion::parse(text).unwrap();
            assert_eq!((version.model.as_str(), version.version), ("click-ranker", 7));
            assert_eq!(version.to_string(), "click-ranker/7");
        }
    }

    #[test]
    fn malformed_names_and_versions_are_refused() {
        for text in ["", "click-ranker", "click-ranker/", "click-ranker/0", "click-ranker/x", "/7", "a/b/7", "../7"] {
            assert!(ModelVersion::parse(text).is_err(), "{text}");
        }
        assert!(ModelName::parse(&"x".repeat(257)).is_err());
    }
}
