//! What each arm of a rollout was asked and how it answered, second by second, until it is reported.
//!
//! Counting sits on the way of every request of a model that rolls out: one short lock, no allocation once an entity was
//! seen. A second that is over is closed and never changes again, so reporting it twice does no harm. Only a model whose
//! plan is followed in full is counted ([`crate::ModelStatus::settled`]): while another version stands in for one, the
//! arms are not what the plan says, and comparing them would blame the wrong one.
//!
//! Seconds are told by the machine's clock, but never go back: when it is set back, they go on by the time that passes.

mod tally;

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use runtime::SharedClock;
use telemetry::{Counter, Metrics};
use tokio::time::Instant;
use types::{ModelName, Timestamp};

pub(crate) use tally::Tally;

use crate::{Arm, ArmWindow, latency, metrics::WINDOWS_DROPPED, route::RouteKey};

/// How many seconds make one span, aligned, in which a route key counts once. A broken client retries for seconds, so a
/// shorter span would count its one reason many times; a longer one would make events rare and a rollback late.
pub const EVENT_SPAN: i64 = 10;

/// How long windows are kept for a receiver that is away: longer than a database takes to fail over, and after it the
/// controller has been blind for so long that a rollout must wait anyway.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// How many windows are kept at most, some kilobytes each: ten minutes of eleven models that all roll out at once.
const KEPT: usize = 20_000;
/// Route keys that an arm tells apart in one span: 26,000 new ones each second. Keys beyond add no events, which makes
/// the arm look smaller, never worse.
const KEYS: usize = 1 << 18;

/// What is counted of one model at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) model: ModelName,
    pub(crate) release: String,
    pub(crate) revision: i64,
    pub(crate) slow_after: Option<Duration>,
}

impl Watched {
    /// Whether both are counted together: what is slow may be found out within a revision.
    fn is_same_window(&self, other: &Self) -> bool {
        self.revision == other.revision && self.model == other.model && self.release == other.release
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was answered, after this time.
    Answered(Duration),
    /// It was not.
    Failed,
    /// Its caller left when it was already slow. Otherwise a version that hangs would never be seen to.
    Abandoned,
}

/// The windows of this gateway.
#[derive(Debug)]
pub(crate) struct Windows {
    clock: SharedClock,
    state: Mutex<State>,
    /// Keys are kept as hashes: a collision, one in 2^64, hides one event.
    hasher: RandomState,
    dropped: Counter,
}

#[derive(Debug)]
struct State {
    /// The current second, and when it was first told by the machine's clock.
    second: i64,
    told: (i64, Instant),
    open: Vec<Open>,
    closed: VecDeque<Closed>,
    /// How many windows were ever closed.
    count: u64,
}

/// One arm in the current second and span.
#[derive(Debug)]
struct Open {
    watched: Arc<Watched>,
    arm: Arm,
    version: u32,
    keys: HashMap<u64, u8>,
    second: Second,
}

/// Counts of one second.
#[derive(Debug, Default)]
struct Second {
    requests: u64,
    entities: u64,
    errors: u64,
    slow: u64,
    failed_requests: u64,
    latency: Vec<(u16, u32)>,
}

#[derive(Debug)]
struct Closed {
    number: u64,
    at: Instant,
    window: ArmWindow,
}

/// What a route key already counted for in the span.
const SEEN: u8 = 1;
const FAILED: u8 = 2;
const SLOW: u8 = 4;

impl Windows {
    pub(crate) fn new(clock: SharedClock, metrics: &Metrics) -> Self {
        let second = second_of(clock.now());
        let state =
            State { second, told: (second, Instant::now()), open: Vec::new(), closed: VecDeque::new(), count: 0 };
        let dropped = metrics.counter(&WINDOWS_DROPPED, &[]);
        Self { clock, state: Mutex::new(state), hasher: RandomState::new(), dropped }
    }

    /// Counts one request of `version`, which is the one that the plan has for `arm`.
    pub(crate) fn count(&self, watched: &Arc<Watched>, arm: Arm, version: u32, key: &RouteKey, ending: Ending) {
        let key = match key {
            RouteKey::Entity(entity) => Some(self.hasher.hash_one(entity)),
            RouteKey::Request(_) => None,
        };
        let mut state = self.current();
        let same = |open: &Open| open.arm == arm && open.watched.is_same_window(watched);
        let index = state.open.iter().position(same).unwrap_or_else(|| {
            let watched = Arc::clone(watched);
            state.open.push(Open { watched, arm, version, keys: HashMap::new(), second: Second::default() });
            state.open.len() - 1
        });
        state.open[index].count(key, ending, watched.slow_after);
    }

    /// The oldest windows that were not reported yet, at most `limit`, and the number to give to [`Windows::reported`].
    pub(crate) fn due(&self, limit: usize) -> Option<(u64, Vec<ArmWindow>)> {
        let state = self.current();
        let due = || state.closed.iter().take(limit);
        let last = due().next_back()?.number;
        Some((last, due().map(|closed| closed.window.clone()).collect()))
    }

    /// Forgets the windows up to `last`: they have arrived.
    pub(crate) fn reported(&self, last: u64) {
        let closed = &mut self.state().closed;
        while closed.front().is_some_and(|closed| closed.number <= last) {
            closed.pop_front();
        }
    }

    /// Closes the current second before it is over, because this gateway stops. What is still counted goes to the next.
    pub(crate) fn close(&self) {
        let mut state = self.current();
        let next = state.second + 1;
        state.advance(next);
    }

    /// The state, with everything closed that is over.
    fn current(&self) -> MutexGuard<'_, State> {
        let (wall, now) = (second_of(self.clock.now()), Instant::now());
        let mut state = self.state();
        let (told, at) = state.told;
        let steady = told.saturating_add_unsigned(now.saturating_duration_since(at).as_secs());
        if wall > steady {
            state.told = (wall, now);
        }
        state.advance(wall.max(steady));
        let dropped = state.drop_old(now);
        if dropped > 0 {
            self.dropped.add(dropped as f64);
            tracing::warn!(windows = dropped, "counts of a rollout were not reported in time and are dropped");
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Goes on to `second`, if it is later than the current one.
    fn advance(&mut self, second: i64) {
        if second <= self.second {
            return;
        }
        for open in &mut self.open {
            if let Some(window) = open.close(self.second) {
                self.count += 1;
                self.closed.push_back(Closed { number: self.count, at: Instant::now(), window });
            }
        }
        if second.div_euclid(EVENT_SPAN) != self.second.div_euclid(EVENT_SPAN) {
            self.open.clear();
        }
        self.second = second;
    }

    /// Drops what was kept for too long; how many windows.
    fn drop_old(&mut self, now: Instant) -> usize {
        let old = |closed: &Closed| now.saturating_duration_since(closed.at) > KEPT_FOR;
        let aged = self.closed.iter().take_while(|closed| old(closed)).count();
        let dropped = aged.max(self.closed.len().saturating_sub(KEPT));
        self.closed.drain(..dropped);
        dropped
    }
}

impl Open {
    fn count(&mut self, key: Option<u64>, ending: Ending, slow_after: Option<Duration>) {
        let (latency, failed, slow) = match ending {
            Ending::Answered(latency) => (Some(latency), false, slow_after.is_some_and(|limit| latency > limit)),
            Ending::Failed => (None, true, false),
            Ending::Abandoned => (None, false, true),
        };
        let second = &mut self.second;
        second.requests += 1;
        second.failed_requests += u64::from(failed);
        if let Some(latency) = latency {
            let bucket = latency::bucket_of(latency);
            match second.latency.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
                Ok(index) => second.latency[index].1 = second.latency[index].1.saturating_add(1),
                Err(index) => second.latency.insert(index, (bucket, 1)),
            }
        }
        let counted = SEEN | if failed { FAILED } else { 0 } | if slow { SLOW } else { 0 };
        let first = match key {
            // A request that is its own key is always seen for the first time.
            None => counted,
            Some(key) if self.keys.len() < KEYS || self.keys.contains_key(&key) => {
                let before = self.keys.entry(key).or_default();
                let first = counted & !*before;
                *before |= counted;
                first
            }
            Some(_) => 0,
        };
        second.entities += u64::from(first & SEEN != 0);
        second.errors += u64::from(first & FAILED != 0);
        second.slow += u64::from(first & SLOW != 0);
    }

    /// The window of `second`, if anything was counted; the next one begins at zero.
    fn close(&mut self, second: i64) -> Option<ArmWindow> {
        let Second { requests, entities, errors, slow, failed_requests, latency } = std::mem::take(&mut self.second);
        (requests > 0).then(|| ArmWindow {
            model: self.watched.model.clone(),
            release: self.watched.release.clone(),
            revision: self.watched.revision,
            second,
            arm: self.arm,
            version: self.version,
            requests,
            entities,
            errors,
            slow,
            failed_requests,
            latency,
        })
    }
}

fn second_of(time: Timestamp) -> i64 {
    /// Microseconds of a second.
    const SECOND: i64 = 1_000_000;
    time.as_micros().div_euclid(SECOND)
}

#[cfg(test)]
mod tests;
