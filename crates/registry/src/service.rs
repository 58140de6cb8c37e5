//! The registry as a service: its parts, and how they are put together.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use artifacts::Store;
use database::{Database, Dialect, Transaction};
use runtime::SharedClock;
use types::{ModelVersion, Principal};

use crate::{
    Origin,
    artifact_records::Writing,
    elsewhere::Elsewhere,
    error::Result,
    governance::{Governance, Mutation, Ungoverned},
    lineage::{Deployments, Judging, Unreleased},
    schema, storage,
    webhooks::{self, Outgoing},
};

/// Settings of the registry.
#[derive(Debug, Clone)]
pub struct Config {
    /// Under which URI new experiments keep their artifacts. `mlflow-artifacts:/` is this server's own store.
    pub default_artifact_root: String,
    /// The folder that relative paths of artifacts are from.
    pub working_folder: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { default_artifact_root: storage::OWN_ROOT.to_owned(), working_folder: PathBuf::from("/") }
    }
}

/// Experiments, runs, models and versions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    config: Arc<Config>,
    pub(crate) database: Database,
    pub(crate) artifacts: Store,
    pub(crate) writing: Arc<Writing>,
    pub(crate) judging: Judging,
    pub(crate) clock: SharedClock,
    governance: Arc<dyn Governance>,
    pub(crate) deployments: Arc<dyn Deployments>,
    pub(crate) webhooks: Arc<Outgoing>,
    pub(crate) elsewhere: Option<Elsewhere>,
}

impl Service {
    /// The registry in `database`, with artifacts in `artifacts`; nobody protects what serves yet.
    #[must_use]
    pub fn new(config: Config, database: Database, artifacts: Store, clock: SharedClock) -> Self {
        let (writing, governance, webhooks) = (Arc::default(), Arc::new(Ungoverned), Arc::new(Outgoing::muted()));
        let (deployments, elsewhere) = (Arc::new(Unreleased), None);
        let (config, judging) = (Arc::new(config), Judging::default());
        Self { config, database, artifacts, writing, judging, clock, governance, deployments, webhooks, elsewhere }
    }

    /// The same registry, asking `governance` before anything that could move or unpin what serves.
    #[must_use]
    pub fn with_governance(self, governance: Arc<dyn Governance>) -> Self {
        Self { governance, ..self }
    }

    /// The same registry, asking `deployments` what became of versions.
    #[must_use]
    pub fn with_deployments(self, deployments: Arc<dyn Deployments>) -> Self {
        Self { deployments, ..self }
    }

    /// The same registry, with this way for webhooks to leave.
    #[must_use]
    pub fn with_webhooks(self, config: webhooks::Config, sender: Arc<dyn webhooks::Sender>) -> Self {
        Self { webhooks: Arc::new(Outgoing::new(config, sender)), ..self }
    }

    /// The same registry, whose versions are registered in `origin` and brought here to be released.
    #[must_use]
    pub fn with_origin(self, origin: Arc<dyn Origin>) -> Self {
        let elsewhere = Some(Elsewhere::new(origin, self.clock.clone()));
        Self { elsewhere, ..self }
    }

    /// Makes MLflow's tables if there are none, and Crosstie's own. Safe when several processes start at once.
    ///
    /// # Errors
    /// As [`check_database`](crate::check_database); the database's errors.
    pub async fn migrate(&self) -> Result<()> {
        schema::migrate(&self.database, self.artifact_root(), self.now()).await
    }

    /// Where artifacts of new experiments lie.
    pub(crate) fn artifact_root(&self) -> &str {
        &self.config.default_artifact_root
    }

    /// The folder that relative paths of artifacts are from.
    pub(crate) fn working_folder(&self) -> &Path {
        &self.config.working_folder
    }

    /// The time in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.database.dialect()
    }

    /// A write that records for webhooks what it changes.
    pub(crate) async fn write_and_tell<F, T>(&self, closure: F) -> Result<T>
    where
        F: AsyncFn(&mut Transaction) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let answer = self.database.write(closure).await?;
        self.webhooks.signal.notify();
        Ok(answer)
    }

    /// The versions whose files must stay whatever is deleted.
    pub(crate) async fn pinned(&self) -> Result<Vec<ModelVersion>> {
        Ok(self.governance.pinned().await?)
    }

    /// Asks whether `principal` may make `mutation`.
    pub(crate) async fn permit(&self, principal: &Principal, mutation: &Mutation) -> Result<()> {
        Ok(self.governance.check(principal, mutation).await?)
    }
}
