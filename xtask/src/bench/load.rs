//! Load: clients that call as fast as they are answered, for a while, and what came of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use super::client::{Acknowledge, Client};
use super::machine::Tree;
use crate::time::{Stopwatch, pause};

/// Clients of every load, each with a connection of its own.
pub(super) const CLIENTS: usize = 8;

/// Makes a client's requests, one after the other.
pub(super) type Requests = Box<dyn FnMut() -> Vec<u8> + Send>;

/// What a load is.
pub(super) struct Load<'a> {
    pub(super) address: &'a str,
    pub(super) acknowledge: Acknowledge,
    pub(super) clients: usize,
    pub(super) duration: Duration,
    /// The requests of the client of that number.
    pub(super) requests: &'a dyn Fn(usize) -> Requests,
    /// The processes whose time is counted.
    pub(super) server: Tree,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) calls: usize,
    pub(super) errors: usize,
    pub(super) first_error: Option<String>,
    pub(super) seconds: f64,
    /// Milliseconds, ascending.
    latencies: Vec<f64>,
    /// Milliseconds of processor that the server took for each call.
    pub(super) cpu_per_call: f64,
}

impl Outcome {
    pub(super) fn per_second(&self) -> f64 {
        self.calls as f64 / self.seconds.max(1e-9)
    }

    /// The latency that this share of calls stayed below, in milliseconds.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let index = (share * last as f64).round() as usize;
        self.latencies.get(index.min(last)).copied().unwrap_or(f64::NAN)
    }
}

impl Load<'_> {
    /// Runs it to its end. A call that is answered with an error counts as an error, never as a call.
    pub(super) fn run(&self) -> anyhow::Result<Outcome> {
        let stop = AtomicBool::new(false);
        let mut clients = Vec::new();
        for number in 0..self.clients {
            clients.push((Client::connect(self.address, self.acknowledge)?, (self.requests)(number)));
        }
        let before = self.server.cpu();
        let watch = Stopwatch::start();
        let parts = std::thread::scope(|scope| {
            let threads: Vec<_> =
                clients.into_iter().map(|(client, requests)| scope.spawn(|| drive(client, requests, &stop))).collect();
            pause(self.duration);
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect::<Vec<_>>()
        });
        let mut outcome = Outcome { seconds: watch.elapsed().as_secs_f64(), ..Outcome::default() };
        let cpu = self.server.cpu() - before;
        for part in parts {
            outcome.errors += part.errors;
            outcome.first_error = outcome.first_error.or(part.first_error);
            outcome.latencies.extend(part.latencies);
        }
        outcome.calls = outcome.latencies.len();
        outcome.latencies.sort_by(f64::total_cmp);
        outcome.cpu_per_call = cpu.as_secs_f64() * 1_000.0 / outcome.calls.max(1) as f64;
        if outcome.calls == 0 {
            let why = outcome.first_error.clone().unwrap_or_else(|| "no answer in time".to_owned());
            return Err(anyhow::anyhow!(why)).context("not one call succeeded");
        }
        Ok(outcome)
    }
}

fn drive(mut client: Client, mut requests: Requests, stop: &AtomicBool) -> Outcome {
    let mut outcome = Outcome::default();
    while !stop.load(Ordering::Relaxed) {
        let request = requests();
        let watch = Stopwatch::start();
        let (failed, broken) = match client.call(&request) {
            Ok(answer) if answer.status == 200 => {
                outcome.latencies.push(watch.elapsed().as_secs_f64() * 1_000.0);
                continue;
            }
            Ok(answer) => (format!("{}: {}", answer.status, String::from_utf8_lossy(client.body(answer))), false),
            Err(error) => (format!("{error:#}"), true),
        };
        outcome.errors += 1;
        outcome.first_error.get_or_insert(failed);
        if broken && client.reconnect().is_err() {
            break;
        }
    }
    outcome
}
