//! What a closure holds: one transaction, on either database, and the statements that can be made in it.

use futures::TryStreamExt as _;
use runtime::{Clock as _, SystemClock};
use sqlx::{AssertSqlSafe, Postgres, pool::PoolConnection};
use types::Timestamp;

use crate::{Dialect, Error, Parameter, Result, Row, error::Driver, lease, postgres, sqlite};

/// Rows that one INSERT carries on Postgres, where each statement is a way to the server and back: few enough for its limit
/// on parameters, and so that statements of only a few lengths are prepared.
const ROWS_PER_INSERT: usize = 100;

/// A transaction. Made by [`Database::read`](crate::Database::read) and [`Database::write`](crate::Database::write).
#[derive(Debug)]
pub struct Transaction {
    connection: Connection,
    failure: Option<Error>,
    /// Whether a statement may have changed something. Told on SQLite only.
    wrote: bool,
}

/// Where the transaction's statements go.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(Box<rusqlite::Connection>),
    Postgres(PoolConnection<Postgres>),
}

impl Transaction {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, failure: None, wrote: false }
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// The first statement that failed.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Forgets what was before, once it has been rolled back or is another's.
    pub(crate) fn clear(&mut self) {
        self.failure = None;
        self.wrote = false;
    }

    /// Whether nothing can have changed since [`Transaction::clear`], so that there is nothing to roll back. SQLite ends a
    /// transaction by itself upon some failures: that changes everything.
    pub(crate) fn is_clean(&self) -> bool {
        match &self.connection {
            Connection::Sqlite(connection) => !self.wrote && !connection.is_autocommit(),
            Connection::Postgres(_) => false,
        }
    }

    /// Which database this is. For the few statements that the two do not share.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement and answers how many rows it changed.
    ///
    /// # Errors
    /// When the statement fails; the transaction is then over.
    pub async fn execute(&mut self, sql: &str, parameters: Vec<Parameter>) -> Result<u64> {
        self.check(sql, &parameters)?;
        let outcome = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::execute(connection, sql, &parameters, &mut self.wrote),
            Connection::Postgres(connection) => {
                let done = postgres::query(sql, parameters).execute(&mut **connection);
                let done = async { done.await.map_err(|source| Error::of_statement(sql, source)) };
                postgres::statement(sql, done).await.map(|done| done.rows_affected())
            }
        };
        outcome.map_err(|error| self.doom(error))
    }

    /// Runs `head (…) tail` for all `rows`, which are as wide as the first: `head` is `INSERT INTO t (a, b) VALUES`. No row may be
    /// met twice by an upsert.
    ///
    /// # Errors
    /// As [`Transaction::execute`].
    pub async fn insert<R: AsRef<[Parameter]>>(
        &mut self,
        head: &str,
        tail: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<()> {
        let mut rows = rows.into_iter().peekable();
        let Some(width) = rows.peek().map(|row| row.as_ref().len()) else { return Ok(()) };
        if let Connection::Sqlite(connection) = &self.connection {
            if self.failure.is_some() {
                return Err(Error::Doomed);
            }
            let sql = format!("{head} {} {tail}", places(width, 1));
            let outcome = sqlite::execute_each(connection, &sql, width, rows, &mut self.wrote);
            return outcome.map_err(|error| self.doom(error));
        }
        while rows.peek().is_some() {
            let (mut count, mut parameters) = (0, Vec::new());
            for row in rows.by_ref().take(ROWS_PER_INSERT) {
                check_count(head, width, row.as_ref()).map_err(|error| self.doom(error))?;
                parameters.extend_from_slice(row.as_ref());
                count += 1;
            }
            self.execute(&format!("{head} {} {tail}", places(width, count)), parameters).await?;
        }
        Ok(())
    }

    /// Runs a statement and answers its rows. For `INSERT … RETURNING` too.
    ///
    /// # Errors
    /// When the statement fails or a value has a type that is not supported; the transaction is then over.
    pub async fn rows(&mut self, sql: &str, parameters: Vec<Parameter>) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.visit(sql, parameters, |row| {
            rows.push(row.take());
            Ok::<_, Error>(())
        })
        .await?;
        Ok(rows)
    }

    /// Runs a statement and shows each of its rows to `visit`, for answers that are too long to be held twice. Nothing
    /// is allocated for a row without texts.
    ///
    /// # Errors
    /// As [`Transaction::rows`]. What `visit` refuses a row with ends the reading; the transaction could go on.
    pub async fn each<E: From<Error>>(
        &mut self,
        sql: &str,
        parameters: Vec<Parameter>,
        mut visit: impl FnMut(&Row) -> Result<(), E>,
    ) -> Result<(), E> {
        self.visit(sql, parameters, |row| visit(row)).await
    }

    async fn visit<E: From<Error>>(
        &mut self,
        sql: &str,
        parameters: Vec<Parameter>,
        mut visit: impl FnMut(&mut Row) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check(sql, &parameters)?;
        // Kept apart from what `visit` answers: only the database's failure dooms the transaction.
        let mut refused = None;
        let mut show = |row: &mut Row| {
            visit(row).map_err(|error| {
                refused = Some(error);
                Error::Doomed
            })
        };
        let outcome = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::each(connection, sql, &parameters, &mut self.wrote, show),
            Connection::Postgres(connection) => {
                let stream = postgres::query(sql, parameters).fetch(&mut **connection);
                postgres::statement(sql, each(sql, stream, &mut show)).await
            }
        };
        match (outcome, refused) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(error)) => Err(error),
            (Err(error), None) => Err(self.doom(error).into()),
        }
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
        let outcome = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::batch(connection, sql, &mut self.wrote),
            Connection::Postgres(connection) => {
                let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **connection).await;
                done.map(drop).map_err(|source| Error::of_statement(sql, source))
            }
        };
        outcome.map_err(|error| self.doom(error))
    }

    /// Runs a statement that begins or ends a transaction or savepoint, in whatever state this is.
    pub(crate) async fn control(&mut self, sql: &'static str) -> Result<(), Driver> {
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                Ok(connection.prepare_cached(sql).and_then(|mut statement| statement.raw_execute()).map(drop)?)
            }
            Connection::Postgres(connection) => Ok(sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop)?),
        }
    }

    fn check(&mut self, sql: &str, parameters: &[Parameter]) -> Result<()> {
        if self.failure.is_some() {
            return Err(Error::Doomed);
        }
        // SQLite would take what is missing for null.
        check_count(sql, highest_placeholder(sql), parameters).map_err(|error| self.doom(error))
    }

    fn doom(&mut self, error: Error) -> Error {
        self.failure.get_or_insert_with(|| error.clone());
        error
    }
}

/// Shows each row of an answer of Postgres.
async fn each(
    sql: &str,
    mut stream: impl futures::Stream<Item = Result<sqlx::postgres::PgRow, sqlx::Error>> + Unpin,
    show: &mut impl FnMut(&mut Row) -> Result<()>,
) -> Result<()> {
    let mut shown = None;
    while let Some(row) = stream.try_next().await.map_err(|source| Error::of_statement(sql, source))? {
        let shown = shown.get_or_insert_with(|| Row::new(postgres::columns(&row), Vec::new()));
        shown.refill(|index| postgres::decode(&row, index))?;
        show(shown)?;
        // Rows that are there already would be read without end before others on this thread get their turn.
        tokio::task::coop::consume_budget().await;
    }
    Ok(())
}

/// Whether a statement is given what it has places for.
pub(crate) fn check_count(sql: &str, expected: usize, parameters: &[Parameter]) -> Result<()> {
    let given = parameters.len();
    if expected == given { Ok(()) } else { Err(Error::Parameters { sql: sql.to_owned(), expected, given }) }
}

/// The places of an INSERT: `($1, $2), ($3, $4)`.
fn places(width: usize, rows: usize) -> String {
    let row = |row: usize| {
        let row: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", row.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
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
