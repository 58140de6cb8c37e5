//! The protocol as its clients speak it: requests by hand, the generated gRPC client, and the stock `tritonclient`.

mod grpc;
mod http;
mod tritonclient;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use database::Database;
use runtime::{Signal, SystemClock, Tasks};
use serving::{
    Config, ModelPlan, Service, TrafficPlan, VersionPlan,
    testing::{Adder, Features, Files, Plans, Predictions, ports},
};
use telemetry::Metrics;
use tokio::net::TcpListener;
use types::{Digest, ModelName, ModelVersion, Principal, Role};

use super::InferenceState;
use crate::{auth::Gate, routes};

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(30);

/// Both servers over one gateway that serves `ranker/1`: it adds up two numbers and 1,000. `ranker/2` is loaded and gets no
/// traffic.
struct Servers {
    http: SocketAddr,
    grpc: SocketAddr,
    identity: identity::Service,
    predictions: Arc<Predictions>,
    _dir: tempfile::TempDir,
    _tasks: Tasks,
}

impl Servers {
    async fn start(anonymous_allowed: bool) -> Self {
        runtime::tls::use_ring();
        let dir = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let uri = format!("sqlite:{}", dir.path().join("test.db").display());
        let database = Database::connect(&uri, &tasks).await.unwrap();
        let identity = identity::Service::new(database, SystemClock::shared());
        identity.migrate().await.unwrap();
        let plans = Arc::new(Plans::default());
        let model = ModelName::parse("ranker").unwrap();
        let version =
            |number| VersionPlan::plain(ModelVersion::new(model.clone(), number), Adder::NAME, Digest::of("ranker"));
        let plan = ModelPlan { stable: Some(version(1)), others: vec![version(2)], ..ModelPlan::default() };
        let models = BTreeMap::from([(model.clone(), plan)]);
        plans.set(TrafficPlan { revision: 1, models });
        let predictions = Arc::new(Predictions::default());
        let (backend, files, features) = <(Arc<Adder>, Arc<Files>, Arc<Features>)>::default();
        let ports = ports(&backend, &files, &features, &plans, &predictions);
        let metrics = Metrics::new(&[serving::METRICS]).unwrap();
        let serving = Service::new(Config::in_dir(dir.path()), ports, SystemClock::shared(), metrics);
        serving.start(&tasks, Signal::new());
        assert!(serving.wait_until_ready(LONG).await);
        let state = InferenceState { serving, version: "0.0.0" };
        let gate = Gate::new(identity.clone(), anonymous_allowed);
        let listener = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
        let (http, grpc) = (listener().await, listener().await);
        let (http_address, grpc_address) = (http.local_addr().unwrap(), grpc.local_addr().unwrap());
        let router = routes::router(super::routes(&state), &gate);
        tasks.spawn("http", async move { axum::serve(http, router).await });
        tasks.spawn("grpc", super::serve_grpc(grpc, state, gate, std::future::pending()));
        Self { http: http_address, grpc: grpc_address, identity, predictions, _dir: dir, _tasks: tasks }
    }

    /// A token of `role`.
    async fn token(&self, role: Role) -> String {
        let admin = Principal::known("root", Role::Admin);
        self.identity.create_token(&admin, role.as_str(), role).await.unwrap().expose().clone()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v2/{path}", self.http)
    }
}
