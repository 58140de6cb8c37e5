//! Migrations: once each, together with their record, by whoever comes first.

use crate::{Database, Error, Migration, params, testing::on_both};

const FIRST: Migration = Migration {
    version: 1,
    sqlite: "CREATE TABLE thing (id INTEGER PRIMARY KEY); INSERT INTO thing (id) VALUES (1); INSERT INTO thing (id) VALUES (2)",
    postgres: "CREATE TABLE thing (id BIGSERIAL PRIMARY KEY); INSERT INTO thing (id) VALUES (1), (2)",
};
const SECOND: Migration = Migration {
    version: 2,
    sqlite: "INSERT INTO thing (id) VALUES (3)",
    postgres: "INSERT INTO thing (id) VALUES (3)",
};
const BROKEN: Migration = Migration {
    version: 3,
    sqlite: "INSERT INTO thing (id) VALUES (4); INSERT INTO nowhere (id) VALUES (1)",
    postgres: "INSERT INTO thing (id) VALUES (4); INSERT INTO nowhere (id) VALUES (1)",
};

async fn things(db: &Database) -> i64 {
    db.read(async |tx| tx.row("SELECT COUNT(*) AS n FROM thing", params![]).await?.unwrap().get("n")).await.unwrap()
}

on_both! {
    async fn migrators_at_once_migrate_once(db: Database) {
        let migrators = (0..4).map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.migrate("things", &[FIRST, SECOND]).await })
        });
        for outcome in futures::future::join_all(migrators).await {
            outcome.unwrap().unwrap();
        }
        assert_eq!(things(&db).await, 3);
    }

    async fn only_what_is_missing_is_run_and_a_failure_changes_nothing(db: Database) {
        db.migrate("things", &[FIRST]).await.unwrap();
        db.migrate("things", &[FIRST, SECOND]).await.unwrap();
        assert_eq!(things(&db).await, 3);
        assert!(db.migrate("things", &[FIRST, SECOND, BROKEN]).await.is_err());
        assert_eq!(things(&db).await, 3);
        db.migrate("things", &[FIRST, SECOND]).await.expect("the broken one was not recorded");
    }

    async fn a_database_of_a_newer_version_is_refused(db: Database) {
        db.migrate("things", &[FIRST, SECOND]).await.unwrap();
        let error = db.migrate("things", &[FIRST]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tables of `things` have version 2, this program knows 1: use a newer crosstie"
        );
    }

    async fn migrations_with_gaps_are_refused(db: Database) {
        assert!(matches!(db.migrate("things", &[SECOND]).await, Err(Error::MigrationOrder { .. })));
    }
}
