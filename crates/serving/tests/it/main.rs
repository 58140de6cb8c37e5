//! The service as its callers know it, with stand-ins for its ports.

mod plan_file;
mod serving;
mod versions;
