//! One metric's points over several runs, as charts need them: all of them up to a limit, or thinned to so many steps.
//!
//! Thinning takes steps that exist, evenly by their position, and keeps each run's first and last, so that lines begin
//! and end where the runs did. Which steps are taken is decided by a pure function; runs that are drawn together are
//! thinned at the same steps.

use std::collections::BTreeSet;

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
    /// Steps to thin to; first and last steps of runs come on top.
    pub max_steps: usize,
    /// The first and the last step to look at; from 0 to the last one if not said.
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

    /// The points of a metric by run, in order of step, at no more steps than asked for.
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
                let SampledHistoryRequest { run_ids, key, max_steps, steps } = &request;
                let all = repo::histories::steps(tx, run_ids, key).await?;
                let ends = repo::histories::ends(tx, run_ids, key).await?;
                let sampled = sampled_steps(&all, &ends, *steps, *max_steps);
                let mut points = Vec::new();
                for run_id in run_ids {
                    points.extend(repo::histories::at_steps(tx, run_id, key, &sampled).await?);
                }
                Ok(points)
            })
            .await
    }
}

/// Of `all` steps in ascending order those within `range`, thinned to `most` and the last; `ends` are kept on top.
fn sampled_steps(all: &[i64], ends: &[i64], range: Option<(i64, i64)>, most: usize) -> Vec<i64> {
    let (first, last) = range.unwrap_or((0, all.last().copied().unwrap_or_default()));
    let begin = all.partition_point(|step| *step < first);
    let end = all.partition_point(|step| *step <= last).max(begin);
    let within = &all[begin..end];
    let mut sampled: BTreeSet<i64> = if within.len() <= most {
        within.iter().copied().collect()
    } else {
        // In floating point, as MLflow computes it: other roundings would take other steps.
        let interval = within.len() as f64 / most as f64;
        (0..most).map(|index| within[(index as f64 * interval) as usize]).chain(within.last().copied()).collect()
    };
    sampled.extend(ends.iter().filter(|step| (first..=last).contains(*step)));
    sampled.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_steps_are_all_taken_and_many_thinned_with_their_ends() {
        let ten: Vec<i64> = (0..10).collect();
        let twenty: Vec<i64> = (0..20).collect();
        assert_eq!(sampled_steps(&ten, &[0, 9], None, 10), ten);
        assert_eq!(sampled_steps(&ten, &[0, 9], None, 5), [0, 2, 4, 6, 8, 9]);
        assert_eq!(sampled_steps(&ten, &[0, 9], Some((0, 4)), 5), [0, 1, 2, 3, 4]);
        assert_eq!(sampled_steps(&twenty, &[0, 9, 19], None, 5), [0, 4, 8, 9, 12, 16, 19]);
    }

    #[test]
    fn gaps_negative_steps_and_nothing_at_all_are_steps_like_others() {
        assert_eq!(sampled_steps(&[], &[], None, 5), [0_i64; 0]);
        assert_eq!(sampled_steps(&[-3, -2, 7], &[-3, 7], None, 5), [7], "from 0 unless a range is asked for");
        assert_eq!(sampled_steps(&[-3, -2, 7], &[-3, 7], Some((-3, -1)), 5), [-3, -2]);
        assert_eq!(sampled_steps(&[0, 1_000_000, 1_000_001], &[0, 1_000_001], None, 2), [0, 1_000_000, 1_000_001]);
    }

    proptest::proptest! {
        #[test]
        fn no_more_steps_than_asked_for_and_only_existing_ones(
            steps in proptest::collection::btree_set(-50_i64..500, 0..200),
            most in 1_usize..60,
            first in -60_i64..500,
            length in 0_i64..500,
        ) {
            let all: Vec<i64> = steps.into_iter().collect();
            let ends: Vec<i64> = all.first().into_iter().chain(all.last()).copied().collect();
            let range = (first, first + length);
            let sampled = sampled_steps(&all, &ends, Some(range), most);
            proptest::prop_assert!(sampled.len() <= most + 1 + ends.len());
            proptest::prop_assert!(sampled.iter().all(|step| all.contains(step) && (range.0..=range.1).contains(step)));
            proptest::prop_assert!(sampled.is_sorted());
        }
    }
}
