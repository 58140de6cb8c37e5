//! Aliases of versions. What serves is protected: governance is asked before one is moved or removed.

use types::{ModelName, ModelVersion, Principal};

use crate::{
    Mutation, Service, Version,
    error::{Error, Result},
    models, repo, rules, versions,
    webhooks::change::{self, Change},
};

impl Service {
    /// Points an alias to a version.
    ///
    /// # Errors
    /// When governance refuses, the alias is not allowed, or there is no such version.
    pub async fn set_alias(&self, by: &Principal, name: &str, alias: &str, version: &str) -> Result<()> {
        let model = models::parse_name(name)?;
        rules::check_alias(alias)?;
        rules::check_alias_free(alias)?;
        let version = ModelVersion::new(model, rules::version_number(name, version)?);
        self.permit(by, &Mutation::SetAlias { version: version.clone(), alias: alias.to_owned() }).await?;
        self.point_alias(&version, alias, true).await
    }

    /// Points an alias to a version without asking governance: a release's own projection of what it decided.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn project_alias(&self, version: &ModelVersion, alias: &str) -> Result<()> {
        self.point_alias(version, alias, false).await
    }

    /// Points an alias to a version. It is told again that it points to where it did, if that was asked for.
    async fn point_alias(&self, version: &ModelVersion, alias: &str, tell_again: bool) -> Result<()> {
        let (version, alias, at) = (version.clone(), alias.to_owned(), self.clock.now());
        self.write_and_tell(async move |tx| {
            let name = version.model.as_str();
            versions::required(tx, name, version.version).await?;
            let before = repo::models::version_of_alias(tx, name, &alias).await?;
            repo::models::set_alias(tx, name, &alias, version.version).await?;
            if before == Some(version.version) && !tell_again {
                return Ok(());
            }
            let number = version.version.to_string();
            change::record(tx, &Change::Alias { name, alias: &alias, version: Some(&number) }, at).await
        })
        .await
    }

    /// Removes an alias, if it is there.
    ///
    /// # Errors
    /// When governance refuses, the alias is not allowed, or there is no such model.
    pub async fn delete_alias(&self, by: &Principal, name: &str, alias: &str) -> Result<()> {
        let model = models::parse_name(name)?;
        rules::check_alias(alias)?;
        self.permit(by, &Mutation::DeleteAlias { model: model.clone(), alias: alias.to_owned() }).await?;
        let (alias, at) = (alias.to_owned(), self.clock.now());
        self.write_and_tell(async move |tx| {
            let name = model.as_str();
            models::required(tx, name).await?;
            repo::models::delete_alias(tx, name, &alias).await?;
            change::record(tx, &Change::Alias { name, alias: &alias, version: None }, at).await
        })
        .await
    }

    /// The version that an alias points to; `latest` is the newest one of any stage.
    ///
    /// # Errors
    /// When there is no such model or alias.
    pub async fn version_by_alias(&self, name: &str, alias: &str) -> Result<Version> {
        rules::check_model_name(name, "name")?;
        rules::check_alias(alias)?;
        let (name, alias) = (name.to_owned(), alias.to_owned());
        self.database
            .read(async move |tx| {
                let model = models::required(tx, &name).await?;
                let number = if alias.eq_ignore_ascii_case("latest") {
                    let newest = model.latest_versions.iter().map(|version| version.version).max();
                    newest.ok_or_else(|| Error::NotFound(format!("Latest version not found for model {name}.")))?
                } else {
                    let found = model.aliases.iter().find(|found| found.alias == alias);
                    let missing = || Error::invalid(format!("Registered model alias {alias} not found."));
                    found.map(|found| found.version).ok_or_else(missing)?
                };
                versions::required(tx, &name, number).await
            })
            .await
    }

    /// The version that an alias points to, if there is such a model and alias.
    ///
    /// # Errors
    /// The database's.
    pub async fn version_of_alias(&self, model: &ModelName, alias: &str) -> Result<Option<u32>> {
        let (model, alias) = (model.clone(), alias.to_owned());
        self.database.read(async move |tx| repo::models::version_of_alias(tx, model.as_str(), &alias).await).await
    }
}
