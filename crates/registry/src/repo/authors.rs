//! Who registered a version: the principal of the token that was shown, not a tag that anyone could set.
//!
//! Recorded in the version's own transaction. A record counts only for the version that was made at the same time, so
//! that it never passes to another one of that name and number.

use database::{Transaction, params};
use serde::{Deserialize, Serialize};
use types::Principal;

use crate::{Version, error::Result};

/// The principal that registered a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The principal's name.
    pub name: String,
    /// Whether no token was shown.
    pub anonymous: bool,
}

/// Microseconds in a millisecond: versions are timed in the one, authors in the other.
const MICROS: i64 = 1_000;

pub(crate) async fn record(tx: &mut Transaction, version: &Version, by: &Principal) -> Result<()> {
    let insert = "INSERT INTO crosstie_version_author (model, version, principal, anonymous, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (model, version) DO UPDATE
        SET principal = excluded.principal, anonymous = excluded.anonymous, created_at = excluded.created_at";
    let Version { name, version, created, .. } = version;
    tx.execute(insert, params![name, version, &by.name, by.anonymous, created * MICROS]).await?;
    Ok(())
}

/// The author of a version, if it was registered here.
pub(crate) async fn of(tx: &mut Transaction, version: &Version) -> Result<Option<Author>> {
    let select = "SELECT principal, anonymous FROM crosstie_version_author
        WHERE model = $1 AND version = $2 AND created_at = $3";
    let key = params![&version.name, version.version, version.created * MICROS];
    let Some(row) = tx.row(select, key).await? else { return Ok(None) };
    Ok(Some(Author { name: row.get("principal")?, anonymous: row.get("anonymous")? }))
}

/// The records follow their model to another name.
pub(crate) async fn rename(tx: &mut Transaction, name: &str, new_name: &str) -> Result<()> {
    if name == new_name {
        return Ok(());
    }
    forget(tx, new_name).await?;
    tx.execute("UPDATE crosstie_version_author SET model = $2 WHERE model = $1", params![name, new_name]).await?;
    Ok(())
}

/// The records of a model that is deleted.
pub(crate) async fn forget(tx: &mut Transaction, name: &str) -> Result<()> {
    tx.execute("DELETE FROM crosstie_version_author WHERE model = $1", params![name]).await?;
    Ok(())
}
