//! Columns of a batch by name and type, with the problem in words when they are not there.

use arrow::array::{
    Array, ArrayAccessor, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use types::Timestamp;

/// A text column.
pub(super) fn texts<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<impl Iterator<Item = Option<&'a str>> + use<'a>, String> {
    Ok(column::<StringArray>(batch, name)?.iter())
}

/// A column of integers.
pub(super) fn integers(batch: &RecordBatch, name: &str) -> Result<Int64Array, String> {
    column::<Int64Array>(batch, name).cloned()
}

/// A column of numbers.
pub(super) fn numbers(batch: &RecordBatch, name: &str) -> Result<Float64Array, String> {
    column::<Float64Array>(batch, name).cloned()
}

/// A column of truth values.
pub(super) fn truths(batch: &RecordBatch, name: &str) -> Result<BooleanArray, String> {
    column::<BooleanArray>(batch, name).cloned()
}

/// A column of times.
pub(super) fn times(batch: &RecordBatch, name: &str) -> Result<Vec<Timestamp>, String> {
    let column = column::<TimestampMicrosecondArray>(batch, name)?;
    (0..column.len()).map(|row| required(column, row, name).map(Timestamp::from_micros)).collect()
}

/// The value of a row that cannot be null.
pub(super) fn required<A: ArrayAccessor>(column: A, row: usize, name: &str) -> Result<A::Item, String> {
    if row < column.len() && column.is_valid(row) {
        Ok(column.value(row))
    } else {
        Err(format!("column `{name}` has no value in row {row}"))
    }
}

/// A text column.
pub(super) fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, String> {
    column(batch, name)
}

fn column<'a, A: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A, String> {
    batch
        .column_by_name(name)
        .ok_or_else(|| format!("there is no column `{name}`"))?
        .as_any()
        .downcast_ref()
        .ok_or_else(|| format!("column `{name}` is of another type"))
}
