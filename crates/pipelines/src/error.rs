//! What can be wrong with a manifest, and what can go wrong around a run.
//!
//! A step that fails is neither: it is an answer of the run, in its report.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;
use types::ErrorKind;

/// One fault of a manifest, or one thing in it that is not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the manifest: `spec.templates[2].retryStrategy`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
    /// What was probably meant, when that can be told.
    pub suggestion: Option<String>,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), suggestion: None }
    }

    pub(crate) fn suggesting(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

/// Why a run could not be made, apart from its steps.
#[derive(Debug, Error)]
pub enum Error {
    /// The folder of the logs could not be made.
    #[error("cannot make the run's folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A step's log could not be written.
    #[error("cannot write the log `{}`", path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Always [`ErrorKind::FailedPrecondition`]: the machine has to be put right first.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Folder { .. } | Self::Log { .. } => ErrorKind::FailedPrecondition,
        }
    }
}

/// The known word nearest to `word`, if it is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Two slips, as in `argumets` or `dependecies`; more is another word.
    const SLIPS: usize = 2;
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(slips, candidate)| *slips <= SLIPS && *slips < candidate.len())
        .min()
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// The number of characters to insert, delete or replace between the two.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["arguments", "dependencies", "template"];
        assert_eq!(nearest("dependecies", known).as_deref(), Some("did you mean `dependencies`?"));
        assert_eq!(nearest("retryStrategy", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
