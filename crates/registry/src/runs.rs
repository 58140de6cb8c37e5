//! Runs: made, updated, deleted and restored, and what is logged on them in batches.

use database::Transaction;
use uuid::Uuid;

use crate::{
    KeyValue, LifecycleStage, Metric, Run, RunInfo, RunStatus, Service, ViewType,
    error::{Error, Result},
    experiments, names, params, repo, rules, storage,
};

/// The tag that mirrors a run's name.
pub(crate) const NAME_TAG: &str = "mlflow.runName";

/// Most metrics in one batch.
const BATCH_METRICS: usize = 1_000;
/// Most params, and most tags, in one batch.
const BATCH_PARAMS_OR_TAGS: usize = 100;
/// Most of all together.
const BATCH_ENTITIES: usize = 1_000;

/// A run to be made.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// The experiment; empty for the default one.
    pub experiment_id: String,
    /// Who makes it, as the client says.
    pub user_id: String,
    /// When it began.
    pub started: Option<i64>,
    /// Its name; one is made up if there is none.
    pub name: Option<String>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
}

/// A change of a run.
#[derive(Debug, Clone, Default)]
pub struct RunUpdate {
    /// How it is doing.
    pub status: Option<RunStatus>,
    /// When it ended.
    pub ended: Option<i64>,
    /// Its name.
    pub name: Option<String>,
}

/// Things to log on a run at once.
#[derive(Debug, Clone, Default)]
pub struct RunBatch {
    /// Metrics.
    pub metrics: Vec<Metric>,
    /// Params.
    pub params: Vec<KeyValue>,
    /// Tags.
    pub tags: Vec<KeyValue>,
}

impl Service {
    /// Makes a run.
    ///
    /// # Errors
    /// When the experiment is deleted or missing, or name and name tag differ.
    pub async fn create_run(&self, new: NewRun) -> Result<Run> {
        let experiment_id = match new.experiment_id.as_str() {
            // The default experiment.
            "" => 0,
            id => rules::experiment_id(id)?,
        };
        let mut tags = new.tags;
        let tagged = tags.iter().rfind(|tag| tag.key == NAME_TAG).map(|tag| tag.value.clone());
        let named = new.name.filter(|name| !name.is_empty());
        if let (Some(name), Some(tag)) = (&named, &tagged)
            && !tag.is_empty()
            && name != tag
        {
            return Err(Error::invalid(format!(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
                 (run_name='{name}', mlflow.runName='{tag}')."
            )));
        }
        let name = named.or(tagged.clone()).filter(|name| !name.is_empty()).unwrap_or_else(names::random);
        if tagged.is_none_or(|tag| tag.is_empty()) {
            tags.retain(|tag| tag.key != NAME_TAG);
            tags.push(KeyValue::new(NAME_TAG, name.clone()));
        }
        let id = Uuid::new_v4().simple().to_string();
        let (user_id, started) = (new.user_id, new.started.unwrap_or_default());
        self.database
            .write(async move |tx| {
                let experiment = experiments::required(tx, experiment_id, ViewType::All).await?;
                experiments::check_active(&experiment)?;
                let info = RunInfo {
                    id: id.clone(),
                    name: Some(name.clone()),
                    experiment_id,
                    user_id: user_id.clone(),
                    status: RunStatus::Running,
                    started: Some(started),
                    ended: None,
                    artifact_uri: storage::append(&experiment.artifact_location, &format!("{id}/artifacts")),
                    stage: LifecycleStage::Active,
                };
                repo::runs::insert(tx, &info).await?;
                repo::runs::set_tags(tx, &info.id, &tags).await?;
                Ok(Run::new(info, sorted(&tags)))
            })
            .await
    }

    /// The run of that id, with all that was logged on it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn run(&self, id: &str) -> Result<Run> {
        let id = id.to_owned();
        self.database
            .read(async move |tx| {
                let info = required(tx, &id).await?;
                with_data(tx, info).await
            })
            .await
    }

    /// Changes a run's status, end or name.
    ///
    /// # Errors
    /// When it is deleted or missing.
    pub async fn update_run(&self, id: &str, update: RunUpdate) -> Result<RunInfo> {
        let id = id.to_owned();
        let ends = update.status.is_some();
        let run = self
            .database
            .write(async move |tx| {
                let mut run = required_active(tx, &id).await?;
                run.status = update.status.unwrap_or(run.status);
                run.ended = update.ended.or(run.ended);
                if let Some(name) = update.name.as_ref().filter(|name| !name.is_empty()) {
                    run.name = Some(name.clone());
                    repo::runs::set_tags(tx, &id, &[KeyValue::new(NAME_TAG, name)]).await?;
                }
                repo::runs::update(tx, &run).await?;
                Ok::<_, Error>(run)
            })
            .await?;
        if ends {
            self.judge_again(&run.id).await;
        }
        Ok(run)
    }

    /// Deletes a run; it can be restored.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete_run(&self, id: &str) -> Result<()> {
        self.move_run(id, LifecycleStage::Deleted).await
    }

    /// Restores a deleted run.
    ///
    /// # Errors
    /// When there is none.
    pub async fn restore_run(&self, id: &str) -> Result<()> {
        self.move_run(id, LifecycleStage::Active).await
    }

    async fn move_run(&self, id: &str, to: LifecycleStage) -> Result<()> {
        let (id, now) = (id.to_owned(), self.now());
        self.database
            .write(async move |tx| {
                required(tx, &id).await?;
                repo::runs::set_stage(tx, &id, to, now).await
            })
            .await
    }

    /// Logs metrics, params and tags at once. MLflow's clients do not expect it to be atomic; here it is.
    ///
    /// # Errors
    /// When there are too many or one is not allowed, a param has another value already, or the run is deleted or
    /// missing.
    pub async fn log_batch(&self, id: &str, batch: RunBatch) -> Result<()> {
        // MLflow makes all its metrics before it looks at anything else.
        batch.metrics.iter().try_for_each(rules::check_metric_dataset)?;
        rules::check_run_id(id)?;
        let batch = checked(batch)?;
        let (id, tags) = (id.to_owned(), batch.tags.clone());
        let points = repo::metrics::Points::new(&id, &batch.metrics);
        let run = self
            .database
            .write(async move |tx| {
                let run = required_active(tx, &id).await?;
                params::log_many(tx, &id, &batch.params).await?;
                repo::metrics::insert(tx, &points).await?;
                repo::metrics::insert_for_models(tx, &id, run.experiment_id, &batch.metrics).await?;
                crate::tags::set(tx, run.clone(), &batch.tags).await?;
                Ok::<_, Error>(run)
            })
            .await?;
        if Self::concerns(run.status, &tags) {
            self.judge_again(&run.id).await;
        }
        Ok(())
    }
}

/// Checks a batch and cuts values to what fits.
fn checked(batch: RunBatch) -> Result<RunBatch> {
    for (index, metric) in batch.metrics.iter().enumerate() {
        // Where it stands is put into words only if something is wrong with it.
        if rules::check_metric(&metric.key, metric.timestamp, metric.value, "").is_err() {
            rules::check_metric(&metric.key, metric.timestamp, metric.value, &format!("metrics[{index}]"))?;
        }
    }
    let mut params = Vec::with_capacity(batch.params.len());
    for (index, param) in batch.params.iter().enumerate() {
        let value = rules::checked_param(&param.key, &param.value, &format!("params[{index}]"))?;
        params.push(KeyValue::new(param.key.clone(), value));
    }
    let mut tags = Vec::with_capacity(batch.tags.len());
    for (index, tag) in batch.tags.iter().enumerate() {
        let value = rules::checked_tag(&tag.key, &tag.value, &format!("tags[{index}]"))?;
        tags.push(KeyValue::new(tag.key.clone(), value));
    }
    let total = batch.metrics.len() + params.len() + tags.len();
    for (what, limit, length) in [
        ("metrics", BATCH_METRICS, batch.metrics.len()),
        ("params", BATCH_PARAMS_OR_TAGS, params.len()),
        ("tags", BATCH_PARAMS_OR_TAGS, tags.len()),
        ("metrics, params, and tags", BATCH_ENTITIES, total),
    ] {
        if length > limit {
            return Err(Error::invalid(format!(
                "A batch logging request can contain at most {limit} {what}. Got {length} {what}. Please split up \
                 {what} across multiple requests and try again."
            )));
        }
    }
    params::check_unique(&params)?;
    Ok(RunBatch { metrics: batch.metrics, params, tags })
}

/// Tags as they are read: the last of each key, in order of key.
fn sorted(tags: &[KeyValue]) -> Vec<KeyValue> {
    let mut tags: Vec<KeyValue> = repo::distinct(tags).into_iter().cloned().collect();
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    tags
}

async fn with_data(tx: &mut Transaction, info: RunInfo) -> Result<Run> {
    let id = info.id.clone();
    let mut runs = repo::runs::with_data(tx, vec![info]).await?;
    runs.pop().ok_or_else(|| not_found(&id))
}

fn not_found(id: &str) -> Error {
    Error::NotFound(format!("Run with id={id} not found"))
}

/// The run of that id, deleted or not.
pub(crate) async fn required(tx: &mut Transaction, id: &str) -> Result<RunInfo> {
    repo::runs::by_id(tx, id).await?.ok_or_else(|| not_found(id))
}

/// The run of that id; refused when it is deleted.
pub(crate) async fn required_active(tx: &mut Transaction, id: &str) -> Result<RunInfo> {
    let run = required(tx, id).await?;
    if run.stage == LifecycleStage::Active {
        return Ok(run);
    }
    Err(Error::invalid(format!("The run {id} must be in the 'active' state. Current state is {}.", run.stage.as_str())))
}
