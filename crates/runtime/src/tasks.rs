//! Supervised tasks: each has a name, its death is seen, and all are stopped within a deadline.
//!
//! A task that panics or returns an error has failed; a task that returns is done. What to do about a failure is for
//! whoever awaits [`Tasks::failed`], normally `main`, which drains and exits: there are no restarts here, because a task
//! that can go on after an error handles it itself.

use std::{
    any::Any,
    collections::BTreeMap,
    error, fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{sync::watch, task::AbortHandle};
use tokio_util::sync::CancellationToken;

/// The tasks of one process or test. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    token: CancellationToken,
    running: Mutex<Running>,
    count: watch::Sender<usize>,
    failure: watch::Sender<Option<Failure>>,
}

#[derive(Debug, Default)]
struct Running {
    started: u64,
    tasks: BTreeMap<u64, (String, AbortHandle)>,
}

/// The first failure of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The task's name.
    pub task: String,
    /// The error with its causes, or the panic's message.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task `{}` failed: {}", self.task, self.reason)
    }
}

/// What a supervised task may return: nothing, or a `Result` whose error is the task's failure.
pub trait TaskOutput: Send + 'static {
    /// The reason when this is a failure.
    fn failure(self) -> Option<String>;
}

impl TaskOutput for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Into<Box<dyn error::Error + Send + Sync>> + Send + 'static> TaskOutput for Result<(), E> {
    fn failure(self) -> Option<String> {
        let error = self.err()?.into();
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        Some(reason)
    }
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It should end soon after [`Tasks::shutdown_token`] is cancelled. A panic or an `Err` is logged with
    /// its name and makes [`Tasks::failed`] resolve.
    pub fn spawn<F>(&self, name: impl Into<String>, future: F)
    where
        F: Future + Send + 'static,
        F::Output: TaskOutput,
    {
        let name = name.into();
        let mut running = self.inner.running();
        running.started += 1;
        let id = running.started;
        let registration = Registration { inner: Arc::clone(&self.inner), id };
        let supervised = supervise(name.clone(), future, registration);
        let handle = tokio::spawn(supervised).abort_handle();
        running.tasks.insert(id, (name, handle));
        self.inner.count.send_replace(running.tasks.len());
    }

    /// Cancelled when the tasks should stop.
    #[must_use]
    pub fn shutdown_token(&self) -> CancellationToken {
        self.inner.token.clone()
    }

    /// Resolves with the first failure; never, if none fails. Cancel-safe.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.inner.failure.subscribe();
        match failure.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(failure)) => failure.clone(),
            // `self` holds the sender, so it cannot close.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Cancels the token, waits up to `deadline` for the tasks to end, aborts those that have not, and names them.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<String> {
        self.inner.token.cancel();
        let mut count = self.inner.count.subscribe();
        let ended = count.wait_for(|count| *count == 0);
        if tokio::time::timeout(deadline, ended).await.is_ok() {
            return Vec::new();
        }
        let running = self.inner.running();
        running
            .tasks
            .values()
            .map(|(name, handle)| {
                tracing::warn!(task = name, ?deadline, "task did not stop in time, aborting it");
                handle.abort();
                name.clone()
            })
            .collect()
    }
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the task off the list when it ends, in whatever way.
struct Registration {
    inner: Arc<Inner>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut running = self.inner.running();
        running.tasks.remove(&self.id);
        self.inner.count.send_replace(running.tasks.len());
    }
}

async fn supervise<F>(name: String, future: F, registration: Registration)
where
    F: Future + Send,
    F::Output: TaskOutput,
{
    let reason = match AssertUnwindSafe(future).catch_unwind().await {
        Ok(output) => output.failure(),
        Err(payload) => Some(format!("panicked: {}", panic_message(&*payload))),
    };
    let Some(reason) = reason else {
        tracing::debug!(task = name, "task ended");
        return;
    };
    tracing::error!(task = name, reason, "task failed");
    registration.inner.failure.send_if_modified(|failure| {
        let first = failure.is_none();
        if first {
            *failure = Some(Failure { task: name, reason });
        }
        first
    });
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn lose_count() {
        panic!("lost {}", "count");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_and_an_error_are_failures_by_name_and_the_first_one_counts() {
        let tasks = Tasks::new();
        tasks.spawn("quiet", async {});
        tasks.spawn("loud", async { lose_count() });
        let failure = tasks.failed().await;
        assert_eq!(failure.to_string(), "task `loud` failed: panicked: lost count");
        tasks.spawn("late", async { Err("too late to be first") });
        assert!(tasks.shutdown(Duration::from_secs(1)).await.is_empty());
        assert_eq!(tasks.failed().await, failure);
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_waits_for_those_who_heed_the_token_and_names_the_others() {
        let tasks = Tasks::new();
        let token = tasks.shutdown_token();
        tasks.spawn("heeds", async move { token.cancelled().await });
        tasks.spawn("stubborn", std::future::pending::<()>());
        assert_eq!(tasks.shutdown(Duration::from_secs(10)).await, ["stubborn"]);
        assert!(tasks.shutdown(Duration::from_secs(10)).await.is_empty(), "it was aborted");
        assert!(tasks.failed().now_or_never().is_none(), "being aborted is no failure");
    }
}
