//! Tables as they travel: Parquet in memory, in and out, for callers that have pyarrow and nothing else.

use arrow::{array::RecordBatch, compute::concat_batches};
use bytes::Bytes;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::Compression,
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::Error;

/// All rows of a Parquet file, with its schema as it was written, metadata included.
///
/// # Errors
/// When the bytes are not a whole Parquet file.
pub fn from_parquet(bytes: Bytes) -> Result<RecordBatch, Error> {
    let damaged = |source| Error::ParquetBody { source };
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(damaged)?;
    let schema = reader.schema().clone();
    let batches = reader.build().map_err(damaged)?.collect::<Result<Vec<_>, _>>();
    let batches = batches.map_err(|error| damaged(ParquetError::External(Box::new(error))))?;
    concat_batches(&schema, &batches).map_err(Error::columns("put row groups together"))
}

/// `table` as a Parquet file, compressed with Snappy, which every reader has.
///
/// # Errors
/// When it cannot be encoded.
pub fn to_parquet(table: &RecordBatch) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::ParquetBody { source };
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), table.schema(), Some(properties)).map_err(failed)?;
    writer.write(table).map_err(failed)?;
    writer.into_inner().map_err(failed)
}
