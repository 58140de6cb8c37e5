//! What is wrong with a declaration.

use thiserror::Error;
use types::ErrorKind;

/// What is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// It is not YAML of the right form.
    #[error("{message}{}", place(*line, *column))]
    Yaml {
        /// What is wrong.
        message: String,
        /// Where, counted from 1; 0 where it is not known.
        line: u64,
        /// The column, likewise.
        column: u64,
    },
    /// A part of it makes no sense.
    #[error("{at}: {problem}")]
    Invalid {
        /// Which part: `response.probabilities`.
        at: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    pub(crate) fn invalid(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { at: at.into(), problem: problem.into() }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Yaml { .. } | Self::Invalid { .. } => ErrorKind::InvalidArgument,
        }
    }
}

fn place(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!(" (line {line}, column {column})") }
}
