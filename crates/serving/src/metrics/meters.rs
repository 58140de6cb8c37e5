//! One version's metrics, as its requests set them.

use std::{sync::OnceLock, time::Duration};

use telemetry::{Counter, Histogram, MetricDef, Metrics};
use types::{ErrorKind, ModelVersion};

use super::{
    COUNT, DEGRADED, EXECUTIONS, FAILURE, FEATURES, INFER_TIME, INPUT_TIME, LATENCY, OUTPUT_TIME, QUEUE_TIME,
    REQUEST_TIME, SHADOWS, SUCCESS, outcome, triton_reason,
};
use crate::Arm;

/// How long the parts of a request took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timings {
    pub(crate) total: Duration,
    pub(crate) features: Option<Duration>,
    pub(crate) input: Duration,
    pub(crate) queue: Duration,
    pub(crate) infer: Duration,
    pub(crate) output: Duration,
}

/// Histograms of answers by arm, each looked up when its arm first answers.
#[derive(Debug, Default)]
struct ByArm {
    stable: OnceLock<Histogram>,
    canary: OnceLock<Histogram>,
    shadow: OnceLock<Histogram>,
    explicit: OnceLock<Histogram>,
    other: OnceLock<Histogram>,
}

impl ByArm {
    fn of(&self, arm: Arm) -> &OnceLock<Histogram> {
        match arm {
            Arm::Stable => &self.stable,
            Arm::Canary => &self.canary,
            Arm::Shadow => &self.shadow,
            Arm::Explicit => &self.explicit,
            Arm::Other => &self.other,
        }
    }
}

/// One version's metrics, looked up once.
#[derive(Debug)]
pub(crate) struct Meters {
    metrics: Metrics,
    labels: [String; 2],
    success: Counter,
    count: Counter,
    executions: Counter,
    request_time: Counter,
    queue_time: Counter,
    input_time: Counter,
    infer_time: Counter,
    output_time: Counter,
    latency: ByArm,
    features: Histogram,
    degraded: Counter,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics, version: &ModelVersion) -> Self {
        let labels = [version.model.to_string(), version.version.to_string()];
        let pair = [labels[0].as_str(), labels[1].as_str()];
        let counter = |def: &MetricDef| metrics.counter(def, &pair);
        Self {
            success: counter(&SUCCESS),
            count: counter(&COUNT),
            executions: counter(&EXECUTIONS),
            request_time: counter(&REQUEST_TIME),
            queue_time: counter(&QUEUE_TIME),
            input_time: counter(&INPUT_TIME),
            infer_time: counter(&INFER_TIME),
            output_time: counter(&OUTPUT_TIME),
            latency: ByArm::default(),
            features: metrics.histogram(&FEATURES, &pair),
            degraded: counter(&DEGRADED),
            metrics: metrics.clone(),
            labels,
        }
    }

    pub(crate) fn answered(&self, arm: Arm, rows: usize, timings: &Timings, degraded: bool) {
        self.success.increment();
        self.count.add(rows as f64);
        self.executions.increment();
        self.request_time.add(micros(timings.total));
        self.queue_time.add(micros(timings.queue));
        self.input_time.add(micros(timings.input));
        self.infer_time.add(micros(timings.infer));
        self.output_time.add(micros(timings.output));
        self.took(arm, timings.total);
        if let Some(features) = timings.features {
            self.features.observe(features.as_secs_f64());
        }
        if degraded {
            self.degraded.increment();
        }
    }

    pub(crate) fn failed(&self, arm: Arm, kind: ErrorKind, total: Duration) {
        let [model, version] = &self.labels;
        self.metrics.add(&FAILURE, &[model, version, triton_reason(kind)], 1.0);
        self.metrics.observe(&LATENCY, &[model, version, arm.as_str(), outcome(kind)], total.as_secs_f64());
    }

    /// A copy of a request was executed, which is nobody's success or failure.
    pub(crate) fn shadowed(&self, answered: bool, total: Duration) {
        let [model, version] = &self.labels;
        self.metrics.add(&SHADOWS, &[model, version, if answered { "answered" } else { "failed" }], 1.0);
        if answered {
            self.took(Arm::Shadow, total);
        } else {
            let labels = [model, version, Arm::Shadow.as_str(), outcome(ErrorKind::Internal)];
            self.metrics.observe(&LATENCY, &labels, total.as_secs_f64());
        }
    }

    /// There was no room for a copy of a request.
    pub(crate) fn not_shadowed(&self) {
        let [model, version] = &self.labels;
        self.metrics.add(&SHADOWS, &[model, version, "dropped"], 1.0);
    }

    fn took(&self, arm: Arm, total: Duration) {
        let [model, version] = &self.labels;
        let labels = [model, version, arm.as_str(), "ok"];
        let histogram = self.latency.of(arm).get_or_init(|| self.metrics.histogram(&LATENCY, &labels));
        histogram.observe(total.as_secs_f64());
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
