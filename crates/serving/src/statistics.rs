//! What the protocol's statistics call answers: counts and sums of time for each version since it was first loaded here.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use types::{ModelVersion, Timestamp};

use crate::metrics::Timings;

/// Different batch sizes that are kept apart; further ones are counted in the totals alone.
const BATCH_SIZES: usize = 128;

/// How often something happened and how long it took together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CountAndTime {
    /// How often.
    pub count: u64,
    /// How long, in nanoseconds.
    pub nanos: u64,
}

impl CountAndTime {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        self.nanos += nanos(time);
    }
}

/// One version's statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionStatistics {
    /// The version.
    pub version: ModelVersion,
    /// When it last answered.
    pub last_inference: Option<Timestamp>,
    /// Rows that were scored.
    pub inference_count: u64,
    /// Executions.
    pub execution_count: u64,
    /// Requests that were answered.
    pub success: CountAndTime,
    /// Requests that were not.
    pub fail: CountAndTime,
    /// Waiting for an execution.
    pub queue: CountAndTime,
    /// Making inputs, features included.
    pub compute_input: CountAndTime,
    /// Executing.
    pub compute_infer: CountAndTime,
    /// Taking outputs apart.
    pub compute_output: CountAndTime,
    /// The same by number of rows.
    pub batches: Vec<BatchStatistics>,
}

/// Executions of one number of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchStatistics {
    /// Rows.
    pub batch_size: u64,
    /// Making inputs.
    pub compute_input: CountAndTime,
    /// Executing.
    pub compute_infer: CountAndTime,
    /// Taking outputs apart.
    pub compute_output: CountAndTime,
}

/// Counts while requests are served.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    /// Microseconds since 1970; 0 for never.
    last_inference: AtomicI64,
    rows: AtomicU64,
    success: Sum,
    fail: Sum,
    queue: Sum,
    input: Sum,
    infer: Sum,
    output: Sum,
    batches: Mutex<BTreeMap<u64, BatchStatistics>>,
}

#[derive(Debug, Default)]
struct Sum {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl Sum {
    fn add(&self, time: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos(time), Ordering::Relaxed);
    }

    fn read(&self) -> CountAndTime {
        CountAndTime { count: self.count.load(Ordering::Relaxed), nanos: self.nanos.load(Ordering::Relaxed) }
    }
}

impl Statistics {
    pub(crate) fn answered(&self, at: Timestamp, rows: usize, timings: &Timings) {
        let rows = rows as u64;
        self.last_inference.fetch_max(at.as_micros(), Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.success.add(timings.total);
        self.queue.add(timings.queue);
        self.input.add(timings.input);
        self.infer.add(timings.infer);
        self.output.add(timings.output);
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if batches.len() < BATCH_SIZES || batches.contains_key(&rows) {
            let batch = batches.entry(rows).or_default();
            batch.batch_size = rows;
            batch.compute_input.add(timings.input);
            batch.compute_infer.add(timings.infer);
            batch.compute_output.add(timings.output);
        }
    }

    pub(crate) fn failed(&self, total: Duration) {
        self.fail.add(total);
    }

    pub(crate) fn read(&self, version: ModelVersion) -> VersionStatistics {
        let last = self.last_inference.load(Ordering::Relaxed);
        let infer = self.infer.read();
        VersionStatistics {
            version,
            last_inference: (last > 0).then(|| Timestamp::from_micros(last)),
            inference_count: self.rows.load(Ordering::Relaxed),
            execution_count: infer.count,
            success: self.success.read(),
            fail: self.fail.read(),
            queue: self.queue.read(),
            compute_input: self.input.read(),
            compute_infer: infer,
            compute_output: self.output.read(),
            batches: self.batches.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
