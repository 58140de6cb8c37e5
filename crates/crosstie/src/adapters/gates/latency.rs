//! The latency gate: single-row requests taken from the evaluation data, candidate and stable in turn.
//!
//! Each call goes the whole way of a request (features, schema, execution) but is neither logged nor counted.

use async_trait::async_trait;
use release::{Candidate, GateCheck, GateName, GateOutcome, PortError, latency};
use serde_json::json;
use serving::{InputRole, PrepareRequest, Tensor};
use types::ErrorKind;

use super::{
    evaluation::{Evaluation, Evaluations},
    from_serving, stable_beside, tensors,
};

/// Calls that are made and not counted: caches fill and the runtime sizes its buffers.
const WARM_UP: usize = 20;
/// Calls of each version: the 95th percentile then rests on the 20 slowest.
const CALLS: usize = 400;

/// Times single-row requests.
#[derive(Debug)]
pub(crate) struct Latency {
    pub(crate) evaluations: Evaluations,
    pub(crate) serving: serving::Service,
    pub(crate) releases: release::Service,
}

#[async_trait]
impl GateCheck for Latency {
    fn name(&self) -> GateName {
        GateName::Latency
    }

    async fn check(&self, candidate: &Candidate) -> Result<GateOutcome, PortError> {
        let Some(bounds) = candidate.model_file.gates.latency else {
            let summary = "the model file declares no bound on latency".to_owned();
            return Ok(GateOutcome { passed: true, summary, evidence: json!({}) });
        };
        let evaluation = self.evaluations.of(&candidate.version).await?;
        let stable = stable_beside(&self.releases, candidate).await?.map(|stable| stable.version);
        let (mut times, mut beside) = (Vec::with_capacity(CALLS), Vec::with_capacity(CALLS));
        for call in 0..WARM_UP + CALLS {
            let row = call * 31 % evaluation.rows.num_rows().max(1);
            let time = self.time(candidate, candidate.version.version, &evaluation, row).await?;
            let stable_time = match stable {
                Some(version) => Some(self.time(candidate, version, &evaluation, row).await?),
                None => None,
            };
            if call >= WARM_UP {
                times.push(time);
                beside.extend(stable_time);
            }
        }
        let verdict = latency::judge(&bounds, &times, stable.map(|_| beside.as_slice()));
        Ok(GateOutcome {
            passed: verdict.passed,
            summary: verdict.summary.clone(),
            evidence: json!({ "stable": stable, "latency_us": verdict }),
        })
    }
}

impl Latency {
    /// Microseconds that one request for row `row` takes.
    async fn time(
        &self,
        candidate: &Candidate,
        version: u32,
        evaluation: &Evaluation,
        row: usize,
    ) -> Result<f64, PortError> {
        let model = candidate.version.model.as_str();
        let metadata = self.serving.candidate_metadata(model, version).await.map_err(from_serving)?;
        let one = evaluation.rows.slice(row, 1.min(evaluation.rows.num_rows()));
        let sent = metadata.inputs.iter().filter(|input| input.role != InputRole::Override);
        let inputs: Vec<Tensor> = sent
            .map(|input| {
                tensors::of_column(input, &one)?.ok_or_else(|| {
                    let message = format!("the evaluation data has no column `{}`, which requests carry", input.name);
                    PortError::new(ErrorKind::FailedPrecondition, message)
                })
            })
            .collect::<Result<_, _>>()?;
        let request = PrepareRequest { model: model.to_owned(), version: Some(version), inputs, candidates: true };
        let scored = self.serving.score(request).await.map_err(from_serving)?;
        Ok((scored.prepare + scored.execute).as_secs_f64() * 1e6)
    }
}
