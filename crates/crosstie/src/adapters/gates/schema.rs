//! The schema gate: the candidate loads, and model, signature and feature definitions agree about its inputs.
//!
//! That the loaded model's inputs are those that the project declares is checked where it is loaded (`serving`); here the
//! signature that the training run recorded is held against both.

use artifacts::Store;
use async_trait::async_trait;
use release::{Candidate, GateCheck, GateName, GateOutcome, PortError};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use types::{ErrorKind, Schema as ModelSchema};

use super::{makes_its_own_features, no_verdict};
use crate::{adapters::candidates::from_registry, project::yaml};

/// Loads the candidate and compares.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) registry: registry::Service,
    pub(crate) artifacts: Store,
    pub(crate) serving: serving::Service,
}

/// The part of MLflow's `MLmodel` file that this gate reads. Other keys are MLflow's business.
#[derive(Deserialize)]
struct MlModel {
    #[serde(default)]
    signature: Option<Signature>,
}

/// Signatures are JSON inside of YAML.
#[derive(Deserialize)]
struct Signature {
    #[serde(default)]
    inputs: Option<String>,
}

#[async_trait]
impl GateCheck for Schema {
    fn name(&self) -> GateName {
        GateName::Schema
    }

    async fn check(&self, candidate: &Candidate) -> Result<GateOutcome, PortError> {
        let version = &candidate.version;
        let metadata = match self.serving.candidate_metadata(version.model.as_str(), version.version).await {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::Internal => return Err(super::from_serving(error)),
            Err(error) => {
                let summary = error.to_string();
                return Ok(GateOutcome { passed: false, evidence: json!({ "load": summary }), summary });
            }
        };
        // What such a server takes and gives is declared in the version's own file, which is all the signature there is.
        let signature = if makes_its_own_features(&candidate.backend) {
            Some(metadata.schema.inputs.iter().map(|input| input.name.clone()).collect())
        } else {
            self.signature(candidate).await?
        };
        let problems = disagreements(&metadata.schema, &signature);
        let summary = if problems.is_empty() {
            format!("{} inputs agree: model, signature and feature definitions", metadata.schema.inputs.len())
        } else {
            problems.join("; ")
        };
        let evidence = json!({
            "model": metadata.schema,
            "signature": signature,
            "feature_digests": candidate.feature_digests,
            "problems": problems,
        });
        Ok(GateOutcome { passed: problems.is_empty(), summary, evidence })
    }
}

impl Schema {
    /// The names of the inputs that the version's signature has; `None` for a version that has no signature.
    async fn signature(&self, candidate: &Candidate) -> Result<Option<Vec<String>>, PortError> {
        let storage = self.registry.resolve(&candidate.version).await.map_err(from_registry)?.storage;
        let unreadable = || no_verdict(ErrorKind::Unavailable, "the model's MLmodel file could not be read");
        let path = storage.join("MLmodel").map_err(unreadable())?;
        let bytes = match self.artifacts.get_bytes(&path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable()(error)),
        };
        let text = String::from_utf8_lossy(&bytes);
        let malformed = |message: String| PortError::new(ErrorKind::FailedPrecondition, message);
        let parsed: MlModel = yaml::parse("MLmodel", &text).map_err(|problem| {
            malformed(format!("MLmodel:{}:{}: {}", problem.line, problem.column, problem.message))
        })?;
        let Some(inputs) = parsed.signature.and_then(|signature| signature.inputs) else { return Ok(None) };
        let inputs: Vec<JsonValue> = serde_json::from_str(&inputs)
            .map_err(|error| malformed(format!("the signature's inputs in MLmodel are not JSON: {error}")))?;
        Ok(Some(inputs.iter().filter_map(|input| input["name"].as_str().map(str::to_owned)).collect()))
    }
}

/// What the signature and the model's own inputs do not agree about.
fn disagreements(model: &ModelSchema, signature: &Option<Vec<String>>) -> Vec<String> {
    let Some(signature) = signature else {
        return vec!["the version has no signature: log the model with `signature=` or `input_example=`".to_owned()];
    };
    if signature.is_empty() {
        return Vec::new();
    }
    let absent = model.inputs.iter().filter(|input| !signature.contains(&input.name));
    let absent = absent.map(|input| format!("the model's input `{}` is not in the signature", input.name));
    let extra = signature.iter().filter(|name| model.input(name).is_none());
    let extra = extra.map(|name| format!("the signature's input `{name}` is not one of the model's"));
    absent.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use types::{TensorSpec, TensorType};

    use super::*;

    #[test]
    fn inputs_that_only_one_side_has_are_named() {
        let input = |name: &str| TensorSpec { name: name.to_owned(), datatype: TensorType::Fp32, shape: vec![-1, 1] };
        let model = ModelSchema { inputs: vec![input("clicks"), input("country")], outputs: Vec::new() };
        let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(disagreements(&model, &named(&["clicks", "country"])).is_empty());
        let problems = disagreements(&model, &named(&["clicks", "hour"]));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(disagreements(&model, &None)[0].contains("no signature"));
    }
}
