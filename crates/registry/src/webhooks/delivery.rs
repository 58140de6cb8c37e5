//! Seeing messages out.
//!
//! What there is to do is read off the outbox, on signal and on timer, so the process may end at any moment and another
//! may take over. Only the holder of the lease sends, and each of its writes commits with a check of the lease's epoch. A
//! message may arrive twice when a process dies between the receiver's yes and its record; it has the same delivery id
//! then. Messages about one model reach one receiver in the order of the changes; messages about others do not wait for
//! them, and a receiver that hangs holds up no other.

use std::{collections::HashSet, sync::Arc, time::Duration as Wait};

use database::{Leader, Transaction};
use runtime::{Attempts, Tasks, reconcile_loop};
use telemetry::Metrics;
use tokio::sync::Mutex;
use types::{Duration, Secret, Timestamp};
use url::Url;

use super::{
    Status, fernet,
    metrics::{ATTEMPTS, FAILED_PASSES, LEADER, UNDELIVERED},
    outcome::{self, Next},
    rules,
    sender::{Failure, Request, Response},
};
use crate::{
    Service,
    error::{Error, Result},
    repo::{
        outbox::{self, Open},
        webhooks::{self, Target},
    },
};

/// What is leased.
const LEASE: &str = "webhooks";
/// How long the lease lasts without renewal: how long nothing is delivered after a process dies.
const LEASE_TTL: Duration = Duration::from_secs(8);
/// How often it is looked without a signal.
const EVERY: Wait = Wait::from_secs(1);
/// The most messages on their way at once to one receiver: more would be an attack on one that just came back.
const MOST_PER_RECEIVER: usize = 4;
/// How long a shutdown waits for messages on their way.
const LAST_WAIT: Wait = Wait::from_secs(2);
/// How long a message waits for a key that reads its webhook's secret.
const KEY_WAIT: Duration = Duration::from_secs(60);
/// The age at which a message is given up whatever the reason, so that the outbox of a receiver that is never there does
/// not grow for ever. It is tried once all the same.
const OLDEST: Duration = Duration::from_secs(7 * 86_400);

impl Service {
    /// Starts delivering webhooks in this process.
    pub fn deliver_webhooks(&self, tasks: &Tasks, metrics: Metrics) {
        let token = tasks.shutdown_token();
        let signal = self.webhooks.signal.clone();
        let courier = Arc::new(Mutex::new(Courier::new(self.clone(), metrics)));
        tasks.spawn("webhooks", async move {
            let passing = Arc::clone(&courier);
            let pass = move || {
                let courier = Arc::clone(&passing);
                async move { courier.lock().await.pass().await }
            };
            reconcile_loop("webhooks", signal, EVERY, token, pass).await;
            courier.lock().await.stop().await;
        });
    }
}

struct Courier {
    service: Service,
    metrics: Metrics,
    leader: Leader,
    attempts: Attempts<String>,
    /// Whether it was said which secrets cannot be read.
    looked_at_secrets: bool,
}

impl Courier {
    fn new(service: Service, metrics: Metrics) -> Self {
        let leader = Leader::new(LEASE, LEASE_TTL);
        Self { service, metrics, leader, attempts: Attempts::default(), looked_at_secrets: false }
    }

    async fn pass(&mut self) {
        let outcome = self.try_pass().await;
        self.metrics.set(&LEADER, &[], if self.leader.leads() { 1.0 } else { 0.0 });
        if let Err(error) = outcome {
            self.metrics.add(&FAILED_PASSES, &[], 1.0);
            tracing::warn!(error = &error as &dyn std::error::Error, "what is to be delivered is looked at again");
            if let Error::Database(error) = &error
                && self.leader.heed(error)
            {
                tracing::warn!("another process delivers webhooks now");
                self.attempts.abort();
            }
        }
    }

    async fn try_pass(&mut self) -> Result<()> {
        let Some(epoch) = self.leader.lead(&self.service.database).await? else { return Ok(()) };
        if !self.looked_at_secrets {
            self.look_at_secrets().await?;
        }
        self.attempts.settle();
        let receivers = self.service.database.read(async |tx| outbox::receivers(tx).await).await?;
        self.metrics.set(&UNDELIVERED, &[], receivers.iter().map(|(_, open)| *open).sum::<i64>() as f64);
        let now = self.service.clock.now();
        for (webhook, _) in receivers {
            let id = webhook.clone();
            let open = self.service.database.read(async move |tx| outbox::open(tx, &id).await).await?;
            for message in first_of_each_subject(&open) {
                let free = self.attempts.in_lane(&webhook) < MOST_PER_RECEIVER;
                if free && message.next_attempt_at <= now && !self.attempts.has(&message.id) {
                    let attempt = attempt(self.service.clone(), self.metrics.clone(), message.clone(), epoch);
                    self.attempts.begin(message.id.clone(), &webhook, attempt);
                }
            }
        }
        Ok(())
    }

    /// Says once whose messages will have to wait.
    async fn look_at_secrets(&mut self) -> Result<()> {
        let secrets = self.service.database.read(async |tx| webhooks::secrets(tx).await).await?;
        let key = &self.service.webhooks.config.key;
        let unread: Vec<String> =
            secrets.into_iter().filter(|(_, secret)| key.decrypt(secret).is_none()).map(|(name, _)| name).collect();
        if !unread.is_empty() {
            let webhooks = unread.join(", ");
            tracing::error!(
                webhooks,
                "their secrets were stored under another key, so their messages wait: {WRONG_KEY}"
            );
        }
        self.looked_at_secrets = true;
        Ok(())
    }

    async fn stop(&mut self) {
        if !self.attempts.finish(LAST_WAIT).await {
            tracing::debug!("messages that are on their way are sent again after the restart");
        }
        self.leader.stop(&self.service.database).await;
    }
}

/// What to do about a secret that cannot be read.
const WRONG_KEY: &str = "set MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY to the key that they were stored under, or give each \
                         webhook its secret again";

/// For each subject the oldest message.
fn first_of_each_subject(open: &[Open]) -> impl Iterator<Item = &Open> {
    let mut seen = HashSet::new();
    open.iter().filter(move |message| seen.insert(message.subject.as_str()))
}

/// One attempt, with the record of how it ended. A record that cannot be written leaves the message as it was.
async fn attempt(service: Service, metrics: Metrics, message: Open, epoch: i64) {
    if let Err(error) = try_attempt(&service, &metrics, &message, epoch).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            delivery = message.id,
            "a webhook's message stays open"
        );
    }
    service.webhooks.signal.notify();
}

async fn try_attempt(service: &Service, metrics: &Metrics, open: &Open, epoch: i64) -> Result<()> {
    let id = open.id.clone();
    // Asked under the fence: whoever lost the lease sends nothing that another sends as well.
    let content = service.fenced(epoch, async move |tx| outbox::content(tx, &id).await).await?;
    let Some((message, target)) = content else { return Ok(()) };
    let (webhook, event) = (&message.webhook_id, &message.event);
    let number = open.attempts + 1;
    let next = match target.filter(|target| target.status == Status::Active) {
        // Whoever takes a webhook back wants no more of its messages, not even those of before.
        None => return service.end(epoch, open).await,
        Some(target) => match service.signed(&target, &open.id, &message.body) {
            Ok(request) => {
                let outcome = service.webhooks.sender.send(&request).await;
                outcome::after(&outcome, number, service.webhooks.config.max_retries)
            }
            Err(Unsendable::Key) if service.clock.now().since(open.created_at) < OLDEST => {
                let next = service.clock.now() + KEY_WAIT;
                return service.postpone(epoch, open, open.attempts, next).await;
            }
            Err(Unsendable::Key) => Next::GivenUp { why: WRONG_KEY.to_owned() },
            Err(Unsendable::Url(why)) => Next::GivenUp { why },
        },
    };
    let now = service.clock.now();
    match next {
        Next::Delivered => {
            metrics.add(&ATTEMPTS, &["delivered"], 1.0);
            tracing::debug!(webhook, event, delivery = open.id, attempts = number, "webhook delivered");
            service.end(epoch, open).await
        }
        Next::Again { after, why } if now.since(open.created_at) < OLDEST => {
            metrics.add(&ATTEMPTS, &["failed"], 1.0);
            tracing::warn!(webhook, event, delivery = open.id, attempts = number, why, "webhook not delivered yet");
            service.postpone(epoch, open, number, now + micros(after)).await
        }
        Next::Again { why, .. } | Next::GivenUp { why } => {
            metrics.add(&ATTEMPTS, &["abandoned"], 1.0);
            tracing::error!(webhook, event, delivery = open.id, attempts = number, why, "webhook given up");
            service.end(epoch, open).await
        }
    }
}

/// Why a message cannot even be tried.
#[derive(Debug)]
pub(super) enum Unsendable {
    /// The secret was stored under another key.
    Key,
    /// The URL is not one that is allowed any more.
    Url(String),
}

impl Service {
    /// The message `id` as it goes to `target`: signed anew at each attempt, so that a receiver that refuses old
    /// signatures takes a late message. The id stays the same.
    pub(super) fn signed(&self, target: &Target, id: &str, body: &str) -> Result<Request, Unsendable> {
        let config = &self.webhooks.config;
        let url: Url = rules::parse_url(&target.url, &config.allowed_schemes)
            .map_err(|error| Unsendable::Url(error.to_string()))?;
        let secret = match &target.secret {
            Some(secret) => Some(config.key.decrypt(secret).ok_or(Unsendable::Key)?),
            None => None,
        };
        let headers = headers(secret.as_ref(), id, self.clock.now(), body);
        Ok(Request { url, headers, body: body.to_owned() })
    }

    /// Tries a message until it is decided, waiting in between: what a caller waits for that wants to know how it ends.
    pub(super) async fn sent_now(&self, request: &Request) -> Result<Response, Failure> {
        let mut number = 1;
        loop {
            let outcome = self.webhooks.sender.send(request).await;
            match outcome::after(&outcome, number, self.webhooks.config.max_retries) {
                Next::Again { after, .. } => tokio::time::sleep(after).await,
                Next::Delivered | Next::GivenUp { .. } => return outcome,
            }
            number += 1;
        }
    }

    /// Removes a message from the outbox.
    async fn end(&self, epoch: i64, message: &Open) -> Result<()> {
        let id = message.id.clone();
        self.fenced(epoch, async move |tx| outbox::remove(tx, &id).await).await
    }

    async fn postpone(&self, epoch: i64, message: &Open, attempts: u32, next: Timestamp) -> Result<()> {
        let id = message.id.clone();
        self.fenced(epoch, async move |tx| outbox::postpone(tx, &id, attempts, next).await).await
    }

    async fn fenced<F, T>(&self, epoch: i64, closure: F) -> Result<T>
    where
        F: AsyncFn(&mut Transaction) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.database
            .write(async move |tx| {
                tx.check_fence(LEASE, epoch).await?;
                closure(tx).await
            })
            .await
    }
}

/// What a message is sent with: by this a receiver tells who sent it, when, and whether it knows it already.
fn headers(secret: Option<&Secret<String>>, id: &str, now: Timestamp, body: &str) -> Vec<(&'static str, String)> {
    let seconds = now.as_millis().div_euclid(1_000).to_string();
    let mut headers = vec![("X-MLflow-Delivery-Id", id.to_owned()), ("X-MLflow-Timestamp", seconds.clone())];
    // MLflow signs nothing with an empty secret.
    if let Some(secret) = secret.filter(|secret| !secret.expose().is_empty()) {
        let signature = fernet::sign(secret, &format!("{id}.{seconds}.{body}"));
        headers.push(("X-MLflow-Signature", format!("v1,{signature}")));
    }
    headers
}

fn micros(wait: Wait) -> Duration {
    Duration::from_micros(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_oldest_message_of_a_subject_may_leave() {
        let open = |id: &str, subject: &str| Open {
            id: id.to_owned(),
            subject: subject.to_owned(),
            attempts: 0,
            created_at: Timestamp::from_micros(0),
            next_attempt_at: Timestamp::from_micros(0),
        };
        let open = [open("1", "a"), open("2", "a"), open("3", "b"), open("4", "a")];
        assert_eq!(first_of_each_subject(&open).map(|message| message.id.as_str()).collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn signatures_are_mlflows() {
        let now = Timestamp::from_millis(1_700_000_000_999);
        let secret = Secret::new("test-secret-key".to_owned());
        let signed = headers(Some(&secret), "abc", now, "{\"a\": 1}");
        // `_generate_hmac_signature("test-secret-key", "abc", "1700000000", '{"a": 1}')` of MLflow 3.17.2.
        let signature = "v1,hsDSWsGDeNRHpZW/D8Ntd/sYX+ThL2ocJ7Se+NwkQAQ=".to_owned();
        assert_eq!(signed[1..], [("X-MLflow-Timestamp", "1700000000".to_owned()), ("X-MLflow-Signature", signature)]);
        for unsigned in [None, Some(&Secret::new(String::new()))] {
            assert_eq!(headers(unsigned, "abc", now, "").len(), 2);
        }
    }
}
