//! The readers: threads with a connection each, which take work from one queue, so that a slow search holds up nobody
//! while another thread is free.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use runtime::CancellationToken;
use rusqlite::{Connection as Sqlite, OpenFlags};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};

use super::{BUSY, STATEMENTS, control};
use crate::{
    Error, Result, Transaction,
    lane::{Ended, QUEUE, spawn_thread},
    transaction::Connection,
    work::Work,
};

/// How many reads run at once: twice the cores of the smallest machine that this is meant for, since a read may wait for
/// the disk.
const READERS: u32 = 4;

/// What one reader keeps of the file in memory. A page of results touches some megabytes of rows and indexes.
const CACHE_KIB: i64 = 8 * 1_024;

/// How long a read may wait for a reader, as it may for a connection to Postgres. Who waits longer is told to come again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A read, and since when it waits.
type Waiting = (Instant, Box<dyn Work>);

/// A handle to the readers.
#[derive(Debug)]
pub(super) struct Readers {
    queue: mpsc::Sender<Waiting>,
    closing: CancellationToken,
    running: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> std::io::Result<(Self, Vec<Ended>)> {
        Self::start_with(path, PATIENCE)
    }

    fn start_with(path: &Path, patience: Duration) -> std::io::Result<(Self, Vec<Ended>)> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let closing = CancellationToken::new();
        let running = Arc::new(Semaphore::new(READERS as usize));
        let mut threads = Vec::new();
        for _ in 0..READERS {
            let permit = Arc::clone(&running).try_acquire_owned().map_err(std::io::Error::other)?;
            let reader = Reader {
                path: path.to_owned(),
                patience,
                waiting: Arc::clone(&waiting),
                closing: closing.clone(),
                connection: None,
                _running: permit,
            };
            threads.push(spawn_thread("sqlite-reader", move || Box::pin(reader.run()))?);
        }
        Ok((Self { queue, closing, running }, threads))
    }

    pub(super) async fn read(&self, work: Box<dyn Work>) -> Result<()> {
        if self.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        self.queue.send((Instant::now(), work)).await.map_err(|_| Error::Closed)
    }

    /// Waits until what was asked before is answered and every connection is closed.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        // Each reader holds one until its end; an error would mean that somebody closed the semaphore, which nobody does.
        drop(self.running.acquire_many(READERS).await);
    }
}

struct Reader {
    path: PathBuf,
    patience: Duration,
    waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    closing: CancellationToken,
    /// Opened for the first read, so that idle readers hold nothing.
    connection: Option<Sqlite>,
    _running: OwnedSemaphorePermit,
}

impl Reader {
    async fn run(mut self) {
        while let Some((since, mut work)) = self.next().await {
            if since.elapsed() >= self.patience {
                work.fail(busy(self.patience));
                work.answer();
            } else if !work.is_abandoned() {
                self.answer(work).await;
            }
        }
    }

    /// The next work; `None` when there will be no more.
    async fn next(&self) -> Option<Waiting> {
        let next = async { self.waiting.lock().await.recv().await };
        tokio::select! {
            biased;
            work = next => work,
            () = self.closing.cancelled() => self.waiting.lock().await.try_recv().ok(),
        }
    }

    /// Runs a closure on a snapshot of the last commit.
    async fn answer(&mut self, mut work: Box<dyn Work>) {
        if let Err(error) = self.attempt(&mut work).await {
            work.fail(error);
        }
        work.answer();
    }

    async fn attempt(&mut self, work: &mut Box<dyn Work>) -> Result<()> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open(&self.path).map_err(Error::of_connection)?,
        };
        let mut tx = Transaction::new(Connection::Sqlite(Box::new(connection)));
        control(&mut tx, "BEGIN").await?;
        work.attempt(&mut tx).await;
        // There is nothing to keep.
        control(&mut tx, "ROLLBACK").await?;
        if let Connection::Sqlite(connection) = tx.into_connection() {
            self.connection = Some(*connection);
        }
        Ok(())
    }
}

fn busy(patience: Duration) -> Error {
    let message = format!("every reader was busy for {} s", patience.as_secs());
    Error::Unavailable { source: Arc::new(std::io::Error::new(std::io::ErrorKind::TimedOut, message).into()) }
}

fn open(path: &Path) -> Result<Sqlite, rusqlite::Error> {
    // Not read-only: a reader may have to make the index of the write-ahead log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Sqlite::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::Closure;

    #[tokio::test]
    async fn who_waits_too_long_is_told_to_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let (readers, _ended) = Readers::start_with(&folder.path().join("db"), Duration::ZERO).unwrap();
        let (work, answer) = Closure::with_answer(async |_: &mut Transaction| Ok::<_, Error>(()));
        readers.read(work).await.unwrap();
        let refused = answer.await.unwrap().unwrap_err();
        assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
        assert!(refused.is_retryable());
    }
}
