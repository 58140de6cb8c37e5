//! Registered models. Prompts are registered models with a tag; searches hide them unless they ask for them.

use database::Transaction;
use types::{ModelName, Principal};

use crate::{
    KeyValue, Mutation, Page, RegisteredModel, Service,
    error::{Error, Result},
    filter::{self, Clause, Comparator, Domain, Entity, Operand, Search, parse_order},
    page, repo,
    repo::sql::Sql,
    rules::{self, python_repr},
    webhooks::change::{self, Change},
};

/// The tag that makes a registered model a prompt.
pub(crate) const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";
/// Most rows of one page.
const MOST_ROWS: i64 = 1_000;

/// A search for registered models.
#[derive(Debug, Clone, Default)]
pub struct ModelSearch {
    /// MLflow's filter string.
    pub filter: String,
    /// Rows per page.
    pub max_results: i64,
    /// MLflow's order clauses.
    pub order_by: Vec<String>,
    /// Where the page begins.
    pub page_token: Option<String>,
}

const DOMAIN: Domain = Domain {
    search: Search::Models,
    attributes: &["name"],
    orderable: &["name", "timestamp", "last_updated_timestamp"],
    numeric: &[],
    lists: &["name"],
};

impl Service {
    /// Makes a registered model.
    ///
    /// # Errors
    /// When the name is taken or not allowed.
    pub async fn create_model(
        &self,
        name: &str,
        description: Option<String>,
        tags: Vec<KeyValue>,
    ) -> Result<RegisteredModel> {
        let name = parse_name(name)?;
        for tag in &tags {
            rules::check_registry_tag(&tag.key, &tag.value)?;
        }
        let now = self.now();
        let model = RegisteredModel {
            name: name.to_string(),
            created: Some(now),
            updated: Some(now),
            description,
            latest_versions: Vec::new(),
            tags,
            aliases: Vec::new(),
        };
        let at = self.clock.now();
        self.write_and_tell(async move |tx| {
            if !repo::models::insert(tx, &model).await? {
                let existing = required(tx, &model.name).await?;
                return Err(taken(&model.name, is_prompt(&existing.tags), is_prompt(&model.tags)));
            }
            repo::models::set_tags(tx, &model.name, &model.tags).await?;
            let (name, description) = (&model.name, model.description.as_deref().unwrap_or_default());
            change::record(tx, &Change::Model { name, description, tags: &model.tags }, at).await?;
            required(tx, &model.name).await
        })
        .await
    }

    /// The registered model of that name.
    ///
    /// # Errors
    /// When there is none.
    pub async fn model(&self, name: &str) -> Result<RegisteredModel> {
        rules::check_model_name(name, "name")?;
        let name = name.to_owned();
        self.database.read(async move |tx| required(tx, &name).await).await
    }

    /// All registered models that are no prompts, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn models(&self) -> Result<Vec<RegisteredModel>> {
        let mut models = Vec::new();
        let mut search = ModelSearch { max_results: MOST_ROWS, ..ModelSearch::default() };
        loop {
            let page = self.search_models(search.clone()).await?;
            models.extend(page.items);
            search.page_token = page.next;
            if search.page_token.is_none() {
                return Ok(models);
            }
        }
    }

    /// Changes a model's description.
    ///
    /// # Errors
    /// When there is none.
    pub async fn update_model(&self, name: &str, description: &str) -> Result<RegisteredModel> {
        rules::check_model_name(name, "name")?;
        let (name, description, now) = (name.to_owned(), description.to_owned(), self.now());
        self.database
            .write(async move |tx| {
                required(tx, &name).await?;
                repo::models::update(tx, &name, &description, now).await?;
                required(tx, &name).await
            })
            .await
    }

    /// Gives a model another name.
    ///
    /// # Errors
    /// When governance refuses, there is none, or the name is taken or not allowed.
    pub async fn rename_model(&self, by: &Principal, name: &str, new_name: &str) -> Result<RegisteredModel> {
        let model = parse_name(name)?;
        rules::check_model_name(new_name, "new_name")?;
        let new_name = parse_name(new_name)?;
        self.permit(by, &Mutation::RenameModel { model: model.clone(), to: new_name.to_string() }).await?;
        let now = self.now();
        self.database
            .write(async move |tx| {
                let (name, new_name) = (model.as_str(), new_name.as_str());
                required(tx, name).await?;
                if name != new_name && repo::models::by_name(tx, new_name).await?.is_some() {
                    let message = format!("Registered Model (name={new_name}) already exists.");
                    return Err(Error::AlreadyExists(message));
                }
                repo::models::rename(tx, name, new_name, now).await?;
                repo::authors::rename(tx, name, new_name).await?;
                required(tx, new_name).await
            })
            .await
    }

    /// Deletes a model with all its versions.
    ///
    /// # Errors
    /// When governance refuses, or there is none.
    pub async fn delete_model(&self, by: &Principal, name: &str) -> Result<()> {
        let model = parse_name(name)?;
        self.permit(by, &Mutation::DeleteModel { model: model.clone() }).await?;
        self.database
            .write(async move |tx| {
                required(tx, model.as_str()).await?;
                repo::authors::forget(tx, model.as_str()).await?;
                repo::models::delete(tx, model.as_str()).await
            })
            .await
    }

    /// Sets a tag of a model.
    ///
    /// # Errors
    /// When it is not allowed, or there is no such model.
    pub async fn set_model_tag(&self, name: &str, tag: KeyValue) -> Result<()> {
        rules::check_model_name(name, "name")?;
        rules::check_registry_tag(&tag.key, &tag.value)?;
        let (name, at) = (name.to_owned(), self.clock.now());
        self.write_and_tell(async move |tx| {
            required(tx, &name).await?;
            repo::models::set_tags(tx, &name, std::slice::from_ref(&tag)).await?;
            let change = Change::ModelTag { name: &name, key: &tag.key, value: Some(&tag.value) };
            change::record(tx, &change, at).await
        })
        .await
    }

    /// Removes a tag of a model, if it is there.
    ///
    /// # Errors
    /// When there is no such model.
    pub async fn delete_model_tag(&self, name: &str, key: &str) -> Result<()> {
        rules::check_model_name(name, "name")?;
        rules::check_key(key, "key")?;
        let (name, key, at) = (name.to_owned(), key.to_owned(), self.clock.now());
        self.write_and_tell(async move |tx| {
            required(tx, &name).await?;
            repo::models::delete_tag(tx, &name, &key).await?;
            change::record(tx, &Change::ModelTag { name: &name, key: &key, value: None }, at).await
        })
        .await
    }

    /// The registered models that a search finds.
    ///
    /// # Errors
    /// When filter, order, token or page size cannot be read.
    pub async fn search_models(&self, search: ModelSearch) -> Result<Page<RegisteredModel>> {
        let limit = search.max_results;
        if limit > MOST_ROWS {
            return Err(Error::invalid(format!(
                "Invalid value for request parameter max_results. It must be at most {MOST_ROWS}, but got value {limit}"
            )));
        }
        let offset = page::offset(search.page_token.as_deref())?;
        let (text, params) = statement(self, &search, offset)?.into_parts();
        self.database
            .read(async move |tx| {
                let rows = tx.rows(&text, params.clone()).await?;
                let found = rows.iter().map(repo::models::decode).collect::<Result<Vec<_>>>()?;
                let mut page = Page::of(found, offset, limit);
                repo::models::add_data(tx, &mut page.items).await?;
                Ok(page)
            })
            .await
    }
}

fn statement(service: &Service, search: &ModelSearch, offset: i64) -> Result<Sql> {
    let mut sql = Sql::select(repo::models::COLUMNS, "registered_models");
    sql.push(" WHERE workspace = 'default'");
    let clauses = filter::parse(&DOMAIN, &search.filter)?;
    for clause in searched(&clauses) {
        sql.push(" AND ");
        match clause.entity {
            Entity::Tag => {
                sql.push("EXISTS (SELECT 1 FROM registered_model_tags t WHERE t.workspace = 'default' AND t.name = ");
                sql.push("registered_models.name AND t.key = ").bind(&clause.key).push(" AND ");
                sql.compare(service.dialect(), "t.value", clause.comparator, &clause.operand).push(")");
            }
            Entity::Attribute | Entity::Metric | Entity::Param | Entity::Dataset => {
                sql.compare(service.dialect(), "registered_models.name", clause.comparator, &clause.operand);
            }
        }
    }
    if !asks_for_prompts(&clauses) {
        hide_prompts(&mut sql, "registered_models", "registered_model_tags");
    }
    sql.push(" ORDER BY ");
    for by in parse_order(&DOMAIN, &search.order_by)? {
        let column = if by.key == "name" { "registered_models.name" } else { "registered_models.last_updated_time" };
        sql.push(column).push(" ").push(by.direction()).push(", ");
    }
    sql.push("registered_models.name LIMIT ").bind(search.max_results + 1).push(" OFFSET ").bind(offset);
    Ok(sql)
}

/// The clauses that are looked up; that something is no prompt is said elsewhere.
pub(crate) fn searched(clauses: &[Clause]) -> impl Iterator<Item = &Clause> {
    let prompts = asks_for_prompts(clauses);
    clauses.iter().filter(move |clause| prompts || clause.entity != Entity::Tag || clause.key != PROMPT_TAG)
}

/// Whether a filter says that it wants prompts.
pub(crate) fn asks_for_prompts(clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| {
        let Operand::Text(value) = &clause.operand else { return false };
        let (comparator, value) = (clause.comparator, value.to_ascii_lowercase());
        let wants = (comparator == Comparator::Equal && value == "true")
            || (comparator == Comparator::NotEqual && value == "false");
        wants && clause.entity == Entity::Tag && clause.key == PROMPT_TAG
    })
}

/// Leaves out models (or versions) that `tags` says are prompts.
pub(crate) fn hide_prompts(sql: &mut Sql, of: &str, tags: &str) {
    sql.push(&format!(
        " AND NOT EXISTS (SELECT 1 FROM {tags} p WHERE p.workspace = 'default' AND p.name = {of}.name \
         AND p.key = '{PROMPT_TAG}' AND p.value = 'true')"
    ));
}

/// Whether tags say that it is a prompt.
pub(crate) fn is_prompt(tags: &[KeyValue]) -> bool {
    tags.iter().rfind(|tag| tag.key == PROMPT_TAG).is_some_and(|tag| tag.value.eq_ignore_ascii_case("true"))
}

fn taken(name: &str, is_prompt: bool, wants_prompt: bool) -> Error {
    let kind = |prompt: bool| if prompt { "Prompt" } else { "Registered Model" };
    let (old, new) = (kind(is_prompt), kind(wants_prompt));
    Error::AlreadyExists(if old == new {
        format!("{new} (name={name}) already exists.")
    } else {
        format!(
            "Tried to create a {} with name {}, but the name is already taken by a {}. MLflow does not allow creating \
             a model and a prompt with the same name.",
            new.to_lowercase(),
            python_repr(name),
            old.to_lowercase()
        )
    })
}

/// Checks a model's name by MLflow's rules and ours.
pub(crate) fn parse_name(name: &str) -> Result<ModelName> {
    rules::check_model_name(name, "name")?;
    ModelName::parse(name).map_err(|error| Error::invalid(error.to_string()))
}

/// The registered model of that name, with all that hangs on it.
pub(crate) async fn required(tx: &mut Transaction, name: &str) -> Result<RegisteredModel> {
    let missing = || Error::NotFound(format!("Registered Model with name={name} not found"));
    let mut models = [repo::models::by_name(tx, name).await?.ok_or_else(missing)?];
    repo::models::add_data(tx, &mut models).await?;
    let [model] = models;
    Ok(model)
}
