//! The search for runs.

use crate::{
    Page, Run, Service, ViewType,
    error::{Error, Result},
    filter::{self, Clause, Comparator, Domain, Entity, OrderBy, parse_order},
    page, repo,
    repo::sql::Sql,
    rules,
    runs::NAME_TAG,
};

/// A search for runs.
#[derive(Debug, Clone, Default)]
pub struct RunSearch {
    /// The experiments to look in.
    pub experiment_ids: Vec<String>,
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
    entities: &[Entity::Metric, Entity::Param, Entity::Tag, Entity::Attribute, Entity::Dataset],
    attributes: &[
        "artifact_uri",
        "end_time",
        "run_id",
        "run_name",
        "start_time",
        "status",
        "user_id",
        "created",
        "Created",
        "run name",
        "Run name",
        "Run Name",
    ],
    orderable: &[
        "artifact_uri",
        "end_time",
        "run_id",
        "run_name",
        "start_time",
        "status",
        "user_id",
        "created",
        "Created",
    ],
    numeric: &["start_time", "end_time", "created", "Created"],
    lists: &["run_id"],
};

impl Service {
    /// The runs that a search finds, with all that was logged on them.
    ///
    /// # Errors
    /// When filter, order, token or an experiment's id cannot be read.
    pub async fn search_runs(&self, search: RunSearch) -> Result<Page<Run>> {
        let offset = page::offset(search.page_token.as_deref())?;
        let limit = search.max_results;
        let (text, params) = statement(self, &search, offset)?.into_parts();
        self.database
            .read(async move |tx| {
                let rows = tx.rows(&text, params.clone()).await?;
                let found = rows.iter().map(repo::runs::decode).collect::<Result<Vec<_>>>()?;
                let Page { items, next } = Page::of(found, offset, limit);
                Ok(Page { items: repo::runs::with_data(tx, items).await?, next })
            })
            .await
    }
}

fn statement(service: &Service, search: &RunSearch, offset: i64) -> Result<Sql> {
    let experiments = search.experiment_ids.iter().map(|id| rules::experiment_id(id)).collect::<Result<Vec<_>>>()?;
    let order = parse_order(&DOMAIN, &search.order_by)?;
    let mut sql = Sql::select(repo::runs::COLUMNS, "runs");
    for (index, by) in order.iter().enumerate() {
        join_for_order(&mut sql, index, by)?;
    }
    sql.push(" WHERE runs.experiment_id IN ").bind_list(experiments);
    sql.push(" AND runs.lifecycle_stage IN ").bind_list(search.view.stages().iter().copied());
    for clause in filter::parse(&DOMAIN, &search.filter)? {
        sql.push(" AND ");
        condition(service, &mut sql, &clause);
    }
    sql.push(" ORDER BY ");
    for (index, by) in order.iter().enumerate() {
        order_term(&mut sql, index, by);
    }
    sql.push("runs.start_time DESC, runs.run_uuid LIMIT ").bind(search.max_results + 1);
    sql.push(" OFFSET ").bind(offset);
    Ok(sql)
}

/// The column of an attribute.
fn column(attribute: &str) -> &'static str {
    match attribute {
        "artifact_uri" => "runs.artifact_uri",
        "end_time" => "runs.end_time",
        "run_name" => "runs.name",
        "start_time" | "created" | "Created" => "runs.start_time",
        "status" => "runs.status",
        "user_id" => "runs.user_id",
        _ => "runs.run_uuid",
    }
}

fn condition(service: &Service, sql: &mut Sql, clause: &Clause) {
    let dialect = service.dialect();
    let Clause { entity, key, comparator, operand } = clause;
    let (table, key) = match entity {
        Entity::Attribute if matches!(key.as_str(), "run_name" | "run name" | "Run name" | "Run Name") => {
            // Runs of MLflow before 1.30 have their name in the tag only.
            ("tags", NAME_TAG)
        }
        Entity::Attribute => {
            sql.compare(dialect, column(key), *comparator, operand);
            return;
        }
        Entity::Dataset => {
            dataset_condition(service, sql, clause);
            return;
        }
        Entity::Metric => ("latest_metrics", key.as_str()),
        Entity::Param => ("params", key.as_str()),
        Entity::Tag => ("tags", key.as_str()),
    };
    if *comparator == Comparator::IsNull {
        sql.push("NOT ");
    }
    sql.push("EXISTS (SELECT 1 FROM ").push(table).push(" WHERE ").push(table).push(".run_uuid = runs.run_uuid AND ");
    sql.push(table).push(".key = ").bind(key);
    if !matches!(comparator, Comparator::IsNull | Comparator::IsNotNull) {
        sql.push(" AND (").compare(dialect, &format!("{table}.value"), *comparator, operand);
        // NaN is stored as 0 with a flag: it differs from every number and compares with none.
        match (entity, comparator) {
            (Entity::Metric, Comparator::NotEqual) => sql.push(" OR latest_metrics.is_nan"),
            (Entity::Metric, _) => sql.push(" AND NOT latest_metrics.is_nan"),
            _ => sql,
        };
        sql.push(")");
    }
    sql.push(")");
}

fn dataset_condition(service: &Service, sql: &mut Sql, clause: &Clause) {
    sql.push(
        "EXISTS (SELECT 1 FROM inputs JOIN datasets ON datasets.dataset_uuid = inputs.source_id \
         LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid AND input_tags.name = 'mlflow.data.context' \
         WHERE inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN' \
         AND inputs.destination_id = runs.run_uuid AND ",
    );
    let column = match clause.key.as_str() {
        "name" => "datasets.name",
        "digest" => "datasets.digest",
        _ => "input_tags.value",
    };
    sql.compare(service.dialect(), column, clause.comparator, &clause.operand).push(")");
}

/// Joins what a run is ordered by, if that is not its own.
fn join_for_order(sql: &mut Sql, index: usize, by: &OrderBy) -> Result<()> {
    let table = match by.entity {
        Entity::Attribute => return Ok(()),
        Entity::Metric => "latest_metrics",
        Entity::Param => "params",
        Entity::Tag => "tags",
        Entity::Dataset => return Err(Error::invalid("Invalid identifier type 'dataset'")),
    };
    sql.push(&format!(" LEFT JOIN {table} by{index} ON by{index}.run_uuid = runs.run_uuid AND by{index}.key = "));
    sql.bind(&by.key);
    Ok(())
}

/// Runs that have nothing to be ordered by come last, in both directions, and NaN before those.
fn order_term(sql: &mut Sql, index: usize, by: &OrderBy) {
    let value = match by.entity {
        Entity::Attribute => column(&by.key).to_owned(),
        Entity::Metric | Entity::Param | Entity::Tag | Entity::Dataset => format!("by{index}.value"),
    };
    let nan = match by.entity {
        Entity::Metric => format!("WHEN by{index}.is_nan THEN 1 "),
        Entity::Attribute | Entity::Param | Entity::Tag | Entity::Dataset => String::new(),
    };
    sql.push(&format!("CASE {nan}WHEN {value} IS NULL THEN 2 ELSE 0 END, {value} {}, ", by.direction()));
}
