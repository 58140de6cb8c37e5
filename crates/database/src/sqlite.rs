//! SQLite: one writer that commits in groups, and readers beside it.
//!
//! SQLite has one writer at a time, and a commit costs a sync of the disk. So one thread owns the one connection that
//! writes. It takes whatever closures wait, runs them one after the other in one `BEGIN IMMEDIATE` transaction, commits once,
//! and only then answers them. A closure that fails or panics takes nobody with it: if it had changed nothing, there is nothing
//! to do; otherwise the transaction is rolled back and begun again with those before it, and from there on each closure has a
//! savepoint. (From the start, savepoints would cost a tenth of the time: each keeps a copy of every page that it changes.)
//! Nobody's work is acknowledged before the commit that holds it.
//!
//! Write-ahead logging with `synchronous=FULL` makes each commit durable when it returns, and lets readers read the last
//! commit meanwhile. Nothing here keeps a second process out of the file; `crosstie` does, with its lock file.
//!
//! Statements are called where the closure runs, on the thread that owns the connection: between two of them no other
//! thread is woken. That is why this is not the driver that Postgres has
//! ([ADR 16](../../../docs/adr/0016-sqlite-without-a-driver-thread.md)).

mod look;
mod reader;
mod statement;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use rusqlite::{Connection as Sqlite, OpenFlags};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    Error, Result, Transaction,
    error::Driver,
    lane::{Ended, QUEUE, spawn_thread},
    transaction::Connection,
    work::Work,
};
use reader::Readers;

pub(crate) use look::look;
pub(crate) use statement::{batch, each, execute, execute_each};

/// How many closures one commit may hold: enough that the sync costs each little, few enough that the first does not wait
/// long for the last.
const GROUP: usize = 256;

/// How long to wait for another program that holds the file, such as a backup.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// Pages of the write-ahead log after which a commit also folds it into the file: 32 MiB. Batches change a few hundred pages
/// each; with SQLite's own thousand pages every few of them would wait for that.
const LOG_PAGES: i64 = 8_000;

/// What the writer keeps of the file in memory: the inner pages of the indexes into which every row goes.
const CACHE_KIB: i64 = 32 * 1_024;

/// Prepared statements kept per connection: more than the house has.
const STATEMENTS: usize = 512;

/// An open SQLite database.
#[derive(Debug)]
pub(crate) struct Engine {
    writer: mpsc::Sender<Message>,
    readers: Readers,
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
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<(&'static str, Ended)>)> {
        let failed = |source: Driver| Error::Open { path: path.to_owned(), source: Arc::new(source) };
        // The writer first: it makes the file and turns on write-ahead logging.
        let connection = open_writer(path).map_err(|error| failed(error.into()))?;
        let (writer, queue) = mpsc::channel(QUEUE);
        let writing = spawn_thread("sqlite-writer", move || {
            Box::pin(write_groups(queue, Transaction::new(Connection::Sqlite(Box::new(connection)))))
        })
        .map_err(|error| failed(error.into()))?;
        let (readers, reading) = Readers::start(path).map_err(|error| failed(error.into()))?;
        let mut threads = vec![("sqlite writer", writing)];
        threads.extend(reading.into_iter().map(|ended| ("sqlite reader", ended)));
        Ok((Self { writer, readers, path: path.to_owned() }, threads))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn write(&self, work: Box<dyn Work>) -> Result<()> {
        self.writer.send(Message::Work(work)).await.map_err(|_| Error::Closed)
    }

    pub(crate) async fn read(&self, work: Box<dyn Work>) -> Result<()> {
        self.readers.read(work).await
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

fn open_writer(path: &Path) -> Result<Sqlite, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Sqlite::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The writer: group after group, until the last handle is dropped.
async fn write_groups(mut queue: mpsc::Receiver<Message>, mut tx: Transaction) {
    let mut pace = Pace::default();
    let mut close = None;
    while close.is_none() {
        let Some(work) = next(&mut queue, &mut close).await else { break };
        write_group(work, &mut queue, &mut close, &mut pace, &mut tx).await;
    }
    close_connection(tx.into_connection());
    if let Some(reply) = close {
        let _: Result<(), ()> = reply.send(());
    }
}

/// The next work that somebody still waits for; `None` when there will be no more.
async fn next(queue: &mut mpsc::Receiver<Message>, close: &mut Option<oneshot::Sender<()>>) -> Option<Box<dyn Work>> {
    while let Some(message) = queue.recv().await {
        match message {
            Message::Work(work) if work.is_abandoned() => drop(work),
            Message::Work(work) => return Some(work),
            Message::Close(reply) => {
                *close = Some(reply);
                return None;
            }
        }
    }
    None
}

fn close_connection(connection: Connection) {
    if let Connection::Sqlite(connection) = connection
        && let Err((_, error)) = connection.close()
    {
        tracing::warn!(%error, "closing the database failed");
    }
}

/// How closures come, as the last group showed.
#[derive(Debug, Default)]
struct Pace {
    /// How many closures it had.
    group: usize,
    /// How long its commit took.
    commit: Duration,
}

impl Pace {
    /// Clients that were answered together send their next calls one after the other, within this; a commit that takes as
    /// long is worth waiting for each of them.
    const GATHERING: Duration = Duration::from_millis(1);
    /// Longest rest for the sake of those who are on their way, when a commit takes less than that. Timers have milliseconds
    /// only.
    const REST: Duration = Duration::from_micros(200);

    /// The next closure if one is there, or will be before another commit could be made.
    async fn next(
        &self,
        done: usize,
        rested: &mut bool,
        queue: &mut mpsc::Receiver<Message>,
        close: &mut Option<oneshot::Sender<()>>,
    ) -> Option<Box<dyn Work>> {
        let awaited = done < self.group;
        if awaited && self.commit >= Self::GATHERING {
            return tokio::time::timeout(Self::GATHERING, next(queue, close)).await.ok().flatten();
        }
        let more = next(queue, close).now_or_never().flatten();
        if more.is_some() || !awaited || *rested || close.is_some() {
            return more;
        }
        *rested = true;
        rest(Self::REST.min(self.commit / 2));
        next(queue, close).now_or_never().flatten()
    }
}

#[expect(clippy::disallowed_methods, reason = "the writer's thread has nothing else to do, and timers are coarser")]
fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Runs `first` and whatever waits or comes meanwhile in one transaction, and answers all of it after the commit. If it
/// cannot be committed, each closure is run again in a transaction of its own, so that only the one at fault fails (by a
/// deferred constraint, say, or by filling the disk).
async fn write_group(
    first: Box<dyn Work>,
    queue: &mut mpsc::Receiver<Message>,
    close: &mut Option<oneshot::Sender<()>>,
    pace: &mut Pace,
    tx: &mut Transaction,
) {
    let mut group = vec![first];
    match gather(&mut group, queue, close, pace, tx).await {
        Ok(()) => answer(group),
        Err(error) => {
            roll_back(tx).await;
            if group.len() > 1 {
                tracing::warn!(%error, closures = group.len(), "a group could not be committed, running each alone");
            }
            let again = group.len() > 1;
            for mut work in group {
                if !again {
                    work.fail(error.clone());
                } else if let Err(error) = alone(&mut work, tx).await {
                    roll_back(tx).await;
                    work.fail(error);
                }
                work.answer();
            }
        }
    }
}

fn answer(group: Vec<Box<dyn Work>>) {
    for work in group {
        work.answer();
    }
}

/// Fails when SQLite has rolled back by itself, as it does when the disk is full.
async fn roll_back(tx: &mut Transaction) {
    drop(tx.control("ROLLBACK").await);
}

/// Runs the group's first closure, adds to the group and runs what comes until nothing does, and commits.
async fn gather(
    group: &mut Vec<Box<dyn Work>>,
    queue: &mut mpsc::Receiver<Message>,
    close: &mut Option<oneshot::Sender<()>>,
    pace: &mut Pace,
    tx: &mut Transaction,
) -> Result<()> {
    control(tx, "BEGIN IMMEDIATE").await?;
    let (mut done, mut rested, mut guarded) = (0, false, false);
    while let Some(work) = group.get_mut(done) {
        if guarded {
            attempt(work, tx).await?;
        } else {
            tx.clear();
            let failed = !work.attempt(tx).await;
            if failed && !tx.is_clean() {
                begin_again(&mut group[..done], tx).await?;
                guarded = true;
            }
        }
        done += 1;
        if done == GROUP || close.is_some() {
            break;
        }
        group.extend(pace.next(done, &mut rested, queue, close).await);
    }
    let began = Instant::now();
    control(tx, "COMMIT").await?;
    *pace = Pace { group: done, commit: began.elapsed() };
    Ok(())
}

/// Rolls back, and runs those whose work is lost by that in another transaction.
async fn begin_again(lost: &mut [Box<dyn Work>], tx: &mut Transaction) -> Result<()> {
    roll_back(tx).await;
    control(tx, "BEGIN IMMEDIATE").await?;
    for work in lost {
        attempt(work, tx).await?;
    }
    Ok(())
}

/// Runs one closure in a transaction of its own.
async fn alone(work: &mut Box<dyn Work>, tx: &mut Transaction) -> Result<()> {
    control(tx, "BEGIN IMMEDIATE").await?;
    attempt(work, tx).await?;
    control(tx, "COMMIT").await
}

/// Runs one closure in a savepoint of its own. An error is the whole transaction's.
async fn attempt(work: &mut Box<dyn Work>, tx: &mut Transaction) -> Result<()> {
    control(tx, "SAVEPOINT closure").await?;
    tx.clear();
    if !work.attempt(tx).await {
        // When there is no savepoint any more, SQLite has rolled back everything because of what failed.
        let rolled_back = control(tx, "ROLLBACK TO closure").await;
        rolled_back.map_err(|error| tx.failure().cloned().unwrap_or(error))?;
    }
    control(tx, "RELEASE closure").await
}

async fn control(tx: &mut Transaction, sql: &'static str) -> Result<()> {
    tx.control(sql).await.map_err(|source| Error::of_statement(sql, source))
}
