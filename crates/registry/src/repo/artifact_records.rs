//! `crosstie_artifact`: size and digest of each file as it was written.

use artifacts::ArtifactPath;
use database::{Transaction, params};
use types::Digest;

use super::sql::Sql;
use crate::{
    ArtifactRecord,
    error::{Error, Result},
};

/// Upserts `records`, of which no two have the same path.
pub(crate) async fn put(tx: &mut Transaction, records: &[ArtifactRecord]) -> Result<()> {
    let row = |record: &ArtifactRecord| {
        let ArtifactRecord { path, size, digest, recorded } = record;
        params![path.as_str(), i64::try_from(*size).unwrap_or(i64::MAX), *digest, *recorded]
    };
    let head = "INSERT INTO crosstie_artifact (path, size, digest, recorded_at) VALUES";
    let tail = "ON CONFLICT (path) DO UPDATE
        SET size = excluded.size, digest = excluded.digest, recorded_at = excluded.recorded_at";
    Ok(tx.insert(head, tail, records.iter().map(row)).await?)
}

/// The record of one file.
pub(crate) async fn get(tx: &mut Transaction, path: &ArtifactPath) -> Result<Option<ArtifactRecord>> {
    let select = "SELECT path, size, digest, recorded_at FROM crosstie_artifact WHERE path = $1";
    tx.row(select, params![path.as_str()]).await?.as_ref().map(read).transpose()
}

/// The records of the file at `path` and of all below it, by path.
pub(crate) async fn below(tx: &mut Transaction, path: &ArtifactPath) -> Result<Vec<ArtifactRecord>> {
    let mut sql = Sql::new("SELECT path, size, digest, recorded_at FROM crosstie_artifact");
    within(&mut sql, path).push(" ORDER BY path");
    let (text, params) = sql.into_parts();
    tx.rows(&text, params).await?.iter().map(read).collect()
}

/// The first `limit` records whose path comes after `last`, by path.
pub(crate) async fn after(tx: &mut Transaction, last: &str, limit: i64) -> Result<Vec<ArtifactRecord>> {
    let select = "SELECT path, size, digest, recorded_at FROM crosstie_artifact WHERE path > $1 ORDER BY path LIMIT $2";
    tx.rows(select, params![last, limit]).await?.iter().map(read).collect()
}

/// Deletes the record of the file at `path` alone.
pub(crate) async fn forget_file(tx: &mut Transaction, path: &ArtifactPath) -> Result<()> {
    tx.execute("DELETE FROM crosstie_artifact WHERE path = $1", params![path.as_str()]).await?;
    Ok(())
}

/// Deletes the records of the file at `path` and of all below it.
pub(crate) async fn forget(tx: &mut Transaction, path: &ArtifactPath) -> Result<()> {
    let mut sql = Sql::new("DELETE FROM crosstie_artifact");
    within(&mut sql, path);
    let (text, params) = sql.into_parts();
    tx.execute(&text, params).await?;
    Ok(())
}

/// Appends the condition that a row is `path`'s or of something below it.
fn within<'a>(sql: &'a mut Sql, path: &ArtifactPath) -> &'a mut Sql {
    if path.is_root() {
        return sql;
    }
    // `0` follows `/`.
    sql.push(" WHERE (path = ").bind(path.as_str());
    sql.push(" OR path > ").bind(format!("{path}/")).push(" AND path < ").bind(format!("{path}0")).push(")")
}

fn read(row: &database::Row) -> Result<ArtifactRecord> {
    let path: String = row.get("path")?;
    let size: i64 = row.get("size")?;
    Ok(ArtifactRecord {
        path: ArtifactPath::parse(&path).map_err(|_| Error::Corrupt { what: "an artifact's path", value: path })?,
        size: u64::try_from(size)
            .map_err(|_| Error::Corrupt { what: "an artifact's size", value: size.to_string() })?,
        digest: row.get::<Option<Digest>>("digest")?,
        recorded: row.get("recorded_at")?,
    })
}
