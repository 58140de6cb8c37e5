//! Conditions and orders of a search for runs, as SQL.

use database::Dialect;

use crate::{
    error::{Error, Result},
    filter::{Clause, Comparator, Entity, OrderBy},
    repo::sql::Sql,
    runs::NAME_TAG,
};

/// Whether a condition compares a metric with a number.
pub(super) fn is_comparison(clause: &Clause) -> bool {
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
pub(super) fn condition(dialect: Dialect, sql: &mut Sql, clause: &Clause, run: &str) {
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
pub(super) fn join_for_order(sql: &mut Sql, index: usize, by: &OrderBy) -> Result<()> {
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
pub(super) fn order_term(sql: &mut Sql, index: usize, by: &OrderBy) {
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
