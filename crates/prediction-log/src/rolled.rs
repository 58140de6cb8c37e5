//! Parquet files by partition: writing a sealed segment into them, finding and reading them.
//!
//! A file is named after its segment, written beside its place, synced and renamed. Rolling the same segment again, after
//! a crash, writes the same files.

mod columns;
mod outcome;
mod prediction;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{array::RecordBatch, datatypes::Schema, error::ArrowError};
use parquet::{
    arrow::{
        ArrowWriter, ProjectionMask,
        arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector},
    },
    basic::{Compression, ZstdLevel},
    file::{metadata::RowGroupMetaData, properties::WriterProperties, statistics::Statistics},
};
use serde::de::DeserializeOwned;
use types::{PredictionId, Timestamp};
use uuid::Uuid;

use crate::{Error, error::IoContext as _, hour::Hour, journal::Sealed, segment};

/// Rows of one row group: what is decoded at least when one row is wanted.
const ROWS_OF_GROUP: usize = 65_536;
/// What rolled files' names end with.
const EXTENSION: &str = "parquet";
/// The column by which every rolled file is looked up.
pub(crate) const ID_COLUMN: &str = "prediction_id";
/// When a prediction was asked for.
const TIME_COLUMN: &str = "at";

/// A record that is rolled into Parquet.
pub(crate) trait Rolled: DeserializeOwned {
    /// The folder that it belongs into, below the root of its kind.
    fn folder(&self) -> PathBuf;
    /// The columns of a file.
    fn schema() -> Arc<Schema>;
    /// The records as columns.
    fn to_batch(records: &[&Self]) -> Result<RecordBatch, ArrowError>;
    /// The columns as records, or what is wrong with them.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, String>;
}

/// Writes the records of `sealed` below `root`. Answers how many damaged stretches it had to skip.
pub(crate) fn roll<R: Rolled>(root: &Path, sealed: &Sealed) -> Result<usize, Error> {
    let Some((bytes, reading)) = segment::read(&sealed.path, sealed.length)? else { return Ok(0) };
    let mut corrupt = reading.corrupt;
    let mut by_folder: BTreeMap<PathBuf, Vec<R>> = BTreeMap::new();
    for payload in reading.payloads {
        match serde_json::from_slice::<R>(&bytes[payload]) {
            Ok(record) => by_folder.entry(record.folder()).or_default().push(record),
            Err(error) => {
                tracing::error!(segment = %sealed.id, %error, "skipped a record that is not what this version writes");
                corrupt += 1;
            }
        }
    }
    for (folder, records) in by_folder {
        write(&root.join(folder), sealed.id, &records)?;
    }
    Ok(corrupt)
}

fn write<R: Rolled>(folder: &Path, segment: Uuid, records: &[R]) -> Result<(), Error> {
    fs::create_dir_all(folder).context("create", folder)?;
    let place = folder.join(format!("{segment}.{EXTENSION}"));
    let beside = folder.join(format!(".{segment}.tmp"));
    let file = File::create(&beside).context("create", &beside)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROWS_OF_GROUP))
        .build();
    let failed = |source| Error::Parquet { path: beside.clone(), source };
    let mut writer = ArrowWriter::try_new(file, R::schema(), Some(properties)).map_err(failed)?;
    for chunk in records.chunks(ROWS_OF_GROUP) {
        let rows: Vec<&R> = chunk.iter().collect();
        let batch = R::to_batch(&rows).map_err(|error| failed(error.into()))?;
        writer.write(&batch).map_err(failed)?;
    }
    let file = writer.into_inner().map_err(failed)?;
    file.sync_all().context("sync", &beside)?;
    fs::rename(&beside, &place).context("rename into place", &place)?;
    // The name, and the names of the folders above that may be new, up to the root of the kind.
    for parent in folder.ancestors().take(4).filter(|parent| parent.is_dir()) {
        segment::sync_folder(parent)?;
    }
    Ok(())
}

/// Every record of one file.
pub(crate) fn read<R: Rolled>(path: &Path) -> Result<Vec<R>, Error> {
    let builder = open(path)?;
    let mut records = Vec::new();
    for batch in builder.build().map_err(|source| unreadable(path, source))? {
        let batch = batch.map_err(|error| unreadable(path, error.into()))?;
        records.extend(R::from_batch(&batch).map_err(|problem| Error::Malformed { path: path.to_owned(), problem })?);
    }
    Ok(records)
}

/// The records of one prediction in one file. Decodes the ids, and of the rest only what is wanted.
pub(crate) fn read_of<R: Rolled>(path: &Path, id: &PredictionId) -> Result<Vec<R>, Error> {
    let wanted = id.to_string();
    let mut places = Vec::new();
    let mut row = 0;
    columns_of(path, &[ID_COLUMN], |batch| {
        for text in columns::texts(batch, ID_COLUMN)? {
            places.extend((text == Some(wanted.as_str())).then_some(row));
            row += 1;
        }
        Ok(())
    })?;
    let mut records = Vec::with_capacity(places.len());
    read_places(path, &places, |record| records.push(record))?;
    Ok(records)
}

/// The first and the last time of the predictions in one file, if it says so.
pub(crate) fn span(path: &Path) -> Result<Option<(Timestamp, Timestamp)>, Error> {
    let builder = open(path)?;
    let Some(column) = builder.parquet_schema().columns().iter().position(|column| column.name() == TIME_COLUMN) else {
        return Ok(None);
    };
    let of_group = |group: &RowGroupMetaData| match group.column(column).statistics() {
        Some(Statistics::Int64(times)) => Some((*times.min_opt()?, *times.max_opt()?)),
        _ => None,
    };
    let spans: Option<Vec<(i64, i64)>> = builder.metadata().row_groups().iter().map(of_group).collect();
    let all = spans.and_then(|spans| spans.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))));
    Ok(all.map(|(first, last)| (Timestamp::from_micros(first), Timestamp::from_micros(last))))
}

/// The place, time and id of every prediction in one file.
pub(crate) fn heads(path: &Path) -> Result<Vec<(usize, Timestamp, PredictionId)>, Error> {
    let mut heads = Vec::new();
    columns_of(path, &[ID_COLUMN, TIME_COLUMN], |batch| {
        for (id, at) in columns::texts(batch, ID_COLUMN)?.zip(columns::times(batch, TIME_COLUMN)?) {
            let id = PredictionId::parse(id.unwrap_or_default()).map_err(|error| error.to_string())?;
            heads.push((heads.len(), at, id));
        }
        Ok(())
    })?;
    Ok(heads)
}

/// Hands the records at `places`, ascending, of one file to `take`. Nothing else of it is decoded.
pub(crate) fn read_places<R: Rolled>(path: &Path, places: &[usize], mut take: impl FnMut(R)) -> Result<(), Error> {
    if places.is_empty() {
        return Ok(());
    }
    let mut selectors = Vec::with_capacity(2 * places.len());
    let mut next = 0;
    for place in places {
        selectors.extend([RowSelector::skip(place - next), RowSelector::select(1)]);
        next = place + 1;
    }
    let reader = open(path)?.with_row_selection(RowSelection::from(selectors)).build();
    for batch in reader.map_err(|source| unreadable(path, source))? {
        let batch = batch.map_err(|error| unreadable(path, error.into()))?;
        let records = R::from_batch(&batch).map_err(|problem| Error::Malformed { path: path.to_owned(), problem })?;
        records.into_iter().for_each(&mut take);
    }
    Ok(())
}

/// Hands batches of the named columns of one file to `take`, which says what is wrong with one.
fn columns_of(
    path: &Path,
    names: &[&str],
    mut take: impl FnMut(&RecordBatch) -> Result<(), String>,
) -> Result<(), Error> {
    let builder = open(path)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    for batch in builder.with_projection(mask).build().map_err(|source| unreadable(path, source))? {
        let batch = batch.map_err(|error| unreadable(path, error.into()))?;
        take(&batch).map_err(|problem| Error::Malformed { path: path.to_owned(), problem })?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
    let file = File::open(path).context("open", path)?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: parquet::errors::ParquetError) -> Error {
    Error::Parquet { path: path.to_owned(), source }
}

/// The files below `folder`, which holds `date=…/hour=…`, by hour.
pub(crate) fn hours(folder: &Path, files: &mut BTreeMap<Hour, Vec<PathBuf>>) -> Result<(), Error> {
    for (date, date_folder) in folders(folder)? {
        for (hour, hour_folder) in folders(&date_folder)? {
            if let Some(hour) = Hour::of_folders(&date, &hour) {
                files.entry(hour).or_default().extend(files_in(&hour_folder)?);
            }
        }
    }
    Ok(())
}

/// The rolled files in one partition, oldest segment first. None, if there is no such partition.
pub(crate) fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files: Vec<_> = entries(folder)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .collect();
    files.sort_unstable();
    Ok(files)
}

/// The folders in `folder`, with their names.
pub(crate) fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let named = |path: PathBuf| Some((path.file_name()?.to_str()?.to_owned(), path));
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).filter_map(named).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Io { action: "list", path: folder.to_owned(), source }),
    };
    entries.map(|entry| entry.map(|entry| entry.path()).context("list", folder)).collect()
}
