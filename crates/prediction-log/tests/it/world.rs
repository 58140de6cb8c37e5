//! A log in a folder of its own, and records to put in.

use std::{
    path::{Path, PathBuf},
    time::Duration as Wait,
};

use prediction_log::{Arm, Config, Error, Log, LoggedFeature, Outcome, PredictionRecord, Scan};
use runtime::{Tasks, testing::ManualClock};
use telemetry::Metrics;
use tempfile::TempDir;
use types::{Duration, ModelName, ModelVersion, PredictionId, Timestamp, Value};
use uuid::{NoContext, Uuid};

/// When the tests play.
pub(crate) fn start() -> Timestamp {
    Timestamp::parse("2026-11-23T14:50:00Z").unwrap()
}

pub(crate) fn minutes(count: u32) -> Duration {
    Duration::from_secs(60 * count)
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) clock: ManualClock,
}

/// One process that has the log open.
pub(crate) struct Process {
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    tasks: Tasks,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), clock: ManualClock::new(start()) }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn open(&self) -> Process {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<Process, Error> {
        let (tasks, metrics) = (Tasks::new(), Metrics::new(&[prediction_log::METRICS]).unwrap());
        let clock = std::sync::Arc::new(self.clock.clone());
        let log = Log::open(Config::new(self.dir()), clock, &tasks, metrics.clone())?;
        Ok(Process { log, metrics, tasks })
    }

    /// The only segment of a kind.
    pub(crate) fn segment(&self, kind: &str) -> PathBuf {
        let mut segments = files(&self.dir().join("segments").join(kind));
        assert_eq!(segments.len(), 1, "{segments:?}");
        segments.remove(0)
    }

    pub(crate) fn rolled(&self, kind: &str) -> Vec<PathBuf> {
        files(&self.dir().join(kind))
    }
}

impl Process {
    /// Ends it, without telling the log to do anything: what `Drop` would do is what a kill leaves undone.
    pub(crate) async fn end(self) {
        drop(self.log);
        assert_eq!(self.tasks.shutdown(Wait::from_secs(60)).await, [""; 0]);
    }

    pub(crate) async fn newest(&self, limit: usize) -> Vec<PredictionId> {
        ids(&self.log.scan(Scan::newest(limit)).await.unwrap())
    }

    pub(crate) fn metric(&self, line: &str) -> f64 {
        let text = self.metrics.render();
        let value = text.lines().find_map(|found| found.strip_prefix(line));
        value.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

pub(crate) fn ids(records: &[PredictionRecord]) -> Vec<PredictionId> {
    records.iter().map(|record| record.id).collect()
}

/// All files below `folder`, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// An id of a request at `at`.
pub(crate) fn id(at: Timestamp, row: u32) -> PredictionId {
    let micros = at.as_micros().unsigned_abs();
    let time =
        uuid::Timestamp::from_unix(NoContext, micros / 1_000_000, u32::try_from(micros % 1_000_000).unwrap() * 1_000);
    PredictionId::new(Uuid::new_v7(time), row)
}

/// A row that was served at `at`.
pub(crate) fn record(at: Timestamp, row: u32) -> PredictionRecord {
    of_model("click-ranker", at, row)
}

pub(crate) fn of_model(model: &str, at: Timestamp, row: u32) -> PredictionRecord {
    PredictionRecord {
        id: id(at, row),
        at,
        version: ModelVersion::new(ModelName::parse(model).unwrap(), 1),
        arm: Arm::Stable,
        release: Some("1".to_owned()),
        principal: "tester".to_owned(),
        entities: vec![("user_id".to_owned(), Value::Int64(i64::from(row)))],
        features: vec![LoggedFeature {
            name: "clicks_7d".to_owned(),
            value: Value::Float64(f64::from(row) / 3.0),
            event_time: Some(at),
            origin: "materialized".to_owned(),
            digest: None,
        }],
        outputs: vec![("score".to_owned(), vec![Value::Float32(0.5)])],
        degraded: false,
        project: None,
        sample_rate: 1.0,
    }
}

pub(crate) fn outcome(prediction: PredictionId, event: &str) -> Outcome {
    Outcome { prediction, event: event.to_owned(), value: None, at: start() }
}
