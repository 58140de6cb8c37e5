//! The search for runs.

use database::{Dialect, Transaction};

use crate::{
    Page, Run, RunInfo, Service, ViewType,
    error::{Error, Result},
    filter::{self, Clause, Comparator, Domain, Entity, OrderBy, Search, parse_order},
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
    search: Search::Runs,
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
        let statements = Statements::new(self, &search)?;
        self.database
            .read(async move |tx| {
                let found = statements.found(tx, limit.saturating_add(1), offset).await?;
                let Page { items, next } = Page::of(found, offset, limit);
                Ok(Page { items: repo::runs::with_data(tx, items).await?, next })
            })
            .await
    }
}

/// The statements of a search.
struct Statements {
    /// With a metric to be ordered by: the runs that have a number for it, in order of it. They are read off the index of
    /// metrics' values, from its end or beginning, until the page is full: what that costs does not grow with the store.
    ranked: Option<Sql>,
    /// The other runs, or all of them.
    rest: Sql,
}

impl Statements {
    fn new(service: &Service, search: &RunSearch) -> Result<Self> {
        let mut query = Query {
            dialect: service.dialect(),
            experiments: search.experiment_ids.iter().map(|id| rules::experiment_id(id)).collect::<Result<Vec<_>>>()?,
            stages: search.view.stages(),
            order: parse_order(&DOMAIN, &search.order_by)?,
            clauses: filter::parse(&DOMAIN, &search.filter)?,
        };
        // Databases ask in this order, and equality refuses most.
        query.clauses.sort_by_key(|clause| clause.comparator != Comparator::Equal);
        let ranked = query.order.first().filter(|by| by.entity == Entity::Metric);
        let ranked = ranked.map(|by| query.statement(Part::Ranked(by))).transpose()?;
        let rest = query.statement(if ranked.is_some() { Part::Unranked } else { Part::All })?;
        Ok(Self { ranked, rest })
    }

    /// The runs from `offset` on, at most `limit`.
    async fn found(&self, tx: &mut Transaction, limit: i64, offset: i64) -> Result<Vec<RunInfo>> {
        let Some(ranked) = &self.ranked else { return runs(tx, &self.rest, limit, offset).await };
        let mut found = runs(tx, ranked, limit, offset).await?;
        let missing = limit - i64::try_from(found.len()).unwrap_or(limit);
        if missing > 0 {
            // A page beyond the ranked runs begins somewhere among the others.
            let before = if found.is_empty() && offset > 0 { offset - count(tx, ranked).await? } else { 0 };
            found.extend(runs(tx, &self.rest, missing, before.max(0)).await?);
        }
        Ok(found)
    }
}

async fn runs(tx: &mut Transaction, statement: &Sql, limit: i64, offset: i64) -> Result<Vec<RunInfo>> {
    let mut sql = statement.clone();
    sql.push(" LIMIT ").bind(limit).push(" OFFSET ").bind(offset);
    let (text, params) = sql.into_parts();
    tx.rows(&text, params).await?.iter().map(repo::runs::decode).collect()
}

async fn count(tx: &mut Transaction, statement: &Sql) -> Result<i64> {
    let (text, params) = statement.counting().into_parts();
    Ok(tx.row(&text, params).await?.map_or(Ok(0), |row| row.get("count"))?)
}

/// Which runs a statement finds.
enum Part<'a> {
    All,
    /// Those with a number for this.
    Ranked(&'a OrderBy),
    /// Those without one for what comes first in the order.
    Unranked,
}

/// A search, parsed.
struct Query {
    dialect: Dialect,
    experiments: Vec<i64>,
    stages: &'static [&'static str],
    clauses: Vec<Clause>,
    order: Vec<OrderBy>,
}

impl Query {
    fn statement(&self, part: Part<'_>) -> Result<Sql> {
        let ranked = if let Part::Ranked(by) = part { Some(by) } else { None };
        let mut sql = match ranked {
            // A cross join: SQLite reads the left side first, Postgres makes up its own mind.
            Some(_) => Sql::select(repo::runs::COLUMNS, "latest_metrics by0 CROSS JOIN runs"),
            None => Sql::select(repo::runs::COLUMNS, "runs"),
        };
        for (index, by) in self.order.iter().enumerate().skip(usize::from(ranked.is_some())) {
            join_for_order(&mut sql, index, by)?;
        }
        sql.push(" WHERE ");
        if let Some(by) = ranked {
            sql.push("by0.key = ").bind(&by.key).push(" AND NOT by0.is_nan AND by0.run_uuid = runs.run_uuid AND ");
        }
        if matches!(part, Part::Unranked) {
            sql.push("(by0.value IS NULL OR by0.is_nan) AND ");
        }
        sql.push("runs.experiment_id IN ").bind_list(&self.experiments);
        sql.push(" AND runs.lifecycle_stage IN ").bind_list(self.stages.iter().copied());
        for clause in &self.clauses {
            sql.push(" AND ");
            match ranked {
                Some(by) if by.key == clause.key && is_comparison(clause) => {
                    sql.compare(self.dialect, "by0.value", clause.comparator, &clause.operand);
                }
                // Asked of what is ordered by, it is known before the run itself is looked up.
                Some(_) => condition(self.dialect, &mut sql, clause, "by0.run_uuid"),
                None => condition(self.dialect, &mut sql, clause, "runs.run_uuid"),
            }
        }
        sql.push(" ORDER BY ");
        for (index, by) in self.order.iter().enumerate() {
            if index == 0 && ranked.is_some() {
                sql.push("by0.value ").push(by.direction()).push(", ");
            } else {
                order_term(&mut sql, index, by);
            }
        }
        sql.push("runs.start_time DESC, runs.run_uuid");
        Ok(sql)
    }
}

/// Whether a condition compares a metric with a number.
fn is_comparison(clause: &Clause) -> bool {
    clause.entity == Entity::Metric && !matches!(clause.comparator, Comparator::IsNull | Comparator::IsNotNull)
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

/// Appends a condition on the run whose id is in the column `run`.
fn condition(dialect: Dialect, sql: &mut Sql, clause: &Clause, run: &str) {
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
            dataset_condition(dialect, sql, clause);
            return;
        }
        Entity::Metric => ("latest_metrics", key.as_str()),
        Entity::Param => ("params", key.as_str()),
        Entity::Tag => ("tags", key.as_str()),
    };
    if *comparator == Comparator::IsNull {
        sql.push("NOT ");
    }
    sql.push("EXISTS (SELECT 1 FROM ").push(table).push(" WHERE ").push(table).push(".run_uuid = ").push(run);
    sql.push(" AND ").push(table).push(".key = ").bind(key);
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

fn dataset_condition(dialect: Dialect, sql: &mut Sql, clause: &Clause) {
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
    sql.compare(dialect, column, clause.comparator, &clause.operand).push(")");
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
