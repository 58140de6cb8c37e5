//! Many rows in and out: many to a statement, rows shown as they come, and parameters wherever they stand.

use crate::{Database, Error, params, testing::on_both};

const TABLE: &str = "CREATE TABLE many (id BIGINT NOT NULL PRIMARY KEY, word TEXT)";
const INSERT: &str = "INSERT INTO many (id, word) VALUES";

on_both! {
    async fn as_many_rows_go_in_as_there_are(db: Database) {
        let shown = db
            .write(async |tx| {
                tx.execute(TABLE, params![]).await?;
                tx.insert(INSERT, "", (0..345_i64).map(|id| params![id, format!("word {id}")])).await?;
                let mut shown = Vec::new();
                tx.each("SELECT id, word FROM many WHERE id >= $1 ORDER BY id", params![342], |row| {
                    shown.push((row.get::<i64>("id")?, row.get::<String>("word")?));
                    Ok::<_, Error>(())
                })
                .await?;
                Ok::<_, Error>(shown)
            })
            .await
            .unwrap();
        assert_eq!(shown, [342, 343, 344].map(|id| (id, format!("word {id}"))));
    }

    async fn what_refuses_a_row_ends_the_reading(db: Database) {
        let seen = db
            .write(async |tx| {
                tx.execute(TABLE, params![]).await?;
                tx.insert(INSERT, "", (0..3_i64).map(|id| params![id, None::<&str>])).await?;
                let mut seen = 0;
                let refused = tx
                    .each("SELECT id FROM many", params![], |_| {
                        seen += 1;
                        Err(Error::Closed)
                    })
                    .await;
                assert!(matches!(refused, Err(Error::Closed)));
                // Nothing is wrong with the database: the transaction goes on.
                tx.execute("DELETE FROM many", params![]).await?;
                Ok::<_, Error>(seen)
            })
            .await
            .unwrap();
        assert_eq!(seen, 1);
    }

    async fn a_row_that_fails_ends_the_transaction_and_so_does_one_that_is_too_short(db: Database) {
        db.write(async |tx| tx.execute(TABLE, params![]).await).await.unwrap();
        let twice = db.write(async |tx| tx.insert(INSERT, "", [params![1, "a"], params![1, "b"]]).await).await;
        assert!(twice.unwrap_err().is_unique_violation());
        let short = db.write(async |tx| tx.insert(INSERT, "", [params![1, "a"], params![2]]).await).await;
        assert!(matches!(short, Err(Error::Parameters { expected: 2, given: 1, .. })));
        let rows = db.read(async |tx| tx.rows("SELECT id FROM many", params![]).await).await.unwrap();
        assert!(rows.is_empty());
    }

    async fn a_parameter_may_stand_anywhere_and_twice(db: Database) {
        let sql = "SELECT CAST($2 AS BIGINT) AS second, CAST($1 AS BIGINT) AS first, CAST($2 AS BIGINT) + 1 AS next";
        let row = db.read(async move |tx| tx.row(sql, params![1, 2]).await).await.unwrap().unwrap();
        let found = ["first", "second", "next"].map(|column| row.get::<i64>(column).unwrap());
        assert_eq!(found, [1, 2, 3]);
    }
}
