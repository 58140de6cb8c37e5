//! The parity gate: what the live gateway answers for the candidate, held against what the offline rail computes.
//!
//! Entities are asked about through `prepare`, as a request would be: a sample, those pushed last, those served last, and
//! edges. The offline rail answers as known at each view's materialization watermark; a pushed value is held against
//! the offline row of the same entity and event time.

use std::sync::Arc;

use async_trait::async_trait;
use features::{
    EntityRow, FeatureCell, FeatureRow, Origin, ReadPlan, Refusal,
    parity::{Comparison, ParityReport, compare},
};
use prediction_log::{Log, Scan};
use release::{Candidate, GateCheck, GateName, GateOutcome, PortError};
use runtime::SharedClock;
use serde_json::json;
use serving::{InputRole, InputSpec, PrepareRequest, Prepared, PreparedRow};
use types::{Duration, ErrorKind, Timestamp, Value};

use super::{from_features, from_serving, makes_its_own_features, no_verdict, not_to_be_judged, tensors};
use crate::project::ProjectStore;

/// Seeds the sample with the release's version, so that a gate that failed can be run again on the same entities.
const SEED: u64 = 0x7469_6573;
/// Entities served last that are asked about as well.
const RECENT: usize = 200;
/// Rows asked for at once; a row that is refused makes its batch be asked again row by row.
const BATCH: usize = 64;
/// The shift that the comparison recognizes as values that stood still.
const DAY: Duration = Duration::from_secs(86_400);

/// Asks both rails.
#[derive(Debug)]
pub(crate) struct Parity {
    pub(crate) features: features::Service,
    pub(crate) serving: serving::Service,
    pub(crate) projects: Arc<ProjectStore>,
    pub(crate) log: Log,
    pub(crate) clock: SharedClock,
}

#[async_trait]
impl GateCheck for Parity {
    fn name(&self) -> GateName {
        GateName::Parity
    }

    async fn check(&self, candidate: &Candidate) -> Result<GateOutcome, PortError> {
        if makes_its_own_features(&candidate.backend) {
            return Ok(not_to_be_judged("there is nothing here to compare them with"));
        }
        let project = self.projects.by_digest(candidate.project_digest).await;
        let project = project.map_err(no_verdict(ErrorKind::Unavailable, "the frozen project could not be read"))?;
        let plan =
            ReadPlan::new(&project.definitions, &project.features_of(&candidate.model_file)).map_err(from_features)?;
        let plan = Arc::new(plan);
        let rows = self.rows(candidate, &plan).await?;
        let asked = self.clock.now();
        let online = self.online(candidate, &plan, &rows).await?;
        let knowledge = self.features.knowledge(&plan).await.map_err(from_features)?;
        let never: Vec<&String> =
            knowledge.views.iter().filter(|(_, at)| **at == Timestamp::MIN).map(|(view, _)| view).collect();
        if !never.is_empty() {
            let summary =
                format!("never materialized under these definitions: {never:?}; run `crosstie features materialize`");
            return Ok(GateOutcome { passed: false, evidence: json!({ "never_materialized": never }), summary });
        }
        let at = |time| vec![time; rows.len()];
        let offline =
            self.features.offline_of(Arc::clone(&plan), rows.clone(), online.clone(), at(asked), knowledge.clone());
        let offline = offline.await.map_err(from_features)?;
        let day_before = self.features.as_known_at(Arc::clone(&plan), rows.clone(), at(asked - DAY), knowledge.clone());
        let day_before = day_before.await.map_err(from_features)?;
        let report = runtime::blocking(move || {
            compare(&Comparison {
                plan: &plan,
                rows: &rows,
                online: &online,
                offline: &offline,
                day_before: Some(&day_before),
                segments: &[],
            })
        });
        let report = report.await;
        let evidence = json!({ "asked_at": asked, "watermarks": knowledge.views, "report": report });
        Ok(GateOutcome { passed: report.holds(), summary: summary(&report), evidence })
    }
}

fn summary(report: &ParityReport) -> String {
    let counts = &report.counts;
    let ahead = if counts.ahead == 0 { String::new() } else { format!(", {} ahead of offline", counts.ahead) };
    if report.holds() {
        return format!("{} values of {} rows are equal{ahead}", counts.compared, report.rows);
    }
    let first = report.first_differences.first().map_or(String::new(), |first| {
        format!(
            "; first: {} {}: online {}, offline {}",
            first.entity, first.feature, first.online.value, first.offline.value
        )
    });
    let diagnosis = report.diagnosis.as_ref().map_or(String::new(), |diagnosis| format!("; {}", diagnosis.text));
    format!("{} of {} values differ{ahead}{first}{diagnosis}", counts.differences(), counts.compared)
}

impl Parity {
    /// The rows to ask about.
    async fn rows(&self, candidate: &Candidate, plan: &Arc<ReadPlan>) -> Result<Vec<EntityRow>, PortError> {
        let wanted = candidate.model_file.gates.parity.unwrap_or_default().sample;
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let seed = SEED ^ u64::from(candidate.version.version);
        let sampled = self.features.sample_entities(Arc::clone(plan), wanted, seed).await.map_err(from_features)?;
        let mut rows: Vec<EntityRow> = sampled.into_iter().map(|sample| sample.row).collect();
        let scan = Scan { model: Some(candidate.version.model.clone()), ..Scan::newest(RECENT) };
        let served = self.log.scan(scan).await;
        let served =
            served.map_err(|error| PortError::because(error.kind(), "the prediction log could not be read", error))?;
        let value = |of: &[(String, Value)], name: &str| {
            of.iter().find(|(known, _)| known == name).map_or(Value::Null, |(_, value)| value.clone())
        };
        rows.extend(served.iter().map(|record| EntityRow {
            keys: plan.entity_keys().iter().map(|key| value(&record.entities, &key.name)).collect(),
            request: plan.request_values().iter().map(|(name, _)| value(&record.entities, name)).collect(),
            overrides: Vec::new(),
        }));
        // A row without one of its keys or request values cannot be asked for by a request.
        rows.retain(|row| !row.keys.iter().chain(&row.request).any(Value::is_null));
        Ok(rows)
    }

    /// What the gateway would use for each row.
    async fn online(
        &self,
        candidate: &Candidate,
        plan: &ReadPlan,
        rows: &[EntityRow],
    ) -> Result<Vec<FeatureRow>, PortError> {
        let (model, version) = (candidate.version.model.as_str(), candidate.version.version);
        let inputs = self.serving.candidate_metadata(model, version).await.map_err(from_serving)?.inputs;
        let mut answers = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            match self.prepare(candidate, plan, &inputs, batch).await? {
                Ok(prepared) => answers.extend(prepared.rows.into_iter().map(answered)),
                Err(_) => {
                    for row in batch {
                        let one = self.prepare(candidate, plan, &inputs, std::slice::from_ref(row)).await?;
                        answers.extend(match one {
                            Ok(prepared) => prepared.rows.into_iter().map(answered).collect(),
                            Err(refused) => vec![refusal(plan, &refused)],
                        });
                    }
                }
            }
        }
        Ok(answers)
    }

    /// Asks the gateway. The inner error is a refusal of a row; the outer one that there was no answer.
    async fn prepare(
        &self,
        candidate: &Candidate,
        plan: &ReadPlan,
        inputs: &[InputSpec],
        rows: &[EntityRow],
    ) -> Result<Result<Prepared, serving::Error>, PortError> {
        let mut tensors = Vec::new();
        for input in inputs.iter().filter(|input| input.role != InputRole::Override) {
            let key = plan.entity_keys().iter().position(|key| key.name == input.name);
            let request = plan.request_values().iter().position(|(name, _)| *name == input.name);
            let values: Vec<Value> = rows
                .iter()
                .filter_map(|row| {
                    key.map(|place| row.keys[place].clone()).or_else(|| Some(row.request[request?].clone()))
                })
                .collect();
            tensors.push(tensors::of_values(input, &values)?);
        }
        let request = PrepareRequest {
            model: candidate.version.model.to_string(),
            version: Some(candidate.version.version),
            inputs: tensors,
            candidates: true,
        };
        match self.serving.prepare(request).await {
            Ok(prepared) => Ok(Ok(prepared)),
            Err(error) if matches!(error.kind(), ErrorKind::FailedPrecondition | ErrorKind::InvalidArgument) => {
                Ok(Err(error))
            }
            Err(error) => Err(from_serving(error)),
        }
    }
}

/// A prepared row as the features crate knows rows.
fn answered(row: PreparedRow) -> FeatureRow {
    let cells = row.features.into_iter().map(|feature| FeatureCell {
        origin: feature.origin.parse().unwrap_or(Origin::Missing),
        value: feature.value,
        event_time: feature.event_time,
        degraded: feature.degraded,
        file: None,
    });
    FeatureRow { cells: cells.collect(), refusal: None }
}

/// A refused row: no value of any feature was served.
fn refusal(plan: &ReadPlan, error: &serving::Error) -> FeatureRow {
    let missing = |_: &_| FeatureCell::timeless(Value::Null, Origin::Missing);
    let message = error.to_string();
    FeatureRow {
        cells: plan.features().iter().map(missing).collect(),
        refusal: Some(Refusal { feature: String::new(), entity: String::new(), message }),
    }
}
