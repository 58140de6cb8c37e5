//! The real MLflow: its server, its clients and its migrations, in the Python that has all of it.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use runtime::testing::eventually;
use rustix::process::{Pid, Signal, kill_process_group};

use super::{Place, script};
use crate::program::{program, tool};

/// The variable that names a Python with the whole of MLflow at the release that this version speaks.
const PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
/// MLflow's server takes its time to start, the more so while something else is being built.
const PATIENCE: Duration = Duration::from_secs(180);

/// The Python that has MLflow; `None`, with a line that says so, where there is none.
pub(crate) fn python() -> Option<String> {
    tool(PYTHON).map(|python| python.display().to_string())
}

/// Runs Python with `arguments` and answers what it printed.
pub(super) fn run(python: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(python);
    command.args(arguments).env("MLFLOW_DISABLE_TELEMETRY", "true").env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Fills the server at `address` with names that begin with `prefix`.
pub(super) fn fill(python: &str, address: &str, prefix: &str) {
    let script = script("mlflow_store_fill.py");
    let said = run(python, &[script.to_str().unwrap(), &format!("http://{address}"), prefix, "webhooks"]);
    assert!(said.contains("filled"), "{said}");
}

/// What every read call of the stock client answers at `address`.
pub(super) fn read(python: &str, address: &str) -> serde_json::Value {
    let script = script("mlflow_store_read.py");
    serde_json::from_str(&run(python, &[script.to_str().unwrap(), &format!("http://{address}"), "webhooks"])).unwrap()
}

/// A running `mlflow server`.
pub(crate) struct MlflowServer {
    child: Child,
    pub(crate) address: String,
}

impl MlflowServer {
    pub(super) async fn start(python: &str, place: &Place) -> Self {
        let flags = place.flags();
        Self::start_with(python, &place.folder, &flags.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    pub(crate) async fn start_with(python: &str, folder: &Path, flags: &[&str]) -> Self {
        runtime::tls::use_ring();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = File::create(folder.join("mlflow.log")).unwrap();
        let mut command = program(python);
        command
            .args(["-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1", "--port", &port.to_string()])
            .args(flags)
            .current_dir(folder)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .env("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", super::WEBHOOK_KEY)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        let server = Self { child: command.spawn().unwrap(), address: format!("127.0.0.1:{port}") };
        let health = format!("http://{}/health", server.address);
        eventually(PATIENCE, || async {
            let said = || std::fs::read_to_string(folder.join("mlflow.log")).unwrap_or_default();
            let answer = reqwest::get(&health).await.map_err(|_| said())?;
            if answer.status().is_success() { Ok(()) } else { Err(said()) }
        })
        .await;
        server
    }
}

impl Drop for MlflowServer {
    fn drop(&mut self) {
        // Its workers are processes of their own.
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default());
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        self.child.wait().ok();
    }
}

/// Brings the database to a migration, as the MLflow did that had it last.
const MIGRATE: &str = "
import logging, sys
logging.disable(logging.CRITICAL)
import alembic.command
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base
uri, revision = sys.argv[1:]
engine = utils.create_sqlalchemy_engine_with_retry(uri)
Base.metadata.create_all(engine)
with engine.begin() as connection:
    config = utils._get_alembic_config(uri)
    config.attributes['connection'] = connection
    alembic.command.upgrade(config, revision)
";

/// Makes MLflow's tables as they were at `revision`.
pub(super) fn migrate(python: &str, uri: &str, revision: &str) {
    run(python, &["-c", MIGRATE, uri, revision]);
}
