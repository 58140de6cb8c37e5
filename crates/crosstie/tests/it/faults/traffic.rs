//! Steady requests of ever other users, and everything that was answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    now,
    world::{MODEL, client, until},
};

/// How many requests are under way at most.
const SENDERS: usize = 4;
/// How often each sender sends: 50 requests a second in all.
const SPACING: Duration = Duration::from_millis(80);
/// Every so many answers an outcome is reported.
const OUTCOME_EVERY: u64 = 10;

/// A running server.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: String,
    /// When its process was started.
    pub(crate) since: i64,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) version: u32,
    pub(crate) sent: i64,
    pub(crate) answered: i64,
    /// When the process that answered was started.
    pub(crate) since: i64,
}

/// What came of all requests.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answers: Vec<Answer>,
    /// Requests that were answered with a failure.
    pub(crate) failures: Vec<String>,
    /// Requests that were not answered at all.
    pub(crate) cut_off: u64,
    /// Predictions with an outcome that was acknowledged.
    pub(crate) outcomes: Vec<String>,
}

/// Requests until it is dropped.
pub(crate) struct Traffic {
    target: watch::Sender<Option<Target>>,
    seen: Arc<Mutex<Seen>>,
    _senders: JoinSet<()>,
}

impl Traffic {
    pub(crate) fn start(target: Target) -> Self {
        let (target, seen) = (watch::Sender::new(Some(target)), Arc::<Mutex<Seen>>::default());
        let (mut senders, users, http) = (JoinSet::new(), Arc::<AtomicU64>::default(), client());
        for _ in 0..SENDERS {
            let sender = Sender {
                targets: target.subscribe(),
                seen: Arc::clone(&seen),
                users: Arc::clone(&users),
                http: http.clone(),
            };
            senders.spawn(sender.run());
        }
        Self { target, seen, _senders: senders }
    }

    /// Goes on somewhere else, or nowhere for a while.
    pub(crate) fn redirect(&self, target: Option<Target>) {
        self.target.send_replace(target);
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Waits for so many more answers to requests that are sent from now on.
    pub(crate) async fn answers(&self, more: usize) -> Vec<Answer> {
        let since = now();
        let fresh = || {
            let seen = self.seen();
            seen.answers.iter().filter(|answer| answer.sent > since).cloned().collect::<Vec<_>>()
        };
        until("enough answers", async || {
            let fresh = fresh();
            if fresh.len() >= more { Ok(fresh) } else { Err(json!(fresh.len())) }
        })
        .await
    }
}

struct Sender {
    targets: watch::Receiver<Option<Target>>,
    seen: Arc<Mutex<Seen>>,
    users: Arc<AtomicU64>,
    http: reqwest::Client,
}

impl Sender {
    async fn run(mut self) {
        let mut ticks = interval(SPACING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Ok(target) = self.targets.wait_for(Option::is_some).await.map(|target| target.clone()) else { return };
            let target = target.expect("waited for one");
            if self.send(&target).await.is_err() {
                self.seen.lock().unwrap().cut_off += 1;
            }
        }
    }

    async fn send(&self, target: &Target) -> Result<(), reqwest::Error> {
        let (user, sent) = (self.users.fetch_add(1, Ordering::Relaxed), now());
        let input = json!({ "name": "user_id", "datatype": "INT64", "shape": [1, 1], "data": [user] });
        let url = format!("http://{}/v2/models/{MODEL}/infer", target.address);
        let response = self.http.post(url).json(&json!({ "inputs": [input] })).send().await?;
        let status = response.status();
        let answer: Value = response.json().await?;
        let answered = now();
        if !status.is_success() {
            self.seen.lock().unwrap().failures.push(format!("{status}: {answer}"));
            return Ok(());
        }
        let version = answer["model_version"].as_str().unwrap().parse().unwrap();
        self.seen.lock().unwrap().answers.push(Answer { version, sent, answered, since: target.since });
        if user % OUTCOME_EVERY == 0 {
            let prediction = answer["parameters"]["prediction_id"].as_str().unwrap();
            let outcome = json!({ "prediction_id": prediction, "event": "click" });
            let url = format!("http://{}/crosstie/v1/outcomes", target.address);
            let response = self.http.post(url).json(&outcome).send().await?;
            if response.status().is_success() {
                self.seen.lock().unwrap().outcomes.push(prediction.to_owned());
            } else {
                let refusal = response.text().await?;
                self.seen.lock().unwrap().failures.push(format!("an outcome: {refusal}"));
            }
        }
        Ok(())
    }
}
