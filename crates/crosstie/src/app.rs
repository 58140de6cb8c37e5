//! Settings in, running process out: the one place that names concrete adapters.

mod servers;
mod status;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use artifacts::Store;
use database::Database;
use runtime::{SharedClock, Signal, SystemClock, Tasks};
use serving::Backend;
use telemetry::Metrics;

use crate::{
    adapters::{
        audit_sink::Trail, candidates::Frozen, definitions::VersionDefinitions, explanations::Explainer,
        feature_source::OnlineRail, gates, governance::ReleasesOnly, model_files::LocalCopies, plan_source::Plans,
        prediction_sink::LogSink, projects::Applied, traffic_control::Projection,
    },
    project::{Project, ProjectStore, repo},
    settings::Settings,
    state_dir::Addresses,
};
use servers::Servers;
use status::ProcessStatus;

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
    artifacts: Store,
    features: features::Service,
    serving: serving::Service,
    releases: release::Service,
    log: prediction_log::Log,
    projects: Arc<Applied>,
    explanations: Arc<Explainer>,
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
        if !services.serving.wait_until_ready(LOADING).await {
            tracing::warn!("some versions are still being loaded");
        }
        let status = ProcessStatus::new(&settings, &addresses, started, &services);
        let anonymous = settings.host.is_loopback() && !settings.require_token;
        let servers = servers::serve(listeners, &services, Arc::new(status), anonymous);
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
    let metrics = Metrics::new(&[serving::METRICS, features::METRICS, prediction_log::METRICS, release::METRICS])?;
    let database = Database::connect(&settings.database, tasks)
        .await
        .with_context(|| format!("cannot open the database {}", shown(&settings.database)))?;
    let artifacts = Store::open(&settings.artifacts)
        .with_context(|| format!("cannot open the artifact store {}", settings.artifacts))?;
    let identity = identity::Service::new(database.clone(), clock.clone());
    identity.migrate().await?;
    repo::migrate(&database).await?;
    let registry_config = registry::Config { default_artifact_root: settings.default_artifact_root.clone() };
    let registry = registry::Service::new(registry_config, database.clone(), artifacts.clone(), clock.clone());
    registry.migrate().await?;
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
        clock,
        plan_changed,
        database,
        artifacts,
        identity,
        registry,
        projects,
        features,
        log,
        definitions,
        metrics,
    };
    rooms.connect().await
}

/// The rooms that need no other, before those that do.
struct Rooms<'a> {
    settings: &'a Settings,
    clock: &'a SharedClock,
    plan_changed: &'a Signal,
    database: Database,
    artifacts: Store,
    identity: identity::Service,
    registry: registry::Service,
    projects: Arc<ProjectStore>,
    features: features::Service,
    log: prediction_log::Log,
    definitions: Arc<VersionDefinitions>,
    metrics: Metrics,
}

impl Rooms<'_> {
    /// Makes the rooms that ask others: releases and the gateway, which need each other's answers through their ports.
    async fn connect(self) -> Result<Services> {
        let candidates = Arc::new(Frozen { registry: self.registry.clone(), projects: Arc::clone(&self.projects) });
        let traffic = Arc::new(Projection { registry: self.registry.clone(), plan_changed: self.plan_changed.clone() });
        let ports = release::Ports { gates: Vec::new(), candidates, traffic, audit: Arc::new(Trail) };
        let records = release::Service::new(
            self.database.clone(),
            ports.clone(),
            self.clock.clone(),
            Signal::new(),
            self.metrics.clone(),
        );
        records.migrate().await?;
        let serving = self.gateway(&records)?;
        let gates = self.gates(&records, &serving);
        let releases = release::Service::new(
            self.database.clone(),
            release::Ports { gates, ..ports },
            self.clock.clone(),
            Signal::new(),
            self.metrics.clone(),
        );
        let governance = ReleasesOnly {
            projects: Arc::clone(&self.projects),
            releases: releases.clone(),
            identity: self.identity.clone(),
            clock: self.clock.clone(),
        };
        let explanations = Explainer {
            log: self.log.clone(),
            features: self.features.clone(),
            projects: Arc::clone(&self.projects),
            registry: self.registry.clone(),
            releases: releases.clone(),
        };
        let projects = Applied {
            projects: self.projects,
            features: self.features.clone(),
            identity: self.identity.clone(),
            clock: self.clock.clone(),
        };
        Ok(Services {
            database: self.database,
            identity: self.identity,
            registry: self.registry.with_governance(Arc::new(governance)),
            artifacts: self.artifacts,
            features: self.features,
            serving,
            releases,
            log: self.log,
            projects: Arc::new(projects),
            explanations: Arc::new(explanations),
            metrics: self.metrics,
            clock: self.clock.clone(),
        })
    }

    fn gateway(&self, records: &release::Service) -> Result<serving::Service> {
        let ports = serving::Ports {
            backends: vec![onnx_backend(self.settings)?],
            files: Arc::new(LocalCopies {
                registry: self.registry.clone(),
                artifacts: self.artifacts.clone(),
                dir: self.settings.state.join("models"),
            }),
            features: Arc::new(OnlineRail {
                features: self.features.clone(),
                definitions: Arc::clone(&self.definitions),
            }),
            plans: Arc::new(Plans::new(records.clone(), self.registry.clone(), Arc::clone(&self.projects))),
            predictions: Arc::new(LogSink { log: self.log.clone(), definitions: Arc::clone(&self.definitions) }),
        };
        let config = serving::Config::in_dir(self.settings.state.join("gateway"));
        Ok(serving::Service::new(config, ports, self.clock.clone(), self.metrics.clone()))
    }

    fn gates(&self, records: &release::Service, serving: &serving::Service) -> Vec<Arc<dyn release::GateCheck>> {
        let evaluations = gates::Evaluations { registry: self.registry.clone(), artifacts: self.artifacts.clone() };
        vec![
            Arc::new(gates::Lineage { registry: self.registry.clone() }),
            Arc::new(gates::Schema {
                registry: self.registry.clone(),
                artifacts: self.artifacts.clone(),
                serving: serving.clone(),
            }),
            Arc::new(gates::Parity {
                features: self.features.clone(),
                serving: serving.clone(),
                projects: Arc::clone(&self.projects),
                log: self.log.clone(),
                clock: self.clock.clone(),
            }),
            Arc::new(gates::Quality {
                evaluations: evaluations.clone(),
                serving: serving.clone(),
                releases: records.clone(),
            }),
            Arc::new(gates::Latency { evaluations, serving: serving.clone(), releases: records.clone() }),
        ]
    }
}

/// ONNX Runtime; where its library is nowhere, what stands in for it and says how to get it.
fn onnx_backend(settings: &Settings) -> Result<Arc<dyn Backend>> {
    if let Some(named) = &settings.onnxruntime {
        return Ok(Arc::new(onnx::OnnxRuntime::load(named)?));
    }
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let above = settings.dir.ancestors().map(|dir| dir.join(".venv"));
    let environments: Vec<PathBuf> = active.into_iter().chain(above).collect();
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("libonnxruntime.so")));
    let found = environments.iter().find_map(|root| onnx::library_in_environment(root));
    let found = found.or_else(|| beside.filter(|path| path.is_file()));
    let loaded = match found {
        Some(library) => onnx::OnnxRuntime::load(&library),
        None => Err(onnx::Error::NotFound { looked_in: environments }),
    };
    Ok(match loaded {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            tracing::warn!(%error, "ONNX models will not load");
            Arc::new(onnx::MissingRuntime::new(&error))
        }
    })
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
