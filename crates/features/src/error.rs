//! What can go wrong in `features`, in words that name the view, the column, the file or the row.

use std::path::PathBuf;

use thiserror::Error as ThisError;
use types::{ErrorKind, ParseError, Timestamp, ValueType};

use crate::{expressions, online, suggest::hint};

/// A failure of this crate.
#[derive(Debug, ThisError)]
pub enum Error {
    /// Text that is not what it should be.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// No view of that name.
    #[error("there is no feature view `{name}`{}", hint(.suggestion.as_ref()))]
    UnknownView {
        /// As asked for.
        name: String,
        /// The nearest.
        suggestion: Option<String>,
    },
    /// No feature of that name.
    #[error("there is no feature `{reference}`{}", hint(.suggestion.as_ref()))]
    UnknownFeature {
        /// As asked for.
        reference: String,
        /// The nearest.
        suggestion: Option<String>,
    },
    /// Two things that a model would get under one name.
    #[error("`{first}` and `{second}` would both be the input `{name}`")]
    SameName {
        /// The input.
        name: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// An expression that cannot be compiled over the source's columns, or evaluated.
    #[error("feature `{feature}`: {reason}")]
    Expression {
        /// `view:feature`.
        feature: String,
        /// What is wrong; told to the caller, who wrote the expression.
        reason: expressions::Error,
    },
    /// Label and source disagree about a key's type.
    #[error("key type mismatch: `{key}` is {found} in {place} but {expected} is needed")]
    KeyTypeMismatch {
        /// The join key.
        key: String,
        /// Where the wrong type is.
        place: String,
        /// The type there.
        found: String,
        /// The type needed.
        expected: String,
    },
    /// A label row without a time; guessing one would leak the future.
    #[error("null label timestamp: row {row} of `{column}` has no time")]
    NullLabelTime {
        /// The column.
        column: String,
        /// The first such row, from 0.
        row: usize,
    },
    /// A column that is not there.
    #[error("{place} has no column `{column}`{}", hint(.suggestion.as_ref()))]
    MissingColumn {
        /// The file, or the label rows.
        place: String,
        /// The column asked for.
        column: String,
        /// The nearest.
        suggestion: Option<String>,
    },
    /// A column of a type that cannot be used for what it is declared as.
    #[error("column `{column}` of {place}: {reason}")]
    WrongType {
        /// The file, or the label rows.
        place: String,
        /// The column.
        column: String,
        /// What does not fit.
        reason: String,
    },
    /// A column of the labels that a feature's column would hide.
    #[error("the label rows already have a column `{column}`; rename it, or leave `{reference}` out")]
    LabelColumnTaken {
        /// The column.
        column: String,
        /// The feature of that name.
        reference: String,
    },
    /// No file at a source's path.
    #[error("source `{source_name}`: no file at `{path}`")]
    NoFiles {
        /// The source.
        source_name: String,
        /// The path as written.
        path: String,
    },
    /// A path that leaves the project folder.
    #[error(
        "source `{source_name}`: `{path}` leads out of the project folder; write `file:` and an absolute path if it should"
    )]
    PathEscapes {
        /// The source.
        source_name: String,
        /// The path.
        path: String,
    },
    /// A path that this version cannot read.
    #[error(
        "source `{source_name}`: `{path}` is neither a path in the project folder nor `file:`; other stores are not built into this version"
    )]
    UnknownScheme {
        /// The source.
        source_name: String,
        /// The path as written.
        path: String,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is not whole, or no Parquet.
    #[error("`{path}` is damaged or not a Parquet file")]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A table in a request or an answer that is no Parquet.
    #[error("the table is damaged or not Parquet")]
    ParquetBody {
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A row that a producer pushed and that cannot be taken.
    #[error("row {row} pushed to `{view}`: {reason}")]
    Push {
        /// The view.
        view: String,
        /// The row, from 0.
        row: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A materialization beyond the present.
    #[error("cannot materialize until {end}: it is only {now}")]
    FutureEnd {
        /// Asked for.
        end: Timestamp,
        /// The clock.
        now: Timestamp,
    },
    /// Rows for a plan that do not fit it.
    #[error("row {row}: {reason}")]
    Row {
        /// The row, from 0.
        row: usize,
        /// What does not fit.
        reason: String,
    },
    /// A value of the wrong type.
    #[error("`{name}` is {expected}, not {found}")]
    WrongValue {
        /// Key, request value or feature.
        name: String,
        /// Its type.
        expected: ValueType,
        /// What came.
        found: String,
    },
    /// The online store.
    #[error(transparent)]
    Online(#[from] online::Error),
    /// The database.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// Columns that do not fit together: more text than a column can hold, or a defect.
    #[error("cannot {attempt}")]
    Columns {
        /// What was attempted.
        attempt: &'static str,
        /// Why not.
        #[source]
        source: arrow::error::ArrowError,
    },
}

impl Error {
    /// Whose fault it is and whether trying again helps.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Parse(error) => error.kind(),
            Self::UnknownView { .. } | Self::UnknownFeature { .. } => ErrorKind::NotFound,
            Self::SameName { .. }
            | Self::KeyTypeMismatch { .. }
            | Self::NullLabelTime { .. }
            | Self::MissingColumn { .. }
            | Self::WrongType { .. }
            | Self::LabelColumnTaken { .. }
            | Self::UnknownScheme { .. }
            | Self::PathEscapes { .. }
            | Self::ParquetBody { .. }
            | Self::Push { .. }
            | Self::FutureEnd { .. }
            | Self::Row { .. }
            | Self::WrongValue { .. }
            | Self::Expression { .. } => ErrorKind::InvalidArgument,
            Self::NoFiles { .. } | Self::File { .. } | Self::Parquet { .. } => ErrorKind::FailedPrecondition,
            Self::Online(error) => error.kind(),
            Self::Database(error) => error.kind(),
            Self::Columns { .. } => ErrorKind::Internal,
        }
    }

    pub(crate) fn columns(attempt: &'static str) -> impl FnOnce(arrow::error::ArrowError) -> Self {
        move |source| Self::Columns { attempt, source }
    }
}
