//! Paths of artifacts: relative, normalized, and unable to leave the store in any encoding.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use types::percent_decoded;

use crate::Error;

/// The folder in the root that holds uploads until they are whole; no path may begin with it.
pub(crate) const PARTIAL: &str = ".crosstie-partial";
/// The folder in the root that stands for the one beside the store ([`crate::Store::beside`]).
pub const BESIDE: &str = ".crosstie-beside";
/// Rounds of percent-decoding in which an escape is looked for; no client encodes more than twice.
const DECODINGS: usize = 8;

/// A path in the store, `a/b/c` without `/` at the ends; empty for the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// The store's root.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Parses a relative path. One `/` at the end is allowed and dropped.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] when it is absolute, has an empty, `.` or `..` segment, a backslash, a control character
    /// or a drive letter, or would have one after percent-decoding, however often.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error::InvalidPath { path: text.to_owned() };
        let path = text.strip_suffix('/').unwrap_or(text);
        let mut form = path.to_owned();
        for _ in 0..DECODINGS {
            if !is_safe(&form) {
                return Err(invalid());
            }
            let decoded = percent_decoded(&form);
            if decoded == form {
                return Ok(Self(path.to_owned()));
            }
            form = decoded;
        }
        Err(invalid())
    }

    /// Parses a path as MLflow's server reads one in a request: percent-decoded until nothing is left to decode. So `a%25b`,
    /// which clients send for a file of that name, is `a%b`, there and here.
    ///
    /// # Errors
    /// As [`ArtifactPath::parse`]; also for a `#`, which MLflow takes in no request.
    pub fn decoded(text: &str) -> Result<Self, Error> {
        let mut form = text.to_owned();
        for _ in 0..DECODINGS {
            let decoded = percent_decoded(&form);
            if decoded == form {
                break;
            }
            form = decoded;
        }
        if form.contains('#') || percent_decoded(&form) != form {
            return Err(Error::InvalidPath { path: text.to_owned() });
        }
        Self::parse(&form)
    }

    /// This path and `rest` below it.
    ///
    /// # Errors
    /// As [`ArtifactPath::parse`].
    pub fn join(&self, rest: &str) -> Result<Self, Error> {
        let rest = Self::parse(rest)?;
        Ok(match (self.is_root(), rest.is_root()) {
            (true, _) => rest,
            (_, true) => self.clone(),
            (false, false) => Self(format!("{self}/{rest}")),
        })
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder that it lies in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let folder = self.0.rsplit_once('/').map_or("", |(folder, _)| folder);
        (!self.is_root()).then(|| Self(folder.to_owned()))
    }

    /// What remains of it below `folder`, if it lies there.
    #[must_use]
    pub fn below(&self, folder: &Self) -> Option<&str> {
        if folder.is_root() {
            return Some(&self.0);
        }
        self.0.strip_prefix(folder.as_str())?.strip_prefix('/')
    }
}

fn is_safe(path: &str) -> bool {
    path.is_empty()
        || path.split('/').enumerate().all(|(index, segment)| {
            let drive = segment.len() == 2 && segment.ends_with(':');
            let is_first = index == 0 || (index == 1 && path.starts_with(BESIDE));
            let reserved = (index == 0 && drive) || (is_first && segment == PARTIAL);
            let forbidden = segment.contains(|c: char| c == '\\' || c.is_control());
            !matches!(segment, "" | "." | "..") && !reserved && !forbidden
        })
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ArtifactPath {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ArtifactPath {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<ArtifactPath> for String {
    fn from(path: ArtifactPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_kept_as_they_are() {
        for path in ["", "a", "a/b.txt", "ä b/100%.csv", "a..b/...", "%41", "x/.crosstie-partial"] {
            assert_eq!(ArtifactPath::parse(path).unwrap().as_str(), path);
        }
        assert_eq!(ArtifactPath::parse("a/b/").unwrap().as_str(), "a/b");
    }

    #[test]
    fn requests_paths_are_decoded_to_their_end() {
        for (sent, path) in [("a%25b", "a%b"), ("d/a%252fb", "d/a/b"), ("%41+ %E4%", "A+ \u{fffd}%"), ("a%2Fb/", "a/b")]
        {
            assert_eq!(ArtifactPath::decoded(sent).unwrap().as_str(), path, "{sent}");
        }
        for sent in ["a#b", "a%23b", "a%2500b", "%2e%2e/a", "%252fetc", "%25252525252525252525252e"] {
            assert!(matches!(ArtifactPath::decoded(sent), Err(Error::InvalidPath { .. })), "{sent}");
        }
    }

    #[test]
    fn escapes_are_refused_in_every_encoding() {
        for path in [
            "..",
            "../a",
            "a/../b",
            "a/..",
            "/etc/passwd",
            "//a",
            "a//b",
            "./a",
            "a\\..\\b",
            "C:/x",
            "a\0b",
            "%2e%2e/a",
            "a/%2E%2E/b",
            "a/..%2fb",
            "%252e%252e/a",
            "%2fetc/passwd",
            "a%5c..%5cb",
            "a/%00",
            ".crosstie-partial/x",
            "%25252525252525252525252e",
        ] {
            assert!(matches!(ArtifactPath::parse(path), Err(Error::InvalidPath { .. })), "{path}");
        }
    }

    #[test]
    fn paths_join_and_part_again() {
        let folder = ArtifactPath::parse("0/run").unwrap();
        let file = folder.join("artifacts/a.txt").unwrap();
        assert_eq!(file.below(&folder), Some("artifacts/a.txt"));
        assert_eq!(file.below(&ArtifactPath::parse("0/ru").unwrap()), None);
        assert_eq!(file.name(), "a.txt");
        assert_eq!(ArtifactPath::root().join("x").unwrap().as_str(), "x");
        assert!(folder.join("../x").is_err());
    }
}
