//! The four listeners: bound before anything else, so that a taken port is said at once; closed before requests drain.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use api::{
    auth::Gate,
    inference::InferenceState,
    lineage::LineageState,
    mlflow::MlflowState,
    mlflow_ui::MlflowUi,
    monitoring::MonitoringState,
    predictions::PredictionsState,
    routes::Route,
    server::{metrics_routes, serve_http},
    system::{Status, SystemState},
};
use console::ConsoleState;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::Services;
use crate::{settings::Settings, state_dir::Addresses};

/// The roles of the four ports, in the order of [`Settings::ports`], and the flags that choose them.
const ROLES: [(&str, &str); 4] =
    [("api", "--port"), ("http", "--http-port"), ("grpc", "--grpc-port"), ("metrics", "--metrics-port")];

/// Bound listeners, in the order of the roles.
pub(super) type Listeners = [TcpListener; 4];

/// Binds all four.
///
/// # Errors
/// When a port is taken or may not be used; the error names the flag that chooses another.
pub(super) async fn bind(settings: &Settings) -> Result<Listeners> {
    let [api, http, grpc, metrics] = settings.ports;
    Ok([
        bind_one(settings.host, api, ROLES[0].1).await?,
        bind_one(settings.host, http, ROLES[1].1).await?,
        bind_one(settings.host, grpc, ROLES[2].1).await?,
        bind_one(settings.host, metrics, ROLES[3].1).await?,
    ])
}

async fn bind_one(host: IpAddr, port: u16, flag: &str) -> Result<TcpListener> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            anyhow!("port {port} on {host} is in use: choose another with {flag} (0 takes a free one)")
        } else {
            anyhow!(error).context(format!("cannot listen on {host}:{port}; choose another with {flag}"))
        }
    })
}

/// Where they listen.
///
/// # Errors
/// When the operating system does not say.
pub(super) fn addresses(listeners: &Listeners) -> Result<Addresses> {
    let address = |(listener, (role, _)): (&TcpListener, (&str, &str))| -> Result<(String, String)> {
        let address: SocketAddr = listener.local_addr().context("a listener has no address")?;
        Ok((role.to_owned(), address.to_string()))
    };
    listeners.iter().zip(ROLES).map(address).collect()
}

/// The running servers.
#[derive(Debug)]
pub(super) struct Servers {
    close: CancellationToken,
    running: tokio::sync::Mutex<JoinSet<()>>,
}

impl Servers {
    /// Stops accepting; what is in flight goes on.
    pub(super) fn close(&self) {
        self.close.cancel();
    }

    /// Waits until every connection has ended, or `deadline` has passed.
    pub(super) async fn closed(&self, deadline: Duration) {
        let mut running = self.running.lock().await;
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!("some connections were cut off");
        }
    }
}

/// The routes of the API port.
pub(crate) fn api_routes(services: &Services, status: Arc<dyn Status>) -> Vec<Route> {
    let system = SystemState {
        identity: services.identity.clone(),
        projects: Arc::clone(&services.projects) as _,
        explanations: Arc::clone(&services.explanations) as _,
        status,
    };
    let mlflow = MlflowState { registry: services.registry.clone(), artifacts: services.artifacts.clone() };
    let mut routes = match &services.upstream {
        Some(upstream) => api::mlflow::elsewhere::routes(&mlflow, upstream),
        None => api::mlflow::routes(&mlflow),
    };
    routes.extend(api::system::routes(&system));
    let lineage = LineageState { registry: services.registry.clone(), artifacts: services.artifacts.clone() };
    routes.extend(api::lineage::routes(&lineage));
    routes.extend(api::features::routes(&services.features));
    routes.extend(api::releases::routes(&services.releases));
    routes.extend(api::predictions::routes(&predictions(services)));
    routes.extend(api::maintenance::routes(&(Arc::clone(&services.upkeep) as _)));
    let monitoring = MonitoringState { alerts: services.alerts.clone(), drift: services.drift.clone() };
    routes.extend(api::monitoring::routes(&monitoring));
    routes
}

fn predictions(services: &Services) -> PredictionsState {
    PredictionsState { log: services.log.clone(), clock: services.clock.clone() }
}

/// The routes of the inference port.
pub(crate) fn inference_routes(services: &Services) -> Vec<Route> {
    let mut routes = api::inference::routes(&inference(services));
    routes.extend(api::predictions::outcome_routes(&predictions(services)));
    routes
}

fn inference(services: &Services) -> InferenceState {
    InferenceState { serving: services.serving.clone(), version: env!("CARGO_PKG_VERSION") }
}

/// Serves on all four listeners.
pub(super) fn serve(
    listeners: Listeners,
    services: &Services,
    status: Arc<dyn Status>,
    ui: Option<MlflowUi>,
    gate: Gate,
) -> Servers {
    let close = CancellationToken::new();
    let mut running = JoinSet::new();
    let [api, inference_port, grpc, metrics] = listeners;
    let mut http = |name: &'static str, listener, routes, pages| {
        let (gate, stop) = (gate.clone(), close.clone().cancelled_owned());
        running.spawn(async move {
            if let Err(error) = serve_http(listener, routes, pages, gate, stop).await {
                tracing::error!(server = name, %error, "a server ended");
            }
        });
    };
    let console = console::router(console_state(services, ui.is_some()));
    let pages = ui.map_or_else(|| console.clone(), |ui| console.clone().merge(ui.router()));
    http("api", api, api_routes(services, status), Some(pages));
    http("http", inference_port, inference_routes(services), None);
    http("metrics", metrics, metrics_routes(&services.metrics), None);
    let stop = close.clone().cancelled_owned();
    let state = inference(services);
    running.spawn(async move {
        if let Err(error) = api::inference::serve_grpc(grpc, state, gate, stop).await {
            tracing::error!(server = "grpc", %error, "a server ended");
        }
    });
    Servers { close, running: running.into() }
}

fn console_state(services: &Services, has_mlflow_ui: bool) -> ConsoleState {
    ConsoleState {
        registry: services.registry.clone(),
        features: services.features.clone(),
        releases: services.releases.clone(),
        predictions: services.log.clone(),
        drift: services.drift.clone(),
        alerts: services.alerts.clone(),
        identity: services.identity.clone(),
        clock: services.clock.clone(),
        has_mlflow_ui,
    }
}
