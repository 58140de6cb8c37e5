//! Logged models: made pending, uploaded by the client, and finalized.

use database::Transaction;
use uuid::Uuid;

use crate::{
    KeyValue, LifecycleStage, LoggedModel, LoggedModelStatus, Service, ViewType,
    error::{Error, Result},
    experiments, names, repo,
    rules::{self, python_repr},
    storage,
};

/// A logged model to be made.
#[derive(Debug, Clone, Default)]
pub struct NewLoggedModel {
    /// The experiment.
    pub experiment_id: String,
    /// Its name; one is made up if there is none.
    pub name: Option<String>,
    /// What kind of model.
    pub model_type: Option<String>,
    /// The run that makes it.
    pub source_run_id: Option<String>,
    /// Params.
    pub params: Vec<KeyValue>,
    /// Tags.
    pub tags: Vec<KeyValue>,
}

impl Service {
    /// Makes a logged model, pending until its files are uploaded.
    ///
    /// # Errors
    /// When the name is not allowed, or the experiment is deleted or missing.
    pub async fn create_logged_model(&self, new: NewLoggedModel) -> Result<LoggedModel> {
        let name = new.name.filter(|name| !name.is_empty());
        if let Some(name) = &name {
            rules::check_logged_model_name(name)?;
        }
        let experiment_id = rules::experiment_id(&new.experiment_id)?;
        let now = self.now();
        let model = LoggedModel {
            id: format!("m-{}", Uuid::new_v4().simple()),
            experiment_id,
            name: name.unwrap_or_else(names::random),
            artifact_uri: String::new(),
            created: now,
            updated: now,
            status: LoggedModelStatus::Pending,
            status_message: None,
            model_type: new.model_type,
            source_run_id: new.source_run_id,
            tags: new.tags,
            params: new.params,
            metrics: Vec::new(),
        };
        self.database
            .write(async move |tx| {
                let experiment = experiments::required(tx, experiment_id, ViewType::All).await?;
                experiments::check_active(&experiment)?;
                let mut model = model.clone();
                let place = format!("models/{}/artifacts", model.id);
                model.artifact_uri = storage::append(&experiment.artifact_location, &place);
                repo::logged_models::insert(tx, &model).await?;
                with_data(tx, model).await
            })
            .await
    }

    /// The logged model of that id; deleted ones only if asked for.
    ///
    /// # Errors
    /// When there is none.
    pub async fn logged_model(&self, id: &str, allow_deleted: bool) -> Result<LoggedModel> {
        let id = id.to_owned();
        self.database
            .read(async move |tx| {
                let (model, stage) = stored(tx, &id).await?;
                if stage == LifecycleStage::Deleted && !allow_deleted {
                    return Err(not_found(&id));
                }
                with_data(tx, model).await
            })
            .await
    }

    /// Says how the upload of a model's files ended.
    ///
    /// # Errors
    /// When there is none.
    pub async fn finalize_logged_model(&self, id: &str, status: LoggedModelStatus) -> Result<LoggedModel> {
        let (id, now) = (id.to_owned(), self.now());
        self.database
            .write(async move |tx| {
                stored(tx, &id).await?;
                repo::logged_models::set_status(tx, &id, status, now).await?;
                let (model, _) = stored(tx, &id).await?;
                with_data(tx, model).await
            })
            .await
    }

    /// Deletes a logged model; its files stay.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete_logged_model(&self, id: &str) -> Result<()> {
        let (id, now) = (id.to_owned(), self.now());
        self.database
            .write(async move |tx| {
                stored(tx, &id).await?;
                repo::logged_models::mark_deleted(tx, &id, now).await
            })
            .await
    }

    /// Adds params to a logged model.
    ///
    /// # Errors
    /// When there is no such model, or a param is there already.
    pub async fn log_model_params(&self, id: &str, params: Vec<KeyValue>) -> Result<()> {
        let id = id.to_owned();
        self.database
            .write(async move |tx| {
                let (model, _) = stored(tx, &id).await?;
                repo::logged_models::insert_params(tx, &id, model.experiment_id, &params).await
            })
            .await
    }

    /// Sets tags of a logged model.
    ///
    /// # Errors
    /// When there is no such model.
    pub async fn set_logged_model_tags(&self, id: &str, tags: Vec<KeyValue>) -> Result<()> {
        let id = id.to_owned();
        self.database
            .write(async move |tx| {
                let (model, _) = stored(tx, &id).await?;
                repo::logged_models::set_tags(tx, &id, model.experiment_id, &tags).await
            })
            .await
    }

    /// Removes a tag of a logged model.
    ///
    /// # Errors
    /// When there is no such model or tag.
    pub async fn delete_logged_model_tag(&self, id: &str, key: &str) -> Result<()> {
        let (id, key) = (id.to_owned(), key.to_owned());
        self.database
            .write(async move |tx| {
                stored(tx, &id).await?;
                if repo::logged_models::delete_tag(tx, &id, &key).await? {
                    return Ok(());
                }
                Err(Error::NotFound(format!(
                    "No tag with key {} found for model with ID {}.",
                    python_repr(&key),
                    python_repr(&id)
                )))
            })
            .await
    }
}

fn not_found(id: &str) -> Error {
    Error::NotFound(format!("Logged model with ID '{id}' not found."))
}

/// The model of that id, deleted or not, without what hangs on it.
pub(crate) async fn stored(tx: &mut Transaction, id: &str) -> Result<(LoggedModel, LifecycleStage)> {
    repo::logged_models::by_id(tx, id).await?.ok_or_else(|| not_found(id))
}

async fn with_data(tx: &mut Transaction, model: LoggedModel) -> Result<LoggedModel> {
    let mut models = [model];
    repo::logged_models::add_data(tx, &mut models).await?;
    let [model] = models;
    Ok(model)
}
