//! Metrics: every point is kept, the latest of each key is at hand.

use crate::{
    Metric, Page, Service,
    error::{Error, Result},
    page, repo, rules, runs,
};

/// Which points of a metric to read.
#[derive(Debug, Clone, Default)]
pub struct HistoryRequest {
    /// The run.
    pub run_id: String,
    /// The metric.
    pub key: String,
    /// Rows per page; all at once if not said.
    pub max_results: Option<i64>,
    /// Where the page begins.
    pub page_token: Option<String>,
}

/// A point of a metric whose key and run are known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The number.
    pub value: f64,
    /// When it was measured.
    pub timestamp: i64,
    /// At which step.
    pub step: i64,
}

impl Point {
    /// The same as a metric.
    #[must_use]
    pub fn of(self, key: &str) -> Metric {
        let Self { value, timestamp, step } = self;
        Metric {
            key: key.to_owned(),
            value,
            timestamp,
            step,
            model_id: None,
            dataset_name: None,
            dataset_digest: None,
            run_id: None,
        }
    }
}

impl Service {
    /// Logs one metric.
    ///
    /// # Errors
    /// When it is not allowed, or the run is deleted or missing.
    pub async fn log_metric(&self, run_id: &str, metric: Metric) -> Result<()> {
        rules::check_metric_dataset(&metric)?;
        rules::check_metric(&metric.key, metric.timestamp, metric.value, "")?;
        let (run_id, metrics) = (run_id.to_owned(), [metric]);
        let points = repo::metrics::Points::new(&run_id, &metrics);
        self.database
            .write(async move |tx| {
                let run = runs::required_active(tx, &run_id).await?;
                repo::metrics::insert_for_models(tx, &run_id, run.experiment_id, &metrics).await?;
                repo::metrics::insert(tx, &points).await
            })
            .await
    }

    /// The points of a metric in order of time. A run that does not exist has none.
    ///
    /// # Errors
    /// When the page size or token is not allowed.
    pub async fn metric_history(&self, request: HistoryRequest) -> Result<Page<Metric>> {
        let key = request.key.clone();
        let Page { items, next } = self.metric_points(request).await?;
        Ok(Page { items: items.into_iter().map(|point| point.of(&key)).collect(), next })
    }

    /// As [`Service::metric_history`], without the key at each point: there may be millions.
    ///
    /// # Errors
    /// As [`Service::metric_history`].
    pub async fn metric_points(&self, request: HistoryRequest) -> Result<Page<Point>> {
        if let Some(limit) = request.max_results.filter(|limit| *limit <= 0) {
            return Err(Error::invalid(format!(
                "Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer."
            )));
        }
        let offset = page::offset(request.page_token.as_deref())?;
        self.database
            .read(async move |tx| {
                let HistoryRequest { run_id, key, max_results, .. } = &request;
                let mut points = repo::metrics::history(tx, run_id, key).await?;
                points.drain(..points.len().min(usize::try_from(offset).unwrap_or(usize::MAX)));
                Ok(Page::of(points, offset, max_results.unwrap_or(i64::MAX)))
            })
            .await
    }
}
