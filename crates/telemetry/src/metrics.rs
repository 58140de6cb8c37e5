//! The metrics of one process: values by definition and labels, and their exposition as Prometheus text.
//!
//! Values are found by the definition's name, so a definition must be in one of the tables that [`Metrics::new`] was given.
//! One that is not, or label values of the wrong number, are defects: they panic in debug builds and count nothing in
//! release builds, because a metric is no reason to fail a request.

use std::{collections::HashMap, fmt, sync::Arc};

use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder};
use types::ErrorKind;

use crate::{MetricDef, MetricKind};

/// What is wrong with the tables.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two definitions of one name.
    #[error("metric `{name}` is declared twice")]
    Duplicate {
        /// The name.
        name: &'static str,
    },
    /// A name, label or bucket that Prometheus does not allow.
    #[error("metric `{name}` is not valid")]
    Invalid {
        /// The name.
        name: &'static str,
        /// What Prometheus says.
        #[source]
        source: prometheus::Error,
    },
}

impl Error {
    /// The kind: wrong tables are a defect.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Duplicate { .. } | Self::Invalid { .. } => ErrorKind::Internal,
        }
    }
}

/// All metrics of one process. Clones share the values.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    families: HashMap<&'static str, Family>,
}

enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

/// A counter of given labels, for hot paths.
#[derive(Debug, Clone)]
pub struct Counter(prometheus::Counter);

/// A gauge of given labels, for hot paths.
#[derive(Debug, Clone)]
pub struct Gauge(prometheus::Gauge);

/// A histogram of given labels, for hot paths.
#[derive(Debug, Clone)]
pub struct Histogram(prometheus::Histogram);

impl Metrics {
    /// Makes every metric of `tables`; those without labels begin at zero at once.
    ///
    /// # Errors
    /// When a name is declared twice, or Prometheus does not allow a name, label or bucket.
    pub fn new(tables: &[&'static [MetricDef]]) -> Result<Self, Error> {
        let registry = Registry::new();
        let mut families = HashMap::new();
        for def in tables.iter().copied().flatten() {
            if families.contains_key(def.name) {
                return Err(Error::Duplicate { name: def.name });
            }
            let family =
                Family::register(def, &registry).map_err(|source| Error::Invalid { name: def.name, source })?;
            families.insert(def.name, family);
        }
        Ok(Self { inner: Arc::new(Inner { registry, families }) })
    }

    /// Adds `value` to a counter. Negative values count nothing.
    pub fn add(&self, def: &MetricDef, labels: &[&str], value: f64) {
        self.counter(def, labels).add(value);
    }

    /// Sets a gauge.
    pub fn set(&self, def: &MetricDef, labels: &[&str], value: f64) {
        self.gauge(def, labels).set(value);
    }

    /// Adds an observation to a histogram.
    pub fn observe(&self, def: &MetricDef, labels: &[&str], value: f64) {
        self.histogram(def, labels).observe(value);
    }

    /// The counter of these labels, to be kept where it is used often.
    #[must_use]
    pub fn counter(&self, def: &MetricDef, labels: &[&str]) -> Counter {
        let found = match self.inner.families.get(def.name) {
            Some(Family::Counter(family)) => family.get_metric_with_label_values(labels).ok(),
            Some(Family::Gauge(_) | Family::Histogram(_)) | None => None,
        };
        Counter(found.unwrap_or_else(|| detached(def, labels, prometheus::Counter::new("detached", "detached"))))
    }

    /// The gauge of these labels, to be kept where it is used often.
    #[must_use]
    pub fn gauge(&self, def: &MetricDef, labels: &[&str]) -> Gauge {
        let found = match self.inner.families.get(def.name) {
            Some(Family::Gauge(family)) => family.get_metric_with_label_values(labels).ok(),
            Some(Family::Counter(_) | Family::Histogram(_)) | None => None,
        };
        Gauge(found.unwrap_or_else(|| detached(def, labels, prometheus::Gauge::new("detached", "detached"))))
    }

    /// The histogram of these labels, to be kept where it is used often.
    #[must_use]
    pub fn histogram(&self, def: &MetricDef, labels: &[&str]) -> Histogram {
        let found = match self.inner.families.get(def.name) {
            Some(Family::Histogram(family)) => family.get_metric_with_label_values(labels).ok(),
            Some(Family::Counter(_) | Family::Gauge(_)) | None => None,
        };
        let options = HistogramOpts::new("detached", "detached");
        Histogram(found.unwrap_or_else(|| detached(def, labels, prometheus::Histogram::with_opts(options))))
    }

    /// All values in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.inner.registry.gather())
            .expect("families of a registry are never empty, and writing to a string does not fail")
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("families", &self.inner.families.len()).finish()
    }
}

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.0.inc();
    }

    /// Adds `value`. Negative values and NaN count nothing.
    pub fn add(&self, value: f64) {
        if value > 0.0 {
            self.0.inc_by(value);
        }
    }
}

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// Adds `value`, which may be negative.
    pub fn add(&self, value: f64) {
        self.0.add(value);
    }
}

impl Histogram {
    /// Adds an observation.
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }
}

impl Family {
    fn register(def: &'static MetricDef, registry: &Registry) -> prometheus::Result<Self> {
        let no_labels: [&str; 0] = [];
        let unlabelled = def.labels.is_empty();
        match def.kind {
            MetricKind::Counter => {
                let family = CounterVec::new(Opts::new(def.name, def.help), def.labels)?;
                registry.register(Box::new(family.clone()))?;
                if unlabelled {
                    family.get_metric_with_label_values(&no_labels)?;
                }
                Ok(Self::Counter(family))
            }
            MetricKind::Gauge => {
                let family = GaugeVec::new(Opts::new(def.name, def.help), def.labels)?;
                registry.register(Box::new(family.clone()))?;
                if unlabelled {
                    family.get_metric_with_label_values(&no_labels)?;
                }
                Ok(Self::Gauge(family))
            }
            MetricKind::Histogram(buckets) => {
                let options = HistogramOpts::new(def.name, def.help).buckets(buckets.to_vec());
                let family = HistogramVec::new(options, def.labels)?;
                registry.register(Box::new(family.clone()))?;
                if unlabelled {
                    family.get_metric_with_label_values(&no_labels)?;
                }
                Ok(Self::Histogram(family))
            }
        }
    }
}

/// A value that is counted but never shown, for a definition that is in no table.
fn detached<T>(def: &MetricDef, labels: &[&str], made: prometheus::Result<T>) -> T {
    debug_assert!(false, "metric `{}` with labels {labels:?} is in no table as it is used here", def.name);
    made.expect("`detached` is a valid name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SECONDS, Unit};

    const REQUESTS: MetricDef = MetricDef {
        name: "crosstie_test_requests_total",
        kind: MetricKind::Counter,
        help: "Requests by model.",
        unit: Unit::Count,
        labels: &["model"],
    };
    const DEPTH: MetricDef = MetricDef {
        name: "crosstie_test_depth",
        kind: MetricKind::Gauge,
        help: "Waiting requests.",
        unit: Unit::Count,
        labels: &[],
    };
    const TIME: MetricDef = MetricDef {
        name: "crosstie_test_seconds",
        kind: MetricKind::Histogram(SECONDS),
        help: "Time of a request.",
        unit: Unit::Seconds,
        labels: &[],
    };
    const TABLE: &[MetricDef] = &[REQUESTS, DEPTH, TIME];

    #[test]
    fn values_are_exposed_with_help_and_type() {
        let metrics = Metrics::new(&[TABLE]).unwrap();
        let ranker = metrics.counter(&REQUESTS, &["click\"ranker"]);
        ranker.increment();
        metrics.add(&REQUESTS, &["click\"ranker"], 2.0);
        metrics.add(&REQUESTS, &["click\"ranker"], -1.0);
        metrics.observe(&TIME, &[], 0.003);
        let text = metrics.render();
        for line in [
            "# HELP crosstie_test_requests_total Requests by model.",
            "# TYPE crosstie_test_requests_total counter",
            r#"crosstie_test_requests_total{model="click\"ranker"} 3"#,
            "crosstie_test_depth 0",
            r#"crosstie_test_seconds_bucket{le="0.0025"} 0"#,
            r#"crosstie_test_seconds_bucket{le="0.005"} 1"#,
            "crosstie_test_seconds_count 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "`{line}` is not in:\n{text}");
        }
    }

    #[test]
    fn a_name_declared_twice_or_not_allowed_is_refused() {
        let error = Metrics::new(&[TABLE, &[DEPTH]]).unwrap_err();
        assert_eq!(error.to_string(), "metric `crosstie_test_depth` is declared twice");
        const SPACED: MetricDef = MetricDef { name: "not a name", ..DEPTH };
        assert!(matches!(Metrics::new(&[&[SPACED]]).unwrap_err(), Error::Invalid { name: "not a name", .. }));
    }
}
