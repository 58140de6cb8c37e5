//! The search for runs.

mod terms;

use database::{Dialect, Transaction};

use crate::{
    Page, Run, RunInfo, Service, ViewType,
    error::{Error, Result},
    filter::{self, Clause, Comparator, Domain, Entity, OrderBy, Search, parse_order},
    page, repo,
    repo::sql::Sql,
    rules,
};
use terms::{condition, is_comparison, join_for_order, order_term};

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

/// The experiments searched must have one in this many of the store's runs for a page to be read off the index of metrics'
/// values, which has those of all experiments: with fewer, sorting theirs is less work than passing over the others'.
const SHARE: i64 = 4;

/// The statements of a search.
struct Statements {
    /// All runs.
    all: Sql,
    /// With a metric to be ordered by.
    by_metric: Option<ByMetric>,
}

/// The same runs in two parts. The first is read off the index of metrics' values, from its end or beginning, until the page
/// is full. What that costs grows with how many runs are passed over: those of other experiments, and those refused.
struct ByMetric {
    /// Those searched.
    experiments: Vec<i64>,
    /// The runs that have a number for the metric, in order of it.
    ranked: Sql,
    /// The other runs.
    unranked: Sql,
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
        let metric = query.order.first().filter(|by| by.entity == Entity::Metric);
        let by_metric = metric.map(|by| {
            let (ranked, unranked) = (query.statement(Part::Ranked(by))?, query.statement(Part::Unranked)?);
            Ok::<_, Error>(ByMetric { experiments: query.experiments.clone(), ranked, unranked })
        });
        Ok(Self { all: query.statement(Part::All)?, by_metric: by_metric.transpose()? })
    }

    /// The runs from `offset` on, at most `limit`.
    async fn found(&self, tx: &mut Transaction, limit: i64, offset: i64) -> Result<Vec<RunInfo>> {
        match &self.by_metric {
            Some(by_metric) if repo::runs::are_many(tx, &by_metric.experiments, SHARE).await? => {
                by_metric.found(tx, limit, offset).await
            }
            _ => runs(tx, &self.all, limit, offset).await,
        }
    }
}

impl ByMetric {
    async fn found(&self, tx: &mut Transaction, limit: i64, offset: i64) -> Result<Vec<RunInfo>> {
        let mut found = runs(tx, &self.ranked, limit, offset).await?;
        let missing = limit - i64::try_from(found.len()).unwrap_or(limit);
        if missing > 0 {
            // A page beyond the ranked runs begins somewhere among the others.
            let before = if found.is_empty() && offset > 0 { offset - count(tx, &self.ranked).await? } else { 0 };
            found.extend(runs(tx, &self.unranked, missing, before.max(0)).await?);
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
