//! Real services in a temporary folder, with what releases ask of others made of plain memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use alerts::{Condition, Source};
use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use console::ConsoleState;
use database::{Database, Transaction};
use drift::{ReferenceRows, References, Watched, WatchedModel};
use futures::future::LocalBoxFuture;
use prediction_log::{Arm, Log, LoggedFeature, Outcome, PredictionRecord};
use registry::{NewRun, NewVersion};
use release::{
    Assignment, AuditSink, Author, Candidate, Candidates, GateCheck, GateName, GateOutcome, NewWaiver, PortError,
    Ports, ReleaseId, Stage, TrafficControl,
};
use runtime::{Signal, SystemClock, Tasks, testing::eventually};
use serde_json::json;
use telemetry::Metrics;
use tempfile::TempDir;
use tower::ServiceExt as _;
use types::{AuditEntry, Digest, ModelName, ModelVersion, PredictionId, Principal, Role, Timestamp, Value};
use uuid::Uuid;

/// A deadline that only a defect reaches.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct World {
    state: ConsoleState,
    router: Router,
    holding: Arc<Holding>,
    _tasks: Tasks,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new(database: Database) -> Self {
        let (folder, tasks, clock) = (TempDir::new().unwrap(), Tasks::new(), SystemClock::shared());
        let tables = [release::METRICS, prediction_log::METRICS, features::METRICS, drift::METRICS, alerts::METRICS];
        let metrics = Metrics::new(&tables).unwrap();
        let identity = identity::Service::new(database.clone(), clock.clone());
        identity.migrate().await.unwrap();
        let artifacts = artifacts::Store::open(&format!("file:{}", folder.path().join("artifacts").display())).unwrap();
        let config = registry::Config::default();
        let registry = registry::Service::new(config, database.clone(), artifacts, clock.clone());
        registry.migrate().await.unwrap();
        let store =
            features::online::open(&format!("redb:{}", folder.path().join("online.redb").display())).await.unwrap();
        let config = features::Config { project_dir: folder.path().to_owned() };
        let features = features::Service::new(config, database.clone(), store, clock.clone(), metrics.clone());
        features.migrate().await.unwrap();
        let config = prediction_log::Config::new(folder.path().join("log"));
        let predictions = Log::open(config, clock.clone(), &tasks, metrics.clone()).unwrap();
        let gates = GateName::ALL.map(|gate| Arc::new(Gate(gate)) as Arc<dyn GateCheck>).into();
        let ports =
            Ports { gates, candidates: Arc::new(Outside), traffic: Arc::new(Outside), audit: Arc::new(Outside) };
        let releases = release::Service::new(database.clone(), ports, Signal::new(), metrics.clone());
        releases.migrate().await.unwrap();
        releases.controller(&tasks);
        let ports = drift::Ports { references: Arc::new(Outside), watched: Arc::new(Outside) };
        let drift = drift::Service::new(database.clone(), predictions.clone(), ports, clock.clone(), metrics.clone());
        drift.migrate().await.unwrap();
        let config = alerts::Config::new(alerts::Routing::default());
        let alerts = alerts::Service::new(config, database, clock.clone(), metrics).unwrap();
        let holding = Arc::new(Holding::default());
        let alerts = alerts.with_sources(vec![Arc::clone(&holding) as _]);
        alerts.migrate().await.unwrap();
        alerts.watch(&tasks);
        let state = ConsoleState {
            registry,
            features,
            releases,
            predictions,
            drift,
            alerts,
            identity,
            clock,
            has_mlflow_ui: false,
        };
        Self { router: console::router(state.clone()), state, holding, _tasks: tasks, _folder: folder }
    }

    pub(crate) async fn headers(&self, path: &str) -> HeaderMap {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap().headers().clone()
    }

    /// Has a condition hold until the next one does, and waits until its alert fires.
    pub(crate) async fn fires(&self, condition: Condition) {
        *self.holding.0.lock().unwrap() = Some(condition.clone());
        eventually(LONG, async || {
            self.state.alerts.look();
            let alerts = self.state.alerts.list(alerts::Filter::default()).await.unwrap();
            if alerts.iter().any(|alert| alert.key == condition.key) { Ok(()) } else { Err(format!("{alerts:?}")) }
        })
        .await;
    }

    /// The time on the pages.
    pub(crate) fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        self.ask(Method::GET, path).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A version whose lineage gate failed and was waived, and a prediction of it.
    pub(crate) async fn release_with_a_waived_gate(&self) -> (ReleaseId, PredictionId) {
        let author = Principal::known("ada", Role::Editor);
        let version = ModelVersion::parse("click ranker/1").unwrap();
        self.state
            .registry
            .create_model(version.model.as_str(), Some("Ranks <clicks>".to_owned()), Vec::new())
            .await
            .unwrap();
        let run = self.state.registry.create_run(NewRun::default()).await.unwrap().info;
        let new = NewVersion {
            name: version.model.to_string(),
            source: format!("{}/model", run.artifact_uri),
            run_id: Some(run.id),
            model_id: None,
            run_link: String::new(),
            description: String::new(),
            tags: Vec::new(),
        };
        self.state.registry.create_version(&author, new).await.unwrap();
        let until = Timestamp::parse("2999-01-01").unwrap();
        let waiver = NewWaiver { gate: GateName::Lineage, reason: "the laptop was lost".to_owned(), until };
        let approver = Principal::known("grace", Role::Approver);
        let id = self.state.releases.create(&approver, &version, vec![waiver]).await.unwrap().id;
        eventually(LONG, async || {
            let release = self.state.releases.get(id).await.unwrap();
            if release.stage == Stage::AwaitingApproval { Ok(()) } else { Err(release.stage) }
        })
        .await;
        let prediction = PredictionId::new(Uuid::now_v7(), 0);
        let at = self.state.clock.now();
        let feature = LoggedFeature {
            name: "clicks_7d".to_owned(),
            value: Value::Int64(3),
            event_time: Some(at),
            origin: "pushed".to_owned(),
            digest: Some(Digest::of("view")),
        };
        let record = PredictionRecord {
            id: prediction,
            at,
            version,
            arm: Arm::Stable,
            release: Some(id.to_string()),
            principal: "shop".to_owned(),
            entities: vec![("user_id".to_owned(), Value::Int64(7))],
            features: vec![feature],
            outputs: vec![("score".to_owned(), vec![Value::Float32(0.5)])],
            degraded: false,
            project: None,
            sample_rate: 1.0,
        };
        self.state.predictions.append(&[record]).unwrap();
        let outcome = Outcome { prediction, event: "purchase".to_owned(), value: Some(9.5), at };
        self.state.predictions.append_outcomes(vec![outcome]).await.unwrap();
        (id, prediction)
    }
}

struct Gate(GateName);

#[async_trait]
impl GateCheck for Gate {
    fn name(&self) -> GateName {
        self.0
    }

    async fn check(&self, _: &Candidate) -> Result<GateOutcome, PortError> {
        let passed = self.0 != GateName::Lineage;
        let summary = if passed { "all equal" } else { "no dataset was recorded" }.to_owned();
        let differences = json!([{ "entity": "user 7", "feature": "country", "online": "<us>", "offline": "US" }]);
        Ok(GateOutcome { passed, summary, evidence: json!({ "rows": 1000, "first_differences": differences }) })
    }
}

/// Knows one model, tells nobody, and records what it is told.
struct Outside;

#[async_trait]
impl Candidates for Outside {
    async fn freeze(&self, version: &ModelVersion) -> Result<Candidate, PortError> {
        let steps = json!([{ "set_weight": 5 }, { "set_weight": 100 }]);
        let file = json!({ "version": 1, "model": version.model, "rollout": { "steps": steps } });
        Ok(Candidate {
            version: version.clone(),
            backend: "onnx".to_owned(),
            artifact_digest: Digest::of("artifact"),
            project_digest: Digest::of("project"),
            feature_digests: BTreeMap::new(),
            model_file: serde_json::from_value(file).unwrap(),
            author: Some(Author { name: "ada".to_owned(), anonymous: false }),
        })
    }

    async fn artifact_digest(&self, _: &ModelVersion) -> Result<Digest, PortError> {
        Ok(Digest::of("artifact"))
    }

    async fn exists(&self, _: &ModelVersion) -> Result<bool, PortError> {
        Ok(true)
    }
}

#[async_trait]
impl TrafficControl for Outside {
    async fn apply(&self, _: &ModelName, _: &Assignment) -> Result<(), PortError> {
        Ok(())
    }
}

#[async_trait]
impl References for Outside {
    async fn reference(&self, _: &ModelVersion) -> Result<Option<ReferenceRows>, drift::BoxError> {
        Ok(None)
    }
}

#[async_trait]
impl Watched for Outside {
    async fn watched(&self) -> Result<Vec<WatchedModel>, drift::BoxError> {
        Ok(Vec::new())
    }
}

/// What holds, as a test says.
#[derive(Default)]
struct Holding(Mutex<Option<Condition>>);

#[async_trait]
impl Source for Holding {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn conditions(&self) -> Result<Vec<Condition>, alerts::BoxError> {
        Ok(self.0.lock().unwrap().iter().cloned().collect())
    }
}

impl AuditSink for Outside {
    fn record<'t>(
        &'t self,
        transaction: &'t mut Transaction,
        entry: &'t AuditEntry,
    ) -> LocalBoxFuture<'t, Result<(), database::Error>> {
        Box::pin(identity::Service::record(transaction, entry))
    }
}
