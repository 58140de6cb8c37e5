//! Our DDL against the store that MLflow itself makes, and what is done about stores of other releases.

use std::{collections::BTreeSet, sync::Arc};

use artifacts::Store;
use database::{Database, Dialect, params};
use registry::{Config, Error, MLFLOW_RELEASE, MLFLOW_STAMP, Service};
use runtime::{SystemClock, Tasks};

use crate::fixture::{mlflow_python, registry};

/// Makes a store with MLflow's own migrations.
const UPGRADE: &str = "
import logging, sys
logging.disable(logging.CRITICAL)
import mlflow.store.db.utils as utils
engine = utils.create_sqlalchemy_engine_with_retry(sys.argv[1])
utils._initialize_tables(engine)
";

/// What a store consists of, a line per fact, so that a difference can be read.
type Facts = BTreeSet<String>;

/// Crosstie's own tables and indexes are no part of the comparison.
fn is_ours(name: &str) -> bool {
    name.starts_with("crosstie_")
}

async fn lines(db: &Database, sql: &'static str) -> Vec<Vec<String>> {
    let rows = db
        .read(async move |tx| {
            let rows = tx.rows(sql, params![]).await?;
            let texts = rows.iter().map(|row| {
                let columns = row.columns().iter();
                columns.map(|column| Ok(row.get::<Option<String>>(column)?.unwrap_or_default())).collect()
            });
            texts.collect::<Result<Vec<Vec<String>>, database::Error>>()
        })
        .await;
    rows.unwrap()
}

/// SQL without what does not count: case of keywords, blanks, quotes.
fn normalized(sql: &str) -> String {
    let mut text = String::new();
    for word in sql.replace(['"', '`'], "").split_whitespace() {
        text.push(' ');
        text.push_str(word);
    }
    text.replace(" (", "(").replace("( ", "(").replace(" )", ")").replace(" ,", ",").to_lowercase()
}

/// The parts of a `CREATE TABLE`: columns and constraints, by name, with all that is said about them.
fn table_parts(sql: &str) -> Vec<String> {
    let sql = normalized(sql);
    let (start, end) = (sql.find('(').unwrap(), sql.rfind(')').unwrap());
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in sql[start + 1..end].chars() {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if c == ',' && depth == 0 { parts.push(String::new()) } else { parts.last_mut().unwrap().push(c) }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

async fn sqlite_facts(db: &Database) -> Facts {
    let mut facts = Facts::new();
    let objects = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL";
    for object in lines(db, objects).await {
        let [kind, name, table, sql] = object.try_into().unwrap();
        if is_ours(&name) || is_ours(&table) {
            continue;
        }
        if kind == "table" {
            facts.extend(table_parts(&sql).into_iter().map(|part| format!("{name}: {part}")));
        } else {
            facts.insert(format!("{kind} {name}: {}", normalized(&sql)));
        }
    }
    facts.extend(columns_in_order(db, "
        SELECT m.name AS tab, p.name AS col, CAST(p.cid AS TEXT) AS place FROM sqlite_master m, pragma_table_xinfo(m.name) p
        WHERE m.type = 'table'").await);
    facts
}

async fn columns_in_order(db: &Database, sql: &'static str) -> Facts {
    let rows = lines(db, sql).await.into_iter().filter(|row| !is_ours(&row[0]));
    rows.map(|row| format!("{} column {} is {}", row[0], row[2], row[1])).collect()
}

async fn postgres_facts(db: &Database) -> Facts {
    let mut facts = Facts::new();
    for sql in [
        "SELECT CAST(c.relname AS TEXT) AS tab, CAST(a.attname AS TEXT) AS col, format_type(a.atttypid, a.atttypmod) AS kind,
            CAST(a.attnotnull AS TEXT) AS filled, CAST(a.attidentity AS TEXT) AS ident, CAST(a.attgenerated AS TEXT) AS gen,
            pg_get_expr(d.adbin, d.adrelid) AS value
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped",
        "SELECT CAST(c.relname AS TEXT) AS tab, CAST(k.conname AS TEXT) AS name, pg_get_constraintdef(k.oid) AS def
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = current_schema()",
        "SELECT CAST(tablename AS TEXT) AS tab, CAST(indexname AS TEXT) AS name,
            CASE WHEN indexname LIKE 'crosstie_%' THEN '' ELSE indexdef END AS def
         FROM pg_indexes WHERE schemaname = current_schema()",
        "SELECT CAST(c.relname AS TEXT) AS tab, CAST(t.tgname AS TEXT) AS name, pg_get_triggerdef(t.oid) AS def
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal",
        "SELECT CAST(p.proname AS TEXT) AS name, p.prosrc AS def FROM pg_proc p
         JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = current_schema()",
        "SELECT CAST(sequencename AS TEXT) AS name, CAST(data_type AS TEXT) AS kind FROM pg_sequences
         WHERE schemaname = current_schema()",
    ] {
        for line in lines(db, sql).await {
            if !line.iter().any(|part| is_ours(part)) {
                facts.insert(normalized(&line.join(" | ")));
            }
        }
    }
    facts.extend(
        columns_in_order(
            db,
            "
        SELECT CAST(table_name AS TEXT) AS tab, CAST(column_name AS TEXT) AS col, 
            CAST(ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY ordinal_position) AS TEXT) AS place
        FROM information_schema.columns WHERE table_schema = current_schema()",
        )
        .await,
    );
    facts
}

async fn facts(db: &Database) -> Facts {
    match db.dialect() {
        Dialect::Sqlite => sqlite_facts(db).await,
        Dialect::Postgres => postgres_facts(db).await,
    }
}

#[track_caller]
fn assert_same(ours: &Facts, theirs: &Facts) {
    let missing: Vec<_> = theirs.difference(ours).collect();
    let extra: Vec<_> = ours.difference(theirs).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "MLflow has and we lack: {missing:#?}\nwe have and MLflow lacks: {extra:#?}"
    );
    assert!(ours.len() > 700, "the comparison looked at {} facts only", ours.len());
}

/// Every migration of MLflow's, oldest first.
const STAMPS: &str = "
from alembic.script import ScriptDirectory
import mlflow.store.db.utils as utils
script = ScriptDirectory.from_config(utils._get_alembic_config(''))
print(' '.join(reversed([revision.revision for revision in script.walk_revisions()])))
";

#[tokio::test]
async fn every_earlier_migration_of_mlflow_is_known_as_older() {
    let Some(output) = mlflow_python(STAMPS, &[]) else { return };
    let stamps = String::from_utf8(output.stdout).unwrap();
    let (older, last) = stamps.trim().rsplit_once(' ').unwrap();
    assert_eq!(last, MLFLOW_STAMP);
    assert_eq!(registry::OLDER_STAMPS.join(" "), older);
}

/// A registry on `db` that was not migrated.
fn unmigrated(db: &Database) -> (tempfile::TempDir, Service) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    (folder, Service::new(Config::default(), db.clone(), store, Arc::new(SystemClock)))
}

#[tokio::test]
async fn on_sqlite_our_tables_are_those_that_mlflow_makes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    if mlflow_python(UPGRADE, &[&format!("sqlite:///{}", path("theirs.db"))]).is_none() {
        return;
    }
    let tasks = Tasks::new();
    let theirs = Database::connect(&format!("sqlite:{}", path("theirs.db")), &tasks).await.unwrap();
    let ours = Database::connect(&format!("sqlite:{}", path("ours.db")), &tasks).await.unwrap();
    unmigrated(&ours).1.migrate().await.unwrap();
    assert_same(&facts(&ours).await, &facts(&theirs).await);

    // A store that MLflow made is used as it is.
    let before = facts(&theirs).await;
    unmigrated(&theirs).1.migrate().await.unwrap();
    assert_same(&facts(&theirs).await, &before);
}

#[tokio::test]
async fn on_postgres_our_tables_are_those_that_mlflow_makes() {
    let (Some(theirs), Some(ours)) =
        (database::testing::PostgresDatabase::create().await, database::testing::PostgresDatabase::create().await)
    else {
        return;
    };
    let tasks = Tasks::new();
    let sqlalchemy = theirs.uri().replacen("postgres://", "postgresql://", 1).replacen("://", "+psycopg2://", 1);
    if mlflow_python(UPGRADE, &[&sqlalchemy]).is_some() {
        let their_db = Database::connect(&theirs.uri(), &tasks).await.unwrap();
        let our_db = Database::connect(&ours.uri(), &tasks).await.unwrap();
        unmigrated(&our_db).1.migrate().await.unwrap();
        assert_same(&facts(&our_db).await, &facts(&their_db).await);
        unmigrated(&their_db).1.migrate().await.unwrap();
        their_db.close().await;
        our_db.close().await;
    }
    theirs.remove().await;
    ours.remove().await;
}

/// Facts without casts and brackets: Postgres writes a check of a list another way once it has read what it wrote.
fn readable(facts: Facts) -> Facts {
    let plain = |fact: String| fact.replace("::character varying", "").replace("::text", "");
    facts.into_iter().map(|fact| plain(fact).replace(['(', ')', '[', ']'], "").replace(", ", ",")).collect()
}

#[tokio::test]
async fn what_is_restored_is_what_was_backed_up() {
    let (Some(from), Some(to)) =
        (database::testing::PostgresDatabase::create().await, database::testing::PostgresDatabase::create().await)
    else {
        return;
    };
    let tasks = Tasks::new();
    let db = Database::connect(&from.uri(), &tasks).await.unwrap();
    let fixture = registry(db.clone()).await;
    let run = fixture.run_in("clicks, \t and \\N").await;
    fixture.version_of("ranker", &run).await;
    let folder = tempfile::tempdir().unwrap();
    db.back_up(folder.path()).await.unwrap();
    fixture.run_in("later").await;
    assert!(database::backup::restore(folder.path(), &from.uri()).await.is_err(), "the target is not empty");

    assert!(database::backup::is_empty(&to.uri()).await.unwrap());
    database::backup::restore(folder.path(), &to.uri()).await.unwrap();
    let restored = Database::connect(&to.uri(), &tasks).await.unwrap();
    assert_same(&readable(facts(&restored).await), &readable(facts(&db).await));
    // Our own tables, too: what is below a folder is found by the order of paths.
    let collations =
        "SELECT CAST(c.relname AS TEXT) AS tab, CAST(a.attname AS TEXT) AS col, CAST(o.collname AS TEXT) AS name
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation o ON o.oid = a.attcollation
        WHERE c.relnamespace = CAST(quote_ident(current_schema()) AS regnamespace) AND c.relkind = 'r' ORDER BY 1, 2";
    let kept = lines(&db, collations).await;
    assert!(kept.contains(&["crosstie_artifact", "path", "C"].map(str::to_owned).to_vec()), "{kept:?}");
    assert_eq!(lines(&restored, collations).await, kept);
    let second = registry(restored.clone()).await;
    assert_eq!(second.registry.run(&run.info.id).await.unwrap(), fixture.registry.run(&run.info.id).await.unwrap());
    assert_eq!(second.registry.version("ranker", "1").await.unwrap().run_id, Some(run.info.id.clone()));
    second.registry.experiment_by_name("later").await.unwrap_err();
    // Sequences go on where they were.
    let next = second.run_in("next").await;
    assert!(next.info.experiment_id > run.info.experiment_id);
    db.close().await;
    restored.close().await;
    from.remove().await;
    to.remove().await;
}

database::testing::on_both! {
    async fn migrating_twice_changes_nothing(db: Database) {
        let fixture = registry(db.clone()).await;
        fixture.registry.migrate().await.unwrap();
        let experiments = fixture.registry.experiment("0").await.unwrap();
        assert_eq!((experiments.name.as_str(), experiments.artifact_location.as_str()), ("Default", "mlflow-artifacts:/0"));
    }

    async fn two_processes_may_start_at_once(db: Database) {
        let ((_a, first), (_b, second)) = (unmigrated(&db), unmigrated(&db));
        let (first, second) = tokio::join!(first.migrate(), second.migrate());
        first.unwrap();
        second.unwrap();
    }

    async fn tables_of_another_release_are_refused_with_what_to_do(db: Database) {
        let fixture = registry(db.clone()).await;
        for (stamp, older) in [
            ("UPDATE alembic_version SET version_num = 'cafe'", false),
            ("UPDATE alembic_version SET version_num = '6953534de441'", true),
            ("DELETE FROM alembic_version", true),
        ] {
            db.write(async move |tx| tx.execute(stamp, params![]).await).await.unwrap();
            let error = fixture.registry.migrate().await.unwrap_err();
            let (is_older, is_unknown) =
                (matches!(error, Error::OlderSchema { .. }), matches!(error, Error::UnknownSchema { .. }));
            assert_eq!((is_older, is_unknown), (older, !older), "{error:?}");
            let text = error.to_string();
            assert!(text.contains(MLFLOW_STAMP) && text.contains(MLFLOW_RELEASE), "{text}");
            assert_eq!(text.ends_with(&format!("mlflow db upgrade {}", db.sqlalchemy_uri())), older, "{text}");
        }
    }

    async fn secrets_keep_their_names(db: Database) {
        registry(db.clone()).await;
        let insert = "INSERT INTO secrets (secret_id, secret_name, encrypted_value, wrapped_dek, kek_version, masked_value,
                created_at, last_updated_at)
            VALUES ('i', 'n', $1, $1, 1, 'm', 1, 1)";
        db.write(async move |tx| tx.execute(insert, params![vec![1_u8]]).await).await.unwrap();
        let rename = "UPDATE secrets SET secret_name = 'other'";
        let renamed = db.write(async move |tx| tx.execute(rename, params![]).await).await;
        renamed.unwrap_err();
    }
}
