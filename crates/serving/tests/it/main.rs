//! The service as its callers know it, with stand-ins for its ports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod plan_file;
mod serving;
mod versions;
