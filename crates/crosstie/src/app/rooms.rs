//! The rooms that ask each other, wired: each gets its ports from adapters over the others.

use std::sync::Arc;

use anyhow::Result;
use api::mlflow::elsewhere::Upstream;
use artifacts::Store;
use database::Database;
use http_backend::HttpBackend;
use runtime::{SharedClock, Signal, Tasks};
use serving::Backend;
use telemetry::Metrics;

use super::{Services, environments::virtual_environments};
use crate::{
    adapters::{
        alert_sources, audit_sink::Trail, backends::BackendOf, candidates::Frozen, definitions::VersionDefinitions,
        deployments::Released, drift_sources, explanations::Explainer, feature_source::OnlineRail, gates,
        gateway_reports::Reports, governance::ReleasesOnly, maintenance, model_files::LocalCopies, plan_source::Plans,
        prediction_sink::LogSink, projects::Applied, shadows::Comparisons, traffic_control::Projection,
    },
    backup,
    project::ProjectStore,
    settings::Settings,
};

/// The rooms that need no other, before those that do.
pub(super) struct Rooms<'a> {
    pub(super) settings: &'a Settings,
    pub(super) tasks: &'a Tasks,
    pub(super) clock: &'a SharedClock,
    pub(super) plan_changed: &'a Signal,
    pub(super) database: Database,
    pub(super) artifacts: Store,
    pub(super) identity: identity::Service,
    pub(super) registry: registry::Service,
    pub(super) upstream: Option<Arc<dyn Upstream>>,
    pub(super) projects: Arc<ProjectStore>,
    pub(super) features: features::Service,
    pub(super) log: prediction_log::Log,
    pub(super) definitions: Arc<VersionDefinitions>,
    pub(super) metrics: Metrics,
}

impl Rooms<'_> {
    /// Makes the rooms that ask others: releases and the gateway, which need each other's answers through their ports.
    pub(super) async fn connect(self) -> Result<Services> {
        let candidates = Arc::new(Frozen {
            registry: self.registry.clone(),
            projects: Arc::clone(&self.projects),
            backends: self.backends(),
        });
        let traffic = Arc::new(Projection {
            registry: self.registry.clone(),
            plan_changed: self.plan_changed.clone(),
            identity: self.identity.clone(),
            clock: self.clock.clone(),
        });
        let ports = release::Ports { gates: Vec::new(), candidates, traffic, audit: Arc::new(Trail) };
        // One signal: what a gateway tells of itself wakes the controller.
        let signal = Signal::new();
        let service = |ports, signal| release::Service::new(self.database.clone(), ports, signal, self.metrics.clone());
        let records = service(ports.clone(), signal.clone());
        records.migrate().await?;
        let serving = self.gateway(&records)?;
        let gates = self.gates(&records, &serving);
        let releases = service(release::Ports { gates, ..ports }, signal);
        let drift = self.drift(&releases).await?;
        let alerts = self.alerts(&releases, &drift).await?;
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
        let stores = backup::Stores {
            database: self.database.clone(),
            artifacts: self.artifacts.clone(),
            features: self.features.clone(),
            predictions: self.settings.state.join("predictions"),
            webhook_key: self.settings.webhooks.key.is_none().then(|| self.settings.state.join(super::KEY_FILE)),
        };
        let registry = self
            .registry
            .with_governance(Arc::new(governance))
            .with_deployments(Arc::new(Released { releases: releases.clone() }));
        let upkeep = maintenance::over(&self.database, &registry, &releases, &self.identity, stores, self.clock);
        Ok(Services {
            database: self.database,
            identity: self.identity,
            registry,
            upstream: self.upstream,
            artifacts: self.artifacts,
            features: self.features,
            serving,
            releases,
            log: self.log,
            projects: Arc::new(projects),
            explanations: Arc::new(explanations),
            drift,
            alerts,
            upkeep,
            metrics: self.metrics,
            clock: self.clock.clone(),
        })
    }

    fn backends(&self) -> BackendOf {
        BackendOf { registry: self.registry.clone(), artifacts: self.artifacts.clone() }
    }

    fn evaluations(&self) -> gates::Evaluations {
        gates::Evaluations { registry: self.registry.clone(), artifacts: self.artifacts.clone() }
    }

    async fn drift(&self, releases: &release::Service) -> Result<drift::Service> {
        let ports = drift::Ports {
            references: Arc::new(drift_sources::TrainingData { evaluations: self.evaluations() }),
            watched: Arc::new(drift_sources::Serving {
                releases: releases.clone(),
                projects: Arc::clone(&self.projects),
            }),
        };
        let (database, log) = (self.database.clone(), self.log.clone());
        let drift = drift::Service::new(database, log, ports, self.clock.clone(), self.metrics.clone());
        drift.migrate().await?;
        Ok(drift)
    }

    async fn alerts(&self, releases: &release::Service, drift: &drift::Service) -> Result<alerts::Service> {
        let config = alerts::Config::new(self.settings.alerts.clone());
        let alerts = alerts::Service::new(config, self.database.clone(), self.clock.clone(), self.metrics.clone())?;
        alerts.migrate().await?;
        Ok(alerts.with_sources(vec![
            Arc::new(alert_sources::Releases(releases.clone())),
            Arc::new(alert_sources::Drift(drift.clone())),
            Arc::new(alert_sources::Elsewhere(self.registry.clone())),
        ]))
    }

    fn gateway(&self, records: &release::Service) -> Result<serving::Service> {
        let config = serving::Config::in_dir(self.settings.state.join("gateway"));
        let shadows = Comparisons::start(
            self.log.clone(),
            Arc::clone(&self.definitions),
            records.clone(),
            config.id.clone(),
            self.tasks,
        );
        let ports = serving::Ports {
            backends: vec![onnx_backend(self.settings)?, Arc::new(HttpBackend::new()?)],
            files: Arc::new(LocalCopies {
                registry: self.registry.clone(),
                artifacts: self.artifacts.clone(),
                dir: self.settings.state.join("models"),
            }),
            features: Arc::new(OnlineRail {
                features: self.features.clone(),
                definitions: Arc::clone(&self.definitions),
            }),
            plans: Arc::new(Plans::new(
                records.clone(),
                self.registry.clone(),
                Arc::clone(&self.projects),
                self.backends(),
            )),
            predictions: Arc::new(LogSink { log: self.log.clone(), definitions: Arc::clone(&self.definitions) }),
            reports: Arc::new(Reports { releases: records.clone(), gateway: config.id.clone() }),
            shadows: Arc::new(shadows),
        };
        Ok(serving::Service::new(config, ports, self.clock.clone(), self.metrics.clone()))
    }

    fn gates(&self, records: &release::Service, serving: &serving::Service) -> Vec<Arc<dyn release::GateCheck>> {
        let evaluations = self.evaluations();
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
    let environments = virtual_environments(&settings.dir);
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
