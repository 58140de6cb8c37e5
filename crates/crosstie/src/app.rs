//! Settings in, running process out: the one place that names concrete adapters.

mod environments;
mod rooms;
mod servers;
mod status;
mod webhooks;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use api::{auth::Gate, mlflow::elsewhere::Upstream};
use artifacts::Store;
use database::{Database, Transaction};
use remote_mlflow::RemoteMlflow;
use runtime::{SharedClock, Signal, SystemClock, Tasks};
use telemetry::Metrics;

use crate::{
    adapters::{
        definitions::VersionDefinitions, explanations::Explainer, maintenance::Upkeep, plan_source::PRODUCTION,
        projects::Applied, upstream::Through,
    },
    project::{Project, ProjectStore, repo},
    settings::Settings,
    state_dir::Addresses,
};
use rooms::Rooms;
use servers::Servers;
use status::ProcessStatus;
pub(crate) use webhooks::KEY_FILE;

/// How long a start waits for what is in production to be loaded before it answers anyway.
const LOADING: Duration = Duration::from_secs(10);

/// A running process.
#[derive(Debug)]
pub(crate) struct App {
    addresses: Addresses,
    tasks: Tasks,
    servers: Servers,
    serving: serving::Service,
    database: Database,
}

/// The services of all rooms, wired.
#[derive(Debug, Clone)]
pub(super) struct Services {
    database: Database,
    identity: identity::Service,
    /// As the API sees it: with what serves protected.
    registry: registry::Service,
    /// Who answers MLflow's routes, if the registry is elsewhere.
    upstream: Option<Arc<dyn Upstream>>,
    artifacts: Store,
    features: features::Service,
    serving: serving::Service,
    releases: release::Service,
    log: prediction_log::Log,
    projects: Arc<Applied>,
    explanations: Arc<Explainer>,
    drift: drift::Service,
    alerts: alerts::Service,
    upkeep: Arc<Upkeep>,
    metrics: Metrics,
    clock: SharedClock,
}

impl App {
    /// Opens the stores, brings their tables up to date, puts `project` in force, and serves.
    ///
    /// # Errors
    /// When a port is taken, a store cannot be opened, or tokens are needed and there are none.
    pub(crate) async fn start(settings: Settings, project: Option<Project>) -> Result<Self> {
        let tasks = Tasks::new();
        let clock = SystemClock::shared();
        let started = clock.now();
        let ui = environments::web_client(&settings.dir, settings.mlflow_ui.as_ref())?;
        let listeners = servers::bind(&settings).await?;
        let addresses = servers::addresses(&listeners)?;
        let plan_changed = Signal::new();
        let services = wire(&settings, &tasks, &clock, &plan_changed).await?;
        if let Some(project) = project {
            services.projects.put_in_force("up", project).await.context("cannot store the project")?;
        } else if let Some(project) = services.projects.projects.in_force().await? {
            services.features.set_definitions(Arc::clone(&project.definitions));
        }
        guard_entry(&settings, &services).await?;
        services.serving.start(&tasks, plan_changed);
        services.releases.controller(&tasks);
        services.drift.watch(&tasks);
        services.alerts.watch(&tasks);
        services.registry.deliver_webhooks(&tasks, services.metrics.clone());
        if !services.serving.wait_until_ready(LOADING).await {
            tracing::warn!("some versions are still being loaded");
        }
        let status = ProcessStatus::new(&settings, &addresses, started, &services);
        let anonymous = settings.host.is_loopback() && !settings.require_token;
        let gate = Gate::new(services.identity.clone(), anonymous);
        let gate = gate.with_hosts(settings.allowed_hosts.iter().cloned().collect());
        let servers = servers::serve(listeners, &services, Arc::new(status), ui, gate);
        Ok(Self { addresses, tasks, servers, serving: services.serving, database: services.database })
    }

    /// Where this process answers, by role.
    pub(crate) const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Resolves when a task that must not end has ended.
    pub(crate) async fn failed(&self) -> runtime::Failure {
        self.tasks.failed().await
    }

    /// Drains: no longer ready, listeners closed, requests in flight answered, then controllers and stores. Answers the
    /// tasks that did not end by `deadline`.
    pub(crate) async fn stop(self, deadline: Duration) -> Vec<String> {
        self.servers.close();
        if !self.serving.drain(deadline).await {
            tracing::warn!("some requests were cut off");
        }
        self.servers.closed(deadline).await;
        let late = self.tasks.shutdown(deadline).await;
        self.database.close().await;
        late
    }
}

/// Makes every service with its adapters.
async fn wire(settings: &Settings, tasks: &Tasks, clock: &SharedClock, plan_changed: &Signal) -> Result<Services> {
    let metrics = Metrics::new(&[
        serving::METRICS,
        features::METRICS,
        prediction_log::METRICS,
        release::METRICS,
        drift::METRICS,
        alerts::METRICS,
        registry::webhooks::METRICS,
    ])?;
    let uri = database::sqlalchemy_uri(&settings.database)?;
    let check = async move |tx: &mut Transaction| registry::check_database(tx, &uri).await;
    let database = Database::connect_after(&settings.database, tasks, check)
        .await
        .with_context(|| format!("cannot open the database {}", shown(&settings.database)))?;
    let artifacts = open_artifacts(settings).await?;
    let identity = identity::Service::new(database.clone(), clock.clone());
    identity.migrate().await?;
    repo::migrate(&database).await?;
    let working_folder = std::env::current_dir().unwrap_or_else(|_| settings.dir.clone());
    let registry_config =
        registry::Config { default_artifact_root: settings.default_artifact_root.clone(), working_folder };
    let registry = registry::Service::new(registry_config, database.clone(), artifacts.clone(), clock.clone());
    let registry = webhooks::attach(registry, settings)?;
    registry.migrate().await?;
    let remote = settings.registry.as_ref().map(|remote| {
        RemoteMlflow::new(remote.address.clone(), &remote.credentials)
            .map(|client| (remote.address.to_string(), client))
    });
    let remote = remote.transpose()?;
    let registry = match &remote {
        Some((_, client)) => registry.with_origin(Arc::new(client.clone())),
        None => registry,
    };
    registry.watch_elsewhere(PRODUCTION, tasks);
    let projects = Arc::new(ProjectStore::new(database.clone(), clock.clone(), settings.state.join("projects")));
    let store = features::online::open(&settings.online_store).await?;
    let feature_config = features::Config { project_dir: settings.dir.clone() };
    let features = features::Service::new(feature_config, database.clone(), store, clock.clone(), metrics.clone());
    features.migrate().await?;
    let log = prediction_log::Log::open(
        prediction_log::Config::new(settings.state.join("predictions")),
        clock.clone(),
        tasks,
        metrics.clone(),
    )?;
    let definitions = Arc::new(VersionDefinitions::new(Arc::clone(&projects)));
    let rooms = Rooms {
        settings,
        tasks,
        clock,
        plan_changed,
        database,
        artifacts,
        identity,
        registry,
        upstream: remote.map(|(address, remote)| Arc::new(Through { remote, address }) as _),
        projects,
        features,
        log,
        definitions,
        metrics,
    };
    rooms.connect().await
}

/// The artifact store. One that is away may come back, and what was loaded from it goes on without it; one that refuses
/// will go on refusing.
async fn open_artifacts(settings: &Settings) -> Result<Store> {
    let context = || format!("cannot open the artifact store {}", settings.artifacts);
    let store = Store::open_with(&settings.artifacts, &settings.artifact_access).with_context(context)?;
    match store.check().await {
        Err(error) if error.kind().is_retryable() => {
            tracing::warn!(store = settings.artifacts, error = %error, "the artifact store does not answer; starting without it");
        }
        checked => checked.with_context(context)?,
    }
    Ok(store)
}

/// The first token on loopback; on any other address one must exist already.
async fn guard_entry(settings: &Settings, services: &Services) -> Result<()> {
    if settings.host.is_loopback() {
        services
            .identity
            .ensure_first_token(&settings.state.join("token"))
            .await
            .context("cannot make the first token")?;
    } else if !services.identity.has_tokens().await? {
        bail!(
            "no token exists, so nobody could be told apart on {}: start once on loopback, make tokens with \
             `crosstie token create`, then start on this address",
            settings.host
        );
    }
    Ok(())
}

/// A database URI without its password.
fn shown(uri: &str) -> String {
    match url::Url::parse(uri) {
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(Some("…"));
            url.to_string()
        }
        Ok(_) | Err(_) => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests;
