//! Releases from creation to rollback, on both databases, with ports that the tests hold in their hands.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod attention;
mod controller;
mod fleet;
mod lifecycle;
mod protocol;
mod refusals;
mod rollback;
mod rollout;
mod rollout_faults;
mod simulation;
mod world;
