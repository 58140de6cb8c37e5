//! The prediction log as its users see it: what is written is there, whatever happens to the process.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod crash;
mod formats;
mod outcomes;
mod reading;
mod world;
