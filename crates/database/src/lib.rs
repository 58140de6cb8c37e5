//! SQL by URI: the same closures, in the subset of SQL that SQLite and Postgres share, run on either.
//!
//! ```text
//! let name = name.to_owned();
//! let changed = database
//!     .write(async move |tx| {
//!         let row = tx.row("SELECT id FROM thing WHERE name = $1", params![&name]).await?;
//!         let Some(row) = row else { return Err(Error::NotFound { name: name.clone() }) };
//!         let id: i64 = row.get("id")?;
//!         Ok(tx.execute("UPDATE thing SET seen = $1 WHERE id = $2", params![true, id]).await?)
//!     })
//!     .await?;
//! ```
//!
//! **A closure is a transaction.** It is serializable on both databases: code may read, decide and write as if alone. It
//! does SQL only, because it may run more than once (Postgres retries it after a conflict) and, on SQLite, everyone else
//! waits while it runs. It runs to its end even if the caller leaves, and its answer comes after the commit is on disk.
//! It may capture by move and borrow from what it captured; the future need not be `Send`.
//!
//! **A statement that fails ends its transaction**, on both databases alike: later statements are refused and a closure
//! that answers `Ok` nevertheless gets the statement's error. To go on after a conflict, write `ON CONFLICT`.
//!
//! **SQL** has `$1, $2, …` for parameters and lower-case column names. `NULL` parameters carry their type (an
//! `Option<i64>` is a `BIGINT`). Postgres makes `NUMERIC` of sums and averages of integers: `CAST(SUM(x) AS BIGINT)`.
//! Times are `BIGINT` microseconds, truth values `BOOLEAN`, JSON is `TEXT`.
//!
//! This crate does not build SQL, map objects, or know any table but its own two: `crosstie_migration` and
//! `crosstie_lease`.

pub mod backup;
mod database;
mod detach;
mod error;
mod lane;
mod leader;
mod lease;
mod migration;
mod parameter;
mod postgres;
mod row;
mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod uri;
mod work;

pub use database::{Database, Dialect};
pub use detach::{detach, owned};
pub use error::{Constraint, Driver, Error};
pub use leader::Leader;
pub use lease::Lease;
pub use migration::Migration;
pub use parameter::{Parameter, ParameterType, Typed};
pub use row::{Cell, FromCell, Row};
pub use transaction::Transaction;
pub use uri::{file_of, sqlalchemy_uri};

/// What this crate's operations answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;
