//! What a closure holds: one transaction, on either database, and the statements that can be made in it.

use std::sync::Arc;

use futures::TryStreamExt as _;
use runtime::{Clock as _, SystemClock};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Sqlite, SqliteConnection, pool::PoolConnection};
use types::Timestamp;

use crate::{Dialect, Error, Parameter, Result, Row, lease, postgres, sqlite};

/// A transaction. Made by [`Database::read`](crate::Database::read) and [`Database::write`](crate::Database::write).
#[derive(Debug)]
pub struct Transaction {
    connection: Connection,
    failure: Option<Error>,
}

/// Where the transaction's statements go.
#[derive(Debug)]
pub(crate) enum Connection {
    SqliteWriter(Box<SqliteConnection>),
    SqliteReader(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

enum Driver<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Transaction {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, failure: None }
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// The first statement that failed.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Forgets the failure, once it has been rolled back.
    pub(crate) fn clear(&mut self) {
        self.failure = None;
    }

    /// Which database this is. For the few statements that the two do not share.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::SqliteWriter(_) | Connection::SqliteReader(_) => Dialect::Sqlite,
            Connection::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement and answers how many rows it changed.
    ///
    /// # Errors
    /// When the statement fails; the transaction is then over.
    pub async fn execute(&mut self, sql: &str, parameters: Vec<Parameter>) -> Result<u64> {
        self.check(sql, &parameters)?;
        let outcome = match self.driver() {
            Driver::Sqlite(connection) => {
                let done = sqlite::query(sql, parameters).execute(connection).await;
                done.map(|done| done.rows_affected()).map_err(|source| Error::of_statement(sql, source))
            }
            Driver::Postgres(connection) => {
                let done = postgres::query(sql, parameters).execute(connection);
                let done = async { done.await.map_err(|source| Error::of_statement(sql, source)) };
                postgres::statement(sql, done).await.map(|done| done.rows_affected())
            }
        };
        outcome.map_err(|error| self.doom(error))
    }

    /// Runs a statement and answers its rows. For `INSERT … RETURNING` too.
    ///
    /// # Errors
    /// When the statement fails or a value has a type that is not supported; the transaction is then over.
    pub async fn rows(&mut self, sql: &str, parameters: Vec<Parameter>) -> Result<Vec<Row>> {
        self.check(sql, &parameters)?;
        let outcome = match self.driver() {
            Driver::Sqlite(connection) => {
                let stream = sqlite::query(sql, parameters).fetch(connection);
                collect(sql, stream, sqlite::decode).await
            }
            Driver::Postgres(connection) => {
                let stream = postgres::query(sql, parameters).fetch(connection);
                postgres::statement(sql, collect(sql, stream, postgres::decode)).await
            }
        };
        outcome.map_err(|error| self.doom(error))
    }

    /// Runs a statement and answers its first row.
    ///
    /// # Errors
    /// As [`Transaction::rows`].
    pub async fn row(&mut self, sql: &str, parameters: Vec<Parameter>) -> Result<Option<Row>> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// The database's time: the server's for Postgres, this machine's for SQLite.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn now(&mut self) -> Result<Timestamp> {
        match self.dialect() {
            Dialect::Sqlite => Ok(SystemClock.now()),
            Dialect::Postgres => {
                let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now";
                let row = self.row(sql, Vec::new()).await?;
                row.map_or(Ok(Timestamp::MIN), |row| row.get("now"))
            }
        }
    }

    /// Waits until no other transaction holds `key`, and holds it until this one ends. Closures are serializable without
    /// it; it spares those retries that are certain otherwise. On SQLite there is one writer, so there is nothing to do.
    ///
    /// # Errors
    /// When the lock cannot be taken, such as by a deadlock.
    pub async fn lock(&mut self, key: &str) -> Result<()> {
        match self.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                self.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", vec![key.into()]).await?;
                Ok(())
            }
        }
    }

    /// Makes sure that the lease `name` is still held in `epoch`, until this transaction ends: decisions that are made
    /// under a lease are committed together with this check.
    ///
    /// # Errors
    /// [`Error::Fenced`] when it is not.
    pub async fn check_fence(&mut self, name: &str, epoch: i64) -> Result<()> {
        lease::check(self, name, epoch).await
    }

    /// Runs many statements without parameters.
    pub(crate) async fn batch(&mut self, sql: &str) -> Result<()> {
        let outcome = match self.driver() {
            Driver::Sqlite(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop),
            Driver::Postgres(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop),
        };
        outcome.map_err(|source| self.doom(Error::of_statement(sql, source)))
    }

    /// Runs a statement that begins or ends a transaction or savepoint, in whatever state this is.
    pub(crate) async fn control(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self.driver() {
            Driver::Sqlite(connection) => sqlx::query(sql).execute(connection).await.map(drop),
            Driver::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
    }

    fn driver(&mut self) -> Driver<'_> {
        match &mut self.connection {
            Connection::SqliteWriter(connection) => Driver::Sqlite(connection),
            Connection::SqliteReader(connection) => Driver::Sqlite(connection),
            Connection::Postgres(connection) => Driver::Postgres(connection),
        }
    }

    fn check(&mut self, sql: &str, parameters: &[Parameter]) -> Result<()> {
        if self.failure.is_some() {
            return Err(Error::Doomed);
        }
        let expected = highest_placeholder(sql);
        if expected == parameters.len() {
            return Ok(());
        }
        // SQLite would take what is missing for null.
        let error = Error::Parameters { sql: sql.to_owned(), expected, given: parameters.len() };
        Err(self.doom(error))
    }

    fn doom(&mut self, error: Error) -> Error {
        self.failure.get_or_insert_with(|| error.clone());
        error
    }
}

async fn collect<R: sqlx::Row>(
    sql: &str,
    mut stream: impl futures::Stream<Item = Result<R, sqlx::Error>> + Unpin,
    decode: impl Fn(&R) -> Result<Vec<crate::Cell>>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut columns: Option<Arc<[String]>> = None;
    while let Some(row) = stream.try_next().await.map_err(|source| Error::of_statement(sql, source))? {
        let columns = columns
            .get_or_insert_with(|| row.columns().iter().map(|column| sqlx::Column::name(column).to_owned()).collect());
        rows.push(Row::new(Arc::clone(columns), decode(&row)?));
        // Rows that are there already would be read without end before others on this thread get their turn.
        tokio::task::coop::consume_budget().await;
    }
    Ok(rows)
}

/// The highest `$N` outside of quotes.
fn highest_placeholder(sql: &str) -> usize {
    let mut highest = 0;
    let mut quoted = false;
    let mut bytes = sql.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' => quoted = !quoted,
            b'$' if !quoted => {
                let mut number = 0_usize;
                while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
                    number = number.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
                }
                highest = highest.max(number);
            }
            _ => {}
        }
    }
    highest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_outside_of_quotes() {
        assert_eq!(highest_placeholder("SELECT 1"), 0);
        assert_eq!(highest_placeholder("SELECT $2, $1, $12 WHERE a = 'costs $99'"), 12);
    }
}
