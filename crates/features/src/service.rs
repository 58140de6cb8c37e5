//! The two rails as one service. Cheap to clone.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use arrow::array::RecordBatch;
use database::Database;
use runtime::SharedClock;
use telemetry::Metrics;
use tracing::instrument;
use types::{Timestamp, Value};

use crate::{
    Definitions, EntityRow, Error, FeatureRef, FeatureRow, Knowledge, MaterializeReport, OfflineRow, OnlineStore,
    PushReport, PushRow, ReadPlan, Sample, TrainingOptions, Watermark,
    definitions::View,
    materialize::{self, CHUNK},
    metrics::{self, ReadMetrics},
    offline,
    online::{EntityKey, Read, Space, StoredRow, Written},
    plan::{FoundRow, Rails, assemble},
    repo,
    rows::Origin,
    sample,
};

/// Entities pushed last that a sample asks about, per view.
const PUSHED_SAMPLE: usize = 200;

/// Where things are.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that sources' paths are relative to.
    pub project_dir: PathBuf,
}

/// Features, offline and online.
#[derive(Debug, Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    database: Database,
    store: Arc<dyn OnlineStore>,
    clock: SharedClock,
    metrics: Metrics,
    reads: ReadMetrics,
    definitions: RwLock<Arc<Definitions>>,
}

impl Service {
    /// A service without definitions; see [`set_definitions`](Self::set_definitions).
    #[must_use]
    pub fn new(
        config: Config,
        database: Database,
        store: Arc<dyn OnlineStore>,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Self {
        let reads = ReadMetrics::new(&metrics);
        let definitions = RwLock::default();
        Self { inner: Arc::new(Inner { config, database, store, clock, metrics, reads, definitions }) }
    }

    /// Makes the tables.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub async fn migrate(&self) -> Result<(), Error> {
        Ok(self.inner.database.migrate(repo::COMPONENT, repo::MIGRATIONS).await?)
    }

    /// Puts the project's definitions in force.
    pub fn set_definitions(&self, definitions: Arc<Definitions>) {
        *self.inner.definitions.write().unwrap_or_else(PoisonError::into_inner) = definitions;
    }

    /// The definitions in force.
    #[must_use]
    pub fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.inner.definitions.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The online store, for collecting spaces that nothing serves.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn OnlineStore> {
        &self.inner.store
    }

    /// The time, as this service's clock has it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// `labels` with one column more for each of `references`, as known at each row's time: every row once, in order,
    /// its own columns untouched.
    ///
    /// # Errors
    /// When labels, references or sources do not fit.
    #[instrument(skip_all, fields(rows = labels.num_rows()))]
    pub async fn training_set(
        &self,
        definitions: Arc<Definitions>,
        labels: RecordBatch,
        references: Vec<FeatureRef>,
        options: TrainingOptions,
    ) -> Result<RecordBatch, Error> {
        let project = self.inner.config.project_dir.clone();
        runtime::blocking(move || offline::training_set(&project, &definitions, &labels, &references, &options)).await
    }

    /// Puts the newest row per entity, as known at `end`, into the online store, for the views named or all. With
    /// `start`, only rows of event times from then on.
    ///
    /// Safe to repeat and to run twice at once. Views are done one after the other; after a failure those before it
    /// are done.
    ///
    /// # Errors
    /// When `end` is in the future, a view is unknown, a source cannot be read, or the store fails.
    #[instrument(skip_all, fields(%end))]
    pub async fn materialize(
        &self,
        definitions: &Definitions,
        views: Option<&[String]>,
        start: Option<Timestamp>,
        end: Timestamp,
    ) -> Result<Vec<MaterializeReport>, Error> {
        let now = self.inner.clock.now();
        if end > now {
            return Err(Error::FutureEnd { end, now });
        }
        let views: Vec<Arc<View>> = match views {
            Some(names) => names.iter().map(|name| definitions.view(name).cloned()).collect::<Result<_, _>>()?,
            None => definitions.views().cloned().collect(),
        };
        let mut reports = Vec::with_capacity(views.len());
        for view in views {
            reports.push(self.materialize_view(view, start, end, now).await?);
        }
        Ok(reports)
    }

    async fn materialize_view(
        &self,
        view: Arc<View>,
        start: Option<Timestamp>,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<MaterializeReport, Error> {
        let inner = &self.inner;
        let space = Space { view: view.name().to_owned(), digest: view.digest() };
        let before = repo::watermark(&inner.database, view.name(), view.digest()).await?;
        // A store that lost its rows is filled again from the beginning.
        let kept = inner.store.spaces().await?.iter().any(|(stored, rows)| *stored == space && *rows > 0);
        let last = before.clone().filter(|last| kept && end >= last.at);
        let (project, of_view) = (inner.config.project_dir.clone(), Arc::clone(&view));
        let newest = runtime::blocking(move || materialize::newest(&project, &of_view, last.as_ref(), start, end));
        let newest = newest.await?;
        let files = newest.fingerprints.len();
        let written = self.write(&space, newest.rows).await?;
        inner.metrics.add(&metrics::MATERIALIZED_ROWS, &[view.name()], written.stored as f64);
        inner.metrics.add(&metrics::SUPERSEDED_ROWS, &[view.name()], written.superseded as f64);
        if let Some(latest) = newest.latest_event {
            inner.metrics.set(&metrics::FRESHNESS, &[view.name()], now.since(latest).as_micros() as f64 / 1e6);
        }
        // A part leaves a gap before it, unless the gap was filled before.
        let whole = start.is_none_or(|start| before.as_ref().is_some_and(|before| kept && start <= before.at));
        let mut watermark = before.as_ref().map(|before| before.at);
        if whole && watermark.is_none_or(|before| end >= before) {
            watermark = Some(end);
            let advanced = Watermark {
                view: view.name().to_owned(),
                digest: view.digest(),
                at: end,
                rows: i64::try_from(written.stored + written.superseded).unwrap_or(i64::MAX),
                updated_at: now,
                files: newest.fingerprints,
            };
            repo::advance(&inner.database, &advanced).await?;
            inner.metrics.set(&metrics::WATERMARK, &[view.name()], end.as_micros() as f64 / 1e6);
        }
        Ok(MaterializeReport {
            view: view.name().to_owned(),
            digest: view.digest(),
            rows: written.stored,
            superseded: written.superseded,
            files_read: newest.files_read,
            files,
            watermark,
        })
    }

    async fn write(&self, space: &Space, mut rows: Vec<(EntityKey, StoredRow)>) -> Result<Written, Error> {
        let mut total = Written::default();
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(CHUNK));
            let written = self.inner.store.put_if_newer(space, rows).await?;
            total.stored += written.stored;
            total.superseded += written.superseded;
            rows = rest;
        }
        Ok(total)
    }

    /// Takes rows from a producer. All are checked before any is stored; they are durable when this answers.
    ///
    /// # Errors
    /// When the view is unknown, a row does not fit it, or the store fails.
    #[instrument(skip_all, fields(view, rows = rows.len()))]
    pub async fn push(&self, definitions: &Definitions, view: &str, rows: &[PushRow]) -> Result<PushReport, Error> {
        let view = definitions.view(view)?;
        let now = self.inner.clock.now();
        let encoded = rows.iter().enumerate().map(|(number, row)| row.encode(view, number, now));
        let encoded = encoded.collect::<Result<Vec<_>, _>>()?;
        let space = Space { view: view.name().to_owned(), digest: view.digest() };
        let written = self.write(&space, encoded).await?;
        self.inner.metrics.add(&metrics::PUSHED_ROWS, &[view.name()], written.stored as f64);
        self.inner.metrics.add(&metrics::SUPERSEDED_ROWS, &[view.name()], written.superseded as f64);
        Ok(PushReport { rows: written.stored, superseded: written.superseded })
    }

    /// The features of `rows` as they are served now. No SQL, no planning: the online store and the plan's expressions.
    ///
    /// # Errors
    /// When rows do not fit the plan, or the store fails. A missing feature is a refusal of its row, not an error.
    pub async fn read_online(&self, plan: &ReadPlan, rows: &[EntityRow]) -> Result<Vec<FeatureRow>, Error> {
        plan.check(rows)?;
        let inner = &self.inner;
        let mut reads = Vec::with_capacity(plan.planned_views().len());
        let mut asked = Vec::with_capacity(plan.planned_views().len());
        for planned in plan.planned_views() {
            let mut read = Read { space: Arc::clone(&planned.space), keys: Vec::with_capacity(rows.len()) };
            let mut of_rows = Vec::with_capacity(rows.len());
            for row in rows {
                let key = EntityKey::encode(planned.keys.iter().map(|place| &row.keys[*place]));
                of_rows.push(key.map(|key| {
                    read.keys.push(key);
                    read.keys.len() - 1
                }));
            }
            reads.push(read);
            asked.push(of_rows);
        }
        let found = if reads.is_empty() { Vec::new() } else { inner.store.get_many(&reads).await? };
        let answers = OnlineAnswers { plan, asked, found };
        let at = vec![inner.clock.now(); rows.len()];
        let made = assemble(plan, rows, &at, &answers);
        self.count(&made, &answers);
        Ok(made)
    }

    fn count(&self, made: &[FeatureRow], answers: &OnlineAnswers<'_>) {
        let reads = &self.inner.reads;
        reads.rows.add(made.len() as f64);
        let misses = answers.found.iter().flatten().filter(|row| row.is_none()).count();
        let cells = made.iter().flat_map(|row| &row.cells);
        let defaults = cells.filter(|cell| cell.origin == Origin::Default).count();
        let refusals = made.iter().filter(|row| row.refusal.is_some()).count();
        for (counter, number) in [(&reads.misses, misses), (&reads.defaults, defaults), (&reads.refusals, refusals)] {
            if number > 0 {
                counter.add(number as f64);
            }
        }
    }

    /// The features of `rows` as the offline rail knew them: per row the newest until `at` and until `knowledge`
    /// (per view: its watermark), with the TTL as of `at`.
    ///
    /// # Errors
    /// When rows do not fit the plan, or a source cannot be read.
    #[instrument(skip_all, fields(rows = rows.len()))]
    pub async fn as_known_at(
        &self,
        plan: Arc<ReadPlan>,
        rows: Vec<EntityRow>,
        at: Vec<Timestamp>,
        knowledge: Knowledge,
    ) -> Result<Vec<OfflineRow>, Error> {
        self.offline(plan, rows, None, at, knowledge).await
    }

    /// The offline counterpart of what the online rail answered for the same rows at `at`: as known at `knowledge` for
    /// what was materialized, and for what was pushed the row of the same entity and event time, or
    /// [`ahead`](OfflineRow::ahead).
    ///
    /// # Errors
    /// As [`as_known_at`](Self::as_known_at).
    #[instrument(skip_all, fields(rows = rows.len()))]
    pub async fn offline_of(
        &self,
        plan: Arc<ReadPlan>,
        rows: Vec<EntityRow>,
        online: Vec<FeatureRow>,
        at: Vec<Timestamp>,
        knowledge: Knowledge,
    ) -> Result<Vec<OfflineRow>, Error> {
        self.offline(plan, rows, Some(online), at, knowledge).await
    }

    async fn offline(
        &self,
        plan: Arc<ReadPlan>,
        rows: Vec<EntityRow>,
        online: Option<Vec<FeatureRow>>,
        at: Vec<Timestamp>,
        knowledge: Knowledge,
    ) -> Result<Vec<OfflineRow>, Error> {
        plan.check(&rows)?;
        let lengths = at.len() == rows.len() && online.as_ref().is_none_or(|online| online.len() == rows.len());
        if !lengths {
            let reason = "rows, their times and their answers are not of one number".to_owned();
            return Err(Error::Row { row: rows.len().min(at.len()), reason });
        }
        let project = self.inner.config.project_dir.clone();
        runtime::blocking(move || offline::as_known_at(&project, &plan, &rows, online.as_deref(), &at, &knowledge))
            .await
    }

    /// Until when the views of `plan` are materialized under the plan's definitions; a view that never was knows
    /// nothing.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn knowledge(&self, plan: &ReadPlan) -> Result<Knowledge, Error> {
        let all = repo::watermarks(&self.inner.database).await?;
        let of = |view: &Arc<View>| {
            let mark = all.iter().find(|mark| mark.view == view.name() && mark.digest == view.digest());
            (view.name().to_owned(), mark.map_or(Timestamp::MIN, |mark| mark.at))
        };
        Ok(Knowledge { otherwise: Timestamp::MIN, views: plan.views().map(of).collect() })
    }

    /// How far each view is materialized, under each definition it ever had.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn watermarks(&self) -> Result<Vec<Watermark>, Error> {
        repo::watermarks(&self.inner.database).await
    }

    /// Entities to ask both rails about: `wanted` at random, those pushed last, and those at the edges.
    ///
    /// # Errors
    /// When a source cannot be read or the store fails.
    pub async fn sample_entities(&self, plan: Arc<ReadPlan>, wanted: usize, seed: u64) -> Result<Vec<Sample>, Error> {
        let mut pushed = Vec::with_capacity(plan.planned_views().len());
        for planned in plan.planned_views() {
            pushed.push(self.inner.store.recently_pushed(&planned.space, PUSHED_SAMPLE).await?);
        }
        let (project, now) = (self.inner.config.project_dir.clone(), self.inner.clock.now());
        runtime::blocking(move || sample::draw(&project, &plan, &pushed, wanted, seed, now)).await
    }
}

/// What the online store answered, by row of the request.
struct OnlineAnswers<'a> {
    plan: &'a ReadPlan,
    /// Per view and row, which of the answers is its; none where the row has no such entity.
    asked: Vec<Vec<Option<usize>>>,
    found: Vec<Vec<Option<StoredRow>>>,
}

impl OnlineAnswers<'_> {
    fn stored(&self, view: usize, row: usize) -> Option<&StoredRow> {
        self.asked[view][row].and_then(|place| self.found.get(view)?.get(place)?.as_ref())
    }
}

impl Rails for OnlineAnswers<'_> {
    fn find(&self, view: usize, row: usize) -> Option<FoundRow> {
        self.stored(view, row).map(|stored| FoundRow {
            event_time: stored.rank().event_time,
            origin: stored.origin(),
            file: None,
        })
    }

    fn value(&self, view: usize, row: usize, feature: usize) -> Value {
        let layout = self.plan.planned_views()[view].view.layout();
        self.stored(view, row).map_or(Value::Null, |stored| layout.decode(stored, feature))
    }
}
