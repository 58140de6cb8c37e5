//! Receivers that answer as a test says, and processes that deliver to them and may be killed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use database::{Database, params};
use hmac::{Hmac, KeyInit as _, Mac as _};
use registry::{
    Service,
    webhooks::{Failure, METRICS, Request, Response, Sender},
};
use runtime::{Tasks, testing::eventually};
use serde_json::Value as Json;
use sha2::Sha256;
use telemetry::Metrics;
use url::Host;

/// A deadline that only a defect reaches.
const LONG: Duration = Duration::from_secs(60);

/// What a receiver does with a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// Answers this.
    Status(u16),
    /// Answers 429 and wants to be asked at once.
    Busy,
    /// Takes it and never answers.
    Hangs,
    /// Is not there.
    Away,
}

/// Receivers by the first label of their host. One that was told nothing accepts everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Receivers(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    scripts: HashMap<String, VecDeque<Answer>>,
    told: HashMap<String, Vec<Told>>,
}

/// A message that arrived.
#[derive(Debug, Clone)]
pub(super) struct Told(Request);

impl Told {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn id(&self) -> &str {
        self.header("X-MLflow-Delivery-Id").unwrap()
    }

    pub(super) fn is_signed(&self) -> bool {
        self.header("X-MLflow-Signature").is_some()
    }

    pub(super) fn is_signed_with(&self, secret: &str) -> bool {
        let signed = format!("{}.{}.{}", self.id(), self.header("X-MLflow-Timestamp").unwrap(), self.0.body);
        let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        hmac.update(signed.as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()));
        self.header("X-MLflow-Signature") == Some(&expected)
    }

    pub(super) fn event_and_data(&self) -> (String, Json) {
        let body: Json = serde_json::from_str(&self.0.body).unwrap();
        let word = |name: &str| body[name].as_str().unwrap().to_owned();
        assert!(word("timestamp").ends_with("+00:00"));
        (format!("{}.{}", word("entity"), word("action")), body["data"].clone())
    }
}

impl Receivers {
    pub(super) fn sender(&self) -> Arc<dyn Sender> {
        Arc::new(self.clone())
    }

    /// What a receiver does with the next messages.
    pub(super) fn script(&self, name: &str, answers: &[Answer]) {
        self.0.lock().unwrap().scripts.insert(name.to_owned(), answers.iter().copied().collect());
    }

    /// What a receiver was sent.
    pub(super) fn told(&self, name: &str) -> Vec<Told> {
        self.0.lock().unwrap().told.get(name).cloned().unwrap_or_default()
    }

    /// Waits until a receiver was sent so many messages.
    pub(super) async fn until(&self, name: &str, count: usize) -> Vec<Told> {
        eventually(LONG, async || {
            let told = self.told(name);
            if told.len() >= count { Ok(told) } else { Err(format!("{name} was told {} of {count}", told.len())) }
        })
        .await
    }

    /// Waits until nothing is to be delivered any more.
    pub(super) async fn until_empty(&self, db: &Database) {
        self.until_count(db, "SELECT COUNT(*) AS n FROM crosstie_webhook_delivery", 0).await;
    }

    /// Waits until one message is to be delivered later.
    pub(super) async fn until_postponed(&self, db: &Database) {
        let select = "SELECT COUNT(*) AS n FROM crosstie_webhook_delivery WHERE next_attempt_at > created_at";
        self.until_count(db, select, 1).await;
    }

    /// The same, without the waits between attempts.
    pub(super) async fn until_empty_in_a_hurry(&self, db: &Database) {
        let others = async {
            loop {
                hurry(db).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = self.until_empty(db) => {}
            () = others => {}
        }
    }

    async fn until_count(&self, db: &Database, select: &'static str, expected: i64) {
        eventually(LONG, async || {
            let count =
                db.read(async move |tx| tx.row(select, params![]).await?.map_or(Ok(0), |row| row.get("n"))).await;
            let count: i64 = count.map_err(|error: database::Error| error.to_string())?;
            if count == expected { Ok(()) } else { Err(format!("{count} messages, not {expected}")) }
        })
        .await;
    }
}

#[async_trait]
impl Sender for Receivers {
    async fn check(&self, host: Host<&str>) -> Result<(), String> {
        let host = host.to_string();
        if host.starts_with("private") { Err(format!("{host} is private")) } else { Ok(()) }
    }

    async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let name = request.url.host_str().unwrap().split('.').next().unwrap().to_owned();
        let answer = {
            let mut state = self.0.lock().unwrap();
            state.told.entry(name.clone()).or_default().push(Told(request.clone()));
            state.scripts.get_mut(&name).and_then(VecDeque::pop_front)
        };
        let answered = |status, wait| Response { status, retry_after: wait, body: "thanks".to_owned() };
        match answer {
            None => Ok(answered(200, None)),
            Some(Answer::Status(status)) => Ok(answered(status, None)),
            Some(Answer::Busy) => Ok(answered(429, Some(Duration::ZERO))),
            Some(Answer::Away) => Err(Failure::Failed("Connection refused".to_owned())),
            Some(Answer::Hangs) => std::future::pending().await,
        }
    }
}

/// Has everything tried now that is to be tried later.
pub(super) async fn hurry(db: &Database) {
    let update = "UPDATE crosstie_webhook_delivery SET next_attempt_at = created_at";
    db.write(async move |tx| tx.execute(update, params![]).await).await.unwrap();
}

/// A process that delivers.
pub(super) struct Process {
    tasks: Tasks,
    metrics: Metrics,
}

impl Process {
    pub(super) fn start(registry: &Service) -> Self {
        let (tasks, metrics) = (Tasks::new(), Metrics::new(&[METRICS]).unwrap());
        registry.deliver_webhooks(&tasks, metrics.clone());
        Self { tasks, metrics }
    }

    pub(super) fn metrics(&self) -> String {
        self.metrics.render()
    }

    pub(super) async fn stop(&self) {
        assert_eq!(self.tasks.shutdown(LONG).await, [""; 0]);
    }

    /// Ends it without giving it time for anything, and its lease with it.
    pub(super) async fn kill(&self, db: &Database) {
        self.tasks.shutdown(Duration::ZERO).await;
        let expire = async |tx: &mut database::Transaction| {
            tx.execute("UPDATE crosstie_lease SET expires_at = 0 WHERE name = 'webhooks'", params![]).await
        };
        db.write(expire).await.unwrap();
    }
}
