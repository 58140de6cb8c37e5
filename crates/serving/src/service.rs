//! The service: a request's whole way, from admission to the answer.

mod answer;
mod loading;
mod reporting;
mod shadowing;
mod views;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use runtime::{SharedClock, Signal, Tasks};
use telemetry::Metrics;
use tokio::time::Instant;
use tracing::instrument;
use types::ModelName;
use uuid::Uuid;

use self::answer::{Answered, Picked, Turn};
pub use self::views::{GatewayStatus, ModelStatus};
use crate::{
    Arm, Backend, Error, FeatureSource, GatewayReports, InferRequest, InferResponse, ModelFiles, PlanSource,
    PredictionSink, PrepareRequest, Prepared, Scored, ShadowSink, VersionState,
    admission::Admission,
    execution,
    fleet::{Fleet, Live},
    metrics::{self, Timings},
    plan::PlanFile,
    route::RouteKey,
    shadow::Copies,
    windows::{Tally, Windows},
};

/// How long a version that a gate asks for may take to appear in the plan: a few polls.
const APPEARANCE: Duration = Duration::from_secs(5);

/// How a gateway serves.
#[derive(Debug, Clone)]
pub struct Config {
    /// This gateway's own id, unlike that of any other process that reports to the same place.
    pub id: String,
    /// Where the last traffic plan is kept.
    pub dir: PathBuf,
    /// How many requests may be in flight; more are refused at once.
    pub max_in_flight: u32,
    /// How often the traffic plan is polled.
    pub poll_every: Duration,
    /// How long a gate waits for a version that is being loaded.
    pub load_patience: Duration,
}

impl Config {
    /// The usual configuration, with the last plan kept in `dir`, and a new id. A process that starts again is a new
    /// gateway, so that what it counts never meets what the one before had reported.
    #[must_use]
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self {
            id: Uuid::now_v7().to_string(),
            dir: dir.into(),
            // At 10 ms a request this is 50,000 requests a second: far beyond what a machine scores, and small in memory.
            max_in_flight: 512,
            poll_every: Duration::from_secs(1),
            load_patience: Duration::from_secs(60),
        }
    }
}

/// Whom a gateway needs.
#[derive(Clone)]
pub struct Ports {
    /// What executes models; a plan names them.
    pub backends: Vec<Arc<dyn Backend>>,
    /// Where artifacts come from.
    pub files: Arc<dyn ModelFiles>,
    /// Where features come from.
    pub features: Arc<dyn FeatureSource>,
    /// Where the traffic plan comes from.
    pub plans: Arc<dyn PlanSource>,
    /// Where served rows go.
    pub predictions: Arc<dyn PredictionSink>,
    /// Whom this gateway tells what it follows and what it counted.
    pub reports: Arc<dyn GatewayReports>,
    /// Where copies of requests go once they were executed.
    pub shadows: Arc<dyn ShadowSink>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backends: Vec<_> = self.backends.iter().map(|backend| backend.name()).collect();
        f.debug_struct("Ports").field("backends", &backends).finish_non_exhaustive()
    }
}

/// The data plane of one process. Clones share everything.
#[derive(Debug, Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    ports: Ports,
    clock: SharedClock,
    metrics: Metrics,
    admission: Admission,
    fleet: Arc<Fleet>,
    windows: Windows,
    copies: Copies,
    plan_file: PlanFile,
    /// Makes the plan be polled at once; there once the service was started.
    poll_now: OnceLock<Signal>,
}

impl Service {
    /// The service; it serves nothing before [`Service::start`]. `metrics` must know [`crate::METRICS`].
    #[must_use]
    pub fn new(config: Config, ports: Ports, clock: SharedClock, metrics: Metrics) -> Self {
        let inner = Inner {
            admission: Admission::new(config.max_in_flight, &metrics),
            fleet: Arc::new(Fleet::new(metrics.clone())),
            windows: Windows::new(Arc::clone(&clock), &metrics),
            copies: Copies::new(),
            plan_file: PlanFile::within(&config.dir),
            poll_now: OnceLock::new(),
            config,
            ports,
            clock,
            metrics,
        };
        Self { inner: Arc::new(inner) }
    }

    /// This gateway's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.config.id
    }

    /// Until `tasks` are shut down: polls the traffic plan, loads versions, reports, and executes copies of requests.
    /// `plan_changed` hints that there is a newer plan.
    pub fn start(&self, tasks: &Tasks, plan_changed: Signal) {
        self.inner.poll_now.get_or_init(|| plan_changed.clone());
        loading::start(Arc::clone(&self.inner), tasks, plan_changed);
        reporting::start(self, tasks);
        shadowing::start(Arc::clone(&self.inner), tasks);
    }

    /// Lets no more requests in and waits for those in flight; whether all were answered before `deadline`. What was
    /// counted and not reported yet is reported then, for which a receiver that is away gets a moment more.
    pub async fn drain(&self, deadline: Duration) -> bool {
        let drained = self.inner.admission.drain(deadline).await;
        reporting::finish(self).await;
        drained
    }

    /// The inputs that a version would be executed with, as `infer` would make them; nothing is executed or logged.
    ///
    /// # Errors
    /// When the version does not serve, an input is refused, or features cannot be added.
    #[instrument(skip_all, fields(model = %request.model))]
    pub async fn prepare(&self, request: PrepareRequest) -> Result<Prepared, Error> {
        let _place = self.inner.admission.enter()?;
        let (picked, _) = self.prepare_picked(request).await?;
        Ok(picked)
    }

    /// Executes a version without serving: nothing is logged or counted. For gates.
    ///
    /// # Errors
    /// As [`Service::prepare`], and when the backend fails.
    #[instrument(skip_all, fields(model = %request.model))]
    pub async fn score(&self, request: PrepareRequest) -> Result<Scored, Error> {
        let _place = self.inner.admission.enter()?;
        let started = Instant::now();
        let (prepared, live) = self.prepare_picked(request).await?;
        let executing = Instant::now();
        let outputs = execution::execute(&live, prepared.tensors.clone()).await?.outputs;
        Ok(Scored { prepared, outputs, prepare: executing - started, execute: executing.elapsed() })
    }

    /// Answers a request, and hands each served row to the prediction sink before it does.
    ///
    /// # Errors
    /// When the version does not serve, an input is refused, features cannot be added, or the backend fails; and at once
    /// when too many requests are in flight.
    #[instrument(skip_all, fields(model = %request.model))]
    pub async fn infer(&self, request: InferRequest) -> Result<InferResponse, Error> {
        let started = Instant::now();
        let inner = &*self.inner;
        let request_id = Uuid::now_v7();
        let entered = inner.admission.enter().and_then(|place| Ok((place, inner.pick(&request, request_id)?)));
        let (_place, Picked { routes, live, arm, key }) =
            entered.inspect_err(|error| metrics::unrouted(&inner.metrics, error.kind()))?;
        let route = routes.model(&request.model)?;
        let routed = arm != Arm::Explicit;
        let watched = route.watched().filter(|_| routed).cloned();
        let copy = if routed { inner.copy(&request, &routes, &key, route) } else { None };
        let tally = Tally::new(&inner.windows, watched, arm, live.plan.version.version, key, started);
        let turn = Turn { route, live: &live, arm, request: request_id, started };
        match inner.answer(request, turn, copy.is_some()).await {
            Ok(Answered { response, timings, rows }) => {
                tally.answered(timings.total);
                live.statistics.answered(inner.clock.now(), response.rows, &timings);
                live.meters.answered(arm, response.rows, &timings, response.degraded);
                if let Some(copy) = copy {
                    inner.send(copy, &live, rows, timings.total);
                }
                Ok(response)
            }
            Err(error) => {
                tally.failed(&error);
                live.statistics.failed(started.elapsed());
                live.meters.failed(arm, error.kind(), started.elapsed());
                Err(error)
            }
        }
    }

    /// Prepares a request, waiting for a candidate that is still being loaded.
    async fn prepare_picked(&self, request: PrepareRequest) -> Result<(Prepared, Arc<Live>), Error> {
        let PrepareRequest { model, version, inputs, candidates } = request;
        if let (Some(number), true) = (version, candidates) {
            self.wait_until_loaded(&model, number).await;
        }
        let routes = self.inner.fleet.routes();
        let route = routes.model(&model)?;
        let key = RouteKey::of(route.route_by(), &inputs, Uuid::now_v7());
        let (live, arm) = match version {
            Some(number) => route.named(&model, number, candidates)?,
            None => route.routed(&model, &key)?,
        };
        let mut timings = Timings::default();
        let prepared = self.inner.prepare(route, &live, arm, inputs, &mut timings).await?;
        Ok((prepared, live))
    }

    /// Returns when version `number` is loaded, has failed to, is not in the plan, or patience is over. A version that
    /// has just become a candidate may be in the plan but not yet here, so the plan is polled for it first.
    async fn wait_until_loaded(&self, model: &str, number: u32) {
        let routes = || self.inner.fleet.routes();
        let known = || routes().models.get(model).is_some_and(|route| route.status(number).is_some());
        if !known() {
            if let Some(poll_now) = self.inner.poll_now.get() {
                poll_now.notify();
            }
            self.wait_until(APPEARANCE, |_| known()).await;
        }
        let loaded = || {
            let routes = routes();
            let status = routes.models.get(model).and_then(|route| route.status(number));
            status.is_none_or(|status| status.state != VersionState::Loading)
        };
        // What is still loading after that is answered as not ready, with the reason.
        self.wait_until(self.inner.config.load_patience, |_| loaded()).await;
    }

    /// Takes a model's versions out of memory until [`Service::load`] or a restart. The plan stays as it is.
    ///
    /// # Errors
    /// When the plan does not know the model.
    pub fn unload(&self, model: &str) -> Result<(), Error> {
        self.set_unloaded(model, true)
    }

    /// Lets a model's versions be loaded again, as the plan says, and waits until they are or failed to.
    ///
    /// # Errors
    /// When the plan does not know the model, or a version of it does not load.
    pub async fn load(&self, model: &str) -> Result<(), Error> {
        self.set_unloaded(model, false)?;
        let numbers: Vec<u32> =
            self.inner.fleet.routes().model(model)?.versions.iter().map(|status| status.version.version).collect();
        for number in numbers {
            self.wait_until_loaded(model, number).await;
        }
        self.ready(model, None)
    }

    fn set_unloaded(&self, model: &str, unloaded: bool) -> Result<(), Error> {
        let unknown = || Error::UnknownModel { model: model.to_owned() };
        let name = ModelName::parse(model).map_err(|_| unknown())?;
        if !self.inner.fleet.set_unloaded(&name, unloaded) {
            return Err(unknown());
        }
        if let Some(poll_now) = self.inner.poll_now.get() {
            poll_now.notify();
        }
        Ok(())
    }
}
