//! SQLite: one writer that commits in groups, and readers beside it.
//!
//! SQLite has one writer at a time, and a commit costs a sync of the disk. So one task owns the one connection that writes.
//! It takes whatever closures wait, runs them one after the other in one `BEGIN IMMEDIATE` transaction, each in a
//! savepoint of its own, commits once, and only then answers them. A closure that fails or panics is rolled back to its
//! savepoint and costs the others nothing. Nobody's work is acknowledged before the commit that holds it.
//!
//! Write-ahead logging with `synchronous=FULL` makes each commit durable when it returns, and lets readers read the last
//! commit meanwhile. Nothing here keeps a second process out of the file; `crosstie` does, with its lock file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, Sqlite, SqlitePool, TypeInfo as _, ValueRef as _,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Cell, Error, Parameter, ParameterType, Result, Transaction,
    lane::{Ended, Lane, QUEUE, spawn_thread},
    transaction::Connection,
    work::Work,
};

/// How many closures one commit may hold: enough that the sync costs each little, few enough that the first does not wait
/// long for the last.
const GROUP: usize = 256;

/// How many reads run at once.
const READERS: u32 = 4;

/// How long to wait for another program that holds the file, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// How long a read waits for its turn.
const READ_TURN: Duration = Duration::from_secs(30);

/// Prepared statements kept per connection: more than the house has.
const STATEMENTS: usize = 512;

/// An open SQLite database.
#[derive(Debug)]
pub(crate) struct Engine {
    writer: mpsc::Sender<Message>,
    lane: Lane,
    readers: SqlitePool,
    path: PathBuf,
}

enum Message {
    Work(Box<dyn Work>),
    Close(oneshot::Sender<()>),
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Work(_) => "Work",
            Self::Close(_) => "Close",
        })
    }
}

impl Engine {
    pub(crate) async fn open(path: &Path) -> Result<(Self, Vec<(&'static str, Ended)>)> {
        let failed = |source| Error::Open { path: path.to_owned(), source: Arc::new(source) };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        // The writer first: it makes the file and turns on write-ahead logging.
        let connection = options.clone().create_if_missing(true).connect().await.map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(READ_TURN)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        let started = |source: std::io::Error| failed(source.into());
        let (writer, queue) = mpsc::channel(QUEUE);
        let writing = spawn_thread("sqlite-writer", move || {
            Box::pin(write_groups(queue, Transaction::new(Connection::SqliteWriter(Box::new(connection)))))
        })
        .map_err(started)?;
        let (lane, reading) = Lane::start("sqlite-reader").map_err(started)?;
        Ok((
            Self { writer, lane, readers, path: path.to_owned() },
            vec![("sqlite writer", writing), ("sqlite reader", reading)],
        ))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn write(&self, work: Box<dyn Work>) -> Result<()> {
        self.writer.send(Message::Work(work)).await.map_err(|_| Error::Closed)
    }

    pub(crate) async fn read(&self, work: Box<dyn Work>) -> Result<()> {
        let readers = self.readers.clone();
        self.lane.run(move || Box::pin(read(readers, work))).await
    }

    /// Waits for what was asked before, then closes the file, which folds the write-ahead log into it.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        let (reply, closed) = oneshot::channel();
        if self.writer.send(Message::Close(reply)).await.is_ok() {
            // An error means that the writer is gone, so closed.
            drop(closed.await);
        }
    }
}

/// Runs `work` on the file as it is, changing nothing: not its journal mode, not even by recovering what another program
/// left, unless it cannot be read without.
pub(crate) async fn look(path: &Path, work: Box<dyn Work>) -> Result<()> {
    let failed = |source: std::io::Error| Error::Open { path: path.to_owned(), source: Arc::new(source.into()) };
    let (lane, _ended) = Lane::start("sqlite-look").map_err(failed)?;
    let path = path.to_owned();
    lane.run(move || Box::pin(look_and_answer(path, work))).await
}

async fn look_and_answer(path: PathBuf, mut work: Box<dyn Work>) {
    let options = SqliteConnectOptions::new().filename(&path).busy_timeout(BUSY).disable_statement_logging();
    let looked = match try_look(&options.clone().read_only(true), &mut work).await {
        // A journal that a killed program left: without it the file is not what was committed last.
        Err(_) => try_look(&options.pragma("query_only", "ON"), &mut work).await,
        Ok(()) => Ok(()),
    };
    if let Err(source) = looked {
        work.fail(Error::Open { path, source: Arc::new(source) });
    }
    work.answer();
}

async fn try_look(options: &SqliteConnectOptions, work: &mut Box<dyn Work>) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::query("SELECT COUNT(*) FROM sqlite_master").execute(&mut connection).await?;
    let mut tx = Transaction::new(Connection::SqliteWriter(Box::new(connection)));
    tx.control("BEGIN").await?;
    work.attempt(&mut tx).await;
    tx.control("ROLLBACK").await?;
    close_connection(tx.into_connection()).await;
    Ok(())
}

/// The writer: group after group, until the last handle is dropped.
async fn write_groups(mut queue: mpsc::Receiver<Message>, mut tx: Transaction) {
    let mut waiting = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut waiting, GROUP).await > 0 {
        let mut group = Vec::with_capacity(waiting.len());
        let mut close = None;
        for message in waiting.drain(..) {
            match message {
                Message::Work(work) if close.is_some() || work.is_abandoned() => drop(work),
                Message::Work(work) => group.push(work),
                Message::Close(reply) => close = Some(reply),
            }
        }
        if !group.is_empty() {
            write_group(group, &mut tx).await;
        }
        if let Some(reply) = close {
            close_connection(tx.into_connection()).await;
            let _ = reply.send(());
            return;
        }
    }
    close_connection(tx.into_connection()).await;
}

async fn close_connection(connection: Connection) {
    if let Connection::SqliteWriter(connection) = connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!(%error, "closing the database failed");
    }
}

/// Runs `group` in one transaction and answers all of it after the commit. If it cannot be committed, each closure is run
/// again in a transaction of its own, so that only the one at fault fails (by a deferred constraint, say, or by filling
/// the disk).
async fn write_group(mut group: Vec<Box<dyn Work>>, tx: &mut Transaction) {
    if let Err(error) = try_group(&mut group, tx).await {
        // Fails when SQLite has rolled back by itself, as it does when the disk is full.
        drop(tx.control("ROLLBACK").await);
        if let [only] = group.as_mut_slice() {
            only.fail(error);
        } else {
            tracing::warn!(%error, closures = group.len(), "a group could not be committed, running each alone");
            for work in group {
                Box::pin(write_group(vec![work], tx)).await;
            }
            return;
        }
    }
    for work in group {
        work.answer();
    }
}

async fn try_group(group: &mut [Box<dyn Work>], tx: &mut Transaction) -> Result<()> {
    control(tx, "BEGIN IMMEDIATE").await?;
    for work in group {
        control(tx, "SAVEPOINT closure").await?;
        tx.clear();
        if !work.attempt(tx).await {
            // When there is no savepoint any more, SQLite has rolled back everything because of what failed.
            let rolled_back = control(tx, "ROLLBACK TO closure").await;
            rolled_back.map_err(|error| tx.failure().cloned().unwrap_or(error))?;
        }
        control(tx, "RELEASE closure").await?;
    }
    control(tx, "COMMIT").await
}

async fn control(tx: &mut Transaction, sql: &'static str) -> Result<()> {
    tx.control(sql).await.map_err(|source| Error::of_statement(sql, source))
}

/// Runs a closure on a snapshot of the last commit.
async fn read(readers: SqlitePool, mut work: Box<dyn Work>) {
    if work.is_abandoned() {
        return;
    }
    if let Err(error) = try_read(&readers, &mut work).await {
        work.fail(error);
    }
    work.answer();
}

async fn try_read(readers: &SqlitePool, work: &mut Box<dyn Work>) -> Result<()> {
    let connection = readers.acquire().await.map_err(Error::of_connection)?;
    let mut tx = Transaction::new(Connection::SqliteReader(connection));
    control(&mut tx, "BEGIN").await?;
    work.attempt(&mut tx).await;
    // There is nothing to keep.
    control(&mut tx, "ROLLBACK").await
}

/// A statement with its parameters.
pub(crate) fn query(sql: &str, parameters: Vec<Parameter>) -> Query<'static, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for parameter in parameters {
        query = match parameter {
            Parameter::Null(kind) => match kind {
                ParameterType::Bool => query.bind(None::<bool>),
                ParameterType::Int => query.bind(None::<i64>),
                ParameterType::Float => query.bind(None::<f64>),
                ParameterType::Text => query.bind(None::<String>),
                ParameterType::Bytes => query.bind(None::<Vec<u8>>),
            },
            Parameter::Bool(value) => query.bind(value),
            Parameter::Int(value) => query.bind(value),
            Parameter::Float(value) => query.bind(value),
            Parameter::Text(value) => query.bind(value),
            Parameter::Bytes(value) => query.bind(value),
        };
    }
    query
}

/// The values of a row, by what SQLite stored, not by what the column was declared as.
pub(crate) fn decode(row: &SqliteRow) -> Result<Vec<Cell>> {
    (0..row.len()).map(|index| decode_cell(row, index)).collect()
}

fn decode_cell(row: &SqliteRow, index: usize) -> Result<Cell> {
    let value = row.try_get_raw(index).map_err(|source| Error::of_statement("reading a column", source))?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let stored = value.type_info().name().to_owned();
    let cell = match stored.as_str() {
        "INTEGER" => row.try_get_unchecked::<i64, _>(index).map(Cell::Int),
        "REAL" => row.try_get_unchecked::<f64, _>(index).map(Cell::Float),
        "TEXT" => row.try_get_unchecked::<String, _>(index).map(Cell::Text),
        _ => row.try_get_unchecked::<Vec<u8>, _>(index).map(Cell::Bytes),
    };
    cell.map_err(|error| Error::Column {
        column: sqlx::Column::name(row.column(index)).to_owned(),
        expected: "a value as SQLite stores it",
        found: error.to_string(),
    })
}
