//! A Postgres schema as statements and rows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{catalog::Schema, io_error, sync};
use crate::{Error, Result, uri::without_password};

/// The statements.
const SCHEMA_FILE: &str = "schema.json";
/// Bytes of rows sent at a time.
const PIECE: usize = 256 * 1024;
/// Between two tables a file is put on disk, which may take a while.
const PATIENT: &str = "SET idle_in_transaction_session_timeout = 0";
/// Everything is read as it was when the first statement ran.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

fn failed(sql: &str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::of_statement(sql, source)
}

fn rows_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("table-{index}.copy"))
}

/// Writes schema and rows, over a connection of its own; that it is closed ends the snapshot.
pub(super) async fn back_up(server: &PgConnectOptions, to: &Path) -> Result<()> {
    let mut connection = server.connect().await.map_err(Error::of_connection)?;
    for sql in [PATIENT, SNAPSHOT] {
        sqlx::raw_sql(sql).execute(&mut connection).await.map_err(failed(sql))?;
    }
    let unknown = Schema::unknown(&mut connection).await?;
    if !unknown.is_empty() {
        let reason =
            format!("it could not hold {}: use pg_dump, or give Crosstie a schema of its own", unknown.join(", "));
        return Err(Error::Backup { path: to.to_owned(), reason });
    }
    let schema = Schema::read(&mut connection).await?;
    for (index, table) in schema.tables.iter().enumerate() {
        let path = rows_file(to, index);
        let sql = format!("COPY {} ({}) TO STDOUT", quoted(&table.name), table.columns);
        let mut rows = connection.copy_out_raw(&sql).await.map_err(failed(&sql))?;
        let mut file = tokio::fs::File::create(&path).await.map_err(io_error(&path))?;
        while let Some(piece) = rows.try_next().await.map_err(failed(&sql))? {
            file.write_all(&piece).await.map_err(io_error(&path))?;
        }
        file.flush().await.map_err(io_error(&path))?;
        drop(file);
        sync(&path)?;
    }
    let path = to.join(SCHEMA_FILE);
    let text = serde_json::to_vec_pretty(&schema).map_err(|error| io_error(&path)(error.into()))?;
    fs::write(&path, text).map_err(io_error(&path))?;
    sync(&path)
}

async fn connect(uri: &str) -> Result<PgConnection> {
    let malformed = |source: sqlx::Error| Error::Uri { uri: without_password(uri), reason: source.to_string() };
    let options: PgConnectOptions = uri.parse().map_err(malformed)?;
    options.application_name("crosstie restore").connect().await.map_err(Error::of_connection)
}

pub(super) async fn is_empty(uri: &str) -> Result<bool> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM pg_class WHERE relnamespace = CAST(quote_ident(current_schema()) AS regnamespace) AND NOT EXISTS
        (SELECT 1 FROM pg_depend e WHERE e.classid = CAST('pg_class' AS regclass) AND e.objid = pg_class.oid AND e.deptype = 'e')";
    let mut connection = connect(uri).await?;
    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.map_err(failed(sql))?;
    Ok(count == 0)
}

/// Makes schema and rows in one transaction.
pub(super) async fn restore(from: &Path, uri: &str) -> Result<()> {
    let path = from.join(SCHEMA_FILE);
    let text = fs::read(&path).map_err(io_error(&path))?;
    let schema: Schema = serde_json::from_slice(&text).map_err(|error| io_error(&path)(error.into()))?;
    let mut connection = connect(uri).await?;
    let mut tx = connection.begin().await.map_err(failed("BEGIN"))?;
    let create = schema.tables.iter().map(|table| &table.create);
    for sql in schema.sequences.iter().chain(create).chain(&schema.functions) {
        execute(&mut tx, sql).await?;
    }
    for (index, table) in schema.tables.iter().enumerate() {
        let path = rows_file(from, index);
        let sql = format!("COPY {} ({}) FROM STDIN", quoted(&table.name), table.columns);
        let mut file = tokio::fs::File::open(&path).await.map_err(io_error(&path))?;
        let mut copy = tx.copy_in_raw(&sql).await.map_err(failed(&sql))?;
        let mut piece = Vec::with_capacity(PIECE);
        while (&mut file).take(PIECE as u64).read_to_end(&mut piece).await.map_err(io_error(&path))? > 0 {
            copy.send(piece.as_slice()).await.map_err(failed(&sql))?;
            piece.clear();
        }
        copy.finish().await.map_err(failed(&sql))?;
    }
    for sql in schema.constraints.iter().chain(&schema.indexes).chain(&schema.triggers).chain(&schema.positions) {
        execute(&mut tx, sql).await?;
    }
    tx.commit().await.map_err(failed("COMMIT"))
}

async fn execute(connection: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map_err(failed(sql))?;
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
