//! A registry on a fresh database and folder, and the Python that a real MLflow is asked through.

use std::{process::Output, sync::Arc};

use artifacts::Store;
use database::Database;
use registry::{Config, NewRun, NewVersion, Run, Service, Version};
use runtime::SystemClock;
use tempfile::TempDir;
use types::{Principal, Role};

/// The variable that names a Python with the whole of MLflow at the release that this version speaks.
const MLFLOW_PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";

/// A registry, and the folder that its artifacts lie in while the test runs.
pub(crate) struct Fixture {
    pub(crate) registry: Service,
    pub(crate) artifacts: Store,
    _folder: TempDir,
}

/// A registry on `db`, migrated.
pub(crate) async fn registry(db: Database) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let registry = Service::new(Config::default(), db, store.clone(), Arc::new(SystemClock));
    registry.migrate().await.unwrap();
    Fixture { registry, artifacts: store, _folder: folder }
}

impl Fixture {
    /// A run in a new experiment of that name.
    pub(crate) async fn run_in(&self, experiment: &str) -> Run {
        let new = registry::NewExperiment { name: experiment.to_owned(), ..Default::default() };
        let experiment = self.registry.create_experiment(new).await.unwrap();
        let new = NewRun { experiment_id: experiment.to_string(), started: Some(1), ..NewRun::default() };
        self.registry.create_run(new).await.unwrap()
    }

    /// A version of `model` (made if it is missing) from what `run` logged at `model/`.
    pub(crate) async fn version_of(&self, model: &str, run: &Run) -> Version {
        if self.registry.model(model).await.is_err() {
            self.registry.create_model(model, None, Vec::new()).await.unwrap();
        }
        let new = NewVersion {
            name: model.to_owned(),
            source: format!("{}/model", run.info.artifact_uri),
            run_id: Some(run.info.id.clone()),
            ..NewVersion::default()
        };
        self.registry.create_version(&editor(), new).await.unwrap()
    }
}

/// Someone with a token who may register versions.
pub(crate) fn editor() -> Principal {
    Principal::known("ada", Role::Editor)
}

/// Runs `code` in the Python that has MLflow; `None`, with a line that says why, where there is none.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests find their tools in the environment")]
pub(crate) fn mlflow_python(code: &str, arguments: &[&str]) -> Option<Output> {
    let Ok(python) = std::env::var(MLFLOW_PYTHON) else {
        assert!(std::env::var("CI").is_err(), "{MLFLOW_PYTHON} is not set");
        eprintln!("skipped: {MLFLOW_PYTHON} is not set");
        return None;
    };
    let output = std::process::Command::new(python).arg("-c").arg(code).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    Some(output)
}
