//! The service as its callers know it, with stand-ins for its ports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arms;
mod plan_file;
mod reports;
mod serving;
mod shadows;
mod versions;
