//! The driver of reconcilers: work that compares what is with what should be, and closes the gap.
//!
//! A reconciler takes no input and is idempotent, so it may run at any time. It runs when signalled, to be quick, and on
//! a timer, because signals are only hints: one may be lost with the process that sent it, and the gap may have come
//! from somewhere that sends none.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Signal;

/// Runs `pass` at once, and again at each signal and whenever `every` has gone by since the last pass ended, until
/// `token` is cancelled. A pass that has begun is finished. Errors are the pass's own to report.
pub async fn reconcile_loop<F, Pass>(name: &str, signal: Signal, every: Duration, token: CancellationToken, mut pass: F)
where
    F: FnMut() -> Pass,
    Pass: Future<Output = ()>,
{
    while !token.is_cancelled() {
        tracing::trace!(reconciler = name, "pass begins");
        pass().await;
        tokio::select! {
            () = token.cancelled() => {}
            () = signal.wait() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
    tracing::debug!(reconciler = name, "stopped");
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;
    use crate::testing::eventually;

    #[tokio::test(start_paused = true)]
    async fn passes_run_at_once_on_signal_and_on_timer_until_cancelled() {
        let (signal, token, passes) = (Signal::new(), CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&passes);
        let hour = Duration::from_secs(3_600);
        let reconciler = tokio::spawn(reconcile_loop("test", signal.clone(), hour, token.clone(), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(())
        }));
        let reached = |wanted: u32| {
            let passes = Arc::clone(&passes);
            eventually(Duration::from_secs(7_200), move || {
                let count = passes.load(Ordering::SeqCst);
                std::future::ready(if count >= wanted { Ok(()) } else { Err(format!("{count} passes")) })
            })
        };
        let started = tokio::time::Instant::now();
        reached(1).await;
        signal.notify();
        reached(2).await;
        assert!(started.elapsed() < hour, "neither of these waited for the timer");
        reached(3).await;
        assert!(started.elapsed() >= hour);
        token.cancel();
        reconciler.await.unwrap();
    }
}
