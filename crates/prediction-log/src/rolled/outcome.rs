//! Outcomes as columns.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
    error::ArrowError,
};
use types::PredictionId;

use super::{ID_COLUMN, Rolled, columns};
use crate::{Outcome, hour::Hour};

/// The column that with the id is the key.
pub(super) const EVENT_COLUMN: &str = "event";

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new(ID_COLUMN, DataType::Utf8, false),
        Field::new(EVENT_COLUMN, DataType::Utf8, false),
        Field::new("value", DataType::Float64, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
    ]))
});

impl Rolled for Outcome {
    /// Outcomes lie in the hour of their *prediction*, so that an id says where they all are.
    fn folder(&self) -> PathBuf {
        Hour::in_id(&self.prediction).unwrap_or_else(|| Hour::of(self.at)).folder()
    }

    fn schema() -> Arc<Schema> {
        SCHEMA.clone()
    }

    fn to_batch(records: &[&Self]) -> Result<RecordBatch, ArrowError> {
        let ids = StringArray::from_iter_values(records.iter().map(|outcome| outcome.prediction.to_string()));
        let events = StringArray::from_iter_values(records.iter().map(|outcome| &outcome.event));
        let values: Float64Array = records.iter().map(|outcome| outcome.value).collect();
        let times = TimestampMicrosecondArray::from_iter_values(records.iter().map(|outcome| outcome.at.as_micros()));
        let columns: Vec<ArrayRef> =
            vec![Arc::new(ids), Arc::new(events), Arc::new(values), Arc::new(times.with_timezone("UTC"))];
        RecordBatch::try_new(Self::schema(), columns)
    }

    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let ids = columns::text_column(batch, ID_COLUMN)?;
        let events = columns::text_column(batch, EVENT_COLUMN)?;
        let values = columns::numbers(batch, "value")?;
        let times = columns::times(batch, "at")?;
        times
            .into_iter()
            .enumerate()
            .map(|(row, at)| {
                let id = columns::required(ids, row, ID_COLUMN)?;
                Ok(Self {
                    prediction: PredictionId::parse(id).map_err(|error| error.to_string())?,
                    event: columns::required(events, row, EVENT_COLUMN)?.to_owned(),
                    value: columns::required(&values, row, "value").ok(),
                    at,
                })
            })
            .collect()
    }
}
