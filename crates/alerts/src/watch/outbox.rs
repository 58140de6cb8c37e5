//! Seeing messages out: who is due, how many at once, and what to do when a receiver does not take one.
//!
//! Messages about one subject reach one receiver in the order in which they were written: the next waits until the one
//! before it is accepted or given up. Messages about different subjects do not wait for each other, and a receiver that
//! hangs holds up no other.

use std::{collections::HashSet, time::Duration as Wait};

use runtime::{Attempts, Backoff};
use types::{Duration, Timestamp};

use super::LEASE;
use crate::{
    Error, Notice, Service, WebhookUrl,
    metrics::{ATTEMPTS, UNDELIVERED},
    repo::outbox::{self, Open},
};

/// The most messages on their way at once to one receiver: more would be an attack on one that just came back.
const MOST_PER_RECEIVER: usize = 4;
/// The ceiling of the wait after the first failure; it doubles with each.
const FIRST_WAIT: Wait = Wait::from_secs(1);
/// The ceiling that it does not exceed: how late a message may be once its receiver is back.
const LONGEST_WAIT: Wait = Wait::from_secs(60);
/// For how long a message is tried, and how often at least (a clock that jumps must not lose one): a receiver that is
/// away for a long weekend and a day still gets it, and one that never comes back does not fill the table.
const PATIENCE: (Duration, u32) = (Duration::from_secs(7 * 86_400), 1_000);
/// How long a shutdown waits for messages on their way.
const LAST_WAIT: Wait = Wait::from_secs(2);

/// Messages on their way. Dropping it abandons the attempts, not the messages.
#[derive(Debug, Default)]
pub(super) struct Sending {
    attempts: Attempts<i64>,
}

impl Sending {
    /// Sends what is due.
    pub(super) async fn step(&mut self, service: &Service, epoch: i64) -> Result<(), Error> {
        self.attempts.settle();
        let open = service.inner.database.read(async |tx| outbox::open(tx).await).await?;
        service.inner.metrics.set(&UNDELIVERED, &[], open.len() as f64);
        let now = service.inner.clock.now();
        for message in first_of_each_subject(&open) {
            if self.attempts.has(&message.number) || !is_due(message.next_attempt_at, now) {
                continue;
            }
            let Some(receiver) = service.inner.config.routing.receiver(&message.route) else {
                abandon(service, message.number, epoch, "its receiver is no route any more").await?;
                continue;
            };
            if self.attempts.in_lane(&message.route) < MOST_PER_RECEIVER {
                let attempt = attempt(service.clone(), message.clone(), receiver.clone(), epoch);
                self.attempts.begin(message.number, &message.route, attempt);
            }
        }
        Ok(())
    }

    /// Stops all attempts.
    pub(super) fn abort(&mut self) {
        self.attempts.abort();
    }

    /// Lets attempts come to their end, for a short time.
    pub(super) async fn finish(&mut self) {
        if !self.attempts.finish(LAST_WAIT).await {
            tracing::debug!("messages that are on their way are sent again after the restart");
        }
    }
}

/// For each subject and receiver the oldest message.
fn first_of_each_subject(open: &[Open]) -> impl Iterator<Item = &Open> {
    let mut seen = HashSet::new();
    open.iter().filter(move |message| seen.insert((&message.route, &message.subject)))
}

/// Whether it is time. A time further away than any wait is that of a clock which was set back since.
fn is_due(next: Timestamp, now: Timestamp) -> bool {
    let longest = Duration::from_micros(i64::try_from(LONGEST_WAIT.as_micros()).unwrap_or(i64::MAX));
    next <= now || next > now + longest
}

/// One attempt, with the record of how it ended. A record that cannot be written leaves the message open.
async fn attempt(service: Service, message: Open, receiver: WebhookUrl, epoch: i64) {
    if let Err(error) = try_attempt(&service, &message, &receiver, epoch).await {
        tracing::warn!(error = &error as &dyn std::error::Error, %receiver, "an alert's message stays open");
    }
    service.inner.signal.notify();
}

async fn try_attempt(service: &Service, message: &Open, receiver: &WebhookUrl, epoch: i64) -> Result<(), Error> {
    let (inner, number) = (&service.inner, message.number);
    let content = inner
        .database
        .write(async move |tx| {
            // Asked under the fence: whoever lost the lease sends nothing that another sends as well.
            tx.check_fence(LEASE, epoch).await?;
            outbox::content(tx, number).await
        })
        .await?;
    let Some(content) = content else { return Ok(()) };
    let notice = Notice { idempotency_key: format!("{}-{}", content.alert, content.sequence), body: content.payload };
    let outcome = inner.notifier.notify(receiver, &notice).await;
    let now = inner.clock.now();
    let Err(error) = outcome else {
        inner.metrics.add(&ATTEMPTS, &["delivered"], 1.0);
        tracing::info!(%receiver, key = notice.idempotency_key, attempts = message.attempts + 1, "alert delivered");
        let delivered = async move |tx: &mut database::Transaction| {
            tx.check_fence(LEASE, epoch).await?;
            outbox::delivered(tx, number, now).await
        };
        return inner.database.write(delivered).await;
    };
    inner.metrics.add(&ATTEMPTS, &["failed"], 1.0);
    let (patience, least) = PATIENCE;
    if now.since(message.created_at) >= patience && message.attempts >= least {
        return abandon(service, number, epoch, &error.to_string()).await;
    }
    tracing::warn!(error = &*error, %receiver, key = notice.idempotency_key, "an alert's message did not arrive");
    let (next, error) = (now + wait_after(message.attempts), error.to_string());
    let failed = async move |tx: &mut database::Transaction| {
        tx.check_fence(LEASE, epoch).await?;
        outbox::failed(tx, number, next, &error).await
    };
    inner.database.write(failed).await
}

/// How long to wait after attempt number `attempts`, counted from 0.
fn wait_after(attempts: u32) -> Duration {
    let wait = Backoff::after(attempts, FIRST_WAIT, LONGEST_WAIT);
    Duration::from_micros(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}

async fn abandon(service: &Service, number: i64, epoch: i64, why: &str) -> Result<(), Error> {
    let (inner, why) = (&service.inner, why.to_owned());
    tracing::error!(number, why, "an alert's message is given up");
    inner.metrics.add(&ATTEMPTS, &["abandoned"], 1.0);
    let now = inner.clock.now();
    let abandoned = async move |tx: &mut database::Transaction| {
        tx.check_fence(LEASE, epoch).await?;
        outbox::abandoned(tx, number, now, &why).await
    };
    inner.database.write(abandoned).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(number: i64, route: &str, key: &str) -> Open {
        Open {
            number,
            route: route.to_owned(),
            subject: ("drift".to_owned(), key.to_owned()),
            attempts: 0,
            created_at: Timestamp::from_micros(0),
            next_attempt_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn only_the_oldest_message_of_a_subject_to_a_receiver_may_leave() {
        let open = [open(1, "a", "x"), open(2, "a", "x"), open(3, "b", "x"), open(4, "a", "y"), open(5, "b", "x")];
        let first: Vec<_> = first_of_each_subject(&open).map(|message| message.number).collect();
        assert_eq!(first, [1, 3, 4]);
    }

    #[test]
    fn waits_grow_to_a_minute_and_a_clock_that_was_set_back_stops_nothing() {
        for attempts in [0, 1, 5, 6, 31, 32, u32::MAX] {
            let ceiling = Duration::from_secs(2_u32.saturating_pow(attempts.min(6)).min(60));
            assert!((0..100).all(|_| wait_after(attempts) <= ceiling), "{attempts}");
        }
        let now = Timestamp::from_micros(1_000_000_000);
        assert!(is_due(now, now) && is_due(now - Duration::from_secs(9), now));
        assert!(!is_due(now + Duration::from_secs(60), now));
        assert!(is_due(now + Duration::from_secs(61), now));
    }
}
