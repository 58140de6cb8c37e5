//! Threads on which closures run, each with a runtime of its own.
//!
//! Own threads, because closures' futures need not be `Send`, and because a transaction that has begun is then finished
//! whatever becomes of its caller and of the caller's runtime. Own runtimes, so that sockets and timers of connections
//! live as long as their lane does. A lane ends when its last handle is dropped and its work is done.

use std::{io, thread};

use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    task::{JoinSet, LocalSet},
};

use crate::{Error, Result, work::LocalFuture};

/// How much may wait for a lane before callers wait to be let in.
pub(crate) const QUEUE: usize = 1_024;

/// Something to be done on a lane.
type Job = Box<dyn FnOnce() -> LocalFuture<'static, ()> + Send>;

/// Resolves when a lane's thread ends: `Ok` when its work is done, `Err` when it died.
pub(crate) type Ended = oneshot::Receiver<()>;

/// A handle to a thread that runs jobs, many at once.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    jobs: mpsc::Sender<Job>,
}

impl Lane {
    pub(crate) fn start(name: &str) -> io::Result<(Self, Ended)> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let ended = spawn_thread(name, move || Box::pin(run_all(queue)))?;
        Ok((Self { jobs }, ended))
    }

    /// Runs `job` on the lane. Waits only until it is let in.
    pub(crate) async fn run(&self, job: impl FnOnce() -> LocalFuture<'static, ()> + Send + 'static) -> Result<()> {
        self.jobs.send(Box::new(job)).await.map_err(|_| Error::Closed)
    }
}

async fn run_all(mut queue: mpsc::Receiver<Job>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            job = queue.recv() => match job {
                Some(job) => { running.spawn_local(job()); }
                None => break,
            },
            // Forgets those that ended. Their callers have their answers; a panic shows as an answer that never came.
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Starts a thread that drives one future, made on that thread.
pub(crate) fn spawn_thread(
    name: &str,
    start: impl FnOnce() -> LocalFuture<'static, ()> + Send + 'static,
) -> io::Result<Ended> {
    let (end, ended) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        LocalSet::new().block_on(&runtime, start());
        // Nobody may be listening any more.
        let _ = end.send(());
    })?;
    Ok(ended)
}
