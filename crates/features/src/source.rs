//! Offline sources: Parquet files found by a pattern, read column by column.
//!
//! A pattern stays inside the project folder, links followed; only `file:` leads elsewhere. Files are read in the order
//! of their paths, which makes “last in source order” mean the same each time. Timestamps leave here as microseconds
//! in UTC (a timestamp without a zone is UTC), text as one encoding; everything else as the file has it.

mod glob;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::{cast, concat_batches},
    datatypes::{DataType, Schema},
};
use parquet::{
    arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
};
use types::ValueType;

use crate::{
    Error,
    definitions::{SourceSpec, View},
    expressions,
    suggest::closest,
};

/// Rows per batch while reading; the batches of a file are put together afterwards.
const BATCH: usize = 65_536;

/// One file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// As people are shown it: relative to the project folder.
    pub(crate) shown: Arc<str>,
    /// Changes when the file is written again: its size and the time of its last change.
    pub(crate) fingerprint: String,
}

/// Refuses patterns that leave the project folder or that nothing here can read.
///
/// # Errors
/// [`Error::PathEscapes`] or [`Error::UnknownScheme`].
pub(crate) fn check_path(source: &str, path: &str) -> Result<(), Error> {
    locate(Path::new(""), source, path).map(|_| ())
}

/// The folder to search from and the pattern below it.
fn locate(project: &Path, source: &str, path: &str) -> Result<(PathBuf, String), Error> {
    let escapes = || Error::PathEscapes { source_name: source.to_owned(), path: path.to_owned() };
    if let Some(absolute) = path.strip_prefix("file:") {
        let absolute = absolute.strip_prefix("//").unwrap_or(absolute);
        return match absolute.strip_prefix('/') {
            Some(pattern) => Ok((PathBuf::from("/"), pattern.to_owned())),
            None => Ok((project.to_owned(), relative(absolute).ok_or_else(escapes)?)),
        };
    }
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric())) {
        return Err(Error::UnknownScheme { source_name: source.to_owned(), path: path.to_owned() });
    }
    Ok((project.to_owned(), relative(path).ok_or_else(escapes)?))
}

fn relative(path: &str) -> Option<String> {
    let inside = !path.is_empty()
        && !path.starts_with('/')
        && !path.contains('\\')
        && path.split('/').all(|part| part != ".." && !part.contains('\0'));
    inside.then(|| path.to_owned())
}

/// The files of `source`, in the order of their paths.
///
/// # Errors
/// When there are none, or one of them lies outside of the project folder.
pub(crate) fn files(project: &Path, source: &SourceSpec) -> Result<Vec<SourceFile>, Error> {
    let (base, pattern) = locate(project, &source.name, &source.path)?;
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    let mut found = glob::find(&base, &pattern).map_err(|(path, source)| Error::File { path, source })?;
    found.sort_unstable();
    if found.is_empty() {
        return Err(Error::NoFiles { source_name: source.name.clone(), path: source.path.clone() });
    }
    let confined = !source.path.starts_with("file:");
    let root = if confined { base.canonicalize().map_err(unreadable(&base))? } else { PathBuf::from("/") };
    let mut files = Vec::with_capacity(found.len());
    for path in found {
        let real = path.canonicalize().map_err(unreadable(&path))?;
        if !real.starts_with(&root) {
            let path = path.display().to_string();
            return Err(Error::PathEscapes { source_name: source.name.clone(), path });
        }
        let about = real.metadata().map_err(unreadable(&path))?;
        let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        files.push(SourceFile {
            shown: path.strip_prefix(project).unwrap_or(&path).display().to_string().into(),
            fingerprint: format!("{}@{}", about.len(), changed.as_nanos()),
            path: real,
        });
    }
    Ok(files)
}

impl View {
    /// The files that its values are read from, as they lie in the folder of the project now.
    ///
    /// # Errors
    /// When there are none, or one of them lies outside of the project folder.
    pub fn source_files(&self, project: &Path) -> Result<Vec<PathBuf>, Error> {
        Ok(files(project, self.source())?.into_iter().map(|file| project.join(&*file.shown)).collect())
    }
}

/// The columns named, in that order, of all rows of `file`.
///
/// # Errors
/// When the file is away, damaged, or lacks a column.
pub(crate) fn read(file: &SourceFile, columns: &[String]) -> Result<RecordBatch, Error> {
    let damaged = |source: ParquetError| Error::Parquet { path: file.path.clone(), source };
    let opened = File::open(&file.path).map_err(|source| Error::File { path: file.path.clone(), source })?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(damaged)?;
    let schema = Arc::clone(builder.schema());
    let mut wanted = Vec::with_capacity(columns.len());
    for column in columns {
        let index = schema.index_of(column).map_err(|_| Error::MissingColumn {
            place: format!("`{}`", file.shown),
            column: column.clone(),
            suggestion: closest(column, schema.fields().iter().map(|field| field.name().as_str())),
        })?;
        wanted.push(index);
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(damaged)?;
    let read_schema = Arc::new(Schema::new(reader_fields(&schema, &wanted)));
    let mut batches = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| damaged(ParquetError::External(Box::new(error))))?;
        let arrays = columns.iter().map(|name| {
            let column = batch.column_by_name(name).expect("the projection has every column that was found");
            normalize(column)
        });
        let arrays =
            arrays.collect::<Result<Vec<_>, _>>().map_err(Error::columns("normalize the columns of a file"))?;
        batches.push(RecordBatch::try_new(Arc::clone(&read_schema), arrays).map_err(Error::columns("read a file"))?);
    }
    concat_batches(&read_schema, &batches).map_err(Error::columns("put a file's row groups together"))
}

fn reader_fields(schema: &Schema, wanted: &[usize]) -> Vec<arrow::datatypes::Field> {
    wanted
        .iter()
        .map(|index| {
            let field = schema.field(*index);
            arrow::datatypes::Field::new(field.name(), normalized(field.data_type()), true)
        })
        .collect()
}

/// The type that a column leaves here as.
fn normalized(kind: &DataType) -> DataType {
    if let DataType::Timestamp(unit, _) = kind {
        // Nanoseconds stay: the join needs them, and expressions cast.
        return DataType::Timestamp(*unit, Some(crate::columns::UTC.into()));
    }
    if expressions::is_text(kind) {
        return crate::columns::data_type(ValueType::String);
    }
    if let DataType::Dictionary(_, value) = kind { normalized(value) } else { kind.clone() }
}

fn normalize(column: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    let target = normalized(column.data_type());
    if column.data_type() == &target {
        return Ok(ArrayRef::clone(column));
    }
    // A cast from no zone to UTC keeps the instant.
    cast(column, &target)
}

#[cfg(test)]
mod tests;
