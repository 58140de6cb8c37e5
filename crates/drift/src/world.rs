//! Traffic for tests, shaped as traffic is: customers of very unequal size, users who come back, items of very unequal
//! popularity, features of users, of items, of customers and of the request, some of which move with the day or the hour.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::DataType,
};
use prediction_log::{Arm, LoggedFeature, PredictionRecord};
use types::{Duration, ModelName, ModelVersion, PredictionId, Timestamp, Value};
use uuid::{NoContext, Uuid};

use crate::{KpiDef, Policy, ReferenceRows, WatchedModel};

pub(crate) const CUSTOMERS: usize = 24;
const COUNTRIES: [&str; 12] = ["US", "DE", "FR", "GB", "NL", "ES", "IT", "PL", "SE", "BR", "JP", "CA"];
const CATEGORIES: [&str; 8] = ["books", "electronics", "fashion", "garden", "grocery", "kitchen", "sports", "toys"];
const DEVICES: [&str; 3] = ["desktop", "phone", "tablet"];
/// The features, in the order of `World::features`.
pub(crate) const FEATURES: [&str; 13] = [
    "impressions_7d",
    "clicks_7d",
    "purchases_30d",
    "user_country",
    "tenure_days",
    "ctr_30d",
    "price",
    "category",
    "customer_ctr_7d",
    "hour_of_day",
    "device",
    "is_evening",
    "click_rate_7d",
];
const OF_REQUEST: [&str; 4] = ["hour_of_day", "device", "is_evening", "click_rate_7d"];
/// The hour at which the days of training end and that of the traffic begins.
pub(crate) const START: &str = "2026-11-23T00:00:00Z";
const HOUR: Duration = Duration::from_secs(3_600);

struct User {
    customer: usize,
    country: usize,
    eagerness: f64,
    phone: f64,
    tenure: i64,
}

struct Item {
    category: usize,
    price: f64,
    ctr: f64,
}

pub(crate) struct World {
    pub(crate) random: fastrand::Rng,
    users: Vec<User>,
    items: Vec<Item>,
    /// Cumulated weights.
    by_user: Vec<f64>,
    by_item: Vec<f64>,
    customer_ctr: Vec<f64>,
}

/// One row, as it is served or trained on.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) at: Timestamp,
    pub(crate) user: i64,
    pub(crate) item: i64,
    pub(crate) customer: usize,
    pub(crate) features: Vec<Value>,
    pub(crate) score: f64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let shares = cumulated((1..=CUSTOMERS).map(|rank| (rank as f64).powf(-1.3)));
        let homes: Vec<usize> = (0..CUSTOMERS).map(|_| random.usize(..COUNTRIES.len())).collect();
        let users: Vec<User> = (0..6_000)
            .map(|number| {
                let customer = if number < CUSTOMERS { number } else { pick(&mut random, &shares) };
                // The eighth customer, mid-sized, is at home in the US.
                let home = if customer == 7 { 0 } else { homes[customer] };
                let country = if random.bool() { home } else { random.usize(..COUNTRIES.len()) };
                let (eagerness, phone) = (normal(&mut random), random.f64());
                User { customer, country, eagerness, phone, tenure: (-random.f64().ln() * 200.0) as i64 }
            })
            .collect();
        let items: Vec<Item> = (0..1_000)
            .map(|_| Item {
                category: random.usize(..CATEGORIES.len()),
                price: (3.2 + 0.8 * normal(&mut random)).exp(),
                ctr: 0.1 * (0.6 * normal(&mut random)).exp(),
            })
            .collect();
        let by_user = cumulated(users.iter().map(|_| normal(&mut random).exp()).collect::<Vec<_>>().into_iter());
        let by_item = cumulated((1..=items.len()).map(|rank| (rank as f64).powf(-0.7)));
        let customer_ctr = (0..CUSTOMERS).map(|_| 0.12 * (0.3 * normal(&mut random)).exp()).collect();
        Self { random, users, items, by_user, by_item, customer_ctr }
    }

    /// What every customer and item is like on another day.
    pub(crate) fn next_day(&mut self) {
        for ctr in &mut self.customer_ctr {
            *ctr *= (0.05 * normal(&mut self.random)).exp();
        }
        for item in &mut self.items {
            item.ctr *= (0.05 * normal(&mut self.random)).exp();
        }
    }

    /// `count` rows in the order of time, evenly over `length` from `from` on.
    pub(crate) fn rows(&mut self, count: usize, from: Timestamp, length: Duration) -> Vec<Row> {
        let step = length.as_micros() / count as i64;
        (0..count).map(|row| self.row(from + Duration::from_micros(step * (row as i64 + 1)))).collect()
    }

    fn row(&mut self, at: Timestamp) -> Row {
        let (user, item) = (pick(&mut self.random, &self.by_user), pick(&mut self.random, &self.by_item));
        let (of, shown) = (&self.users[user], &self.items[item]);
        let hour = at.as_micros() / HOUR.as_micros() % 24;
        // The same user has the same counts all day long.
        let mut habits =
            fastrand::Rng::with_seed(user as u64 * 100_000 + (at.as_micros() / HOUR.as_micros() / 24) as u64);
        let impressions = (3.0 * (of.eagerness.exp()) * -habits.f64().ln()) as i64;
        let clicks = (0..impressions).filter(|_| habits.f64() < 0.15).count() as i64;
        let device = if self.random.f64() < of.phone { 1 } else { usize::from(self.random.f64() < 0.1) * 2 };
        let rate = clicks as f64 / (impressions + 5) as f64;
        let logit = -2.2 + 2.0 * rate + 0.3 * (shown.ctr / 0.1).ln() + 0.1 * of.country as f64 / 12.0;
        let features = vec![
            Value::Int64(impressions),
            Value::Int64(clicks),
            Value::Int64(clicks / 5),
            Value::String(COUNTRIES[of.country].to_owned()),
            Value::Int64(of.tenure),
            Value::Float32(shown.ctr as f32),
            Value::Float32(shown.price as f32),
            Value::String(CATEGORIES[shown.category].to_owned()),
            Value::Float32(self.customer_ctr[of.customer] as f32),
            Value::Int64(hour),
            Value::String(DEVICES[device].to_owned()),
            Value::Int64(i64::from(hour >= 18)),
            Value::Float32(rate as f32),
        ];
        let score = 1.0 / (1.0 + (-logit).exp());
        Row { at, user: user as i64, item: item as i64, customer: of.customer, features, score }
    }

    /// Days of rows before [`START`], as training leaves them. With `times` there is a column that tells when.
    pub(crate) fn training(&mut self, count: usize, days: u32, times: bool) -> ReferenceRows {
        let mut rows = Vec::new();
        let start = start() - Duration::from_secs(days * 86_400);
        for day in 0..days {
            self.next_day();
            let from = start + Duration::from_secs(day * 86_400);
            rows.extend(self.rows(count / days as usize, from, Duration::from_secs(86_400)));
        }
        self.next_day();
        ReferenceRows { columns: columns(&rows, times), score: Some("score".to_owned()) }
    }
}

pub(crate) fn start() -> Timestamp {
    Timestamp::parse(START).unwrap()
}

pub(crate) fn customer(number: usize) -> String {
    format!("customer-{number}")
}

pub(crate) fn version(number: u32) -> ModelVersion {
    ModelVersion::new(ModelName::parse("ranker").unwrap(), number)
}

pub(crate) fn watched(window: Duration) -> WatchedModel {
    WatchedModel {
        version: version(1),
        features: FEATURES.map(str::to_owned).to_vec(),
        segments: vec!["customer_id".to_owned()],
        policy: Policy { window, min_rows: 100, exclude: Vec::new() },
        kpis: vec![
            KpiDef { name: "ctr".to_owned(), event: "click".to_owned(), per: "prediction".to_owned() },
            KpiDef { name: "conversion".to_owned(), event: "purchase".to_owned(), per: "click".to_owned() },
        ],
        attribution: Duration::from_secs(600),
    }
}

/// The row as it is logged: every row its own request.
pub(crate) fn record(row: &Row) -> PredictionRecord {
    let micros = row.at.as_micros().unsigned_abs();
    let time = uuid::Timestamp::from_unix(NoContext, micros / 1_000_000, (micros % 1_000_000) as u32 * 1_000);
    let features = FEATURES.iter().zip(&row.features).map(|(name, value)| LoggedFeature {
        // As references have it: the view before the colon.
        name: format!("{}:{name}", if OF_REQUEST.contains(name) { "request" } else { "view" }),
        value: value.clone(),
        event_time: None,
        origin: if OF_REQUEST.contains(name) { "request" } else { "materialized" }.to_owned(),
        digest: None,
    });
    // The log keeps what only the request knew beside the entity keys.
    let named = FEATURES.iter().zip(&row.features).filter(|(name, _)| OF_REQUEST.contains(name));
    let of_request = named.map(|(name, value)| ((*name).to_owned(), value.clone()));
    PredictionRecord {
        id: PredictionId::new(Uuid::new_v7(time), 0),
        at: row.at,
        version: version(1),
        arm: Arm::Stable,
        release: None,
        principal: "tester".to_owned(),
        entities: vec![
            ("user_id".to_owned(), Value::Int64(row.user)),
            ("item_id".to_owned(), Value::Int64(row.item)),
            ("customer_id".to_owned(), Value::String(customer(row.customer))),
        ]
        .into_iter()
        .chain(of_request)
        .collect(),
        features: features.collect(),
        outputs: vec![
            ("label".to_owned(), vec![Value::Int64(0)]),
            (
                "probabilities".to_owned(),
                vec![Value::Float32(1.0 - row.score as f32), Value::Float32(row.score as f32)],
            ),
        ],
        degraded: false,
        project: None,
        sample_rate: 1.0,
    }
}

/// What the upstream of customer `of` does to its rows: `from` becomes `to`.
pub(crate) fn recode(rows: &mut [Row], of: impl Fn(usize) -> bool, from: &str, to: &str) {
    for row in rows.iter_mut().filter(|row| of(row.customer)) {
        for value in &mut row.features {
            if *value == Value::String(from.to_owned()) {
                *value = Value::String(to.to_owned());
            }
        }
    }
}

fn columns(rows: &[Row], times: bool) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("user_id".to_owned(), Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.user)))),
        ("item_id".to_owned(), Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.item)))),
        (
            "customer_id".to_owned(),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| customer(row.customer)))),
        ),
        ("score".to_owned(), Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.score)))),
    ];
    if times {
        let times = rows.iter().map(|row| row.at.as_micros());
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        columns.push(("event_timestamp".to_owned(), Arc::new(times)));
    }
    for (index, name) in FEATURES.iter().enumerate() {
        columns.push(((*name).to_owned(), column(rows, index)));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

fn column(rows: &[Row], index: usize) -> ArrayRef {
    if let Value::String(_) = rows[0].features[index] {
        let text = |row: &Row| row.features[index].to_json().as_str().unwrap().to_owned();
        return Arc::new(StringArray::from_iter_values(rows.iter().map(text)));
    }
    let number = |row: &Row| row.features[index].to_json().as_f64().unwrap();
    let floats: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(number)));
    let kind = if matches!(rows[0].features[index], Value::Int64(_)) { DataType::Int64 } else { DataType::Float32 };
    arrow::compute::cast(&floats, &kind).unwrap()
}

fn cumulated(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

fn pick(random: &mut fastrand::Rng, cumulated: &[f64]) -> usize {
    let at = random.f64() * cumulated[cumulated.len() - 1];
    cumulated.partition_point(|sum| *sum <= at).min(cumulated.len() - 1)
}

fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * random.f64().max(f64::MIN_POSITIVE).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// How many rows each customer has.
pub(crate) fn by_customer(rows: &[Row]) -> HashMap<usize, usize> {
    let mut counts = HashMap::new();
    for row in rows {
        *counts.entry(row.customer).or_default() += 1;
    }
    counts
}
