//! The search for versions.

use crate::{
    Page, Service, Version,
    error::{Error, Result},
    filter::{self, Domain, Entity, Search, parse_order},
    models::{asks_for_prompts, hide_prompts, searched},
    page, repo,
    repo::sql::Sql,
};

/// Most rows of one page.
const MOST_ROWS: i64 = 200_000;

/// A search for versions.
#[derive(Debug, Clone, Default)]
pub struct VersionSearch {
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
    search: Search::Versions,
    attributes: &["name", "version_number", "run_id", "source_path"],
    orderable: &["name", "version_number", "creation_timestamp", "last_updated_timestamp"],
    numeric: &["version_number"],
    lists: &["name", "run_id"],
};

impl Service {
    /// The versions that a search finds; deleted ones never.
    ///
    /// # Errors
    /// When filter, order, token or page size cannot be read.
    pub async fn search_versions(&self, search: VersionSearch) -> Result<Page<Version>> {
        let limit = search.max_results;
        if limit < 1 {
            return Err(Error::invalid(format!(
                "Invalid value for max_results. It must be a positive integer, but got {limit}"
            )));
        }
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
                let found = rows.iter().map(repo::versions::decode).collect::<Result<Vec<_>>>()?;
                let mut page = Page::of(found, offset, limit);
                repo::versions::add_data(tx, &mut page.items).await?;
                Ok(page)
            })
            .await
    }
}

fn column(attribute: &str) -> &'static str {
    match attribute {
        "version_number" => "model_versions.version",
        "run_id" => "model_versions.run_id",
        "source_path" => "model_versions.source",
        "creation_timestamp" => "model_versions.creation_time",
        "last_updated_timestamp" => "model_versions.last_updated_time",
        _ => "model_versions.name",
    }
}

fn statement(service: &Service, search: &VersionSearch, offset: i64) -> Result<Sql> {
    let mut sql = Sql::select(repo::versions::COLUMNS, "model_versions");
    sql.push(" WHERE workspace = 'default' AND current_stage <> ");
    sql.bind(repo::versions::DELETED);
    let clauses = filter::parse(&DOMAIN, &search.filter)?;
    for clause in searched(&clauses) {
        sql.push(" AND ");
        if clause.entity == Entity::Tag {
            sql.push(
                "EXISTS (SELECT 1 FROM model_version_tags t WHERE t.workspace = 'default' \
                 AND t.name = model_versions.name AND t.version = model_versions.version AND t.key = ",
            );
            sql.bind(&clause.key).push(" AND ");
            sql.compare(service.dialect(), "t.value", clause.comparator, &clause.operand).push(")");
        } else {
            sql.compare(service.dialect(), column(&clause.key), clause.comparator, &clause.operand);
        }
    }
    if !asks_for_prompts(&clauses) {
        hide_prompts(&mut sql, "model_versions", "model_version_tags");
    }
    let mut order = parse_order(&DOMAIN, &search.order_by)?;
    if order.is_empty() {
        order = parse_order(&DOMAIN, &["last_updated_timestamp DESC".to_owned()])?;
    }
    sql.push(" ORDER BY ");
    for by in order {
        sql.push(column(&by.key)).push(" ").push(by.direction()).push(", ");
    }
    sql.push("model_versions.name, model_versions.version DESC LIMIT ").bind(search.max_results + 1);
    sql.push(" OFFSET ").bind(offset);
    Ok(sql)
}
