//! Alerts on both databases, with a receiver that is a real server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod delivery;
mod lifecycle;
mod restarts;
mod world;
