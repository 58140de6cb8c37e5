//! What goes wrong around a release, done to the built binary on purpose: processes killed and stopped, versions that do
//! not load, rows deleted by hand, receivers that are away.
//!
//! Versions are declared servers (`http.yaml`) of the test's own, so that nothing but the program itself is needed. Clocks
//! that jump are tried in `release`, where a test can set them.

mod away;
mod batches;
mod canary;
pub(crate) mod cluster;
mod deleted;
mod full;
mod history;
mod kills;
mod receiver;
pub(crate) mod scorer;
mod stopped;
pub(crate) mod traffic;
mod two_servers;
mod undelivered;
pub(crate) mod world;

use runtime::{Clock as _, SystemClock};

/// Now, as the databases of these tests tell it: they run on the same machine.
fn now() -> i64 {
    SystemClock.now().as_micros()
}

#[expect(clippy::print_stdout, reason = "what was counted is for whoever runs the tests")]
fn report(line: &str) {
    println!("faults: {line}");
}
