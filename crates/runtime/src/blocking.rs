//! Work that would hold up the runtime's threads, done elsewhere.

use std::panic;

/// Runs `work` on a thread where blocking is allowed: anything that computes for more than about 500 µs, or reads files
/// synchronously. A panic in `work` continues in the caller.
///
/// Dropping the returned future does not stop `work` once it has begun.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => panic::resume_unwind(payload),
            // Only a runtime that is shutting down cancels work before it begins; it drops this future too.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn answers_and_panics_come_back_to_the_caller() {
        assert_eq!(blocking(|| 2 + 2).await, 4);
        let outcome = panic::AssertUnwindSafe(blocking(|| panic!("out of cheese"))).catch_unwind().await;
        assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"out of cheese"));
    }
}
