//! SQLite's group commit, looked at from inside: what is acknowledged is there, and only that.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use runtime::Tasks;
use tokio::sync::Notify;

use super::{counter, insert, with_counter};
use crate::{Database, Error, Result, params};

async fn open(folder: &tempfile::TempDir) -> Database {
    let uri = format!("sqlite:{}", folder.path().join("group.db").display());
    Database::connect(&uri, &Tasks::new()).await.unwrap()
}

/// Adds one to a name's value, then fails if told to. Counts how often it was run.
async fn step(db: &Database, name: &'static str, writes: bool, fails: bool, runs: &Arc<AtomicU32>) -> Result<()> {
    let runs = Arc::clone(runs);
    db.write(async move |tx| {
        runs.fetch_add(1, Ordering::SeqCst);
        if writes {
            let sql = "INSERT INTO counter (name, value) VALUES ($1, 1)
                ON CONFLICT (name) DO UPDATE SET value = counter.value + 1";
            tx.execute(sql, params![name]).await?;
        } else {
            tx.rows("SELECT value FROM counter", params![]).await?;
        }
        if fails { Err(Error::Closed) } else { Ok(()) }
    })
    .await
}

/// Runs steps in one group: the first closure keeps it open until all wait. Answers which were acknowledged, and how often each
/// was run.
async fn group(db: &Database, steps: &[(&'static str, bool, bool)]) -> Vec<(bool, u32)> {
    let all_wait = Arc::new(Notify::new());
    let gate = Arc::clone(&all_wait);
    let first = db.write(async move |_| {
        gate.notified().await;
        gate.notify_one();
        Ok::<_, Error>(())
    });
    let runs: Vec<_> = steps.iter().map(|_| Arc::new(AtomicU32::new(0))).collect();
    let all = steps.iter().zip(&runs).map(|((name, writes, fails), runs)| step(db, name, *writes, *fails, runs));
    // Polled in this order, so each has taken its place in the queue when the gate opens.
    let (first, outcomes, ()) =
        tokio::join!(biased; first, futures::future::join_all(all), async { all_wait.notify_one() });
    first.unwrap();
    let runs = runs.iter().map(|runs| runs.load(Ordering::SeqCst));
    outcomes.iter().map(Result::is_ok).zip(runs).collect()
}

#[tokio::test]
async fn who_fails_after_writing_costs_those_before_another_run_and_nobody_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    with_counter(&db).await;
    let steps = [
        ("b", true, false),
        ("reads", false, true),
        ("b", true, false),
        ("failing", true, true),
        ("b", true, false),
        ("failing", true, true),
        ("reads", false, true),
        ("b", true, false),
    ];
    let outcomes = group(&db, &steps).await;
    let (once, twice) = (1, 2);
    let before = [(true, twice), (false, twice), (true, twice)];
    let from_there_on = [(false, once), (true, once), (false, once), (false, once), (true, once)];
    assert_eq!(outcomes, [&before[..], &from_there_on[..]].concat());
    assert_eq!((counter(&db, "b").await, counter(&db, "failing").await), (Some(4), None));
}

#[tokio::test]
async fn who_fails_before_writing_costs_nobody_anything() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    with_counter(&db).await;
    let steps = [("b", true, false), ("reads", false, true), ("b", true, false)];
    assert_eq!(group(&db, &steps).await, [(true, 1), (false, 1), (true, 1)]);
    assert_eq!(counter(&db, "b").await, Some(2));
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
