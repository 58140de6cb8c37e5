//! Predictions as columns. What has one value per row is a column of its own, for any tool to filter by; what differs from
//! model to model (entities, features, outputs) is JSON that keeps every type and bit.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
    error::ArrowError,
};
use serde::{Serialize, de::DeserializeOwned};
use types::{Digest, ModelName, ModelVersion, PredictionId};

use super::{ID_COLUMN, Rolled, TIME_COLUMN, columns};
use crate::{
    Arm, PredictionRecord,
    hour::{Hour, model_folder},
};

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text(ID_COLUMN, false),
        Field::new(TIME_COLUMN, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        text("model", false),
        Field::new("version", DataType::Int64, false),
        text("arm", false),
        text("release", true),
        text("principal", false),
        text("entities", false),
        text("features", false),
        text("outputs", false),
        Field::new("degraded", DataType::Boolean, false),
        text("project", true),
        Field::new("sample_rate", DataType::Float64, false),
    ]))
});

impl Rolled for PredictionRecord {
    fn folder(&self) -> PathBuf {
        let hour = Hour::in_id(&self.id).unwrap_or_else(|| Hour::of(self.at));
        PathBuf::from(model_folder(&self.version.model)).join(hour.folder())
    }

    fn schema() -> Arc<Schema> {
        SCHEMA.clone()
    }

    fn to_batch(records: &[&Self]) -> Result<RecordBatch, ArrowError> {
        let texts = |text: fn(&Self) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(records.iter().map(|record| text(record))))
        };
        let times = TimestampMicrosecondArray::from_iter_values(records.iter().map(|record| record.at.as_micros()));
        let versions = records.iter().map(|record| i64::from(record.version.version));
        let columns: Vec<ArrayRef> = vec![
            texts(|record| record.id.to_string()),
            Arc::new(times.with_timezone("UTC")),
            texts(|record| record.version.model.to_string()),
            Arc::new(Int64Array::from_iter_values(versions)),
            texts(|record| record.arm.as_str().to_owned()),
            Arc::new(records.iter().map(|record| record.release.as_deref()).collect::<StringArray>()),
            texts(|record| record.principal.clone()),
            json(records, |record| &record.entities)?,
            json(records, |record| &record.features)?,
            json(records, |record| &record.outputs)?,
            Arc::new(records.iter().map(|record| Some(record.degraded)).collect::<BooleanArray>()),
            Arc::new(
                records.iter().map(|record| record.project.map(|digest| digest.to_string())).collect::<StringArray>(),
            ),
            Arc::new(Float64Array::from_iter_values(records.iter().map(|record| record.sample_rate))),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }

    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let text = |name| columns::text_column(batch, name);
        let (ids, models, arms) = (text(ID_COLUMN)?, text("model")?, text("arm")?);
        let (releases, principals, projects) = (text("release")?, text("principal")?, text("project")?);
        let (entities, features, outputs) = (text("entities")?, text("features")?, text("outputs")?);
        let versions = columns::integers(batch, "version")?;
        let degraded = columns::truths(batch, "degraded")?;
        let rates = columns::numbers(batch, "sample_rate")?;
        columns::times(batch, TIME_COLUMN)?
            .into_iter()
            .enumerate()
            .map(|(row, at)| {
                let model = ModelName::parse(columns::required(models, row, "model")?).map_err(|e| e.to_string())?;
                let version = columns::required(&versions, row, "version")?;
                let version = u32::try_from(version).map_err(|_| format!("{version} is not a version"))?;
                let arm = columns::required(arms, row, "arm")?;
                let project = columns::required(projects, row, "project").ok();
                Ok(Self {
                    id: PredictionId::parse(columns::required(ids, row, ID_COLUMN)?).map_err(|e| e.to_string())?,
                    at,
                    version: ModelVersion::new(model, version),
                    arm: Arm::parse(arm).ok_or_else(|| format!("`{arm}` is not an arm"))?,
                    release: columns::required(releases, row, "release").ok().map(str::to_owned),
                    principal: columns::required(principals, row, "principal")?.to_owned(),
                    entities: parsed(columns::required(entities, row, "entities")?)?,
                    features: parsed(columns::required(features, row, "features")?)?,
                    outputs: parsed(columns::required(outputs, row, "outputs")?)?,
                    degraded: columns::required(&degraded, row, "degraded")?,
                    project: project.map(Digest::parse).transpose().map_err(|e| e.to_string())?,
                    sample_rate: columns::required(&rates, row, "sample_rate")?,
                })
            })
            .collect()
    }
}

fn json<T: Serialize>(
    records: &[&PredictionRecord],
    part: fn(&PredictionRecord) -> &T,
) -> Result<ArrayRef, ArrowError> {
    let texts: Result<Vec<String>, _> = records.iter().map(|record| serde_json::to_string(part(record))).collect();
    let texts = texts.map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
    Ok(Arc::new(StringArray::from(texts)))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
