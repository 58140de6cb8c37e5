//! A caller's closure on its way to a transaction and its answer on the way back.
//!
//! Closures cross to the database's threads without a future that is `Send`: the closure does, and its future is made and
//! driven there. That is what lets call sites be plain `async move |tx| { … }`.

use std::{any::Any, panic::AssertUnwindSafe, pin::Pin};

use futures::FutureExt as _;
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use crate::{Error, Result, Transaction};

/// A future that stays on its thread.
pub(crate) type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

tokio::task_local! {
    static IN_TRANSACTION: ();
}

/// Whether the calling code runs inside a closure already, and would wait for itself.
pub(crate) fn in_transaction() -> bool {
    IN_TRANSACTION.try_with(|()| ()).is_ok()
}

/// A closure with its type forgotten.
pub(crate) trait Work: Send {
    /// Runs the closure once and keeps what it answers. True if the transaction may be committed. A panic is an answer.
    fn attempt<'a>(&'a mut self, tx: &'a mut Transaction) -> LocalFuture<'a, bool>;

    /// Replaces what the closure answered.
    fn fail(&mut self, error: Error);

    /// Whether the caller has left, so that work not yet begun need not begin.
    fn is_abandoned(&self) -> bool;

    /// Hands the answer to the caller.
    fn answer(self: Box<Self>);
}

/// A closure, its last answer, and where the answer goes.
pub(crate) struct Closure<F, T, E> {
    closure: F,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    span: Span,
}

impl<F, T, E> Closure<F, T, E>
where
    F: AsyncFn(&mut Transaction) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    pub(crate) fn with_answer(closure: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self { closure, outcome: None, reply, span: Span::current() }), answer)
    }
}

impl<F, T, E> Work for Closure<F, T, E>
where
    F: AsyncFn(&mut Transaction) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn attempt<'a>(&'a mut self, tx: &'a mut Transaction) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            let run = IN_TRANSACTION.scope((), (self.closure)(&mut *tx));
            let outcome = match AssertUnwindSafe(run.instrument(self.span.clone())).catch_unwind().await {
                Ok(outcome) => outcome,
                Err(payload) => {
                    let message = panic_message(&*payload).to_owned();
                    tracing::error!(message, "a transaction panicked");
                    Err(Error::Panicked { message }.into())
                }
            };
            // A closure that swallowed a statement's failure must not believe that it committed.
            let outcome = match (outcome, tx.failure()) {
                (Ok(_), Some(failure)) => Err(failure.clone().into()),
                (outcome, _) => outcome,
            };
            let commit = outcome.is_ok();
            self.outcome = Some(outcome);
            commit
        })
    }

    fn fail(&mut self, error: Error) {
        self.outcome = Some(Err(error.into()));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(Error::Closed.into()));
        // The caller may have left; the work is done all the same.
        drop(self.reply.send(outcome));
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
