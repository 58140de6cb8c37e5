//! One metric's points over several runs, as charts need them: all of them up to a limit, or so many of each run.
//!
//! Thinning takes points that exist, evenly by their position, and keeps each run's first and last, so that lines begin
//! and end where the runs did.

use crate::{
    Metric, Service,
    error::{Error, Result},
    repo::{self, histories::MOST_POINTS},
};

/// Which points of a metric to read, over several runs.
#[derive(Debug, Clone, Default)]
pub struct BulkHistoryRequest {
    /// The runs.
    pub run_ids: Vec<String>,
    /// The metric.
    pub key: String,
    /// Points in all.
    pub max_results: i64,
}

/// Which points of a metric to read, thinned.
#[derive(Debug, Clone, Default)]
pub struct SampledHistoryRequest {
    /// The runs.
    pub run_ids: Vec<String>,
    /// The metric.
    pub key: String,
    /// Points of a run, at most; one is the last.
    pub max_points: i64,
    /// The first and the last step to look at; all if not said.
    pub steps: Option<(i64, i64)>,
}

impl Service {
    /// The points of a metric by run, in order of time, each with its run's id. A run that does not exist has none.
    ///
    /// # Errors
    /// The database's.
    pub async fn bulk_metric_history(&self, request: BulkHistoryRequest) -> Result<Vec<Metric>> {
        self.database
            .read(async move |tx| {
                let BulkHistoryRequest { run_ids, key, max_results } = &request;
                repo::histories::of_runs(tx, run_ids, key, (*max_results).clamp(0, MOST_POINTS)).await
            })
            .await
    }

    /// The points of a metric by run, in order of step, no more of each run than asked for.
    ///
    /// # Errors
    /// When the last step to look at lies before the first; the database's.
    pub async fn sampled_metric_history(&self, request: SampledHistoryRequest) -> Result<Vec<Metric>> {
        if let Some((first, last)) = request.steps.filter(|(first, last)| first > last) {
            return Err(Error::invalid(format!(
                "end_step must be greater than start_step. Found start_step={first} and end_step={last}."
            )));
        }
        self.database
            .read(async move |tx| {
                let SampledHistoryRequest { run_ids, key, max_points, steps } = &request;
                let mut points = Vec::new();
                for run_id in run_ids {
                    points.extend(repo::histories::sampled(tx, run_id, key, *steps, *max_points).await?);
                }
                Ok(points)
            })
            .await
    }
}
