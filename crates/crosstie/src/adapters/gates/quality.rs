//! The quality gate: the candidate's evaluation data, rescored here by the candidate and by stable.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use release::{Candidate, GateCheck, GateName, GateOutcome, Pinned, PortError, quality};
use serde_json::json;
use serving::{InputRole, PrepareRequest, Tensor};
use types::ErrorKind;

use super::{evaluation::Evaluations, from_serving, makes_its_own_features, not_to_be_judged, stable_beside, tensors};

/// Rows scored at once: large enough to be quick, small enough to leave the gateway to its callers between two.
const BATCH: usize = 1_024;

/// Rescores evaluation data.
#[derive(Debug)]
pub(crate) struct Quality {
    pub(crate) evaluations: Evaluations,
    pub(crate) serving: serving::Service,
    pub(crate) releases: release::Service,
}

#[async_trait]
impl GateCheck for Quality {
    fn name(&self) -> GateName {
        GateName::Quality
    }

    async fn check(&self, candidate: &Candidate) -> Result<GateOutcome, PortError> {
        if makes_its_own_features(&candidate.backend) {
            return Ok(not_to_be_judged("rows of the past cannot be scored again"));
        }
        let evaluation = self.evaluations.of(&candidate.version).await?;
        let labels = evaluation.labels()?;
        let rows = evaluation.rows;
        let model = candidate.version.model.as_str();
        let scores = self.score(model, candidate.version.version, &rows).await?;
        let stable = stable_beside(&self.releases, candidate).await?;
        let comparable = stable.as_ref().filter(|stable| !makes_its_own_features(&stable.backend));
        let beside = match comparable {
            Some(stable) => Some(self.score(model, stable.version, &rows).await?),
            None => None,
        };
        let verdicts = quality::judge(&candidate.model_file.gates.quality, &labels, &scores, beside.as_deref());
        let summaries: Vec<&str> = verdicts.iter().map(|verdict| verdict.summary.as_str()).collect();
        Ok(GateOutcome {
            passed: verdicts.iter().all(|verdict| verdict.passed),
            summary: format!("{} over {} rows{}", summaries.join("; "), labels.len(), alone(stable.as_ref())),
            evidence: json!({
                "rows": labels.len(),
                "label": evaluation.label,
                "stable": comparable.map(|stable| stable.version),
                "metrics": verdicts,
            }),
        })
    }
}

/// What the summary adds where stable was not scored beside the candidate.
fn alone(stable: Option<&Pinned>) -> String {
    match stable.filter(|stable| makes_its_own_features(&stable.backend)) {
        Some(stable) => format!("; version {} makes its own features and was not scored beside it", stable.version),
        None => String::new(),
    }
}

impl Quality {
    /// The version's score of each row, features taken from the row.
    async fn score(&self, model: &str, version: u32, rows: &RecordBatch) -> Result<Vec<f64>, PortError> {
        let metadata = self.serving.candidate_metadata(model, version).await.map_err(from_serving)?;
        let mut scores = Vec::with_capacity(rows.num_rows());
        for start in (0..rows.num_rows()).step_by(BATCH) {
            let batch = rows.slice(start, BATCH.min(rows.num_rows() - start));
            let mut inputs: Vec<Tensor> = Vec::new();
            for input in &metadata.inputs {
                match tensors::of_column(input, &batch)? {
                    Some(tensor) => inputs.push(tensor),
                    // An on-demand feature is computed here from what the row has.
                    None if input.role == InputRole::Override => {}
                    None => {
                        let message = format!(
                            "the evaluation data has no column `{}`, which {model}/{version} takes",
                            input.name
                        );
                        return Err(PortError::new(ErrorKind::FailedPrecondition, message));
                    }
                }
            }
            let request = PrepareRequest { model: model.to_owned(), version: Some(version), inputs, candidates: true };
            let scored = self.serving.score(request).await.map_err(from_serving)?;
            scores.extend(tensors::scores(&scored.outputs)?);
        }
        Ok(scores)
    }
}
