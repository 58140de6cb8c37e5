//! KPIs: what became of predictions, once outcomes have had their time.
//!
//! A prediction counts once for an event, however often the event was reported. One that is younger than the attribution
//! delay is not counted at all: whoever clicks late must not make today look worse than yesterday.

use std::collections::{BTreeMap, HashMap, HashSet};

use prediction_log::{Arm, Outcome, PredictionRecord};
use serde::{Deserialize, Serialize};
use types::{ModelVersion, PredictionId, Timestamp};

use crate::{KpiDef, Segment, WatchedModel, window::segments};

/// What predictions are called where a KPI is per prediction.
const PREDICTION: &str = "prediction";
/// The most segment values of a version that are told, most predictions first.
const MOST_SEGMENTS: usize = 200;
/// The quantile of the normal distribution for 95 %, two-sided.
const Z: f64 = 1.959_963_984_540_054;

/// One KPI of one version, over all of its traffic or one segment value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KpiRow {
    /// Which KPI.
    pub kpi: String,
    /// The version that answered.
    pub version: ModelVersion,
    /// Where; `None` for all of its traffic.
    pub segment: Option<Segment>,
    /// The first moment whose predictions count.
    pub since: Timestamp,
    /// The last one: younger predictions may still get outcomes.
    pub until: Timestamp,
    /// Predictions that count.
    pub predictions: u64,
    /// Of these, how many got the event.
    pub events: u64,
    /// What it is counted per: the predictions, or how many got the other event.
    pub per: u64,
    /// `events` by `per`, each prediction weighted by the inverse of the share that was logged; `None` when there is
    /// nothing to divide by.
    pub value: Option<f64>,
    /// The lower end of its 95 % confidence interval, where `value` is a share.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// What is counted of a prediction: all that is kept of it, because it is one of very many.
#[derive(Debug)]
pub(crate) struct Counted {
    id: PredictionId,
    pub(crate) at: Timestamp,
    version: u32,
    /// Whether its answer was what somebody got without asking for a version.
    is_of_traffic: bool,
    segments: Box<[Segment]>,
    weight: f64,
}

impl Counted {
    pub(crate) fn of(record: &PredictionRecord, watched: &WatchedModel) -> Self {
        Self {
            id: record.id,
            at: record.at,
            version: record.version.version,
            is_of_traffic: matches!(record.arm, Arm::Stable | Arm::Canary),
            segments: segments(record, watched).into(),
            weight: 1.0 / record.sample_rate.clamp(f64::EPSILON, 1.0),
        }
    }
}

#[derive(Debug, Default)]
struct Sums {
    predictions: u64,
    /// By KPI: events and what they are counted per, as they are and weighted.
    by_kpi: Vec<[(u64, f64); 2]>,
}

/// Counts the KPIs of `watched` over `predictions` from `since` until `until`, of every version that answered.
pub(crate) fn count(
    watched: &WatchedModel,
    predictions: &[Counted],
    outcomes: &[Outcome],
    (since, until): (Timestamp, Timestamp),
) -> Vec<KpiRow> {
    let mut events: HashMap<PredictionId, HashSet<&str>> = HashMap::new();
    for outcome in outcomes {
        events.entry(outcome.prediction).or_default().insert(&outcome.event);
    }
    let mut sums: BTreeMap<(u32, Option<&Segment>), Sums> = BTreeMap::new();
    let nothing = HashSet::new();
    let counts = predictions.iter().filter(|of| of.is_of_traffic && (since..=until).contains(&of.at));
    for prediction in counts {
        let of = events.get(&prediction.id).unwrap_or(&nothing);
        let places = std::iter::once(None).chain(prediction.segments.iter().map(Some));
        for place in places {
            let sums = sums.entry((prediction.version, place)).or_default();
            sums.predictions += 1;
            sums.by_kpi.resize(watched.kpis.len(), [(0, 0.0); 2]);
            for (kpi, sums) in watched.kpis.iter().zip(&mut sums.by_kpi) {
                for (event, sum) in [&kpi.event, &kpi.per].into_iter().zip(sums) {
                    if event == PREDICTION || of.contains(event.as_str()) {
                        sum.0 += 1;
                        sum.1 += prediction.weight;
                    }
                }
            }
        }
    }
    let mut told: Vec<_> = sums.into_iter().collect();
    // All of a version's traffic first, then the largest segments.
    told.sort_by(|((a, place), left), ((b, other), right)| {
        a.cmp(b).then(place.is_some().cmp(&other.is_some())).then(right.predictions.cmp(&left.predictions))
    });
    let mut segments_told: HashMap<u32, usize> = HashMap::new();
    told.retain(|((version, _), _)| {
        let count = segments_told.entry(*version).or_default();
        *count += 1;
        *count <= MOST_SEGMENTS + 1
    });
    let rows = told.iter().flat_map(|((version, segment), sums)| {
        watched.kpis.iter().zip(&sums.by_kpi).map(move |(kpi, of)| KpiRow {
            segment: (*segment).cloned(),
            since,
            until,
            predictions: sums.predictions,
            ..row(kpi, of, ModelVersion::new(watched.version.model.clone(), *version))
        })
    });
    rows.collect()
}

fn row(kpi: &KpiDef, [(events, weighted), (per, weighted_per)]: &[(u64, f64); 2], version: ModelVersion) -> KpiRow {
    let value = (*per > 0).then(|| weighted / weighted_per);
    let interval = value.filter(|_| events <= per).map(|value| wilson(value, *per));
    KpiRow {
        kpi: kpi.name.clone(),
        version,
        segment: None,
        since: Timestamp::MIN,
        until: Timestamp::MIN,
        predictions: 0,
        events: *events,
        per: *per,
        value,
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
    }
}

/// Wilson's interval for a share of `count`, which is sound for few events, too.
fn wilson(share: f64, count: u64) -> (f64, f64) {
    let n = count as f64;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}
