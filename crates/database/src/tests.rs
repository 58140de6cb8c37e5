//! What holds on both databases, and what each does in its own way.

mod durability;
mod groups;
mod leases;
mod migrations;
mod postgres_only;
mod rows;
mod values;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use runtime::testing::eventually;
use tokio::sync::Notify;

use crate::{Database, Error, Result, params, testing::on_both};

const COUNTER: &str = "CREATE TABLE counter (name VARCHAR(20) NOT NULL PRIMARY KEY, value INTEGER NOT NULL)";

/// A deadline that only a defect reaches.
const LONG: std::time::Duration = std::time::Duration::from_secs(30);

async fn with_counter(db: &Database) {
    db.write(async |tx| {
        tx.execute(COUNTER, params![]).await?;
        tx.execute("INSERT INTO counter (name, value) VALUES ($1, $2)", params!["a", 0]).await
    })
    .await
    .unwrap();
}

async fn counter(db: &Database, name: &str) -> Option<i64> {
    let name = name.to_owned();
    db.read(async move |tx| {
        let row = tx.row("SELECT value FROM counter WHERE name = $1", params![&name]).await?;
        row.map(|row| row.get("value")).transpose()
    })
    .await
    .unwrap()
}

async fn insert(db: &Database, name: &str) -> Result<u64> {
    let name = name.to_owned();
    db.write(async move |tx| tx.execute("INSERT INTO counter (name, value) VALUES ($1, $2)", params![&name, 1]).await)
        .await
}

on_both! {
    async fn concurrent_writers_lose_no_update(db: Database) {
        const WRITERS: i64 = 8;
        const UPDATES: i64 = 20;
        with_counter(&db).await;
        let writers = (0..WRITERS).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..UPDATES {
                    db.write(async |tx| {
                        // Read and write apart: at a weaker isolation this loses updates.
                        let row = tx.row("SELECT value FROM counter WHERE name = 'a'", params![]).await?;
                        let value: i64 = row.unwrap().get("value")?;
                        tx.execute("UPDATE counter SET value = $1 WHERE name = 'a'", params![value + 1]).await
                    })
                    .await
                    .unwrap();
                }
            })
        });
        for writer in futures::future::join_all(writers).await {
            writer.unwrap();
        }
        assert_eq!(counter(&db, "a").await, Some(WRITERS * UPDATES));
    }

    async fn a_closure_that_fails_or_panics_is_rolled_back_alone(db: Database) {
        with_counter(&db).await;
        let failing = db.write(async |tx| {
            tx.execute("INSERT INTO counter (name, value) VALUES ('failing', 1)", params![]).await?;
            Err::<(), _>(Error::Closed)
        });
        let panicking = db.write(async |tx| {
            tx.execute("INSERT INTO counter (name, value) VALUES ('panicking', 1)", params![]).await?;
            if tx.failure().is_none() {
                panic!("in the middle");
            }
            Ok::<_, Error>(())
        });
        let (before, failing, panicking, after) =
            tokio::join!(insert(&db, "before"), failing, panicking, insert(&db, "after"));
        assert!(matches!(failing, Err(Error::Closed)));
        assert!(matches!(panicking, Err(Error::Panicked { message }) if message == "in the middle"));
        assert_eq!((before.unwrap(), after.unwrap()), (1, 1));
        for (name, value) in [("before", Some(1)), ("failing", None), ("panicking", None), ("after", Some(1))] {
            assert_eq!(counter(&db, name).await, value, "{name}");
        }
    }

    async fn a_statement_that_fails_ends_its_transaction_even_if_the_closure_goes_on(db: Database) {
        with_counter(&db).await;
        let outcome: Result<()> = db
            .write(async |tx| {
                tx.execute("INSERT INTO counter (name, value) VALUES ('b', 1)", params![]).await?;
                let again = tx.execute("INSERT INTO counter (name, value) VALUES ('a', 1)", params![]).await;
                assert!(again.unwrap_err().is_unique_violation());
                let later = tx.execute("UPDATE counter SET value = 5", params![]).await;
                assert!(matches!(later, Err(Error::Doomed)));
                Ok(())
            })
            .await;
        assert!(outcome.unwrap_err().is_unique_violation(), "the closure said Ok, but was rolled back");
        assert_eq!((counter(&db, "a").await, counter(&db, "b").await), (Some(0), None));
    }

    async fn a_closure_that_has_begun_outlives_its_caller(db: Database) {
        with_counter(&db).await;
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let caller = tokio::spawn({
            let (db, begun, go_on) = (db.clone(), Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                db.write(async move |tx| {
                    begun.notify_one();
                    go_on.notified().await;
                    tx.execute("UPDATE counter SET value = 7", params![]).await
                })
                .await
            }
        });
        begun.notified().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        go_on.notify_one();
        eventually(LONG, async || match counter(&db, "a").await {
            Some(7) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    async fn a_transaction_inside_another_is_refused_instead_of_waiting_for_itself(db: Database) {
        let inner = db.clone();
        let outcome = db.write(async move |_| inner.read(async |_| Ok::<_, Error>(())).await).await;
        assert!(matches!(outcome, Err(Error::Nested)));
        let inner = db.clone();
        let outcome = db.read(async move |_| inner.migrate("nested", &[]).await).await;
        assert!(matches!(outcome, Err(Error::Nested)));
    }

    async fn a_read_cannot_write_and_sees_one_snapshot(db: Database) {
        with_counter(&db).await;
        let outcome = db.read(async |tx| tx.execute("UPDATE counter SET value = 9", params![]).await).await;
        assert!(matches!(outcome, Err(Error::Statement { .. })), "{outcome:?}");
        let writer = db.clone();
        let (read, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let reading = tokio::spawn({
            let (db, read, go_on) = (db.clone(), Arc::clone(&read), Arc::clone(&go_on));
            async move {
                db.read(async move |tx| {
                    let sql = "SELECT value FROM counter WHERE name = 'a'";
                    let before: i64 = tx.row(sql, params![]).await?.unwrap().get("value")?;
                    read.notify_one();
                    go_on.notified().await;
                    let after: i64 = tx.row(sql, params![]).await?.unwrap().get("value")?;
                    Ok::<_, Error>((before, after))
                })
                .await
            }
        });
        read.notified().await;
        writer.write(async |tx| tx.execute("UPDATE counter SET value = 1", params![]).await).await.unwrap();
        go_on.notify_one();
        assert_eq!(reading.await.unwrap().unwrap(), (0, 0));
        assert_eq!(counter(&db, "a").await, Some(1));
    }

    async fn after_close_everything_is_refused_and_nothing_is_lost(db: Database) {
        with_counter(&db).await;
        let done = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&done);
        let writing = db.write(async move |tx| {
            counted.fetch_add(1, Ordering::SeqCst);
            tx.execute("UPDATE counter SET value = 3", params![]).await
        });
        assert_eq!(writing.await.unwrap(), 1);
        db.close().await;
        assert!(matches!(insert(&db, "late").await, Err(Error::Closed)));
        assert!(matches!(db.read(async |_| Ok::<_, Error>(())).await, Err(Error::Closed)));
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }
}
