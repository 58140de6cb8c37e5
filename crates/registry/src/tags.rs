//! Tags of runs; the one that holds the name keeps the run's name in step.

use database::{Dialect, Transaction};
use serde_json::Value as Json;

use crate::{
    KeyValue, RunInfo, Service,
    error::{Error, Result},
    python_json::python_json,
    repo, rules,
    runs::{self, NAME_TAG},
};

/// The tag that lists the models which a run logged the old way.
const LOGGED_MODELS_TAG: &str = "mlflow.log-model.history";
/// Characters of it that MLflow's column holds where columns have widths.
const LONGEST_HISTORY: usize = 8_000;

impl Service {
    /// Sets a tag of a run.
    ///
    /// # Errors
    /// When it is not allowed, or the run is deleted or missing.
    pub async fn set_tag(&self, run_id: &str, tag: KeyValue) -> Result<()> {
        let value = rules::checked_tag(&tag.key, &tag.value, "")?;
        let tag = KeyValue::new(tag.key.clone(), value);
        let (run_id, tags) = (run_id.to_owned(), vec![tag]);
        let set_tags = tags.clone();
        let run = self
            .database
            .write(async move |tx| {
                let run = runs::required_active(tx, &run_id).await?;
                set(tx, run.clone(), &set_tags).await?;
                Ok::<_, Error>(run)
            })
            .await?;
        if Self::concerns(run.status, &tags) {
            self.judge_again(&run.id).await;
        }
        Ok(())
    }

    /// Removes a tag of a run.
    ///
    /// # Errors
    /// When there is no such tag, or the run is deleted or missing.
    pub async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()> {
        let (run_id, tag) = (run_id.to_owned(), KeyValue::new(key, ""));
        let key = key.to_owned();
        let run = self
            .database
            .write(async move |tx| {
                let run = runs::required_active(tx, &run_id).await?;
                if repo::runs::delete_tag(tx, &run_id, &key).await? {
                    return Ok(run);
                }
                Err(Error::NotFound(format!("No tag with name: {key} in run with id {run_id}")))
            })
            .await?;
        if Self::concerns(run.status, &[tag]) {
            self.judge_again(&run.id).await;
        }
        Ok(())
    }

    /// Adds a model to the run's history of logged models, as MLflow 2 clients do.
    ///
    /// # Errors
    /// When the model is not described as MLflow does, or the run is deleted or missing.
    pub async fn record_logged_model(&self, run_id: &str, model: Json) -> Result<()> {
        let run_id = run_id.to_owned();
        let model = history_entry(model);
        self.database
            .write(async move |tx| {
                runs::required_active(tx, &run_id).await?;
                let history = repo::runs::tag(tx, &run_id, LOGGED_MODELS_TAG).await?;
                let mut history: Vec<Json> =
                    history.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                history.push(model.clone());
                let value = python_json(&Json::Array(history));
                // Cut as other tags are, it could not be read any more.
                if tx.dialect() == Dialect::Postgres && value.chars().count() > LONGEST_HISTORY {
                    return Err(Error::invalid(format!(
                        "run {run_id} has logged more models than its tag `{LOGGED_MODELS_TAG}` can name \
                         ({LONGEST_HISTORY} characters): log the next in another run"
                    )));
                }
                repo::runs::set_tags(tx, &run_id, &[KeyValue::new(LOGGED_MODELS_TAG, value)]).await
            })
            .await
    }
}

/// What the history keeps of a model: not what would make the tag long.
fn history_entry(mut model: Json) -> Json {
    const KEPT: [&str; 5] = ["run_id", "utc_time_created", "artifact_path", "model_uuid", "flavors"];
    if let Some(fields) = model.as_object_mut() {
        fields.retain(|name, _| KEPT.contains(&name.as_str()));
        fields.entry("model_uuid").or_insert(Json::Null);
        if let Some(flavors) = fields.get_mut("flavors").and_then(Json::as_object_mut) {
            for flavor in flavors.values_mut().filter_map(Json::as_object_mut) {
                flavor.remove("config");
            }
        }
    }
    model
}

/// Sets tags that were checked.
pub(crate) async fn set(tx: &mut Transaction, mut run: RunInfo, tags: &[KeyValue]) -> Result<()> {
    if let Some(name) = tags.iter().rfind(|tag| tag.key == NAME_TAG && !tag.value.is_empty()) {
        run.name = Some(name.value.clone());
        repo::runs::update(tx, &run).await?;
    }
    // A run keeps the name that it has when it is given none.
    let is_set = |tag: &&KeyValue| tag.key != NAME_TAG || !tag.value.is_empty();
    let tags: Vec<KeyValue> = tags.iter().filter(is_set).cloned().collect();
    repo::runs::set_tags(tx, &run.id, &tags).await
}
