//! How far each view is materialized, per definition: table `crosstie_feature_watermark`.

use std::collections::BTreeMap;

use database::{Database, Migration, Row, params};
use serde::Serialize;
use types::{Digest, Timestamp};

use crate::Error;

pub(crate) const COMPONENT: &str = "features";

const CREATE: &str = "
CREATE TABLE crosstie_feature_watermark (
    view_name TEXT NOT NULL,
    digest TEXT NOT NULL,
    watermark BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    files TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (view_name, digest)
)";

pub(crate) const MIGRATIONS: &[Migration] = &[Migration { version: 1, sqlite: CREATE, postgres: CREATE }];

/// Until when one view, under one definition, is materialized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watermark {
    /// The view.
    pub view: String,
    /// The digest of its definition.
    pub digest: Digest,
    /// Everything known until then is in the online store.
    pub at: Timestamp,
    /// How many entities the last materialization put there.
    pub rows: i64,
    /// When that was.
    pub updated_at: Timestamp,
    /// The source's files as they were read, with what changes when a file does.
    #[serde(skip)]
    pub(crate) files: BTreeMap<String, String>,
}

impl Watermark {
    fn read(row: &Row) -> Result<Self, database::Error> {
        let files: String = row.get("files")?;
        Ok(Self {
            view: row.get("view_name")?,
            digest: row.get("digest")?,
            at: row.get("watermark")?,
            rows: row.get("row_count")?,
            updated_at: row.get("updated_at")?,
            // What is not understood is as good as not known: the files are read again.
            files: serde_json::from_str(&files).unwrap_or_default(),
        })
    }
}

/// The watermarks of all views and definitions.
pub(crate) async fn watermarks(database: &Database) -> Result<Vec<Watermark>, Error> {
    database
        .read(async |tx| {
            let sql = "SELECT view_name, digest, watermark, row_count, files, updated_at
                       FROM crosstie_feature_watermark ORDER BY view_name, digest";
            tx.rows(sql, params![]).await?.iter().map(|row| Watermark::read(row).map_err(Error::from)).collect()
        })
        .await
}

/// The watermark of one view under one definition.
pub(crate) async fn watermark(database: &Database, view: &str, digest: Digest) -> Result<Option<Watermark>, Error> {
    let view = view.to_owned();
    database
        .read(async move |tx| {
            let sql = "SELECT view_name, digest, watermark, row_count, files, updated_at
                       FROM crosstie_feature_watermark WHERE view_name = $1 AND digest = $2";
            let row = tx.row(sql, params![&view, digest]).await?;
            Ok(row.as_ref().map(Watermark::read).transpose()?)
        })
        .await
}

/// Moves a watermark forward; one that is further already stays.
pub(crate) async fn advance(database: &Database, watermark: &Watermark) -> Result<(), Error> {
    let Watermark { view, digest, at, rows, updated_at, .. } = watermark.clone();
    let files = serde_json::to_string(&watermark.files).expect("a map of strings is JSON");
    database
        .write(async move |tx| {
            let sql = "INSERT INTO crosstie_feature_watermark
                           (view_name, digest, watermark, row_count, files, updated_at)
                       VALUES ($1, $2, $3, $4, $5, $6)
                       ON CONFLICT (view_name, digest) DO UPDATE SET
                           watermark = excluded.watermark, row_count = excluded.row_count,
                           files = excluded.files, updated_at = excluded.updated_at
                       WHERE excluded.watermark >= crosstie_feature_watermark.watermark";
            tx.execute(sql, params![&view, digest, at, rows, &files, updated_at]).await?;
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: i64, rows: i64) -> Watermark {
        Watermark {
            view: "user_activity".to_owned(),
            digest: Digest::of("a"),
            at: Timestamp::from_micros(at),
            rows,
            updated_at: Timestamp::from_micros(7),
            files: BTreeMap::from([("data/a.parquet".to_owned(), "1@2".to_owned())]),
        }
    }

    database::testing::on_both! {
        async fn watermarks_only_move_forward(db: Database) {
            db.migrate(COMPONENT, MIGRATIONS).await.unwrap();
            let digest = Digest::of("a");
            assert_eq!(watermark(&db, "user_activity", digest).await.unwrap(), None);
            for (at, expected) in [(5, mark(5, 1)), (3, mark(5, 1)), (5, mark(5, 3)), (8, mark(8, 4))] {
                let rows = if at == 3 { 2 } else { expected.rows };
                advance(&db, &mark(at, rows)).await.unwrap();
                assert_eq!(watermark(&db, "user_activity", digest).await.unwrap(), Some(expected));
            }
            assert_eq!(watermark(&db, "user_activity", Digest::of("b")).await.unwrap(), None);
            assert_eq!(watermarks(&db).await.unwrap(), [mark(8, 4)]);
        }
    }
}
