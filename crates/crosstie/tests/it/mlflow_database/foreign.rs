//! Databases of other releases: told what to do about, and left as they are to the last byte.

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    Place,
    real::{self, migrate, python},
};
use crate::program::{Said, Server, run};

/// The last migrations of MLflow 2.0 and of MLflow 3.0.
const OLDER: [&str; 2] = ["97727af70f4d", "6953534de441"];
/// The one that this version speaks.
const NEWEST: &str = "head";
/// One that no MLflow has yet.
const UNKNOWN: &str = "f00df00df00d";

/// The file and what SQLite may put beside it, by name.
fn files(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(&place.folder).unwrap().map(|entry| entry.unwrap().path());
    let ours =
        entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mlflow.db")));
    ours.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn up(place: &Place) -> Said {
    let ports = ["--port", "0", "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"];
    let flags = place.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    run(&place.folder, &[&["up"], &ports[..], &flags].concat())
}

/// The command that the message ends with.
fn command(said: &Said) -> Vec<&str> {
    let command = said.err.trim().rsplit_once("mlflow db upgrade ").expect("it names the command").1;
    vec!["-m", "mlflow", "db", "upgrade", command]
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_an_older_store_is_refused_untouched_and_opens_once_it_is_upgraded() {
    let Some(python) = python() else { return };
    for revision in OLDER {
        let place = Place::sqlite();
        migrate(&python, &place.uri(), revision);
        let before = files(&place);
        let said = up(&place);
        assert!(!said.succeeded && said.err.contains(revision), "{said:?}");
        assert!(files(&place) == before, "{revision}: the file was changed");
        real::run(&python, &command(&said));
        let server =
            Server::start_in(&place.folder, &place.flags().iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
        assert!(server.down(&place.folder));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_an_unknown_store_is_refused_untouched() {
    let Some(python) = python() else { return };
    for journal in ["DELETE", "WAL"] {
        let place = Place::sqlite();
        migrate(&python, &place.uri(), NEWEST);
        real::run(&python, &["-c", STAMP, place.file().to_str().unwrap(), UNKNOWN, journal]);
        let before = fs::read(place.file()).unwrap();
        let said = up(&place);
        assert!(!said.succeeded && said.err.contains(UNKNOWN) && said.err.contains("newer"), "{said:?}");
        assert!(!said.err.contains("mlflow db upgrade"), "it is not for MLflow 3.17.2 to touch it: {said:?}");
        assert!(fs::read(place.file()).unwrap() == before, "{journal}: the file was changed");
    }
}

const STAMP: &str = "
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute('UPDATE alembic_version SET version_num = ?', [sys.argv[2]])
connection.commit()
connection.execute('PRAGMA journal_mode = ' + sys.argv[3])
connection.close()
";

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_other_stores_are_refused_untouched() {
    let Some(python) = python() else { return };
    let Some(place) = Place::postgres().await else { return };
    migrate(&python, &place.uri(), OLDER[1]);
    let said = up(&place);
    assert!(!said.succeeded && said.err.contains(OLDER[1]), "{said:?}");
    assert_eq!(crosstie_tables(&place), 0);
    // The message shows no password; the test's server may want one.
    let shown = *command(&said).last().unwrap();
    assert_eq!(shown, database::sqlalchemy_uri(&place.uri()).unwrap());
    real::run(&python, &["-m", "mlflow", "db", "upgrade", &place.uri()]);
    execute(&place, "UPDATE alembic_version SET version_num = 'f00df00df00d'");
    let said = up(&place);
    assert!(!said.succeeded && said.err.contains(UNKNOWN), "{said:?}");
    assert_eq!(crosstie_tables(&place), 0);
    place.remove().await;
}

/// Runs a statement by SQLAlchemy, since opening the database with our own crate makes tables.
fn execute(place: &Place, sql: &str) {
    let python = python().expect("it was there before");
    let code = "import sqlalchemy, sys\nengine = sqlalchemy.create_engine(sys.argv[1])\nwith engine.begin() as connection:\n    connection.execute(sqlalchemy.text(sys.argv[2]))";
    real::run(&python, &["-c", code, &place.uri(), sql]);
}

fn crosstie_tables(place: &Place) -> usize {
    let code = "import sqlalchemy, sys\nnames = sqlalchemy.inspect(sqlalchemy.create_engine(sys.argv[1])).get_table_names()\nprint(sum(n.startswith('crosstie_') for n in names))";
    let python = python().expect("it was there before");
    real::run(&python, &["-c", code, &place.uri()]).trim().parse().unwrap()
}
