//! Experiments: names that stay taken, and deletion that takes the runs along and can be undone.

use database::Transaction;

use crate::{
    Experiment, KeyValue, LifecycleStage, Page, Service, ViewType, custom_views,
    error::{Error, Result},
    filter::{self, Comparator, Domain, Entity, Operand, Search, parse_order},
    locations, page, repo,
    repo::sql::Sql,
    rules, storage,
};

/// An experiment to be made.
#[derive(Debug, Clone, Default)]
pub struct NewExperiment {
    /// Its name.
    pub name: String,
    /// Where its artifacts are to lie; the default root if not said.
    pub artifact_location: Option<String>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
}

/// A search for experiments.
#[derive(Debug, Clone, Default)]
pub struct ExperimentSearch {
    /// MLflow's filter string.
    pub filter: String,
    /// Which stages.
    pub view: ViewType,
    /// Rows per page.
    pub max_results: i64,
    /// MLflow's order clauses.
    pub order_by: Vec<String>,
    /// Where the page begins.
    pub page_token: Option<String>,
}

const DOMAIN: Domain = Domain {
    search: Search::Experiments,
    attributes: &["name", "experiment_id", "creation_time", "last_update_time"],
    orderable: &["name", "experiment_id", "creation_time", "last_update_time"],
    numeric: &["creation_time", "last_update_time"],
    lists: &["experiment_id"],
};

impl Service {
    /// Makes an experiment and answers its id.
    ///
    /// # Errors
    /// When the name is taken (also by a deleted one) or not allowed.
    pub async fn create_experiment(&self, new: NewExperiment) -> Result<i64> {
        custom_views::check_all(&new.tags)?;
        let location = new.artifact_location.as_deref().unwrap_or_default();
        locations::check(location)?;
        rules::check_experiment_name(&new.name)?;
        for tag in &new.tags {
            rules::check_experiment_tag(&tag.key, &tag.value)?;
        }
        let location = (!location.is_empty()).then(|| storage::absolute(location, self.working_folder()));
        let (root, now) = (self.artifact_root().to_owned(), self.now());
        self.database
            .write(async move |tx| {
                let NewExperiment { name, tags, .. } = &new;
                let location = location.as_deref();
                let id = repo::experiments::insert(tx, name, location, now).await?;
                let taken = || Error::AlreadyExists(format!("Experiment(name={name}) already exists."));
                let id = id.ok_or_else(taken)?;
                if location.is_none() {
                    repo::experiments::set_location(tx, id, &storage::append(&root, &id.to_string())).await?;
                }
                repo::experiments::set_tags(tx, id, tags).await?;
                Ok(id)
            })
            .await
    }

    /// The experiment of that id, deleted or not.
    ///
    /// # Errors
    /// When there is none, or the id is no number.
    pub async fn experiment(&self, id: &str) -> Result<Experiment> {
        let id = rules::experiment_id(id)?;
        self.database
            .read(async move |tx| {
                let mut experiment = [required(tx, id, ViewType::All).await?];
                repo::experiments::add_tags(tx, &mut experiment).await?;
                let [experiment] = experiment;
                Ok(experiment)
            })
            .await
    }

    /// The experiment of that name, deleted or not.
    ///
    /// # Errors
    /// When there is none.
    pub async fn experiment_by_name(&self, name: &str) -> Result<Experiment> {
        let name = name.to_owned();
        self.database
            .read(async move |tx| {
                let found = repo::experiments::by_name(tx, &name).await?;
                let missing = || Error::NotFound(format!("Could not find experiment with name '{name}'"));
                let mut experiment = [found.ok_or_else(missing)?];
                repo::experiments::add_tags(tx, &mut experiment).await?;
                let [experiment] = experiment;
                Ok(experiment)
            })
            .await
    }

    /// Deletes an experiment and its runs; they can be restored.
    ///
    /// # Errors
    /// When there is none that is not deleted.
    pub async fn delete_experiment(&self, id: &str) -> Result<()> {
        self.move_experiment(id, ViewType::ActiveOnly, LifecycleStage::Deleted).await
    }

    /// Restores an experiment and its runs.
    ///
    /// # Errors
    /// When there is none that is deleted.
    pub async fn restore_experiment(&self, id: &str) -> Result<()> {
        self.move_experiment(id, ViewType::DeletedOnly, LifecycleStage::Active).await
    }

    async fn move_experiment(&self, id: &str, from: ViewType, to: LifecycleStage) -> Result<()> {
        let (id, now) = (rules::experiment_id(id)?, self.now());
        self.database
            .write(async move |tx| {
                required(tx, id, from).await?;
                repo::experiments::set_stage(tx, id, to, now).await
            })
            .await
    }

    /// Gives an experiment another name.
    ///
    /// # Errors
    /// When the name is taken or not allowed, or the experiment is deleted.
    pub async fn rename_experiment(&self, id: &str, name: &str) -> Result<()> {
        rules::check_experiment_name(name)?;
        let (id, name, now) = (rules::experiment_id(id)?, name.to_owned(), self.now());
        self.database
            .write(async move |tx| {
                if required(tx, id, ViewType::All).await?.stage != LifecycleStage::Active {
                    return Err(Error::InvalidState("Cannot rename a non-active experiment.".to_owned()));
                }
                if repo::experiments::rename(tx, id, &name, now).await? {
                    Ok(())
                } else {
                    Err(Error::AlreadyExists(format!("Experiment(name={name}) already exists.")))
                }
            })
            .await
    }

    /// Sets a tag of an experiment.
    ///
    /// # Errors
    /// When it is not allowed, or the experiment is deleted or missing.
    pub async fn set_experiment_tag(&self, id: &str, tag: KeyValue) -> Result<()> {
        rules::check_experiment_tag(&tag.key, &tag.value)?;
        let id = rules::experiment_id(id)?;
        self.database
            .write(async move |tx| {
                let mut experiment = [required(tx, id, ViewType::All).await?];
                check_active(&experiment[0])?;
                if custom_views::is_view(&tag.key) {
                    repo::experiments::add_tags(tx, &mut experiment).await?;
                    custom_views::check_one(&experiment[0], &tag.key)?;
                }
                repo::experiments::set_tags(tx, id, std::slice::from_ref(&tag)).await
            })
            .await
    }

    /// Removes a tag of an experiment.
    ///
    /// # Errors
    /// When there is no such tag, or the experiment is deleted or missing.
    pub async fn delete_experiment_tag(&self, id: &str, key: &str) -> Result<()> {
        let (id, key) = (rules::experiment_id(id)?, key.to_owned());
        self.database
            .write(async move |tx| {
                check_active(&required(tx, id, ViewType::All).await?)?;
                if repo::experiments::delete_tag(tx, id, &key).await? {
                    return Ok(());
                }
                Err(Error::NotFound(format!("No tag with name: {key} in experiment with id {id}")))
            })
            .await
    }

    /// The experiments that a search finds.
    ///
    /// # Errors
    /// When filter, order or token cannot be read.
    pub async fn search_experiments(&self, search: ExperimentSearch) -> Result<Page<Experiment>> {
        let offset = page::offset(search.page_token.as_deref())?;
        let limit = search.max_results;
        let (text, params) = statement(self, &search, offset)?.into_parts();
        self.database
            .read(async move |tx| {
                let rows = tx.rows(&text, params.clone()).await?;
                let mut found = rows.iter().map(repo::experiments::decode).collect::<Result<Vec<_>>>()?;
                repo::experiments::add_tags(tx, &mut found).await?;
                Ok(Page::of(found, offset, limit))
            })
            .await
    }
}

fn statement(service: &Service, search: &ExperimentSearch, offset: i64) -> Result<Sql> {
    let mut sql = Sql::select(repo::experiments::COLUMNS, "experiments");
    sql.push(" WHERE workspace = 'default' AND lifecycle_stage IN ");
    sql.bind_list(search.view.stages().iter().copied());
    for clause in filter::parse(&DOMAIN, &search.filter)? {
        sql.push(" AND ");
        if clause.entity == Entity::Attribute {
            let operand = attribute_operand(&clause.key, clause.comparator, clause.operand)?;
            if let Operand::List(ids) = &operand {
                let ids = ids.iter().map(|id| rules::experiment_id(id)).collect::<Result<Vec<_>>>()?;
                sql.push(&clause.key).push(" ").push(clause.comparator.as_str()).push(" ").bind_list(ids);
            } else {
                sql.compare(service.dialect(), &clause.key, clause.comparator, &operand);
            }
            continue;
        }
        if clause.comparator == Comparator::IsNull {
            sql.push("NOT ");
        }
        sql.push(
            "EXISTS (SELECT 1 FROM experiment_tags WHERE experiment_tags.experiment_id = experiments.experiment_id",
        );
        sql.push(" AND experiment_tags.key = ").bind(&clause.key);
        if !matches!(clause.comparator, Comparator::IsNull | Comparator::IsNotNull) {
            sql.push(" AND ").compare(service.dialect(), "experiment_tags.value", clause.comparator, &clause.operand);
        }
        sql.push(")");
    }
    let mut order = parse_order(&DOMAIN, &search.order_by)?;
    if order.is_empty() {
        order = parse_order(&DOMAIN, &["creation_time DESC".to_owned(), "experiment_id ASC".to_owned()])?;
    }
    sql.push(" ORDER BY ");
    for by in &order {
        if by.entity != Entity::Attribute {
            return Err(Error::invalid("Invalid order_by entity: tag"));
        }
        sql.push(&by.key).push(" ").push(by.direction()).push(", ");
    }
    sql.push("experiment_id DESC LIMIT ").bind(search.max_results + 1).push(" OFFSET ").bind(offset);
    Ok(sql)
}

/// Ids are compared as numbers, though filters write them as texts.
fn attribute_operand(key: &str, comparator: Comparator, operand: Operand) -> Result<Operand> {
    match operand {
        Operand::Text(id) if key == "experiment_id" => {
            if matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
                return Ok(Operand::Integer(rules::experiment_id(&id)?));
            }
            Err(Error::invalid(format!("Invalid comparator for experiment_id: {}", comparator.as_str())))
        }
        Operand::Float(number) => {
            Err(Error::invalid(format!("Invalid value for numeric attribute '{key}': '{number}'")))
        }
        operand @ (Operand::Text(_) | Operand::Integer(_) | Operand::List(_) | Operand::Nothing) => Ok(operand),
    }
}

/// The experiment of that id in one of the stages of `view`, without tags.
pub(crate) async fn required(tx: &mut Transaction, id: i64, view: ViewType) -> Result<Experiment> {
    let found = repo::experiments::by_id(tx, id).await?;
    found
        .filter(|experiment| view.stages().contains(&experiment.stage.as_str()))
        .ok_or_else(|| Error::NotFound(format!("No Experiment with id={id} exists")))
}

/// Refuses writes to a deleted experiment.
pub(crate) fn check_active(experiment: &Experiment) -> Result<()> {
    if experiment.stage == LifecycleStage::Active {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "The experiment {} must be in the 'active' state. Current state is {}.",
        experiment.id,
        experiment.stage.as_str()
    )))
}
