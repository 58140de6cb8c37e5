//! The datasets that the runs of experiments read, each once, for the run table's filter.

use crate::{Service, error::Result, repo, rules};

/// A dataset that some run of an experiment read in some context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSummary {
    /// The experiment.
    pub experiment_id: i64,
    /// The dataset's name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// What it was read for, such as `training`.
    pub context: Option<String>,
}

impl Service {
    /// The datasets of `experiments`, up to 1,000.
    ///
    /// # Errors
    /// When an id is no number; the database's errors.
    pub async fn search_datasets(&self, experiments: &[String]) -> Result<Vec<DatasetSummary>> {
        let ids = experiments.iter().map(|id| rules::experiment_id(id)).collect::<Result<Vec<_>>>()?;
        self.database.read(async move |tx| repo::inputs::dataset_summaries(tx, &ids).await).await
    }
}
