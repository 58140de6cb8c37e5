//! The online rail as serving's source of features.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use features::{EntityRow, FeatureRow};
use serving::{Column, Enriched, EntityRows, FeatureError, FeatureSource, FeatureValue, VersionPlan};
use types::{ErrorKind, Value};

use super::definitions::{Found, VersionDefinitions};

/// Reads features by the definitions that a version pins.
#[derive(Debug)]
pub(crate) struct OnlineRail {
    pub(crate) features: features::Service,
    pub(crate) definitions: Arc<VersionDefinitions>,
}

#[async_trait]
impl FeatureSource for OnlineRail {
    async fn enrich(&self, version: &VersionPlan, rows: &EntityRows) -> Result<Enriched, FeatureError> {
        let found = self.definitions.of(version).map_err(|error| FeatureError::Failed { source: error.into() })?;
        let read = self.features.read_online(&found.read, &entity_rows(&found, rows)).await;
        let answered = read.map_err(|error| {
            let kind = error.kind();
            if kind == ErrorKind::InvalidArgument {
                FeatureError::Invalid { reason: error.to_string() }
            } else if kind.is_retryable() {
                FeatureError::Unavailable { source: error.into() }
            } else {
                FeatureError::Failed { source: error.into() }
            }
        })?;
        let values = answered.into_iter().enumerate().map(|(row, features)| row_values(&found, row, features));
        Ok(Enriched { rows: values.collect::<Result<_, _>>()? })
    }
}

/// The rows as the features crate takes them: values in the order of its plan.
fn entity_rows(found: &Found, rows: &EntityRows) -> Vec<EntityRow> {
    let value = |columns: &[Column], name: &str, row: usize| {
        let column = columns.iter().find(|column| column.name == name);
        column.and_then(|column| column.values.get(row)).cloned().unwrap_or(Value::Null)
    };
    let one = |row| EntityRow {
        keys: found.read.entity_keys().iter().map(|key| value(&rows.entities, &key.name, row)).collect(),
        request: found.read.request_values().iter().map(|(name, _)| value(&rows.request, name, row)).collect(),
        overrides: rows
            .overrides
            .iter()
            .filter_map(|column| Some((column.name.clone(), column.values.get(row)?.clone())))
            .collect(),
    };
    (0..rows.rows).map(one).collect()
}

fn row_values(found: &Found, row: usize, answered: FeatureRow) -> Result<Vec<FeatureValue>, FeatureError> {
    if let Some(refusal) = answered.refusal {
        return Err(FeatureError::Missing { entity: refusal.entity, feature: refusal.feature, row });
    }
    let planned = found.read.features().iter().zip(&found.names);
    let values = answered.cells.into_iter().zip(planned).map(|(cell, (feature, name))| FeatureValue {
        name: Arc::clone(name),
        value: cell.value,
        event_time: cell.event_time,
        origin: Cow::Borrowed(cell.origin.as_str()),
        degraded: cell.degraded,
        digest: feature.digest,
    });
    Ok(values.collect())
}
