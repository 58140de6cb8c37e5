//! SQLite's group commit, looked at from inside: what is acknowledged is there, and only that.

use runtime::Tasks;

use super::{counter, insert, with_counter};
use crate::{Database, Error, Result, params};

async fn open(folder: &tempfile::TempDir) -> Database {
    let uri = format!("sqlite:{}", folder.path().join("group.db").display());
    Database::connect(&uri, &Tasks::new()).await.unwrap()
}

#[tokio::test]
async fn a_closure_that_spoils_the_commit_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    with_counter(&db).await;
    let table = "CREATE TABLE late (name VARCHAR(20) REFERENCES counter (name) DEFERRABLE INITIALLY DEFERRED)";
    db.write(async |tx| tx.execute(table, params![]).await).await.unwrap();
    // Checked only by `COMMIT`, which then fails for all in the group.
    let spoiler = db.write(async |tx| tx.execute("INSERT INTO late (name) VALUES ('nobody')", params![]).await);
    let (before, spoiler, after) = tokio::join!(insert(&db, "before"), spoiler, insert(&db, "after"));
    assert!(matches!(spoiler, Err(Error::Constraint { .. })), "{spoiler:?}");
    assert_eq!((before.unwrap(), after.unwrap()), (1, 1));
    assert_eq!((counter(&db, "before").await, counter(&db, "after").await), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_full_disk_fails_those_who_do_not_fit_and_leaves_the_writer_alive() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    with_counter(&db).await;
    db.write(async |tx| {
        tx.execute("CREATE TABLE big (content BYTEA)", params![]).await?;
        // A limit a little above what is used stands in for a disk that is full.
        let pages: i64 = tx.row("PRAGMA page_count", params![]).await?.unwrap().get("page_count")?;
        tx.rows(&format!("PRAGMA max_page_count = {}", pages + 4), params![]).await
    })
    .await
    .unwrap();
    let big = db.write(async |tx| tx.execute("INSERT INTO big VALUES ($1)", params![vec![7; 1 << 20]]).await);
    let (before, big, after) = tokio::join!(insert(&db, "before"), big, insert(&db, "after"));
    assert!(matches!(big, Err(Error::Full { .. })), "{big:?}");
    for (name, outcome) in [("before", before), ("after", after)] {
        assert_eq!(outcome.is_ok(), counter(&db, name).await.is_some(), "{name} is there if it was acknowledged");
    }
    let lifted: Result<_> = db.write(async |tx| tx.rows("PRAGMA max_page_count = 1000000", params![]).await).await;
    lifted.unwrap();
    assert_eq!(insert(&db, "later").await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_no_database_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.db");
    std::fs::write(&path, "this is not a database, but long enough to have a header").unwrap();
    for path in [path, folder.path().join("missing").join("a.db")] {
        let error = Database::connect(&format!("sqlite:{}", path.display()), &Tasks::new()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot open the database {}", path.display()));
    }
}
