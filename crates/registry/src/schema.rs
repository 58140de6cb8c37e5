//! MLflow's tables in our own DDL, and the stamp that says of which release they are.
//!
//! The DDL is written once for both databases (`ddl/*.sql`): a line that ends in `-- sqlite` or `-- postgres` belongs
//! to that one only. Statements are separated by blank lines. A test compares the result with a store that MLflow
//! itself made.

mod stamps;

use database::{Database, Dialect, Migration, Transaction, params};

use crate::{
    error::{Error, Result},
    storage,
};
pub use stamps::OLDER_STAMPS;

/// The stamp of MLflow's migrations that this version speaks.
pub const MLFLOW_STAMP: &str = "dc11669786a5";
/// MLflow's release with that stamp.
pub const MLFLOW_RELEASE: &str = "3.17.2";

/// In an order in which every table follows those that it refers to.
const TABLES: [&str; 8] = [
    include_str!("ddl/server.sql"),
    include_str!("ddl/tracking.sql"),
    include_str!("ddl/logged_models.sql"),
    include_str!("ddl/models.sql"),
    include_str!("ddl/traces.sql"),
    include_str!("ddl/evaluation.sql"),
    include_str!("ddl/gateway.sql"),
    include_str!("ddl/mcp.sql"),
];

const MIGRATIONS: &[Migration] = &[
    both(1, include_str!("ddl/crosstie.sql")),
    Migration {
        version: 2,
        sqlite: include_str!("ddl/artifact_records_sqlite.sql"),
        postgres: include_str!("ddl/artifact_records_postgres.sql"),
    },
    both(3, include_str!("ddl/metric_values.sql")),
    both(4, include_str!("ddl/brought.sql")),
];

/// Crosstie's tables of webhooks, which have versions of their own.
const WEBHOOK_MIGRATIONS: &[Migration] = &[both(1, include_str!("ddl/crosstie_webhooks.sql"))];

/// The list of artifacts that are to go.
const GC: &[Migration] = &[both(1, include_str!("ddl/gc.sql"))];

/// A migration whose statements both databases take.
const fn both(version: u32, statements: &'static str) -> Migration {
    Migration { version, sqlite: statements, postgres: statements }
}

/// Makes or accepts MLflow's tables, then makes Crosstie's.
pub(crate) async fn migrate(database: &Database, artifact_root: &str, now: i64) -> Result<()> {
    let artifact_location = storage::append(artifact_root, "0");
    if !is_present(database).await? {
        let uri = database.sqlalchemy_uri().to_owned();
        let made = database
            .write(async move |tx| {
                tx.lock("registry:mlflow-tables").await?;
                if is_installed(tx, &uri).await? { Ok(()) } else { install(tx).await }
            })
            .await;
        // Another process may have made them meanwhile: what that one committed is what counts.
        if let Err(error) = made
            && !is_present(database).await?
        {
            return Err(error);
        }
    }
    database.write(async move |tx| ensure_default_experiment(tx, &artifact_location, now).await).await?;
    database.migrate("registry", MIGRATIONS).await?;
    database.migrate("webhooks", WEBHOOK_MIGRATIONS).await?;
    Ok(database.migrate("registry-gc", GC).await?)
}

async fn is_present(database: &Database) -> Result<bool> {
    let uri = database.sqlalchemy_uri().to_owned();
    database.read(async move |tx| is_installed(tx, &uri).await).await
}

/// Refuses a database with MLflow's tables of another release; one without them is as good as one with. Reads only, so
/// that it can be asked before anything is changed. `uri` is the database as MLflow's command line names it.
///
/// # Errors
/// [`Error::OlderSchema`], which says how to upgrade it; [`Error::UnknownSchema`]; the database's errors.
pub async fn check_database(tx: &mut Transaction, uri: &str) -> Result<()> {
    is_installed(tx, uri).await.map(drop)
}

/// Whether MLflow's tables of the right release are there; `false` when there are none at all.
async fn is_installed(tx: &mut Transaction, uri: &str) -> Result<bool> {
    let present = match tx.dialect() {
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ($1, $2)",
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
             WHERE table_schema = current_schema() AND table_name IN ($1, $2)"
        }
    };
    let mut tables = Vec::new();
    for row in tx.rows(present, params!["alembic_version", "experiments"]).await? {
        tables.push(row.get::<String>("name")?);
    }
    let older = |found: String| Error::OlderSchema { found, uri: uri.to_owned() };
    if tables.is_empty() {
        return Ok(false);
    }
    if !tables.iter().any(|table| table == "alembic_version") {
        return Err(older("none".to_owned()));
    }
    let rows = tx.rows("SELECT version_num FROM alembic_version ORDER BY version_num", params![]).await?;
    let stamps = rows.iter().map(|row| row.get("version_num")).collect::<Result<Vec<String>, _>>()?;
    match stamps.as_slice() {
        [stamp] if stamp == MLFLOW_STAMP => Ok(true),
        [] => Err(older("none".to_owned())),
        known if known.iter().all(|stamp| OLDER_STAMPS.contains(&stamp.as_str())) => Err(older(known.join(", "))),
        unknown => Err(Error::UnknownSchema { found: unknown.join(", ") }),
    }
}

async fn install(tx: &mut Transaction) -> Result<()> {
    for statement in statements(tx.dialect()) {
        tx.execute(&statement, params![]).await?;
    }
    let stamp = "INSERT INTO alembic_version (version_num) VALUES ($1)";
    tx.execute(stamp, params![MLFLOW_STAMP]).await?;
    let workspace = "INSERT INTO workspaces (name, description) VALUES ($1, $2)";
    tx.execute(workspace, params!["default", "Default workspace for legacy resources"]).await?;
    Ok(())
}

/// MLflow makes experiment 0 when there is no experiment at all.
async fn ensure_default_experiment(tx: &mut Transaction, artifact_location: &str, now: i64) -> Result<()> {
    let insert = "INSERT INTO experiments
            (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
        SELECT 0, 'Default', $1, 'active', $2, $2, 'default' WHERE NOT EXISTS (SELECT 1 FROM experiments)";
    tx.execute(insert, params![artifact_location, now]).await?;
    Ok(())
}

/// The statements that make MLflow's tables in `dialect`.
pub(crate) fn statements(dialect: Dialect) -> Vec<String> {
    let (ours, other) = match dialect {
        Dialect::Sqlite => (" -- sqlite", " -- postgres"),
        Dialect::Postgres => (" -- postgres", " -- sqlite"),
    };
    let mut statements = Vec::new();
    for file in TABLES {
        for block in file.split("\n\n") {
            let lines = block.lines().filter(|line| !line.starts_with("--") && !line.ends_with(other));
            let lines: Vec<_> = lines.map(|line| line.strip_suffix(ours).unwrap_or(line)).collect();
            let statement = lines.join("\n");
            if !statement.trim().is_empty() {
                statements.push(statement);
            }
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_mlflow_is_made_in_both_dialects() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let statements = statements(dialect);
            let tables = statements.iter().filter(|statement| statement.starts_with("CREATE TABLE")).count();
            assert_eq!(tables, 65, "{dialect:?}");
            assert!(statements.iter().all(|statement| !statement.contains("-- ")), "no marker is left");
        }
    }
}
