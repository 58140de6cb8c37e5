//! For tests of this crate and of those above it: what every store must do, and a real S3 server to do it on.

mod conformance;
mod s3_server;

pub use conformance::conformance;
pub use s3_server::S3Server;
