//! Counting KPIs off the log, now and then.

use std::{sync::Arc, time::Duration as Wait};

use prediction_log::Scan;
use runtime::blocking;
use tokio::time::Instant;
use types::{Duration, ModelName, Timestamp};

use super::{LEASE, Watcher};
use crate::{Error, WatchedModel, kpi, metrics::KPI, repo};

/// Over how many windows they are counted.
const WINDOWS: i64 = 24;
/// The most predictions that are counted, the newest.
const MOST_ROWS: usize = 200_000;
/// How often they are counted.
const EVERY: Wait = Wait::from_secs(10);
/// Counting rests so many times what it took.
const REST: u32 = 20;

impl Watcher {
    pub(super) async fn count_kpis(
        &mut self,
        model: &ModelName,
        watched: &[WatchedModel],
        now: Timestamp,
        epoch: i64,
    ) -> Result<(), Error> {
        let Some(watched) = watched.iter().max_by_key(|watched| watched.version.version) else { return Ok(()) };
        let is_due = self.count_after.get(model).is_none_or(|after| Instant::now() >= *after);
        if watched.kpis.is_empty() || !is_due {
            return Ok(());
        }
        let began = Instant::now();
        let inner = Arc::clone(&self.service.inner);
        let until = now - watched.attribution;
        let since = until - Duration::from_micros(watched.policy.window.as_micros().saturating_mul(WINDOWS));
        let scan = Scan { model: Some(model.clone()), since, until, limit: MOST_ROWS, newest_first: true };
        let failed = |error| Error::Log(Arc::new(error));
        let records = inner.log.scan(scan.clone()).await.map_err(failed)?;
        // A prediction has a few outcomes at most, and those of other models lie among them.
        let of_all = Scan { model: None, limit: 10 * MOST_ROWS, ..scan };
        let outcomes = inner.log.outcomes(of_all).await.map_err(failed)?;
        // If there are more rows than are counted, what is counted begins with the oldest of these.
        let since = records.last().filter(|_| records.len() == MOST_ROWS).map_or(since, |oldest| oldest.at);
        let of = watched.clone();
        let rows = blocking(move || kpi::count(&of, &records, &outcomes, (since, until))).await;
        for row in &rows {
            let segment = row.segment.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
            let version = row.version.version.to_string();
            if let Some(value) = row.value {
                inner.metrics.set(&KPI, &[model.as_str(), &version, &row.kpi, &segment], value);
            }
        }
        let of = model.clone();
        inner
            .database
            .write(async move |tx| {
                tx.check_fence(LEASE, epoch).await?;
                repo::put_kpis(tx, &of, &rows, now).await
            })
            .await?;
        self.count_after.insert(model.clone(), Instant::now() + EVERY.max(began.elapsed() * REST));
        Ok(())
    }
}
