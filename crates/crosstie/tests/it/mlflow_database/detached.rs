//! Going back: after `crosstie database detach` the database is as MLflow made it, and MLflow's own checks say so.

use super::{
    Place,
    real::{self, MlflowServer, fill, python, read},
};
use crate::program::{Server, run};

/// What MLflow's models say differs from the database, what remains of ours, and the stamp before and after an upgrade.
const COMPARE: &str = "
import logging, re, sys
logging.disable(logging.CRITICAL)
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from mlflow.store.db import utils
from mlflow.store.db.base_sql_model import Base
import mlflow.store.tracking.dbmodels.models, mlflow.store.model_registry.dbmodels.models
engine = utils.create_sqlalchemy_engine_with_retry(sys.argv[1])
utils._verify_schema(engine)
utils._upgrade_db(engine)
utils._verify_schema(engine)
with engine.connect() as connection:
    inspector = sqlalchemy.inspect(engine)
    tables = inspector.get_table_names()
    names = tables + [index['name'] for table in tables for index in inspector.get_indexes(table)]
    print([name for name in names if str(name).startswith('crosstie')])
    found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    print(sorted(re.sub(' at 0x[0-9a-f]+', '', str(difference)) for difference in found))
    if engine.dialect.name == 'sqlite':
        print(connection.execute(sqlalchemy.text('PRAGMA journal_mode')).scalar())
";

fn compare(python: &str, place: &Place) -> String {
    real::run(python, &["-c", COMPARE, &place.uri()])
}

async fn goes_back(python: &str, place: &Place) {
    let mlflow = MlflowServer::start(python, place).await;
    fill(python, &mlflow.address, "theirs");
    let before = read(python, &mlflow.address);
    drop(mlflow);
    let made_by_mlflow = compare(python, place);
    assert!(made_by_mlflow.starts_with("[]\n"), "{made_by_mlflow}");

    let flags = place.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start_with(&place.folder, &flags).await;
    let detach = ["database", "detach", flags[0], flags[1]];
    let sure = [&detach[..], &["--yes"]].concat();
    let said = run(&place.folder, &sure);
    assert!(!said.succeeded && said.err.contains("is up on this folder"), "{said:?}");
    // Another folder's command is refused by the database itself.
    let elsewhere = Place::sqlite();
    let said = run(&elsewhere.folder, &sure);
    assert!(!said.succeeded && said.err.contains("another process has"), "{said:?}");
    assert!(server.down(&place.folder));

    let said = run(&place.folder, &detach);
    assert!(!said.succeeded && said.err.contains("--yes") && said.err.contains("table crosstie_token"), "{said:?}");
    assert!(compare(python, place).contains("crosstie_token"), "nothing was dropped yet");
    let said = run(&place.folder, &sure);
    assert!(said.succeeded && said.out.contains("MLflow's alone"), "{said:?}");
    assert_eq!(compare(python, place), made_by_mlflow);
    let said = run(&place.folder, &sure);
    assert!(said.succeeded && said.out.contains("nothing of Crosstie's"), "{said:?}");

    let mlflow = MlflowServer::start(python, place).await;
    assert!(read(python, &mlflow.address) == before, "what the real server shows is what it showed before us");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_the_database_is_mlflows_again() {
    let Some(python) = python() else { return };
    goes_back(&python, &Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_the_database_is_mlflows_again() {
    let Some(python) = python() else { return };
    let Some(place) = Place::postgres().await else { return };
    goes_back(&python, &place).await;
    place.remove().await;
}
