//! Every kind of value goes in and comes out alike, through the column types that MLflow's tables have.

use types::{Digest, ErrorKind, ModelName, Role, Timestamp};

use crate::{Database, Error, params, testing::on_both};

const TABLE: &str = "CREATE TABLE every (
    id BIGINT NOT NULL PRIMARY KEY,
    small SMALLINT,
    medium INTEGER,
    large BIGINT,
    exact DOUBLE PRECISION,
    short VARCHAR(16),
    long TEXT,
    truth BOOLEAN,
    bytes BYTEA
)";

on_both! {
    async fn values_of_every_kind_survive_every_column(db: Database) {
        let numbers = (i64::MIN, f64::MIN_POSITIVE);
        db.write(async move |tx| {
            tx.execute(TABLE, params![]).await?;
            let sql = "INSERT INTO every (id, small, medium, large, exact, short, long, truth, bytes)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            let bytes = vec![0_u8, 255];
            let full = params![1, 2_u8, -3_i64, numbers.0, numbers.1, "é'\"", "", true, &bytes];
            tx.execute(sql, full).await?;
            let nothing = params![
                2, None::<i64>, None::<i32>, None::<Timestamp>, None::<f64>, None::<&str>, None::<Digest>, None::<bool>,
                None::<Vec<u8>>
            ];
            tx.execute(sql, nothing).await
        })
        .await
        .unwrap();
        let rows = db.read(async |tx| tx.rows("SELECT * FROM every ORDER BY id", params![]).await).await.unwrap();
        let [full, nothing] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(full.get::<i64>("small").unwrap(), 2);
        assert_eq!(full.get::<i32>("medium").unwrap(), -3);
        assert_eq!(full.get::<i64>("large").unwrap(), numbers.0);
        assert_eq!(full.get::<f64>("exact").unwrap(), numbers.1);
        assert_eq!(full.get::<f64>("small").unwrap(), 2.0);
        assert_eq!(full.get::<String>("short").unwrap(), "é'\"");
        assert_eq!(full.get::<String>("long").unwrap(), "");
        assert!(full.get::<bool>("truth").unwrap());
        assert_eq!(full.get::<Vec<u8>>("bytes").unwrap(), [0, 255]);
        assert!(full.get::<u32>("medium").is_err(), "-3 is not unsigned");
        for column in ["small", "medium", "large", "exact", "short", "long", "truth", "bytes"] {
            assert_eq!(nothing.cells()[nothing.columns().iter().position(|name| name == column).unwrap()], crate::Cell::Null);
        }
        assert_eq!(nothing.get::<Option<bool>>("truth").unwrap(), None);
        let error = nothing.get::<i64>("large").unwrap_err();
        assert_eq!(error.to_string(), "column `large`: expected an integer, found null");
    }

    async fn parameters_compare_with_columns_of_every_width(db: Database) {
        let found = db
            .write(async |tx| {
                tx.execute(TABLE, params![]).await?;
                let sql = "INSERT INTO every (id, small, medium, exact, truth) VALUES ($1, $2, $3, $4, $5) RETURNING id";
                let id: i64 = tx.row(sql, params![7, 1, 2, 3, false]).await?.unwrap().get("id")?;
                let sql = "SELECT COUNT(*) AS found FROM every
                           WHERE id = $1 AND small = $2 AND medium < $3 AND exact >= $4 AND truth = $5
                             AND ($6 IS NULL OR long = $6) LIMIT $7";
                let row = tx.row(sql, params![id, 1_i64, 3_i64, 2.5, false, None::<String>, 10]).await?;
                row.unwrap().get::<i64>("found")
            })
            .await
            .unwrap();
        assert_eq!(found, 1);
    }

    async fn the_same_statement_takes_parameters_of_different_types(db: Database) {
        let (a, b) = db
            .write(async |tx| {
                tx.execute(TABLE, params![]).await?;
                let sql = "INSERT INTO every (id, exact) VALUES ($1, $2) RETURNING exact";
                let a: f64 = tx.row(sql, params![1, 4_i64]).await?.unwrap().get("exact")?;
                let b: f64 = tx.row(sql, params![2, 0.25]).await?.unwrap().get("exact")?;
                Ok::<_, Error>((a, b))
            })
            .await
            .unwrap();
        assert_eq!((a, b), (4.0, 0.25));
    }

    async fn the_words_of_the_house_are_values(db: Database) {
        let (digest, model, now) = (Digest::of("x"), ModelName::parse("click-ranker").unwrap(), Timestamp::from_micros(5));
        let expected = (digest, model.clone(), now, Role::Approver);
        let row = db
            .write(async move |tx| {
                tx.execute("CREATE TABLE words (digest TEXT, model TEXT, at BIGINT, role TEXT)", params![]).await?;
                let sql = "INSERT INTO words (digest, model, at, role) VALUES ($1, $2, $3, $4)
                           RETURNING digest, model, at, role";
                tx.row(sql, params![digest, &model, now, Role::Approver]).await
            })
            .await
            .unwrap()
            .unwrap();
        let found = (row.get("digest").unwrap(), row.get("model").unwrap(), row.get("at").unwrap(), row.get("role").unwrap());
        assert_eq!(found, expected);
        assert!(row.get::<Digest>("model").is_err());
    }

    async fn too_few_parameters_are_refused_instead_of_taken_for_null(db: Database) {
        let outcome = db.write(async |tx| tx.rows("SELECT $1, $2", params![1]).await).await;
        assert!(matches!(outcome, Err(Error::Parameters { expected: 2, given: 1, .. })));
    }

    async fn constraints_are_told_apart(db: Database) {
        db.write(async |tx| {
            let sql = "CREATE TABLE parent (id BIGINT NOT NULL PRIMARY KEY CHECK (id > 0))";
            tx.execute(sql, params![]).await?;
            tx.execute("CREATE TABLE child (id BIGINT NOT NULL REFERENCES parent (id))", params![]).await?;
            tx.execute("INSERT INTO parent (id) VALUES (1)", params![]).await
        })
        .await
        .unwrap();
        for (sql, kind) in [
            ("INSERT INTO parent (id) VALUES (1)", ErrorKind::AlreadyExists),
            ("INSERT INTO parent (id) VALUES (0)", ErrorKind::InvalidArgument),
            ("INSERT INTO child (id) VALUES (2)", ErrorKind::FailedPrecondition),
            ("INSERT INTO child (id) VALUES (NULL)", ErrorKind::InvalidArgument),
            ("INSERT INTO nowhere (id) VALUES (1)", ErrorKind::Internal),
        ] {
            let error = db.write(async move |tx| tx.execute(sql, params![]).await).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{sql}: {error:?}");
        }
    }
}
