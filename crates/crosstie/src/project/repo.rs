//! Where projects are kept: content-addressed, with one in force. SQL lives here.

use database::{Database, Migration, Transaction, params};
use types::{Digest, Timestamp};

/// The schema's history.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration { version: 1, sqlite: SCHEMA, postgres: SCHEMA }];

const SCHEMA: &str = "\
CREATE TABLE crosstie_project (
    digest TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE crosstie_project_in_force (
    singleton BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    digest TEXT NOT NULL REFERENCES crosstie_project (digest),
    since BIGINT NOT NULL
);
";

/// The digest and canonical JSON of the project in force.
pub(crate) async fn in_force(tx: &mut Transaction) -> Result<Option<(Digest, String)>, database::Error> {
    let sql = "SELECT p.digest, p.content FROM crosstie_project p \
               JOIN crosstie_project_in_force f ON f.digest = p.digest WHERE f.singleton = 1";
    match tx.row(sql, params![]).await? {
        Some(row) => Ok(Some((row.get("digest")?, row.get("content")?))),
        None => Ok(None),
    }
}

/// The canonical JSON of the project with `digest`.
pub(crate) async fn content(tx: &mut Transaction, digest: Digest) -> Result<Option<String>, database::Error> {
    let row = tx.row("SELECT content FROM crosstie_project WHERE digest = $1", params![digest.to_string()]).await?;
    row.map(|row| row.get("content")).transpose()
}

/// Stores a project and puts it in force.
pub(crate) async fn put_in_force(
    tx: &mut Transaction,
    digest: Digest,
    content: &str,
    now: Timestamp,
) -> Result<(), database::Error> {
    tx.execute(
        "INSERT INTO crosstie_project (digest, content, created_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
        params![digest.to_string(), content.to_owned(), now.as_micros()],
    )
    .await?;
    tx.execute(
        "INSERT INTO crosstie_project_in_force (singleton, digest, since) VALUES (1, $1, $2) \
         ON CONFLICT (singleton) DO UPDATE SET digest = excluded.digest, since = excluded.since",
        params![digest.to_string(), now.as_micros()],
    )
    .await?;
    Ok(())
}

/// Opens nothing; brings the tables up to date.
pub(crate) async fn migrate(database: &Database) -> Result<(), database::Error> {
    database.migrate("project", MIGRATIONS).await
}

#[cfg(test)]
mod tests {
    use super::*;

    database::testing::on_both! {
        async fn the_project_in_force_is_the_last_one_put(database: Database) {
            migrate(&database).await.unwrap();
            let (first, second) = (Digest::of("1"), Digest::of("2"));
            for digest in [first, second, first] {
                let at = Timestamp::from_micros(1);
                database.write(async move |tx| put_in_force(tx, digest, "{}", at).await).await.unwrap();
                let found = database.read(async |tx| in_force(tx).await).await.unwrap();
                assert_eq!(found, Some((digest, "{}".to_owned())));
            }
            let kept = database.read(async move |tx| content(tx, second).await).await.unwrap();
            assert_eq!(kept.as_deref(), Some("{}"));
        }
    }
}
