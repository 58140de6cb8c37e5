//! What only Postgres does: conflicts, and going away.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use runtime::Tasks;
use tokio::sync::Barrier;
use types::ErrorKind;

use super::{counter, insert, with_counter};
use crate::{Database, Error, params, testing::PostgresDatabase};

async fn connect(database: &PostgresDatabase) -> Database {
    Database::connect(&database.uri(), &Tasks::new()).await.unwrap()
}

#[tokio::test]
async fn a_conflict_is_noted_and_the_closure_run_again_whatever_error_it_makes_of_it() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let db = connect(&database).await;
    with_counter(&db).await;
    insert(&db, "b").await.unwrap();
    let (attempts, both_have_read) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(2)));
    // Each counts the other's row and writes its own: a write skew, which no order of the two allows.
    let skew = |own: &'static str, other: &'static str| {
        let (db, attempts, both_have_read) = (db.clone(), Arc::clone(&attempts), Arc::clone(&both_have_read));
        async move {
            db.write(async move |tx| {
                let first = attempts.fetch_add(1, Ordering::SeqCst) < 2;
                let sql = "SELECT value FROM counter WHERE name = $1";
                let value: i64 = tx.row(sql, params![other]).await?.unwrap().get("value")?;
                if first {
                    both_have_read.wait().await;
                }
                let sql = "UPDATE counter SET value = $1 WHERE name = $2";
                // The caller's own error tells nothing of the conflict.
                tx.execute(sql, params![value + 10, own]).await.map_err(|_| Error::Closed)
            })
            .await
        }
    };
    let (a, b) = tokio::join!(skew("a", "b"), skew("b", "a"));
    assert_eq!((a.unwrap(), b.unwrap()), (1, 1));
    assert_eq!(attempts.load(Ordering::SeqCst), 3, "one of the two was run again");
    // In either order the later one adds ten to what the earlier one wrote.
    let values = (counter(&db, "a").await.unwrap(), counter(&db, "b").await.unwrap());
    assert!(values == (11, 21) || values == (20, 10), "{values:?}");
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn who_looked_in_vain_for_a_row_that_another_inserts_meanwhile_looks_again() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let db = connect(&database).await;
    with_counter(&db).await;
    let (attempts, both_have_looked) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(2)));
    let make = |value: i64| {
        let (db, attempts, both_have_looked) = (db.clone(), Arc::clone(&attempts), Arc::clone(&both_have_looked));
        async move {
            db.write(async move |tx| {
                let first = attempts.fetch_add(1, Ordering::SeqCst) < 2;
                let found = tx.row("SELECT value FROM counter WHERE name = $1", params!["c"]).await?;
                if first {
                    both_have_looked.wait().await;
                }
                match found {
                    Some(row) => row.get("value"),
                    None => {
                        tx.execute("INSERT INTO counter (name, value) VALUES ($1, $2)", params!["c", value]).await?;
                        Ok(value)
                    }
                }
            })
            .await
        }
    };
    let (a, b) = tokio::join!(make(1), make(2));
    assert_eq!(a.unwrap(), b.unwrap(), "both are told the value of the one that was first");
    assert_eq!(attempts.load(Ordering::SeqCst), 3, "one of the two was run again");
    assert!(insert(&db, "c").await.is_err(), "who does not look is told what was in the way");
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn connections_that_died_while_idle_are_replaced() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let db = connect(&database).await;
    with_counter(&db).await;
    let other = connect(&database).await;
    other
        .write(async |tx| {
            let sql = "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            tx.rows(sql, params![]).await
        })
        .await
        .unwrap();
    assert_eq!(insert(&db, "after").await.unwrap(), 1);
    assert_eq!(counter(&db, "after").await, Some(1));
    database.remove().await;
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    // Port 9 is discard, where no Postgres listens.
    let error = Database::connect("postgres://postgres@127.0.0.1:9/postgres", &Tasks::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_says_so() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let uri = database.uri();
    database.remove().await;
    let error = Database::connect(&uri, &Tasks::new()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "there is no such database: {error:?}");
    let error = Database::connect("postgres://anna:secret@host:port/db", &Tasks::new()).await.unwrap_err();
    assert!(matches!(error, Error::Uri { .. }) && !error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn what_a_column_cannot_hold_is_the_callers_mistake() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let db = connect(&database).await;
    with_counter(&db).await;
    for (name, value) in [("nul\0", 1), ("longer than twenty characters", 1), ("large", i64::MAX)] {
        let outcome = db.write(async move |tx| {
            tx.execute("INSERT INTO counter (name, value) VALUES ($1, $2)", params![name, value]).await
        });
        assert_eq!(outcome.await.unwrap_err().kind(), ErrorKind::InvalidArgument, "{name:?}");
    }
    drop(db);
    database.remove().await;
}
