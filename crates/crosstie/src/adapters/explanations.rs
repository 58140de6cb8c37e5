//! Why a served prediction is what it is: the logged row, the same features recomputed offline as known when it was
//! served, and where the version came from.

use std::{collections::BTreeMap, sync::Arc};

use api::{error::Error, system::Explanations};
use async_trait::async_trait;
use features::{EntityRow, Knowledge, OfflineRow, ReadPlan};
use prediction_log::{Log, PredictionRecord};
use serde_json::{Value as JsonValue, json};
use types::{Digest, ErrorKind, PredictionId, Value};

use crate::project::ProjectStore;

/// Asks every room that knows a part.
#[derive(Debug)]
pub(crate) struct Explainer {
    pub(crate) log: Log,
    pub(crate) features: features::Service,
    pub(crate) projects: Arc<ProjectStore>,
    pub(crate) registry: registry::Service,
    pub(crate) releases: release::Service,
}

#[async_trait]
impl Explanations for Explainer {
    async fn explain(&self, id: PredictionId) -> Result<JsonValue, Error> {
        let found = self.log.find(id).await?;
        let unknown = || Error::new(ErrorKind::NotFound, format!("no prediction {id} is in the log"));
        let (record, outcomes) = found.ok_or_else(unknown)?;
        let offline = self.offline(&record).await?;
        let lineage = self.registry.lineage(&record.version).await?;
        let plain = |values: &[(String, Value)]| -> BTreeMap<String, JsonValue> {
            values.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()
        };
        let outputs: BTreeMap<&String, Vec<JsonValue>> =
            record.outputs.iter().map(|(name, values)| (name, values.iter().map(Value::to_json).collect())).collect();
        Ok(json!({
            "prediction": record.id,
            "at": record.at,
            "version": record.version,
            "arm": record.arm,
            "principal": record.principal,
            "degraded": record.degraded,
            "project": record.project,
            "entities": plain(&record.entities),
            "features": features_shown(&record, offline.as_ref()),
            "outputs": outputs,
            "outcomes": outcomes,
            "lineage": lineage,
            "release": self.release(&record).await?,
        }))
    }
}

impl Explainer {
    /// The record's features as the offline rail knows them of the time it was served; `None` for a request whose caller
    /// sent every input.
    async fn offline(&self, record: &PredictionRecord) -> Result<Option<OfflineRow>, Error> {
        let Some(plan) = self.plan(record).await? else { return Ok(None) };
        let value = |name: &str| {
            record.entities.iter().find(|(known, _)| known == name).map_or(Value::Null, |(_, value)| value.clone())
        };
        let row = EntityRow {
            keys: plan.entity_keys().iter().map(|key| value(&key.name)).collect(),
            request: plan.request_values().iter().map(|(name, _)| value(name)).collect(),
            overrides: Vec::new(),
        };
        let rows = self.features.as_known_at(plan, vec![row], vec![record.at], Knowledge::from(record.at));
        Ok(rows.await?.into_iter().next())
    }

    async fn plan(&self, record: &PredictionRecord) -> Result<Option<Arc<ReadPlan>>, Error> {
        let Some(digest) = record.project else { return Ok(None) };
        let project = self.projects.by_digest(digest).await;
        let project = project.map_err(|error| Error::new(ErrorKind::Unavailable, format!("{error:#}")))?;
        let Some(model) = project.models.get(&record.version.model) else { return Ok(None) };
        let references = project.features_of(model);
        if references.is_empty() {
            return Ok(None);
        }
        Ok(Some(Arc::new(ReadPlan::new(&project.definitions, &references)?)))
    }

    /// The release that brought the version here, and who approved it.
    async fn release(&self, record: &PredictionRecord) -> Result<JsonValue, Error> {
        let Some(id) = record.release.as_deref().and_then(|id| id.parse().ok()) else { return Ok(JsonValue::Null) };
        let release = self.releases.get(id).await?;
        let approvers: Vec<&str> = release.approvals.iter().map(|approval| approval.principal.as_str()).collect();
        Ok(json!({
            "id": release.id,
            "approved_by": approvers.join(", "),
            "approvals": release.approvals,
            "waivers": release.waivers,
            "project_digest": release.project_digest,
            "artifact_digest": release.artifact_digest,
        }))
    }
}

/// Each feature as it was used, beside what offline says.
fn features_shown(record: &PredictionRecord, offline: Option<&OfflineRow>) -> Vec<JsonValue> {
    let shown = |(index, feature): (usize, &prediction_log::LoggedFeature)| {
        let age = feature.event_time.map(|time| record.at.since(time).approximate());
        let mut shown = json!({
            "name": feature.name,
            "value": feature.value.to_json(),
            "event_time": feature.event_time,
            "age": age,
            "origin": feature.origin,
            "digest": feature.digest.map(|digest: Digest| digest.to_string()),
        });
        if let Some(cell) = offline.and_then(|offline| offline.row.cells.get(index)) {
            shown["offline"] = json!({ "value": cell.value.to_json(), "event_time": cell.event_time, "origin": cell.origin, "file": cell.file });
            shown["same"] = cell.value.same(&feature.value).into();
        }
        shown
    };
    record.features.iter().enumerate().map(shown).collect()
}
