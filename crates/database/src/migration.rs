//! Migrations: each component's tables have a version, recorded in the database beside them.
//!
//! A component's migrations are numbered 1, 2, 3, … and never changed once released. All that are missing are run in one
//! transaction with their records, so a database is at one version or at the other. On Postgres a lock keeps a second
//! process out meanwhile; on SQLite there is one writer. The newest version wins: an older program refuses the database.

use crate::{Database, Dialect, Error, Result, Transaction, params};

/// One step of a component's tables. Either text may hold many statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number, from 1.
    pub version: u32,
    /// The statements for SQLite.
    pub sqlite: &'static str,
    /// The statements for Postgres.
    pub postgres: &'static str,
}

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS crosstie_migration (
        component VARCHAR(64) NOT NULL,
        version BIGINT NOT NULL,
        applied_at BIGINT NOT NULL,
        PRIMARY KEY (component, version)
    )";

pub(crate) async fn migrate(database: &Database, component: &str, migrations: &[Migration]) -> Result<()> {
    let component = component.to_owned();
    let migrations = migrations.to_vec();
    if migrations.iter().zip(1..).any(|(migration, number)| migration.version != number) {
        return Err(Error::MigrationOrder { component });
    }
    database.run_migration(async move |tx| apply(tx, &component, &migrations).await).await
}

async fn apply(tx: &mut Transaction, component: &str, migrations: &[Migration]) -> Result<()> {
    tx.lock("crosstie_migration").await?;
    tx.batch(TABLE).await?;
    let sql = "SELECT COALESCE(MAX(version), 0) AS version FROM crosstie_migration WHERE component = $1";
    let recorded = tx.row(sql, params![component]).await?.map_or(Ok(0), |row| row.get("version"))?;
    let known = migrations.last().map_or(0, |migration| migration.version);
    if recorded > known {
        return Err(Error::NewerSchema { component: component.to_owned(), recorded, known });
    }
    for migration in migrations.iter().filter(|migration| migration.version > recorded) {
        tx.batch(match tx.dialect() {
            Dialect::Sqlite => migration.sqlite,
            Dialect::Postgres => migration.postgres,
        })
        .await?;
        let now = tx.now().await?;
        let sql = "INSERT INTO crosstie_migration (component, version, applied_at) VALUES ($1, $2, $3)";
        tx.execute(sql, params![component, migration.version, now]).await?;
        tracing::info!(component, version = migration.version, "migrated");
    }
    Ok(())
}
