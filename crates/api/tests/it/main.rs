//! The servers, spoken to over sockets by the clients that people use.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod elsewhere;
mod escapes;
mod fuzz;
mod graphql;
mod mlflow;
mod s3;
mod web_client;
