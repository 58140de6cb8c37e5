//! The evaluation data of a training run, which gates rescore and take their sample requests from.
//!
//! The run leaves its evaluation rows as the artifact `evaluation/evaluation.parquet`: entity keys, request values and the
//! model's features by input name, and the label. Which column is the label is said by the run's tag `crosstie.label`;
//! without it, it is the one named `label`.

use arrow::{
    array::{AsArray as _, RecordBatch},
    compute::{cast, concat_batches},
    datatypes::{DataType, Float64Type},
};
use artifacts::Store;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use release::PortError;
use types::{ErrorKind, ModelVersion};

use super::no_verdict;
use crate::adapters::candidates::from_registry;

/// Where a training run leaves its evaluation rows, below its artifacts.
const EVALUATION: &str = "evaluation/evaluation.parquet";
/// The run's tag that names the label's column.
const LABEL_TAG: &str = "crosstie.label";
/// The label's column when no tag names it.
const LABEL: &str = "label";

/// Finds evaluation data.
#[derive(Debug, Clone)]
pub(crate) struct Evaluations {
    pub(crate) registry: registry::Service,
    pub(crate) artifacts: Store,
}

/// A run's evaluation data.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// The rows.
    pub(crate) rows: RecordBatch,
    /// The column that is the label.
    pub(super) label: String,
}

impl Evaluations {
    /// The evaluation data of the run that made the version.
    ///
    /// # Errors
    /// When the version names no run, or the run left no readable evaluation data.
    pub(crate) async fn of(&self, version: &ModelVersion) -> Result<Evaluation, PortError> {
        let run = self.registry.training_run(version).await.map_err(from_registry)?;
        let Some(run) = run else {
            let message = "the version names no run, so there is no evaluation data to rescore: register it from its training run";
            return Err(PortError::new(ErrorKind::FailedPrecondition, message));
        };
        let path = run
            .artifacts
            .join(EVALUATION)
            .map_err(no_verdict(ErrorKind::Internal, "the evaluation data could not be found"))?;
        let bytes = self.artifacts.get_bytes(&path).await.map_err(|error| {
            let message = format!("run {} has no readable artifact `{EVALUATION}`, which this gate rescores", run.id);
            PortError::because(error.kind(), message, error)
        })?;
        let rows = parquet_rows(bytes)
            .map_err(no_verdict(ErrorKind::FailedPrecondition, "the evaluation data is not readable Parquet"))?;
        Ok(Evaluation { rows, label: run.tags.get(LABEL_TAG).cloned().unwrap_or_else(|| LABEL.to_owned()) })
    }
}

fn parquet_rows(bytes: Bytes) -> anyhow::Result<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let schema = reader.schema().clone();
    let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

impl Evaluation {
    /// The label of each row; NaN where it is null.
    ///
    /// # Errors
    /// When there is no such column, or it is no number.
    pub(super) fn labels(&self) -> Result<Vec<f64>, PortError> {
        let column = self.rows.column_by_name(&self.label).ok_or_else(|| {
            let message = format!(
                "the evaluation data has no label column `{}`; name yours in the run's tag `{LABEL_TAG}`",
                self.label
            );
            PortError::new(ErrorKind::FailedPrecondition, message)
        })?;
        let column = cast(column, &DataType::Float64);
        let column = column.map_err(no_verdict(ErrorKind::FailedPrecondition, "the label is not a number"))?;
        Ok(column.as_primitive::<Float64Type>().iter().map(|label| label.unwrap_or(f64::NAN)).collect())
    }
}
