//! Postgres: a pool, and transactions that are retried when they conflict.
//!
//! Writes are `SERIALIZABLE`. Closures are written once for both databases, and on SQLite they are alone; at any weaker
//! level a closure that reads and decides could lose an update on Postgres only, where nobody would look for it. The
//! price is that Postgres ends one of two transactions in conflict (40001, or 40P01 for a deadlock), and that is noted by
//! the [`Transaction`] and the closure run again. Reads are `REPEATABLE READ READ ONLY`: a snapshot, never in conflict.

use std::{io, str::FromStr as _, sync::Arc, time::Duration};

use runtime::Backoff;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgPool, Row as _, TypeInfo as _, ValueRef as _,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    query::Query,
};
use tokio::sync::Mutex;

use crate::{
    Cell, Constraint, Error, Parameter, ParameterType, Result, Transaction,
    error::{Driver, was_ended},
    lane::{Ended, Lane},
    row::Columns,
    transaction::Connection,
    uri::without_password,
    work::Work,
};

/// Connections to the server: enough to keep it busy, few beside the hundred that it allows by default.
const CONNECTIONS: u32 = 16;

/// How long to wait for a connection before the database counts as away.
const CONNECT: Duration = Duration::from_secs(3);

/// How long the server may take for `BEGIN` or `ROLLBACK`, which cost it nothing, before it counts as away: a machine that
/// is stopped or cut off still takes what is sent to it.
const PROMPT: Duration = Duration::from_secs(3);

/// How long it may take for any other statement. A caller is answered then, whatever becomes of the server.
const LONGEST: Duration = Duration::from_secs(60);

/// Prepared statements kept per connection: more than the house has.
const STATEMENTS: usize = 512;

/// How often a closure is run before a conflict is the caller's. With the waits below this takes about three seconds.
const ATTEMPTS: u32 = 20;

/// After so many of them it is run in turn: those that were in conflict that often run one at a time in this process, so
/// that many who want the same row (the next version's number) are not in each other's way until they give up.
const FREE_ATTEMPTS: u32 = 3;

/// How long it waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// Waits between attempts: a transaction takes a few milliseconds, so that is the first ceiling.
const FIRST_WAIT: Duration = Duration::from_millis(4);
const LONGEST_WAIT: Duration = Duration::from_millis(300);

/// The server ends a transaction that has done nothing for this long, so that a process that is stopped in the middle of
/// one holds no locks for long: a rollback may wait for them. A closure does SQL only, and pauses for milliseconds; one
/// that is ended is run again.
const IDLE: &str = "10s";

const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
/// For migrations, which hold a lock: each statement sees what was committed before it.
const LOCKED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A pool of connections to a Postgres database.
#[derive(Debug)]
pub(crate) struct Engine {
    lane: Lane,
    pool: PgPool,
    /// Held by the one that runs in turn.
    turn: Arc<Mutex<()>>,
    server: PgConnectOptions,
}

impl Engine {
    pub(crate) fn open(uri: &str) -> Result<(Self, Vec<(&'static str, Ended)>)> {
        let malformed = |source: sqlx::Error| Error::Uri { uri: without_password(uri), reason: source.to_string() };
        let options = PgConnectOptions::from_str(uri)
            .map_err(malformed)?
            .application_name("crosstie")
            .statement_cache_capacity(STATEMENTS)
            .options([("idle_in_transaction_session_timeout", IDLE)])
            .disable_statement_logging();
        let (lane, ended) = Lane::start("postgres").map_err(Error::of_connection)?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .max_lifetime(None)
            .idle_timeout(None)
            // A connection that died while idle is noticed by `BEGIN` and replaced.
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        Ok((Self { lane, pool, turn: Arc::default(), server: options }, vec![("postgres", ended)]))
    }

    pub(crate) async fn write(&self, work: Box<dyn Work>) -> Result<()> {
        self.run(SERIALIZABLE, work).await
    }

    pub(crate) async fn read(&self, work: Box<dyn Work>) -> Result<()> {
        self.run(SNAPSHOT, work).await
    }

    pub(crate) async fn migrate(&self, work: Box<dyn Work>) -> Result<()> {
        self.run(LOCKED, work).await
    }

    /// How to make a connection beside the pool's.
    pub(crate) fn server(&self) -> &PgConnectOptions {
        &self.server
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    async fn run(&self, begin: &'static str, work: Box<dyn Work>) -> Result<()> {
        let (pool, turn) = (self.pool.clone(), Arc::clone(&self.turn));
        self.lane.run(move || Box::pin(run(pool, turn, begin, work))).await
    }
}

/// What came of one attempt.
enum Attempt {
    /// The closure's answer stands.
    Done,
    /// Nothing was committed, since a row was in the way. Two that both looked for it in vain and then inserted it are told
    /// so instead of being told that they cannot be serialized: the one that comes again finds the row where it looks.
    InTheWay,
    /// Nothing was committed, and it is worth another attempt.
    Again(Error),
    /// Nothing was acknowledged, and another attempt would not help or could do the work twice.
    Failed(Error),
}

async fn run(pool: PgPool, turn: Arc<Mutex<()>>, begin: &'static str, mut work: Box<dyn Work>) {
    if work.is_abandoned() {
        return;
    }
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut attempts = 0;
    let mut in_turn = None;
    let mut was_in_the_way = false;
    loop {
        attempts += 1;
        match attempt(&pool, begin, &mut work).await {
            Attempt::InTheWay if !was_in_the_way => was_in_the_way = true,
            Attempt::Done | Attempt::InTheWay => break,
            Attempt::Again(error) if attempts < ATTEMPTS => {
                tracing::debug!(attempts, %error, "a transaction is run again");
                if attempts == FREE_ATTEMPTS {
                    in_turn = tokio::time::timeout(TURN, turn.lock()).await.ok();
                    backoff.reset();
                }
                tokio::time::sleep(backoff.next()).await;
            }
            Attempt::Again(error) | Attempt::Failed(error) => {
                work.fail(error);
                break;
            }
        }
    }
    drop(in_turn);
    work.answer();
}

async fn attempt(pool: &PgPool, begin: &'static str, work: &mut Box<dyn Work>) -> Attempt {
    let connection = match pool.acquire().await {
        Ok(connection) => connection,
        Err(source) => return Attempt::Failed(Error::of_connection(source)),
    };
    let mut tx = Transaction::new(Connection::Postgres(connection));
    if let Err(source) = answered(PROMPT, tx.control(begin)).await {
        discard(tx);
        return again_if_away(Error::of_statement(begin, source));
    }
    if work.attempt(&mut tx).await {
        return commit(tx).await;
    }
    let failure = tx.failure().cloned();
    // A connection that still waits for an answer is of no more use.
    if failure.as_ref().is_some_and(is_late) || answered(PROMPT, tx.control("ROLLBACK")).await.is_err() {
        discard(tx);
    }
    match failure {
        Some(error) if matches!(error, Error::Contention { .. }) => Attempt::Again(error),
        Some(error) if matches!(error, Error::Unavailable { .. }) => again_if_away(error),
        Some(Error::Constraint { constraint: Constraint::Unique, .. }) => Attempt::InTheWay,
        Some(_) | None => Attempt::Done,
    }
}

async fn commit(mut tx: Transaction) -> Attempt {
    let Err(source) = answered(LONGEST, tx.control("COMMIT")).await else { return Attempt::Done };
    let error = Error::of_statement("COMMIT", source);
    if matches!(error, Error::Contention { .. }) {
        return Attempt::Again(error);
    }
    // Whatever state the connection is in, it is not used again.
    discard(tx);
    if error.unavailable().is_some_and(|source| was_ended(&source)) {
        return Attempt::Again(error);
    }
    Attempt::Failed(match error.unavailable() {
        Some(source) => Error::CommitUnknown { source },
        None => error,
    })
}

/// A connection may have died while it was idle, and before `COMMIT` nothing is lost: a new one may do. Whether the server
/// itself is away shows when the pool asks for that new one. One that does not answer is away already.
fn again_if_away(error: Error) -> Attempt {
    let is_dead = matches!(error, Error::Unavailable { .. }) && !is_late(&error);
    if is_dead { Attempt::Again(error) } else { Attempt::Failed(error) }
}

/// What `statement` is answered, or that nothing came in time.
async fn answered<T>(within: Duration, statement: impl Future<Output = Result<T, Driver>>) -> Result<T, Driver> {
    let late = |_| {
        let late = io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {within:?}"));
        Err(sqlx::Error::Io(late).into())
    };
    tokio::time::timeout(within, statement).await.unwrap_or_else(late)
}

/// As [`answered`], for a statement in a transaction.
pub(crate) async fn statement<T>(sql: &str, statement: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = answered(LONGEST, async { Ok(statement.await) }).await;
    outcome.unwrap_or_else(|source| Err(Error::of_statement(sql, source)))
}

/// Whether nothing came in time.
fn is_late(error: &Error) -> bool {
    let source = error.unavailable();
    source.is_some_and(
        |source| matches!(&*source, Driver::Postgres(sqlx::Error::Io(io)) if io.kind() == io::ErrorKind::TimedOut),
    )
}

/// Closes the connection instead of giving it back with a transaction open.
fn discard(tx: Transaction) {
    if let Connection::Postgres(mut connection) = tx.into_connection() {
        connection.close_on_drop();
    }
}

/// A statement with its parameters. The parameters' types are part of the text, as a comment, because sqlx keeps prepared
/// statements by their text alone, and one that was prepared for an integer would take a float's bits for one.
pub(crate) fn query(sql: &str, parameters: Vec<Parameter>) -> Query<'static, sqlx::Postgres, PgArguments> {
    let mut text = String::with_capacity(sql.len() + parameters.len() + 4);
    text.push_str(sql);
    if !parameters.is_empty() {
        text.push_str("\n-- ");
        text.extend(parameters.iter().map(|parameter| match parameter.parameter_type() {
            ParameterType::Bool => 'b',
            ParameterType::Int => 'i',
            ParameterType::Float => 'f',
            ParameterType::Text => 't',
            ParameterType::Bytes => 'y',
        }));
    }
    let mut query = sqlx::query(AssertSqlSafe(text));
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

/// The names of a row's columns.
pub(crate) fn columns(row: &PgRow) -> Columns {
    row.columns().iter().map(|column| sqlx::Column::name(column).to_owned()).collect()
}

/// One value of a row.
pub(crate) fn decode(row: &PgRow, index: usize) -> Result<Cell> {
    let value = row.try_get_raw(index).map_err(|source| Error::of_statement("reading a column", source))?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let type_info = value.type_info();
    let declared = type_info.name();
    let failed = |found: String| Error::Column {
        column: sqlx::Column::name(row.column(index)).to_owned(),
        expected: "a type that SQLite has too (CAST it)",
        found,
    };
    let cell = match declared {
        "BOOL" => row.try_get_unchecked::<bool, _>(index).map(Cell::Bool),
        "INT2" | "INT4" | "INT8" => row.try_get_unchecked::<i64, _>(index).map(Cell::Int),
        "FLOAT4" => row.try_get_unchecked::<f32, _>(index).map(|value| Cell::Float(f64::from(value))),
        "FLOAT8" => row.try_get_unchecked::<f64, _>(index).map(Cell::Float),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "JSON" | "UNKNOWN" => {
            row.try_get_unchecked::<String, _>(index).map(Cell::Text)
        }
        "BYTEA" => row.try_get_unchecked::<Vec<u8>, _>(index).map(Cell::Bytes),
        _ => return Err(failed(declared.to_owned())),
    };
    cell.map_err(|error| failed(error.to_string()))
}
