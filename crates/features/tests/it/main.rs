//! Both rails, from Parquet files on disk to values served, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod contract;
mod materialization;
mod parity;
mod pushes;
mod training;
mod world;
