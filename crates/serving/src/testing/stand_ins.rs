//! Stand-ins for the ports: small, with real behaviour, and steered by tests.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use types::{Digest, ModelVersion, Schema, TensorSpec, TensorType, Value};

use crate::{
    Backend, BackendError, BoxError, Enriched, EntityRows, FeatureError, FeatureSource, FeatureValue, FilesError,
    LoadedModel, ModelFiles, ModelSpec, PlanSource, Ports, PredictionSink, ServedRow, Tensor, TensorData, TrafficPlan,
    VersionPlan, input_name,
    testing::{Reports, Shadows},
};

/// A backend whose models add up their inputs and the number of their version times 1,000. A version can be made
/// to fail at load.
#[derive(Debug, Default)]
pub struct Adder {
    schemas: Mutex<BTreeMap<ModelVersion, Schema>>,
    refused: Mutex<BTreeMap<ModelVersion, String>>,
    loads: Mutex<Vec<ModelVersion>>,
    behaviours: Arc<Mutex<BTreeMap<ModelVersion, Behaviour>>>,
}

/// What a model of [`Adder`] does when it is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It answers after this time.
    Takes(Duration),
    /// It fails.
    Fails,
    /// It panics.
    Panics,
    /// It never answers.
    Hangs,
}

impl Adder {
    /// The name that plans call it by.
    pub const NAME: &'static str = "adder";

    /// Declares the inputs of a version; otherwise it has the one input `input`, FP32 of shape `[-1, 2]`.
    pub fn declare(&self, version: &ModelVersion, inputs: Vec<TensorSpec>) {
        let outputs = vec![TensorSpec { name: "sum".to_owned(), datatype: TensorType::Fp64, shape: vec![-1, 1] }];
        lock(&self.schemas).insert(version.clone(), Schema { inputs, outputs });
    }

    /// Makes loading a version fail, or succeed again.
    pub fn refuse(&self, version: &ModelVersion, reason: Option<&str>) {
        match reason {
            Some(reason) => drop(lock(&self.refused).insert(version.clone(), reason.to_owned())),
            None => drop(lock(&self.refused).remove(version)),
        }
    }

    /// Makes a version behave from now on; without one, it answers at once.
    pub fn behave(&self, version: &ModelVersion, behaviour: Option<Behaviour>) {
        match behaviour {
            Some(behaviour) => drop(lock(&self.behaviours).insert(version.clone(), behaviour)),
            None => drop(lock(&self.behaviours).remove(version)),
        }
    }

    /// What was loaded, in order.
    #[must_use]
    pub fn loads(&self) -> Vec<ModelVersion> {
        lock(&self.loads).clone()
    }
}

#[async_trait]
impl Backend for Adder {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn load(&self, spec: &ModelSpec) -> Result<Arc<dyn LoadedModel>, BackendError> {
        lock(&self.loads).push(spec.version.clone());
        if let Some(reason) = lock(&self.refused).get(&spec.version) {
            return Err(BackendError::Load { reason: reason.clone() });
        }
        let usual = || Schema {
            inputs: vec![TensorSpec { name: "input".to_owned(), datatype: TensorType::Fp32, shape: vec![-1, 2] }],
            outputs: vec![TensorSpec { name: "sum".to_owned(), datatype: TensorType::Fp64, shape: vec![-1, 1] }],
        };
        let schema = lock(&self.schemas).get(&spec.version).cloned().unwrap_or_else(usual);
        let behaviours = Arc::clone(&self.behaviours);
        Ok(Arc::new(AdderModel { schema, version: spec.version.clone(), behaviours }))
    }
}

/// A model of [`Adder`].
#[derive(Debug)]
pub struct AdderModel {
    schema: Schema,
    version: ModelVersion,
    behaviours: Arc<Mutex<BTreeMap<ModelVersion, Behaviour>>>,
}

#[async_trait]
impl LoadedModel for AdderModel {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn infer(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, BackendError> {
        let behaviour = lock(&self.behaviours).get(&self.version).copied();
        match behaviour {
            None => {}
            Some(Behaviour::Takes(time)) => tokio::time::sleep(time).await,
            Some(Behaviour::Fails) => return Err(BackendError::Execute { reason: "told to".to_owned() }),
            Some(Behaviour::Panics) => panic!("told to"),
            Some(Behaviour::Hangs) => std::future::pending().await,
        }
        let rows = inputs.first().map_or(0, Tensor::rows);
        let of_row = |row: usize| {
            let numbers = inputs.iter().flat_map(|tensor| tensor.row_values(row)).map(|value| number(&value));
            numbers.sum::<f64>() + f64::from(self.version.version) * 1_000.0
        };
        let sums = (0..rows).map(of_row).collect();
        let shape = [i64::try_from(rows).unwrap_or(0), 1];
        Ok(vec![Tensor::new("sum", shape, TensorData::Fp64(sums))])
    }
}

/// A value as a number; text counts its bytes.
fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Int32(value) => f64::from(*value),
        Value::Int64(value) => *value as f64,
        Value::Float32(value) => f64::from(*value),
        Value::Float64(value) => *value,
        Value::String(value) => value.len() as f64,
        Value::Timestamp(value) => value.as_micros() as f64,
    }
}

/// Artifacts that have the digest that was asked for, unless a test changes them or takes the store away.
#[derive(Debug, Default)]
pub struct Files {
    changed: Mutex<BTreeMap<ModelVersion, Digest>>,
    away: AtomicBool,
}

impl Files {
    /// Changes a version's artifact in the store.
    pub fn change(&self, version: &ModelVersion, digest: Digest) {
        lock(&self.changed).insert(version.clone(), digest);
    }

    /// Takes the store away, or brings it back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
}

#[async_trait]
impl ModelFiles for Files {
    async fn fetch(&self, version: &ModelVersion, expected: &Digest) -> Result<PathBuf, FilesError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(FilesError::Unavailable { source: "the store is away".into() });
        }
        match lock(&self.changed).get(version) {
            Some(actual) if actual != expected => Err(FilesError::Changed { expected: *expected, actual: *actual }),
            Some(_) | None => Ok(PathBuf::from("nowhere")),
        }
    }
}

/// A plan that a test sets, from a source that a test can take away.
#[derive(Debug, Default)]
pub struct Plans {
    plan: Mutex<TrafficPlan>,
    away: AtomicBool,
}

impl Plans {
    /// Sets the plan.
    pub fn set(&self, plan: TrafficPlan) {
        *lock(&self.plan) = plan;
    }

    /// Takes the source away, or brings it back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
}

#[async_trait]
impl PlanSource for Plans {
    async fn current(&self) -> Result<TrafficPlan, BoxError> {
        if self.away.load(Ordering::SeqCst) {
            return Err("the database is away".into());
        }
        Ok(lock(&self.plan).clone())
    }
}

/// Feature values by name, the same for every entity.
#[derive(Debug, Default)]
pub struct Features {
    values: Mutex<BTreeMap<String, Value>>,
    degraded: AtomicBool,
}

impl Features {
    /// Sets a feature's value.
    pub fn set(&self, feature: &str, value: Value) {
        lock(&self.values).insert(feature.to_owned(), value);
    }

    /// Marks the values as last known ones, or as current ones again.
    pub fn set_degraded(&self, degraded: bool) {
        self.degraded.store(degraded, Ordering::SeqCst);
    }

    fn value(&self, feature: &str, rows: &EntityRows, row: usize) -> Result<FeatureValue, FeatureError> {
        let sent = |columns: &[crate::Column]| {
            columns.iter().find(|column| column.name == input_name(feature)).map(|column| column.values[row].clone())
        };
        let missing = || FeatureError::Missing {
            entity: format!("{:?}", rows.entities.first().map(|column| &column.values[row])),
            feature: feature.to_owned(),
            row,
        };
        let (value, origin) = match (sent(&rows.overrides), sent(&rows.request)) {
            (Some(value), _) => (value, "override"),
            (None, Some(value)) => (value, "request"),
            (None, None) => (lock(&self.values).get(feature).cloned().ok_or_else(missing)?, "materialized"),
        };
        let degraded = self.degraded.load(Ordering::SeqCst) && origin == "materialized";
        Ok(FeatureValue {
            name: feature.into(),
            value,
            event_time: None,
            origin: origin.into(),
            degraded,
            digest: None,
        })
    }
}

#[async_trait]
impl FeatureSource for Features {
    async fn enrich(&self, version: &VersionPlan, rows: &EntityRows) -> Result<Enriched, FeatureError> {
        let of_row = |row| version.features.iter().map(|feature| self.value(feature, rows, row)).collect();
        Ok(Enriched { rows: (0..rows.rows).map(of_row).collect::<Result<_, _>>()? })
    }
}

/// Keeps what was served.
#[derive(Debug, Default)]
pub struct Predictions {
    rows: Mutex<Vec<ServedRow>>,
    full: AtomicBool,
}

impl Predictions {
    /// What was served since this was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<ServedRow> {
        std::mem::take(&mut *lock(&self.rows))
    }

    /// Makes the sink refuse rows, or take them again.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

impl PredictionSink for Predictions {
    fn record(&self, rows: Vec<ServedRow>) -> Result<(), BoxError> {
        if self.full.load(Ordering::SeqCst) {
            return Err("the disk is full".into());
        }
        lock(&self.rows).extend(rows);
        Ok(())
    }
}

/// The ports with these stand-ins; reports and shadows go to new ones.
#[must_use]
pub fn ports(
    backend: &Arc<Adder>,
    files: &Arc<Files>,
    features: &Arc<Features>,
    plans: &Arc<Plans>,
    predictions: &Arc<Predictions>,
) -> Ports {
    Ports {
        backends: vec![Arc::clone(backend) as Arc<dyn Backend>],
        files: Arc::clone(files) as Arc<dyn ModelFiles>,
        features: Arc::clone(features) as Arc<dyn FeatureSource>,
        plans: Arc::clone(plans) as Arc<dyn PlanSource>,
        predictions: Arc::clone(predictions) as Arc<dyn PredictionSink>,
        reports: Arc::new(Reports::default()),
        shadows: Arc::new(Shadows::default()),
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
