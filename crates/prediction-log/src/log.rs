//! The log itself: appending, syncing, rolling, finding, scanning.

mod reading;
mod selection;

use std::{
    collections::HashSet,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use runtime::{CancellationToken, SharedClock, Tasks, blocking};
use telemetry::Metrics;
use types::{Duration, PredictionId};

use crate::{
    Error, Outcome, OutcomeReport, PredictionRecord, Scan,
    dedup::{Key, Known},
    frame,
    hour::Hour,
    journal::{self, Journal, SealWhen},
    metrics::{CORRUPT, DUPLICATES, FAILED},
    rolled::{self, Rolled},
};

/// How often appended predictions are put on disk: what a failing machine, as opposed to a failing process, may lose.
const SYNC_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// How often it is looked whether a segment is due.
const ROLL_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
/// The longest name of an event.
const LONGEST_EVENT: usize = 128;

/// Where the log lies, and how it rolls.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder; one process at a time has it.
    pub dir: PathBuf,
    /// A segment of this size is rolled into Parquet.
    pub roll_bytes: u64,
    /// So is one this old.
    pub roll_after: Duration,
}

impl Config {
    /// The log in `dir`, rolled at 16 MiB or ten minutes: a segment is read whole when the newest rows are asked for,
    /// and that stays below a tenth of a second.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), roll_bytes: 16 << 20, roll_after: Duration::from_secs(600) }
    }
}

/// The prediction log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    predictions: Journal,
    outcomes: Journal,
    known: Mutex<Outcomes>,
    /// One roll at a time, whoever asks.
    rolling: Mutex<()>,
    /// Held for as long as the log is open.
    _lock: File,
}

#[derive(Debug, Default)]
struct Outcomes {
    known: Known,
    /// A sync failed: what the operating system still holds of it is unknown, so nothing more is promised.
    is_poisoned: bool,
}

impl Log {
    /// Opens the log, recovering what a crash left, and starts its tasks. Reads files; meant for the start of a process.
    ///
    /// # Errors
    /// When another process has the folder, or the file system refuses.
    pub fn open(config: Config, clock: SharedClock, tasks: &Tasks, metrics: Metrics) -> Result<Self, Error> {
        let lock = journal::lock(&config.dir)?;
        let segments = config.dir.join("segments");
        let predictions = Journal::open("predictions", segments.join("predictions"), clock.clone(), metrics.clone())?;
        let outcomes = Journal::open("outcomes", segments.join("outcomes"), clock, metrics)?;
        let inner =
            Inner { config, predictions, outcomes, known: Mutex::default(), rolling: Mutex::new(()), _lock: lock };
        let log = Self { inner: Arc::new(inner) };
        tasks.spawn("prediction log sync", log.clone().keep_synced(tasks.shutdown_token()));
        tasks.spawn("prediction log roll", log.clone().keep_rolled(tasks.shutdown_token()));
        Ok(log)
    }

    /// Hands rows to the operating system before it returns, and to the disk within a second.
    ///
    /// # Errors
    /// When a row cannot be encoded or the file system refuses; then none of them is logged, and the loss is counted.
    pub fn append(&self, records: &[PredictionRecord]) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let mut frames = Vec::with_capacity(records.len() * 512);
        for record in records {
            if let Err(error) = frame::encode(record, &mut frames) {
                self.inner.predictions.metrics.add(&FAILED, &["predictions", "append"], records.len() as f64);
                return Err(error);
            }
        }
        self.inner.predictions.append(&frames, records.len()).map(drop)
    }

    /// Takes outcomes. Those that are new are on disk before it returns; those that are known by prediction and event are
    /// counted and change nothing, so a batch may be sent again after an error. Runs to completion once begun.
    ///
    /// # Errors
    /// When an outcome is malformed (then none of the batch is taken) or the file system refuses.
    pub async fn append_outcomes(&self, outcomes: Vec<Outcome>) -> Result<OutcomeReport, Error> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.take_outcomes(&outcomes)).await
    }

    /// The prediction with its outcomes, if it was logged.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn find(&self, id: PredictionId) -> Result<Option<(PredictionRecord, Vec<Outcome>)>, Error> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.find(id)).await
    }

    /// The predictions that `scan` asks for, each once, in the order of time that it asks for.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn scan(&self, scan: Scan) -> Result<Vec<PredictionRecord>, Error> {
        self.scan_as(scan, |record| record).await
    }

    /// What `of` makes of each of them, for readers of many predictions who need a part of each: at no time more than a
    /// few whole ones are in memory.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn scan_as<T: Send + 'static>(
        &self,
        scan: Scan,
        of: impl Fn(PredictionRecord) -> T + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        self.scan_unless(scan, |_| false, of).await
    }

    /// The same without those that are known, which are not decoded: for readers who follow the log and read its end
    /// again, because a prediction is logged when it was answered, under the time at which it was asked.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn scan_unless<T: Send + 'static>(
        &self,
        scan: Scan,
        is_known: impl Fn(&PredictionId) -> bool + Send + 'static,
        of: impl Fn(PredictionRecord) -> T + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.scan(&scan, is_known, of)).await
    }

    /// The outcomes of predictions that `scan` asks for by their time (outcomes do not know their model, so `scan.model`
    /// is not looked at), each once, ordered by prediction and event.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn outcomes(&self, scan: Scan) -> Result<Vec<Outcome>, Error> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.scan_outcomes(&scan)).await
    }

    /// Rolls everything into Parquet now, whatever its size and age.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn roll(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.roll(SealWhen { bytes: 0, after: Duration::from_micros(0) })).await
    }

    async fn keep_synced(self, token: CancellationToken) {
        while !is_over_after(SYNC_EVERY, &token).await {
            self.sync().await;
        }
        self.sync().await;
    }

    async fn sync(&self) {
        let inner = Arc::clone(&self.inner);
        if let Err(error) = blocking(move || inner.predictions.sync()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "predictions did not reach the disk");
        }
    }

    async fn keep_rolled(self, token: CancellationToken) {
        let when = SealWhen { bytes: self.inner.config.roll_bytes, after: self.inner.config.roll_after };
        while !is_over_after(ROLL_EVERY, &token).await {
            let inner = Arc::clone(&self.inner);
            if let Err(error) = blocking(move || inner.roll(when)).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot roll the prediction log, trying again"
                );
            }
        }
    }
}

/// Waits. Answers whether the process stops.
async fn is_over_after(pause: std::time::Duration, token: &CancellationToken) -> bool {
    tokio::time::timeout(pause, token.cancelled()).await.is_ok()
}

impl Inner {
    fn take_outcomes(&self, outcomes: &[Outcome]) -> Result<OutcomeReport, Error> {
        let hours = validated(outcomes)?;
        let mut state = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_poisoned {
            return Err(Error::Poisoned);
        }
        let mut report = OutcomeReport::default();
        let (mut frames, mut fresh) = (Vec::new(), Vec::new());
        let mut in_batch = HashSet::new();
        for (outcome, hour) in outcomes.iter().zip(hours) {
            state.known.prepare(hour, || self.keys_of(hour))?;
            let key = Key::of(outcome);
            if state.known.contains(hour, key) || !in_batch.insert(key) {
                report.duplicates += 1;
            } else {
                frame::encode(outcome, &mut frames)?;
                fresh.push((hour, key));
                report.accepted += 1;
            }
        }
        let position = self.outcomes.append(&frames, fresh.len())?;
        for (hour, key) in fresh {
            state.known.insert(hour, key);
        }
        state.known.shrink();
        drop(state);
        self.outcomes.metrics.add(&DUPLICATES, &[], report.duplicates as f64);
        // Duplicates wait too: what they repeat may have been written a moment ago and not be on disk yet.
        if let Err(error) = self.outcomes.sync_through(position) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).is_poisoned = true;
            return Err(error);
        }
        Ok(report)
    }

    fn roll(&self, when: SealWhen) -> Result<(), Error> {
        let _one_at_a_time = self.rolling.lock().unwrap_or_else(PoisonError::into_inner);
        roll_journal::<PredictionRecord>(&self.predictions, &self.predictions_root(), when)?;
        roll_journal::<Outcome>(&self.outcomes, &self.outcomes_root(), when)
    }

    fn predictions_root(&self) -> PathBuf {
        self.config.dir.join("predictions")
    }

    fn outcomes_root(&self) -> PathBuf {
        self.config.dir.join("outcomes")
    }
}

fn roll_journal<R: Rolled>(journal: &Journal, root: &std::path::Path, when: SealWhen) -> Result<(), Error> {
    let outcome = journal.seal_if(when).and_then(|()| {
        journal.sealed().iter().try_for_each(|sealed| {
            let corrupt = rolled::roll::<R>(root, sealed)?.saturating_sub(sealed.corrupt);
            if corrupt > 0 {
                journal.metrics.add(&CORRUPT, &[journal.kind], corrupt as f64);
            }
            journal.discard(sealed)
        })
    });
    if outcome.is_err() {
        journal.metrics.add(&FAILED, &[journal.kind, "roll"], 1.0);
    }
    journal.report();
    outcome
}

/// The hour of each outcome, or what is wrong with the first that is malformed.
fn validated(outcomes: &[Outcome]) -> Result<Vec<Hour>, Error> {
    let invalid = |index, problem: String| Error::InvalidOutcome { index, problem };
    outcomes
        .iter()
        .enumerate()
        .map(|(index, outcome)| {
            if outcome.event.is_empty() || outcome.event.len() > LONGEST_EVENT {
                return Err(invalid(index, format!("`event` must have 1 to {LONGEST_EVENT} bytes")));
            }
            if outcome.value.is_some_and(|value| !value.is_finite()) {
                return Err(invalid(index, "`value` is not a finite number".to_owned()));
            }
            Hour::in_id(&outcome.prediction)
                .ok_or_else(|| invalid(index, format!("`{}` is not an id that Crosstie gave out", outcome.prediction)))
        })
        .collect()
}
