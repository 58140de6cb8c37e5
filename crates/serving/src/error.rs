//! Why a request was not answered.

use thiserror::Error;
use types::{ErrorKind, ModelVersion, TensorType};

use crate::{BackendError, FeatureError};

/// Why a request was not answered, or the service did not start.
#[derive(Debug, Error)]
pub enum Error {
    /// No such model in the plan.
    #[error("unknown model `{model}`: it has no release here")]
    UnknownModel {
        /// As asked for.
        model: String,
    },
    /// The version does not serve.
    #[error("model `{model}` does not serve version {version} (it serves {serving})")]
    UnknownVersion {
        /// The model.
        model: String,
        /// As asked for.
        version: String,
        /// What does serve.
        serving: String,
    },
    /// Only callers who show a token may name a version that is not in production.
    #[error(
        "naming version {version} of model `{model}` needs a token: without one, only the version in production \
             can be named ({production})"
    )]
    VersionNotOpen {
        /// The model.
        model: String,
        /// As asked for.
        version: u32,
        /// The version in production, or `none`.
        production: String,
    },
    /// The version is not ready to serve.
    #[error("model version {version} is not ready: {reason}")]
    NotReady {
        /// The version.
        version: ModelVersion,
        /// What it waits for or what went wrong.
        reason: String,
    },
    /// The model is known, but nothing of it serves.
    #[error("model `{model}` has no version in production")]
    NothingServes {
        /// The model.
        model: String,
    },
    /// The inputs are not what the version takes.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The features could not be added.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A feature has no value, and the model's input has no way to say so.
    #[error("the feature `{feature}` is null for {entity}, and the model's input of type {datatype} cannot hold null")]
    NullFeature {
        /// The feature.
        feature: String,
        /// Whose.
        entity: String,
        /// The input's type.
        datatype: TensorType,
    },
    /// An output that the model does not give.
    #[error("unexpected inference output `{output}` for model `{model}`: it gives {known}")]
    UnknownOutput {
        /// As asked for.
        output: String,
        /// The model.
        model: String,
        /// What there is.
        known: String,
    },
    /// The model refuses what it was given.
    #[error("model version {version} refuses its input: {reason}")]
    Refused {
        /// Which version.
        version: ModelVersion,
        /// Which input and why.
        reason: String,
    },
    /// The backend failed.
    #[error("model version {version} failed")]
    Backend {
        /// Which version.
        version: ModelVersion,
        /// What the backend said.
        #[source]
        source: BackendError,
    },
    /// Too many requests at once.
    #[error("too many requests in flight ({limit}); try again later")]
    Overloaded {
        /// How many may be.
        limit: usize,
    },
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Draining,
    /// The plan on disk cannot be read or written.
    #[error("the traffic plan in {file} cannot be {attempted}")]
    PlanFile {
        /// Where.
        file: String,
        /// `read` or `written`.
        attempted: &'static str,
        /// What failed.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownModel { .. } | Self::UnknownVersion { .. } => ErrorKind::NotFound,
            Self::VersionNotOpen { .. } => ErrorKind::PermissionDenied,
            Self::NotReady { .. } | Self::NothingServes { .. } | Self::Draining => ErrorKind::Unavailable,
            Self::Input(_) | Self::UnknownOutput { .. } | Self::Refused { .. } => ErrorKind::InvalidArgument,
            Self::Features(error) => error.kind(),
            Self::NullFeature { .. } => ErrorKind::FailedPrecondition,
            Self::Backend { source, .. } => source.kind(),
            Self::Overloaded { .. } => ErrorKind::ResourceExhausted,
            Self::PlanFile { .. } => ErrorKind::Internal,
        }
    }
}

/// What is wrong with an input. Every message names it, with what was expected and what came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InputError {
    /// An input is not there.
    #[error("missing input `{input}`: {expected}")]
    Missing {
        /// The input.
        input: String,
        /// What the model takes.
        expected: String,
    },
    /// Nothing takes this input.
    #[error("unexpected input `{input}` for model version {version}: it takes {known}")]
    Unexpected {
        /// The input.
        input: String,
        /// Which version.
        version: ModelVersion,
        /// What it takes.
        known: String,
    },
    /// The same input twice.
    #[error("input `{input}` is there more than once")]
    Duplicate {
        /// The input.
        input: String,
    },
    /// An input of another type.
    #[error("input `{input}` has type {actual}, expected {expected}")]
    WrongType {
        /// The input.
        input: String,
        /// What it should be.
        expected: String,
        /// What it is.
        actual: TensorType,
    },
    /// An input of another shape.
    #[error("input `{input}` has shape {actual:?}, expected {expected}")]
    WrongShape {
        /// The input.
        input: String,
        /// What it should be.
        expected: String,
        /// What it is.
        actual: Vec<i64>,
    },
    /// A dimension that cannot be.
    #[error("input `{input}` has shape {shape:?}: every dimension must be known, and their product must fit in memory")]
    BadShape {
        /// The input.
        input: String,
        /// Its shape.
        shape: Vec<i64>,
    },
    /// Another number of elements than the shape says.
    #[error("input `{input}` of shape {shape:?} needs {expected} elements, got {actual}")]
    ElementCount {
        /// The input.
        input: String,
        /// Its shape.
        shape: Vec<i64>,
        /// What the shape says.
        expected: usize,
        /// What came.
        actual: usize,
    },
    /// Inputs with different numbers of rows.
    #[error("input `{input}` has {actual} rows, expected {expected} as in input `{other}`")]
    RowsDiffer {
        /// The input.
        input: String,
        /// Its rows.
        actual: usize,
        /// The rows of the other.
        expected: usize,
        /// The input that it differs from.
        other: String,
    },
    /// A single element that cannot be used.
    #[error("input `{input}`, row {row}: {reason}")]
    WrongValue {
        /// The input.
        input: String,
        /// The row.
        row: usize,
        /// What was expected and what came.
        reason: String,
    },
    /// Bytes that are no elements.
    #[error("input `{input}` has malformed {datatype} data: {reason}")]
    RawData {
        /// The input.
        input: String,
        /// Its type.
        datatype: TensorType,
        /// What is wrong.
        reason: String,
    },
    /// A request without rows.
    #[error("the request has no {what}")]
    Empty {
        /// `inputs` or `rows`.
        what: &'static str,
    },
}

impl InputError {
    /// Always [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidArgument
    }
}
