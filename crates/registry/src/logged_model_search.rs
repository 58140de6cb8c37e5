//! The search for logged models.

use serde::{Deserialize, Serialize};

use crate::{
    LoggedModel, Page, Service,
    error::{Error, Result},
    filter::{self, Clause, Domain, Entity, Search},
    logged_model_token, repo,
    repo::sql::Sql,
    rules,
};

/// Rows per page unless another number is asked for.
const DEFAULT_ROWS: i64 = 100;

/// A search for logged models.
#[derive(Debug, Clone, Default)]
pub struct LoggedModelSearch {
    /// The experiments to look in.
    pub experiment_ids: Vec<String>,
    /// MLflow's filter string.
    pub filter: String,
    /// Datasets that metrics were computed on.
    pub datasets: Vec<DatasetFilter>,
    /// Rows per page.
    pub max_results: Option<i64>,
    /// What to order by.
    pub order_by: Vec<LoggedModelOrder>,
    /// Where the page begins.
    pub page_token: Option<String>,
}

/// A dataset that a metric was computed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatasetFilter {
    /// Its name.
    pub name: String,
    /// Its digest, if that matters.
    pub digest: Option<String>,
}

/// One key to order logged models by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedModelOrder {
    /// An attribute, or `metrics.` and a key.
    pub field_name: String,
    /// Smallest first.
    pub ascending: bool,
    /// Only metrics on this dataset.
    pub dataset_name: Option<String>,
    /// Only metrics on the dataset with this digest.
    pub dataset_digest: Option<String>,
}

const ATTRIBUTES: &[&str] = &[
    "name",
    "model_id",
    "model_type",
    "source_run_id",
    "status_message",
    "artifact_location",
    "creation_timestamp",
    "creation_timestamp_ms",
    "creation_time",
    "last_updated_timestamp",
    "last_updated_timestamp_ms",
    "last_updated_time",
    "experiment_id",
    "lifecycle_stage",
];
const NUMERIC: &[&str] = &[
    "creation_timestamp",
    "creation_timestamp_ms",
    "creation_time",
    "last_updated_timestamp",
    "last_updated_timestamp_ms",
    "last_updated_time",
];

const DOMAIN: Domain = Domain {
    search: Search::LoggedModels,
    attributes: ATTRIBUTES,
    orderable: ATTRIBUTES,
    numeric: NUMERIC,
    lists: &["name", "model_id", "model_type", "source_run_id"],
};

impl Service {
    /// The logged models that a search finds, with all that hangs on them.
    ///
    /// # Errors
    /// When filter, order, token or an experiment's id cannot be read, or the token is of another search.
    pub async fn search_logged_models(&self, search: LoggedModelSearch) -> Result<Page<LoggedModel>> {
        let limit = search.max_results.filter(|limit| *limit > 0).unwrap_or(DEFAULT_ROWS);
        let offset = logged_model_token::offset(&search)?;
        let (text, params) = statement(self, &search, limit, offset)?.into_parts();
        let models = self.database.read(async move |tx| {
            let rows = tx.rows(&text, params.clone()).await?;
            let mut models = rows.iter().map(repo::logged_models::decode).collect::<Result<Vec<_>>>()?;
            repo::logged_models::add_data(tx, &mut models).await?;
            Ok::<_, Error>(models)
        });
        let Page { items, next } = Page::of(models.await?, offset, limit);
        Ok(Page { items, next: next.and_then(|_| logged_model_token::of(&search, offset + limit)) })
    }
}

fn column(attribute: &str) -> &'static str {
    match attribute {
        "name" => "logged_models.name",
        "model_type" => "logged_models.model_type",
        "source_run_id" => "logged_models.source_run_id",
        "status_message" => "logged_models.status_message",
        "artifact_location" => "logged_models.artifact_location",
        "lifecycle_stage" => "logged_models.lifecycle_stage",
        "experiment_id" => "CAST(logged_models.experiment_id AS TEXT)",
        "creation_timestamp" | "creation_timestamp_ms" | "creation_time" => "logged_models.creation_timestamp_ms",
        "last_updated_timestamp" | "last_updated_timestamp_ms" | "last_updated_time" => {
            "logged_models.last_updated_timestamp_ms"
        }
        _ => "logged_models.model_id",
    }
}

fn statement(service: &Service, search: &LoggedModelSearch, limit: i64, offset: i64) -> Result<Sql> {
    if search.datasets.iter().any(|dataset| dataset.name.is_empty()) {
        return Err(Error::invalid("`dataset_name` in the `datasets` clause must be specified."));
    }
    let experiments = search.experiment_ids.iter().map(|id| rules::experiment_id(id)).collect::<Result<Vec<_>>>()?;
    let clauses = filter::parse(&DOMAIN, &search.filter)?;
    let mut sql = Sql::select(repo::logged_models::COLUMNS, "logged_models");
    for (index, by) in search.order_by.iter().enumerate() {
        join_for_order(&mut sql, index, by)?;
    }
    sql.push(" WHERE logged_models.lifecycle_stage <> 'deleted' AND logged_models.experiment_id IN ");
    sql.bind_list(experiments);
    for clause in &clauses {
        sql.push(" AND ");
        condition(service, &mut sql, clause, &search.datasets);
    }
    if !search.datasets.is_empty() && !clauses.iter().any(|clause| clause.entity == Entity::Metric) {
        sql.push(" AND EXISTS (SELECT 1 FROM logged_model_metrics m WHERE m.model_id = logged_models.model_id");
        on_datasets(&mut sql, &search.datasets);
        sql.push(")");
    }
    sql.push(" ORDER BY ");
    let mut ordered_by_creation = false;
    for (index, by) in search.order_by.iter().enumerate() {
        let value = match by.field_name.split_once('.') {
            Some(_) => format!("by{index}.metric_value"),
            None => column(&by.field_name).to_owned(),
        };
        ordered_by_creation |= value == column("creation_time");
        let direction = if by.ascending { "ASC" } else { "DESC" };
        sql.push(&format!("CASE WHEN {value} IS NULL THEN 1 ELSE 0 END, {value} {direction}, "));
    }
    if !ordered_by_creation {
        sql.push("logged_models.creation_timestamp_ms DESC, ");
    }
    sql.push("logged_models.model_id LIMIT ").bind(limit + 1).push(" OFFSET ").bind(offset);
    Ok(sql)
}

fn condition(service: &Service, sql: &mut Sql, clause: &Clause, datasets: &[DatasetFilter]) {
    let Clause { entity, key, comparator, operand } = clause;
    let (table, key_column, value_column) = match entity {
        Entity::Attribute | Entity::Dataset => {
            sql.compare(service.dialect(), column(key), *comparator, operand);
            return;
        }
        Entity::Metric => ("logged_model_metrics", "m.metric_name", "m.metric_value"),
        Entity::Param => ("logged_model_params", "m.param_key", "m.param_value"),
        Entity::Tag => ("logged_model_tags", "m.tag_key", "m.tag_value"),
    };
    sql.push(&format!("EXISTS (SELECT 1 FROM {table} m WHERE m.model_id = logged_models.model_id AND {key_column} = "));
    sql.bind(key).push(" AND ").compare(service.dialect(), value_column, *comparator, operand);
    if *entity == Entity::Metric && !datasets.is_empty() {
        on_datasets(sql, datasets);
    }
    sql.push(")");
}

fn on_datasets(sql: &mut Sql, datasets: &[DatasetFilter]) {
    sql.push(" AND (");
    for (index, dataset) in datasets.iter().enumerate() {
        sql.push(if index > 0 { " OR " } else { "" }).push("(m.dataset_name = ").bind(&dataset.name);
        if let Some(digest) = &dataset.digest {
            sql.push(" AND m.dataset_digest = ").bind(digest);
        }
        sql.push(")");
    }
    sql.push(")");
}

/// Joins the newest point of the metric that models are ordered by.
fn join_for_order(sql: &mut Sql, index: usize, by: &LoggedModelOrder) -> Result<()> {
    let Some((entity, key)) = by.field_name.split_once('.') else {
        if ATTRIBUTES.contains(&by.field_name.as_str()) {
            return Ok(());
        }
        return Err(Error::invalid(format!("Invalid order by field name: {}", by.field_name)));
    };
    if entity != "metrics" {
        return Err(Error::invalid(format!(
            "Invalid order by field name: {}. Only metrics are supported.",
            by.field_name
        )));
    }
    sql.push(
        " LEFT JOIN (SELECT model_id AS of_model, metric_value, ROW_NUMBER() OVER (PARTITION BY model_id \
         ORDER BY metric_timestamp_ms DESC, metric_step DESC, run_id) AS place FROM logged_model_metrics \
         WHERE metric_name = ",
    );
    sql.bind(key);
    for (column, value) in [("dataset_name", &by.dataset_name), ("dataset_digest", &by.dataset_digest)] {
        if let Some(value) = value {
            sql.push(" AND ").push(column).push(" = ").bind(value);
        }
    }
    sql.push(&format!(") by{index} ON by{index}.of_model = logged_models.model_id AND by{index}.place = 1"));
    Ok(())
}
