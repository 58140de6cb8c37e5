//! `trace_info`, `evaluation_datasets` and `scorers`: whether there is anything in them.

use database::Transaction;

use crate::{Unread, error::Result, repo::sql::Sql};

/// Experiments asked for at once: databases bound the number of parameters.
const AT_ONCE: usize = 500;

/// Whether there is some of `part` in one of `experiments`.
pub(crate) async fn holds(tx: &mut Transaction, part: Unread, experiments: &[i64]) -> Result<bool> {
    for experiments in experiments.chunks(AT_ONCE) {
        if one_holds(tx, part, experiments).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn one_holds(tx: &mut Transaction, part: Unread, experiments: &[i64]) -> Result<bool> {
    let mut sql = Sql::new("SELECT 1 AS one FROM ");
    match part {
        Unread::Traces => sql.push("trace_info WHERE experiment_id IN ").bind_list(experiments.iter().copied()),
        Unread::Scorers => sql.push("scorers WHERE experiment_id IN ").bind_list(experiments.iter().copied()),
        Unread::EvaluationDatasets => sql
            .push("entity_associations WHERE source_type = 'evaluation_dataset' AND destination_type = 'experiment'")
            .push(" AND destination_id IN ")
            .bind_list(experiments.iter().map(ToString::to_string)),
    };
    sql.push(" LIMIT 1");
    let (text, values) = sql.into_parts();
    Ok(tx.row(&text, values).await?.is_some())
}
