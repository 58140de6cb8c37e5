//! `metrics`, `latest_metrics` and `logged_model_metrics`.

use std::collections::{BTreeMap, HashMap};

use database::{Parameter, Row, Transaction, params};

use crate::{
    Metric, Point,
    error::{Error, Result},
    repo::select_in,
};

/// The largest finite double, as which MLflow stores infinity.
const INFINITY: f64 = f64::MAX;

/// A metric's value as columns: NaN and infinities have no place in them.
fn stored(value: f64) -> (f64, bool) {
    if value.is_nan() { (0.0, true) } else { (value.clamp(-INFINITY, INFINITY), false) }
}

/// A point from its row.
pub(crate) fn decode(row: &Row) -> Result<Metric> {
    let is_nan: bool = row.get("is_nan")?;
    let timestamp: Option<i64> = row.get("timestamp")?;
    Ok(Metric {
        key: row.get("key")?,
        value: if is_nan { f64::NAN } else { row.get("value")? },
        timestamp: timestamp.unwrap_or_default(),
        step: row.get("step")?,
        model_id: None,
        dataset_name: None,
        dataset_digest: None,
        run_id: None,
    })
}

/// Points of a run as rows, made before there is a transaction: there may be a thousand, and all writes wait for one another.
#[derive(Debug)]
pub(crate) struct Points {
    /// In the order of the primary key: each goes beside the one before.
    all: Vec<[Parameter; 6]>,
    /// The latest of each key: an upsert may not meet the same row twice.
    latest: Vec<[Parameter; 6]>,
}

impl Points {
    pub(crate) fn new(run_id: &str, metrics: &[Metric]) -> Self {
        let row = |metric: &Metric| -> [Parameter; 6] {
            let (value, is_nan) = stored(metric.value);
            let (key, run_id) = (metric.key.as_str().into(), run_id.into());
            [key, value.into(), metric.timestamp.into(), metric.step.into(), is_nan.into(), run_id]
        };
        let mut latest: BTreeMap<&str, &Metric> = BTreeMap::new();
        for metric in metrics {
            let newest = latest.entry(&metric.key).or_insert(metric);
            if is_later(metric, newest) {
                *newest = metric;
            }
        }
        let mut all: Vec<&Metric> = metrics.iter().collect();
        all.sort_by(|a, b| (&a.key, a.timestamp, a.step).cmp(&(&b.key, b.timestamp, b.step)));
        Self { all: all.into_iter().map(row).collect(), latest: latest.into_values().map(row).collect() }
    }
}

/// Inserts points and brings the latest ones up to date. Points that are there already change nothing.
pub(crate) async fn insert(tx: &mut Transaction, points: &Points) -> Result<()> {
    let head = "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES";
    tx.insert(head, "ON CONFLICT DO NOTHING", &points.all).await?;
    let head = "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES";
    let tail = "ON CONFLICT (key, run_uuid) DO UPDATE
        SET value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
        WHERE (excluded.step, excluded.timestamp, excluded.value)
            > (latest_metrics.step, COALESCE(latest_metrics.timestamp, 0), latest_metrics.value)";
    Ok(tx.insert(head, tail, &points.latest).await?)
}

/// MLflow's order of points: step, then timestamp, then value.
fn is_later(a: &Metric, b: &Metric) -> bool {
    let (value_a, value_b) = (stored(a.value).0, stored(b.value).0);
    (a.step, a.timestamp, value_a) > (b.step, b.timestamp, value_b)
}

/// The latest points of runs, by key.
pub(crate) async fn latest(tx: &mut Transaction, run_ids: &[String]) -> Result<HashMap<String, Vec<Metric>>> {
    let select = "SELECT run_uuid, key, value, timestamp, step, is_nan FROM latest_metrics WHERE run_uuid";
    let mut found: HashMap<String, Vec<Metric>> = HashMap::new();
    for row in select_in(tx, select, run_ids, "ORDER BY key").await? {
        found.entry(row.get("run_uuid")?).or_default().push(decode(&row)?);
    }
    Ok(found)
}

/// All points of one key, in order of time.
pub(crate) async fn history(tx: &mut Transaction, run_id: &str, key: &str) -> Result<Vec<Point>> {
    let select = "SELECT value, timestamp, step, is_nan FROM metrics WHERE run_uuid = $1 AND key = $2";
    let mut points = Vec::new();
    tx.each(select, params![run_id, key], |row| {
        let is_nan: bool = row.get("is_nan")?;
        points.push((
            is_nan,
            Point { value: row.get("value")?, timestamp: row.get("timestamp")?, step: row.get("step")? },
        ));
        Ok::<_, Error>(())
    })
    .await?;
    // Sorted here and not by the database: an index holds them by step, so they are in order almost always, which is
    // seen in one pass; and no page can be cut before all are in order.
    points
        .sort_by(|(_, a), (_, b)| (a.timestamp, a.step).cmp(&(b.timestamp, b.step)).then(a.value.total_cmp(&b.value)));
    let number = |(is_nan, point): (bool, Point)| if is_nan { Point { value: f64::NAN, ..point } } else { point };
    Ok(points.into_iter().map(number).collect())
}

/// Points that name a logged model.
pub(crate) async fn insert_for_models(
    tx: &mut Transaction,
    run_id: &str,
    experiment_id: i64,
    metrics: &[Metric],
) -> Result<()> {
    let rows = metrics.iter().filter_map(|metric| {
        let model = metric.model_id.as_ref()?;
        let (name, digest) = (metric.dataset_name.as_ref(), metric.dataset_digest.as_ref());
        let value = stored(metric.value).0;
        Some(params![model, &metric.key, metric.timestamp, metric.step, value, experiment_id, run_id, name, digest])
    });
    let head = "INSERT INTO logged_model_metrics
        (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value, experiment_id, run_id, dataset_name,
         dataset_digest) VALUES";
    Ok(tx.insert(head, "ON CONFLICT DO NOTHING", rows).await?)
}

/// Points of logged models, by model.
pub(crate) async fn of_models(tx: &mut Transaction, ids: &[String]) -> Result<HashMap<String, Vec<Metric>>> {
    let select = "SELECT model_id, metric_name, metric_timestamp_ms, metric_step, metric_value, run_id, dataset_name,
        dataset_digest FROM logged_model_metrics WHERE model_id";
    let mut found: HashMap<String, Vec<Metric>> = HashMap::new();
    for row in select_in(tx, select, ids, "ORDER BY metric_name, metric_timestamp_ms, metric_step, run_id").await? {
        let model: String = row.get("model_id")?;
        let value: Option<f64> = row.get("metric_value")?;
        let metric = Metric {
            key: row.get("metric_name")?,
            value: value.unwrap_or(f64::NAN),
            timestamp: row.get("metric_timestamp_ms")?,
            step: row.get("metric_step")?,
            model_id: Some(model.clone()),
            dataset_name: row.get("dataset_name")?,
            dataset_digest: row.get("dataset_digest")?,
            run_id: row.get("run_id")?,
        };
        found.entry(model).or_default().push(metric);
    }
    Ok(found)
}
