//! A service with a source that says what a test tells it to, a clock set by hand, and receivers of webhooks.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration as Wait,
};

use alerts::{Alert, BoxError, Condition, Config, Filter, Route, Routing, Service, Source, WebhookUrl};
use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use database::{Database, params};
use runtime::{
    Tasks,
    testing::{ManualClock, eventually},
};
use serde_json::{Value, json};
use telemetry::{Metrics, Severity};
use tokio::net::TcpListener;
use types::{Duration, ModelName, Timestamp};

/// A deadline that only a defect reaches.
pub(crate) const LONG: Wait = Wait::from_secs(60);

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) service: Service,
    pub(crate) source: Arc<Holds>,
    pub(crate) clock: ManualClock,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Metrics,
}

impl World {
    /// A process that watches.
    pub(crate) async fn new(database: Database, routes: &[(&Receiver, Severity)]) -> Self {
        let clock = ManualClock::new(Timestamp::parse("2026-11-23T14:00:00Z").unwrap());
        Self::with(database, routes, clock, Arc::new(Holds::named("drift"))).await
    }

    /// The same process after a restart, or another one beside it.
    pub(crate) async fn beside(&self, database: Database, routes: &[(&Receiver, Severity)]) -> Self {
        Self::with(database, routes, self.clock.clone(), Arc::clone(&self.source)).await
    }

    async fn with(
        database: Database,
        routes: &[(&Receiver, Severity)],
        clock: ManualClock,
        source: Arc<Holds>,
    ) -> Self {
        let route = |(receiver, severity): &(&Receiver, Severity)| Route {
            webhook: WebhookUrl::parse(&receiver.url).unwrap(),
            severity: *severity,
        };
        let config = Config::new(Routing(routes.iter().map(route).collect()));
        let metrics = Metrics::new(&[alerts::METRICS]).unwrap();
        let service = Service::new(config, database.clone(), Arc::new(clock.clone()), metrics.clone()).unwrap();
        let service = service.with_sources(vec![Arc::clone(&source) as _]);
        service.migrate().await.unwrap();
        let tasks = Tasks::new();
        service.watch(&tasks);
        Self { database, service, source, clock, tasks, metrics }
    }

    /// Waits until the watcher has looked, from begin to end, at what holds now.
    pub(crate) async fn look(&self) {
        let before = self.source.looks();
        eventually(LONG, async || {
            self.service.look();
            let looks = self.source.looks();
            if looks >= before + 2 { Ok(()) } else { Err(format!("{looks} looks after {before}")) }
        })
        .await;
    }

    pub(crate) async fn holds(&self, conditions: Vec<Condition>) {
        self.source.set(Ok(conditions));
        self.look().await;
    }

    /// Lets as much time pass as it takes for a condition that is gone to be over.
    pub(crate) async fn settle(&self) {
        self.look().await;
        self.clock.advance(Duration::from_secs(10));
        self.look().await;
    }

    pub(crate) async fn list(&self) -> Vec<Alert> {
        self.service.list(Filter::default()).await.unwrap()
    }

    /// Waits until the only message was tried so often, and each time has been recorded.
    pub(crate) async fn until_attempted(&self, times: u32) {
        eventually(LONG, async || {
            let alerts = self.list().await;
            let attempts = alerts.first().and_then(|alert| alert.deliveries.first()).map(|delivery| delivery.attempts);
            if attempts == Some(times) { Ok(()) } else { Err(format!("{attempts:?} of {times}")) }
        })
        .await;
    }

    /// Ends the process without giving it time for anything, and its lease with it.
    pub(crate) async fn kill(&self) {
        self.tasks.shutdown(Wait::ZERO).await;
        let expire = async |tx: &mut database::Transaction| {
            tx.execute("UPDATE crosstie_lease SET expires_at = 0 WHERE name = 'alerts'", params![]).await
        };
        self.database.write(expire).await.unwrap();
    }

    pub(crate) async fn stop(&self) {
        assert_eq!(self.tasks.shutdown(LONG).await, [""; 0]);
    }
}

/// A source.
pub(crate) struct Holds {
    name: &'static str,
    answer: Mutex<Result<Vec<Condition>, String>>,
    looks: AtomicUsize,
}

impl Holds {
    fn named(name: &'static str) -> Self {
        Self { name, answer: Mutex::new(Ok(Vec::new())), looks: AtomicUsize::new(0) }
    }

    /// Says this from now on; `Err("panic")` is a panic.
    pub(crate) fn set(&self, answer: Result<Vec<Condition>, String>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Source for Holds {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn conditions(&self) -> Result<Vec<Condition>, BoxError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        assert_ne!(answer, Err("panic".to_owned()), "as the test wants it");
        answer.map_err(Into::into)
    }
}

/// What a receiver does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Takes it.
    Takes,
    /// Refuses it.
    Down,
    /// Takes it and never says so.
    Hangs,
}

/// A receiver of webhooks.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<ReceiverState>,
}

struct ReceiverState {
    mode: Mutex<Mode>,
    /// What was taken, said or not, with the idempotency key.
    taken: Mutex<Vec<(String, Value)>>,
    refused: AtomicUsize,
}

impl Receiver {
    pub(crate) async fn start(mode: Mode) -> Self {
        let state =
            Arc::new(ReceiverState { mode: Mutex::new(mode), taken: Mutex::default(), refused: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/secret", listener.local_addr().unwrap());
        let router = Router::new().route("/hook/secret", post(receive)).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    /// What it took, as sent.
    pub(crate) fn taken(&self) -> Vec<(String, Value)> {
        self.state.taken.lock().unwrap().clone()
    }

    /// What it took, in short: `firing page a`.
    pub(crate) fn heard(&self) -> Vec<String> {
        let word = |body: &Value, field: &str| body[field].as_str().unwrap().to_owned();
        let short = |(_, body): (String, Value)| {
            format!("{} {} {}", word(&body, "status"), word(&body, "severity"), word(&body, "key"))
        };
        self.taken().into_iter().map(short).collect()
    }

    pub(crate) fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    pub(crate) async fn until_heard(&self, expected: &[&str]) {
        eventually(LONG, async || {
            let heard = self.heard();
            if heard == expected { Ok(()) } else { Err(format!("{heard:?} instead of {expected:?}")) }
        })
        .await;
    }
}

async fn receive(State(state): State<Arc<ReceiverState>>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let mode = *state.mode.lock().unwrap();
    if mode == Mode::Down {
        state.refused.fetch_add(1, Ordering::SeqCst);
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    state.taken.lock().unwrap().push((key, body));
    if mode == Mode::Hangs {
        std::future::pending::<()>().await;
    }
    StatusCode::ACCEPTED
}

pub(crate) fn condition(key: &str, severity: Severity) -> Condition {
    Condition {
        key: key.to_owned(),
        name: "NewCategories".to_owned(),
        severity,
        summary: format!("new categories in {key}"),
        model: Some(ModelName::parse("click-ranker").unwrap()),
        labels: BTreeMap::from([("customer_id".to_owned(), "acme".to_owned())]),
        details: json!({ "share": 0.25 }),
        since: Timestamp::parse("2026-11-23T13:59:00Z").unwrap(),
    }
}
