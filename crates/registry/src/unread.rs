//! What MLflow's tables may hold and this version does not read. MLflow's web client asks for it on pages of runs, too:
//! where there is nothing, the answer is an empty list; where there is something, an empty list would be a lie.

use crate::{Service, error::Result, repo, rules};

/// A part of MLflow's store that is kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Traces, with their spans and assessments.
    Traces,
    /// Evaluation datasets.
    EvaluationDatasets,
    /// Scorers.
    Scorers,
}

impl Service {
    /// Whether the store holds some of `part` in `experiments`.
    ///
    /// # Errors
    /// When an id is no number; the database's errors.
    pub async fn holds_unread(&self, part: Unread, experiments: &[String]) -> Result<bool> {
        let ids = experiments.iter().map(|id| rules::experiment_id(id)).collect::<Result<Vec<_>>>()?;
        self.database.read(async move |tx| repo::unread::holds(tx, part, &ids).await).await
    }
}
