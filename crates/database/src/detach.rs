//! Taking back what Crosstie put into somebody else's database: its tables and indexes, whose names all begin with
//! `crosstie_`, and on SQLite the journal mode. Everything else stays as it is.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection as Sqlite, OpenFlags};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

use crate::{
    Error, Result,
    error::Driver,
    uri::{Uri, without_password},
};

/// How long to wait for another program's transaction to end.
const BUSY: Duration = Duration::from_secs(2);

/// Everything of Crosstie's in the database, as `table NAME` or `index NAME`. Changes nothing.
///
/// # Errors
/// When the database cannot be read.
pub async fn owned(uri: &str) -> Result<Vec<String>> {
    let found = match Uri::parse(uri)? {
        Uri::Sqlite(path) => on_thread(move || sqlite_owned(&sqlite(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)).await,
        Uri::Postgres(uri) => postgres_owned(&mut postgres(&uri).await?).await,
    };
    Ok(found?.into_iter().map(|(kind, name)| format!("{kind} {name}")).collect())
}

/// Drops everything of Crosstie's, all or nothing, and answers what that was.
///
/// # Errors
/// [`Error::InUse`] when another process has the database open as Crosstie; when the database fails.
pub async fn detach(uri: &str) -> Result<Vec<String>> {
    let dropped = match Uri::parse(uri)? {
        Uri::Sqlite(path) => on_thread(move || detach_sqlite(&path)).await?,
        Uri::Postgres(uri) => detach_postgres(&uri).await?,
    };
    Ok(dropped.into_iter().map(|(kind, name)| format!("{kind} {name}")).collect())
}

/// Runs what waits for the disk or for another program where that holds up nobody.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Closed))
}

fn sqlite(path: &Path, access: OpenFlags) -> Result<Sqlite> {
    let open = || -> Result<Sqlite, rusqlite::Error> {
        let connection = Sqlite::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "foreign_keys", "OFF")?;
        Ok(connection)
    };
    open().map_err(|source| Error::Open { path: path.to_owned(), source: Arc::new(source.into()) })
}

fn sqlite_owned(connection: &Sqlite) -> Result<Vec<(String, String)>> {
    // What hangs on a table of ours goes with it, but is named all the same; tables last.
    let sql = "SELECT type, name FROM sqlite_master WHERE name LIKE 'crosstie\\_%' ESCAPE '\\' ORDER BY type, name";
    let find = || -> Result<Vec<(String, String)>, rusqlite::Error> {
        connection.prepare(sql)?.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    find().map_err(failed(sql))
}

fn detach_sqlite(path: &Path) -> Result<Vec<(String, String)>> {
    let connection = sqlite(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let in_use = || Error::InUse { what: path.display().to_string() };
    // Only who is alone can leave write-ahead logging, so this also says whether anybody else is there.
    let answer = connection.query_row("PRAGMA journal_mode = DELETE", (), |row| row.get::<_, String>(0));
    if answer.map_err(|_| in_use())? != "delete" {
        return Err(in_use());
    }
    connection.execute_batch("BEGIN EXCLUSIVE").map_err(|_| in_use())?;
    let owned = sqlite_owned(&connection)?;
    for (kind, name) in &owned {
        let sql = format!("DROP {kind} IF EXISTS {name}");
        connection.execute_batch(&sql).map_err(failed(&sql))?;
    }
    connection.execute_batch("COMMIT").map_err(failed("COMMIT"))?;
    connection.close().map_err(|(_, source)| Error::of_statement("closing the database", source))?;
    Ok(owned)
}

fn failed<E: Into<Driver>>(sql: &str) -> impl FnOnce(E) -> Error + use<E> {
    let sql = sql.to_owned();
    move |source| Error::of_statement(&sql, source)
}

async fn postgres(uri: &str) -> Result<PgConnection> {
    let malformed = |source: sqlx::Error| Error::Uri { uri: without_password(uri), reason: source.to_string() };
    let options: PgConnectOptions = uri.parse().map_err(malformed)?;
    options.application_name("crosstie database detach").connect().await.map_err(Error::of_connection)
}

async fn postgres_owned(connection: &mut PgConnection) -> Result<Vec<(String, String)>> {
    let sql = "SELECT CASE c.relkind WHEN 'r' THEN 'table' ELSE 'index' END AS kind, CAST(c.relname AS TEXT) AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'i') AND starts_with(c.relname, 'crosstie_')
          AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)
        ORDER BY kind, name";
    let rows = sqlx::query(sql).fetch_all(connection).await.map_err(|source| Error::of_statement(sql, source))?;
    rows.iter().map(|row| Ok((text(row.try_get(0))?, text(row.try_get(1))?))).collect()
}

async fn detach_postgres(uri: &str) -> Result<Vec<(String, String)>> {
    let mut connection = postgres(uri).await?;
    let mut tx = connection.begin().await.map_err(failed("BEGIN"))?;
    let owned = postgres_owned(&mut tx).await?;
    let others = "SELECT CAST(COUNT(*) AS BIGINT) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'crosstie' AND pid <> pg_backend_pid()";
    let mut busy: i64 = sqlx::query_scalar(others).fetch_one(&mut *tx).await.map_err(failed(others))?;
    if owned.iter().any(|(_, name)| name == "crosstie_lease") {
        let held = "SELECT CAST(COUNT(*) AS BIGINT) FROM crosstie_lease
            WHERE expires_at > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        busy += sqlx::query_scalar::<_, i64>(held).fetch_one(&mut *tx).await.map_err(failed(held))?;
    }
    if busy > 0 {
        return Err(Error::InUse { what: without_password(uri) });
    }
    // Those of a kind together: tables of ours refer to each other, and none of MLflow's to any of ours.
    for kind in ["index", "table"] {
        let names: Vec<&str> = owned.iter().filter(|(of, _)| of == kind).map(|(_, name)| name.as_str()).collect();
        if names.is_empty() {
            continue;
        }
        let sql = format!("DROP {kind} {}", names.join(", "));
        sqlx::query(AssertSqlSafe(sql.as_str())).execute(&mut *tx).await.map_err(failed(&sql))?;
    }
    tx.commit().await.map_err(failed("COMMIT"))?;
    Ok(owned)
}

fn text(value: Result<String, sqlx::Error>) -> Result<String> {
    value.map_err(|source| Error::of_statement("reading a name", source))
}
