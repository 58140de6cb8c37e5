//! The backend against servers that answer, and against those that do not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod faults;
mod requests;
mod server;
