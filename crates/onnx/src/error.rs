//! Why ONNX Runtime is not there.

use std::path::PathBuf;

use thiserror::Error;
use types::ErrorKind;

/// How to get the library, in every message that says it is missing.
const ADVICE: &str = "install it into the project's virtual environment with `pip install onnxruntime`, or name the \
                      library with `--onnxruntime FILE`";

/// Why ONNX Runtime is not there.
#[derive(Debug, Error)]
pub enum Error {
    /// No library was found.
    #[error("ONNX Runtime's library was not found (looked in {}): {ADVICE}", display(looked_in))]
    NotFound {
        /// Where it was looked for.
        looked_in: Vec<PathBuf>,
    },
    /// The file named does not exist.
    #[error("there is no ONNX Runtime at {}: {ADVICE}", path.display())]
    NoSuchFile {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a library that can be used.
    #[error("{} is not an ONNX Runtime that can be used here: {reason}; {ADVICE}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another library is loaded already.
    #[error("ONNX Runtime was already loaded from {}, and one process can load only one, not {} as well", loaded.display(), path.display())]
    AnotherLoaded {
        /// The one loaded.
        loaded: PathBuf,
        /// The one asked for.
        path: PathBuf,
    },
}

impl Error {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::NoSuchFile { .. } | Self::Unusable { .. } | Self::AnotherLoaded { .. } => {
                ErrorKind::FailedPrecondition
            }
        }
    }
}

fn display(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "nowhere".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
