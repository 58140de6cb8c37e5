//! One look: new rows into their windows, new values told, full windows judged and closed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration as Wait,
};

use prediction_log::{Arm, PredictionRecord, Scan};
use runtime::blocking;
use tokio::time::Instant;
use types::{Duration, ModelName, ModelVersion, PredictionId, Timestamp};

use super::{LEASE, Watcher, by_model};
use crate::{
    Error, Finding, WatchedModel, WindowSummary,
    metrics::{FINDINGS, SCORE, WINDOW_ROWS},
    reference::Reference,
    repo,
    window::{Window, entity_keys},
};

/// The most rows that one look takes up; the next goes on where it ended.
const MOST_AT_ONCE: usize = 50_000;
/// A window with so many rows closes early: more of them say no more.
const MOST_ROWS: usize = 50_000;
/// A window closes after so many times its length even if it has not the rows that it wants.
const LONGEST: i64 = 24;
/// How far back is read again: a row is logged when it was answered, under the time at which it was asked.
const OVERLAP: Duration = Duration::from_secs(10);
/// How long a version without a reference is left alone.
const ASK_AGAIN: Wait = Wait::from_secs(120);
/// A window that opens so far in the future was opened by a clock that has been set back since.
const SET_BACK: Duration = Duration::from_secs(60);

/// The open window of a version.
#[derive(Debug)]
pub(crate) struct Open {
    since: Timestamp,
    /// Up to where the log was read.
    read: Timestamp,
    /// With the first row.
    window: Option<Window>,
    /// The rows that were told of last.
    told: usize,
    /// Those that it has and that lie where the log is read again, with their times.
    recent: HashMap<PredictionId, Timestamp>,
}

/// What a look says of one version, to be stored.
struct Told {
    version: ModelVersion,
    window: WindowSummary,
    found: Vec<Finding>,
    /// Keys of stored findings that are over.
    over: Vec<String>,
}

impl Watcher {
    pub(super) async fn look(&mut self, epoch: i64) -> Result<(), Error> {
        let mut watched = self.service.watched().await?;
        watched.retain(|watched| !watched.features.is_empty());
        let now = self.service.inner.clock.now();
        self.open.retain(|version, _| watched.iter().any(|watched| watched.version == *version));
        for (model, watched) in by_model(&watched) {
            match self.look_at(&model, &watched, now, epoch).await {
                Err(fenced @ Error::Database(_)) => return Err(fenced),
                // What is the matter with one model's files must not keep others from being looked at.
                Err(error) => self.failed(&error, |version| version.model == model),
                Ok(()) => {}
            }
        }
        self.forget(watched, epoch).await?;
        self.gauge().await
    }

    async fn look_at(
        &mut self,
        model: &ModelName,
        watched: &[WatchedModel],
        now: Timestamp,
        epoch: i64,
    ) -> Result<(), Error> {
        self.read(model, watched, now).await?;
        for watched in watched {
            self.tell(watched, now, epoch).await?;
        }
        Ok(())
    }

    /// Reads what the log has of a model since the last look.
    async fn read(&mut self, model: &ModelName, watched: &[WatchedModel], now: Timestamp) -> Result<(), Error> {
        let mut since = None;
        for watched in watched {
            if self.without.get(&watched.version).is_some_and(|until| Instant::now() < *until) {
                continue;
            }
            let open = self.opened(watched, now).await?;
            let from = Timestamp::max(open.since, open.read - OVERLAP);
            since = Some(since.map_or(from, |since: Timestamp| since.min(from)));
        }
        let Some(since) = since else { return Ok(()) };
        let scan = Scan { model: Some(model.clone()), since, until: now, limit: MOST_AT_ONCE, newest_first: false };
        let versions = watched.iter().filter_map(|watched| self.open.get(&watched.version));
        let known: HashSet<PredictionId> = versions.flat_map(|open| open.recent.keys().copied()).collect();
        let log = self.service.inner.log.clone();
        let records = log.scan_unless(scan, move |id| known.contains(id), |record| record).await;
        let records = records.map_err(|error| Error::Log(Arc::new(error)))?;
        // With a full look, the next one begins at its last row.
        let last = records.last().filter(|_| records.len() == MOST_AT_ONCE).map(|record| record.at + OVERLAP);
        let mut by_version: HashMap<u32, Vec<PredictionRecord>> = HashMap::new();
        for record in records {
            if matches!(record.arm, Arm::Stable | Arm::Canary) {
                by_version.entry(record.version.version).or_default().push(record);
            }
        }
        for watched in watched {
            let Some(mut open) = self.open.remove(&watched.version) else { continue };
            let records = by_version.remove(&watched.version.version).unwrap_or_default();
            open.read = last.unwrap_or(now);
            if open.window.is_none()
                && let Some(first) = records.first()
            {
                let Some(reference) = self.reference(watched, first, now).await? else { continue };
                open.window = Some(Window::new(watched.clone(), reference, open.since));
            }
            if let Some(mut window) = open.window.take() {
                window.watched = watched.clone();
                let from = open.read - OVERLAP;
                open.recent.extend(records.iter().map(|record| (record.id, record.at)));
                open.recent.retain(|_, at| *at >= from);
                open.window = Some(blocking(move || filled(window, &records)).await);
            }
            self.open.insert(watched.version.clone(), open);
        }
        Ok(())
    }

    /// The open window of a version, found again where it was left.
    async fn opened(&mut self, watched: &WatchedModel, now: Timestamp) -> Result<&Open, Error> {
        let version = &watched.version;
        if self.open.get(version).is_none_or(|open| open.since > now + SET_BACK) {
            let asked = version.clone();
            let stored = self.service.inner.database.read(async move |tx| repo::opens_at(tx, &asked).await).await?;
            let since = stored.filter(|since| *since <= now).unwrap_or(now - watched.policy.window);
            self.open
                .insert(version.clone(), Open { since, read: since, window: None, told: 0, recent: HashMap::new() });
        }
        Ok(self.open.get(version).expect("it was put there if it was not"))
    }

    /// The frozen reference of a version: as stored, else frozen now.
    async fn reference(
        &mut self,
        watched: &WatchedModel,
        first: &PredictionRecord,
        now: Timestamp,
    ) -> Result<Option<Arc<Reference>>, Error> {
        let inner = Arc::clone(&self.service.inner);
        let version = watched.version.clone();
        let asked = version.clone();
        let stored = inner.database.read(async move |tx| repo::reference(tx, &asked).await).await?;
        if let Some(reference) = stored {
            return Ok(Some(Arc::new(reference)));
        }
        let failed =
            |source: Arc<dyn std::error::Error + Send + Sync>| Error::Reference { version: version.clone(), source };
        let rows = match inner.ports.references.reference(&version).await {
            Ok(Some(rows)) => rows,
            Ok(None) => {
                self.without.insert(version.clone(), Instant::now() + ASK_AGAIN);
                return Ok(None);
            }
            Err(error) => {
                // Other models' traffic is looked at all the same.
                let error = failed(Arc::from(error));
                tracing::warn!(error = &error as &dyn std::error::Error, "drift is not looked at meanwhile");
                self.without.insert(version.clone(), Instant::now() + ASK_AGAIN);
                return Ok(None);
            }
        };
        let entities: Vec<String> = entity_keys(first, watched).cloned().collect();
        let of = watched.clone();
        let frozen = blocking(move || Reference::freeze(&rows, &of, &entities, now)).await;
        let reference = Arc::new(frozen.map_err(|error| failed(Arc::new(error)))?);
        let (of, stored) = (version.clone(), Arc::clone(&reference));
        inner.database.write(async move |tx| repo::put_reference(tx, &of, &stored).await).await?;
        Ok(Some(reference))
    }

    /// Says what the open window of a version shows, and closes it if it is full.
    async fn tell(&mut self, watched: &WatchedModel, now: Timestamp, epoch: i64) -> Result<(), Error> {
        let Some(open) = self.open.get_mut(&watched.version) else { return Ok(()) };
        let labels = [watched.version.model.to_string(), watched.version.version.to_string()];
        let rows = open.window.as_ref().map_or(0, Window::len);
        self.service.inner.metrics.set(&WINDOW_ROWS, &[&labels[0], &labels[1]], rows as f64);
        let Some(window) = open.window.take().filter(|window| window.len() > 0) else {
            if open.since + watched.policy.window <= now {
                // Nothing happened: the next row begins a window.
                open.since = open.read.min(now);
                open.window = None;
            }
            return Ok(());
        };
        let is_full = is_full(&window, now);
        if !is_full && open.told == rows {
            open.window = Some(window);
            return Ok(());
        }
        let stored = self.service.inner.database.read(async move |tx| repo::findings(tx).await).await?;
        let (window, told) = blocking(move || told(window, &stored, now, is_full)).await;
        if is_full {
            *open = Open { since: now, read: open.read, window: None, told: 0, recent: HashMap::new() };
        } else {
            open.told = rows;
            open.window = Some(window);
        }
        let opened_at = open.since;
        if is_full {
            self.score(&told);
        }
        self.service
            .inner
            .database
            .write(async move |tx| {
                tx.check_fence(LEASE, epoch).await?;
                repo::put_window(tx, &told.version, &told.window).await?;
                for finding in &told.found {
                    repo::put_finding(tx, finding).await?;
                }
                for key in &told.over {
                    repo::end_finding(tx, &told.version, key).await?;
                }
                repo::prune_windows(tx, &told.version, opened_at).await
            })
            .await
    }

    /// Ends findings of versions that are watched no more: at once if no version of the model is, else when another has
    /// had a whole window to show the same.
    async fn forget(&mut self, watched: Vec<WatchedModel>, epoch: i64) -> Result<(), Error> {
        self.service
            .inner
            .database
            .write(async move |tx| {
                for finding in repo::findings(tx).await? {
                    if watched.iter().any(|watched| watched.version == finding.version) {
                        continue;
                    }
                    let mut others =
                        watched.iter().filter(|other| other.version.model == finding.version.model).peekable();
                    let mut is_over = others.peek().is_none();
                    for other in others {
                        let closed = repo::last_closed(tx, &other.version).await?;
                        is_over |= closed.is_some_and(|opened_at| opened_at > finding.seen_at);
                    }
                    if is_over {
                        tx.check_fence(LEASE, epoch).await?;
                        repo::end_finding(tx, &finding.version, &finding.key).await?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Shows the scores of a closed window.
    fn score(&self, told: &Told) {
        let model = told.version.model.as_str();
        for compared in &told.window.comparisons {
            let segment = compared.segment.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
            for (method, score) in
                [("psi", compared.psi), ("jensen_shannon", compared.jensen_shannon), ("new_share", compared.new_share)]
            {
                self.service.inner.metrics.set(&SCORE, &[model, &compared.feature, &segment, method], score);
            }
        }
    }

    /// Shows how many findings hold.
    async fn gauge(&mut self) -> Result<(), Error> {
        let mut counts: HashMap<[String; 3], f64> = self.gauged.drain().map(|labels| (labels, 0.0)).collect();
        for finding in self.service.findings().await? {
            let labels = [finding.version.model.to_string(), finding.kind.to_string(), finding.severity.to_string()];
            *counts.entry(labels).or_default() += 1.0;
        }
        for (labels, count) in counts {
            self.service.inner.metrics.set(&FINDINGS, &[&labels[0], &labels[1], &labels[2]], count);
            if count > 0.0 {
                self.gauged.insert(labels);
            }
        }
        Ok(())
    }
}

fn filled(mut window: Window, records: &[PredictionRecord]) -> Window {
    let since = window.since;
    for record in records.iter().filter(|record| record.at > since) {
        window.add(record);
    }
    window
}

fn is_full(window: &Window, now: Timestamp) -> bool {
    let length = window.watched.policy.window;
    let at_most = Duration::from_micros(length.as_micros().saturating_mul(LONGEST));
    let rows = window.len();
    let is_over = window.since + length <= now && rows as u64 >= window.watched.policy.min_rows;
    is_over || rows >= MOST_ROWS || window.since + at_most <= now
}

/// What `window` shows, given what was found before.
fn told(window: Window, stored: &[Finding], now: Timestamp, is_full: bool) -> (Window, Told) {
    let version = window.watched.version.clone();
    let (comparisons, found, over) = if is_full {
        let verdict = window.close(now);
        let before = stored.iter().filter(|finding| finding.version == version);
        let over = before.filter(|finding| window.is_over(finding, &verdict)).map(|finding| finding.key.clone());
        let over = over.collect();
        (verdict.comparisons, verdict.findings, over)
    } else {
        (Vec::new(), window.news(now).into_iter().map(|(.., finding)| finding).collect(), Vec::new())
    };
    let summary =
        WindowSummary { since: window.since, until: now, rows: window.len() as u64, is_open: !is_full, comparisons };
    (window, Told { version, window: summary, found, over })
}
