//! Versions of registered models: numbered from 1 without reuse, with the author of the token that was shown.

use artifacts::ArtifactPath;
use database::Transaction;
use serde_json::{Value as Json, json};
use types::{ModelVersion, Principal, Timestamp};

use crate::{
    Author, KeyValue, Mutation, Service, Version,
    error::{Error, Result},
    logged_models,
    made_by::made_by,
    models,
    python_json::python_json,
    repo, rules,
    sources::{self, Resolved},
    storage,
    webhooks::change::{self, Change},
};

/// The logged model's tag that lists the versions made from it.
const VERSIONS_TAG: &str = "mlflow.modelVersions";

/// A version to be registered.
#[derive(Debug, Clone, Default)]
pub struct NewVersion {
    /// The registered model.
    pub name: String,
    /// Where the files come from.
    pub source: String,
    /// The run that made it; `None` is not the same as empty when the source is another version.
    pub run_id: Option<String>,
    /// The logged model that it is.
    pub model_id: Option<String>,
    /// A link to the run, if it was made elsewhere.
    pub run_link: String,
    /// What is special about it.
    pub description: String,
    /// Tags.
    pub tags: Vec<KeyValue>,
}

/// What is known of a version by those who release and serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    /// Which version.
    pub version: ModelVersion,
    /// The run that made it.
    pub run_id: Option<String>,
    /// The logged model that it is.
    pub model_id: Option<String>,
    /// Where it was registered from.
    pub source: String,
    /// `READY`, `PENDING_REGISTRATION`, `FAILED_REGISTRATION`.
    pub status: String,
    /// Where its files lie in the artifact store.
    pub storage: ArtifactPath,
    /// Tags.
    pub tags: Vec<KeyValue>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Who registered it, if that was here.
    pub author: Option<Author>,
}

impl Service {
    /// Registers a version.
    ///
    /// # Errors
    /// When there is no such model, or the source is not allowed or does not belong to what the request names.
    pub async fn create_version(&self, by: &Principal, new: NewVersion) -> Result<Version> {
        models::parse_name(&new.name)?;
        for tag in &new.tags {
            rules::check_version_tag(&tag.key, &tag.value)?;
        }
        let (by, now, at) = (by.clone(), self.now(), self.clock.now());
        let made = self
            .write_and_tell(async move |tx| {
                models::required(tx, &new.name).await?;
                let resolved = resolve_source(tx, &new).await?;
                let version = Version {
                    name: new.name.clone(),
                    version: repo::versions::next_number(tx, &new.name).await?,
                    created: now,
                    updated: Some(now),
                    description: Some(new.description.clone()),
                    user_id: None,
                    stage: "None".to_owned(),
                    source: Some(resolved.source),
                    storage_location: Some(resolved.storage_location),
                    run_id: Some(resolved.run_id),
                    status: "READY".to_owned(),
                    status_message: None,
                    run_link: Some(new.run_link.clone()),
                    tags: new.tags.clone(),
                    aliases: Vec::new(),
                };
                repo::versions::insert(tx, &version).await?;
                repo::models::touch(tx, &new.name, now).await?;
                repo::authors::record(tx, &version, &by).await?;
                if let Some(model_id) = &resolved.model_id {
                    list_on_logged_model(tx, model_id, &version).await?;
                }
                change::record(tx, &Change::Version { version: &version, tags: &new.tags }, at).await?;
                required(tx, &version.name, version.version).await
            })
            .await?;
        if let Some(run) = made.run_id.as_deref().filter(|run| !run.is_empty()) {
            self.judge_again(run).await;
        }
        Ok(made)
    }

    /// The version, with tags and aliases.
    ///
    /// # Errors
    /// When there is none, or it is deleted.
    pub async fn version(&self, name: &str, version: &str) -> Result<Version> {
        rules::check_model_name(name, "name")?;
        let (name, version) = (name.to_owned(), rules::version_number(name, version)?);
        self.database.read(async move |tx| required(tx, &name, version).await).await
    }

    /// Changes a version's description.
    ///
    /// # Errors
    /// When there is none.
    pub async fn update_version(&self, name: &str, version: &str, description: Option<String>) -> Result<Version> {
        rules::check_model_name(name, "name")?;
        let (name, version, now) = (name.to_owned(), rules::version_number(name, version)?, self.now());
        self.database
            .write(async move |tx| {
                let mut found = required(tx, &name, version).await?;
                found.description = description.clone();
                found.updated = Some(now);
                repo::versions::update(tx, &found).await?;
                Ok(found)
            })
            .await
    }

    /// Deletes a version; its number is never used again.
    ///
    /// # Errors
    /// When governance refuses, or there is none.
    pub async fn delete_version(&self, by: &Principal, name: &str, version: &str) -> Result<()> {
        let version = ModelVersion::new(models::parse_name(name)?, rules::version_number(name, version)?);
        self.permit(by, &Mutation::DeleteVersion { version: version.clone() }).await?;
        let now = self.now();
        self.database
            .write(async move |tx| {
                let name = version.model.as_str();
                required(tx, name, version.version).await?;
                repo::models::touch(tx, name, now).await?;
                repo::versions::mark_deleted(tx, name, version.version, now).await
            })
            .await
    }

    /// Sets a tag of a version.
    ///
    /// # Errors
    /// When it is not allowed, or there is no such version.
    pub async fn set_version_tag(&self, name: &str, version: &str, tag: KeyValue) -> Result<()> {
        rules::check_model_name(name, "name")?;
        let version = rules::version_number(name, version)?;
        rules::check_version_tag(&tag.key, &tag.value)?;
        let (name, at) = (name.to_owned(), self.clock.now());
        self.write_and_tell(async move |tx| {
            required(tx, &name, version).await?;
            repo::versions::set_tags(tx, &name, version, std::slice::from_ref(&tag)).await?;
            let (version, value) = (&version.to_string(), Some(tag.value.as_str()));
            change::record(tx, &Change::VersionTag { name: &name, version, key: &tag.key, value }, at).await
        })
        .await
    }

    /// Removes a tag of a version, if it is there.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn delete_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()> {
        rules::check_model_name(name, "name")?;
        let version = rules::version_number(name, version)?;
        rules::check_key(key, "key")?;
        let (name, key, at) = (name.to_owned(), key.to_owned(), self.clock.now());
        self.write_and_tell(async move |tx| {
            required(tx, &name, version).await?;
            repo::versions::delete_tag(tx, &name, version, &key).await?;
            let version = &version.to_string();
            change::record(tx, &Change::VersionTag { name: &name, version, key: &key, value: None }, at).await
        })
        .await
    }

    /// The URI that clients download a version's files from.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn download_uri(&self, name: &str, version: &str) -> Result<String> {
        let version = self.version(name, version).await?;
        Ok(version.storage_location.filter(|uri| !uri.is_empty()).or(version.source).unwrap_or_default())
    }

    /// What is known of a version, with the place of its files in the artifact store.
    ///
    /// # Errors
    /// When there is none, or its files lie elsewhere.
    pub async fn resolve(&self, version: &ModelVersion) -> Result<VersionRecord> {
        let (id, store) = (version.clone(), self.artifacts.clone());
        self.database
            .read(async move |tx| {
                let found = required(tx, id.model.as_str(), id.version).await?;
                let location = found.storage_location.clone().filter(|uri| !uri.is_empty());
                let source = found.source.clone().unwrap_or_default();
                let uri = sources::place(tx, location.as_deref().unwrap_or(&source)).await?;
                Ok(VersionRecord {
                    version: id.clone(),
                    run_id: made_by(tx, &store, &found).await?,
                    model_id: sources::logged_model_at(&source).or_else(|| sources::logged_model_at(&uri)),
                    source,
                    status: found.status.clone(),
                    storage: storage::required(&store, &uri, &id.to_string())?,
                    created_at: Timestamp::from_millis(found.created),
                    author: repo::authors::of(tx, &found).await?,
                    tags: found.tags,
                })
            })
            .await
    }

    /// Who registered a version; `None` if it was not registered here.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn author(&self, version: &ModelVersion) -> Result<Option<Author>> {
        let version = version.clone();
        self.database
            .read(async move |tx| {
                let found = required(tx, version.model.as_str(), version.version).await?;
                repo::authors::of(tx, &found).await
            })
            .await
    }
}

/// Prompts have placeholders for a source, everything else is checked.
async fn resolve_source(tx: &mut Transaction, new: &NewVersion) -> Result<Resolved> {
    /// What MLflow's clients send as the source of a prompt.
    const PLACEHOLDERS: [&str; 2] = ["dummy-source", "prompt-template"];
    if !models::is_prompt(&new.tags) {
        return sources::resolve(tx, &new.source, new.run_id.as_deref(), new.model_id.as_deref()).await;
    }
    let source = new.source.clone();
    if !PLACEHOLDERS.contains(&source.as_str()) {
        return Err(Error::invalid(format!(
            "Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder."
        )));
    }
    let run_id = new.run_id.clone().unwrap_or_default();
    Ok(Resolved { storage_location: source.clone(), source, run_id, model_id: None })
}

/// The logged model lists the versions that were made from it.
async fn list_on_logged_model(tx: &mut Transaction, model_id: &str, version: &Version) -> Result<()> {
    let (model, _) = logged_models::stored(tx, model_id).await?;
    let mut models = [model];
    repo::logged_models::add_data(tx, &mut models).await?;
    let [model] = models;
    let listed = model.tags.iter().find(|tag| tag.key == VERSIONS_TAG);
    let mut list: Vec<Json> = listed.and_then(|tag| serde_json::from_str(&tag.value).ok()).unwrap_or_default();
    list.push(json!({ "name": version.name, "version": version.version }));
    let tag = KeyValue::new(VERSIONS_TAG, python_json(&Json::Array(list)));
    repo::logged_models::set_tags(tx, model_id, model.experiment_id, &[tag]).await
}

/// The version, unless it is deleted, with tags and aliases.
pub(crate) async fn required(tx: &mut Transaction, name: &str, version: u32) -> Result<Version> {
    let missing = || Error::NotFound(format!("Model Version (name={name}, version={version}) not found"));
    let mut versions = [repo::versions::by_number(tx, name, version).await?.ok_or_else(missing)?];
    repo::versions::add_data(tx, &mut versions).await?;
    let [version] = versions;
    Ok(version)
}
