//! How work runs: named supervised tasks, shutdown, clocks, backoff, and the driver of reconcilers.
//!
//! Everything that outlives a request is spawned through [`Tasks`], so that it has a name, is seen when it dies, and
//! stops within a deadline. Nothing here knows what the tasks do.

mod attempts;
mod backoff;
mod blocking;
mod clock;
mod reconcile;
mod signal;
mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tls;

pub use attempts::Attempts;
pub use backoff::Backoff;
pub use blocking::blocking;
pub use clock::{Clock, SharedClock, SystemClock};
pub use reconcile::reconcile_loop;
pub use signal::Signal;
pub use tasks::{Failure, TaskOutput, Tasks};
pub use tokio_util::sync::CancellationToken;
