//! Every kind of store on what it is made for: a folder, and a real S3 server that checks signatures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod local;
mod s3;
