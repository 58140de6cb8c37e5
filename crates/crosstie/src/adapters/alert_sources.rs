//! What somebody should act on: what releases want attention for, and what drift found.

use std::collections::BTreeMap;

use alerts::{BoxError, Condition, Source};
use async_trait::async_trait;
use drift::{Finding, FindingKind};
use registry::{OriginFinding, OriginFindingKind};
use release::{Attention, AttentionKind};
use serde_json::json;
use telemetry::Severity;

/// Releases that want attention.
#[derive(Debug)]
pub(crate) struct Releases(pub(crate) release::Service);

#[async_trait]
impl Source for Releases {
    fn name(&self) -> &'static str {
        "release"
    }

    async fn conditions(&self) -> Result<Vec<Condition>, BoxError> {
        Ok(self.0.attention().await?.into_iter().map(of_release).collect())
    }
}

fn of_release(attention: Attention) -> Condition {
    let (name, severity) = match attention.kind {
        // It went as it should: somebody looks at it within working hours.
        AttentionKind::RolledBack => ("RolledBack", Severity::Ticket),
        AttentionKind::CanaryDoesNotLoad => ("CanaryDoesNotLoad", Severity::Ticket),
        AttentionKind::Failed => ("RolloutFailed", Severity::Ticket),
        AttentionKind::Held => ("RolloutHeld", Severity::Ticket),
        // The next restart would have nothing to serve.
        AttentionKind::StableMissing => ("StableMissing", Severity::Page),
        AttentionKind::Unsettled => ("GatewayBehind", Severity::Page),
    };
    let labels = BTreeMap::from([
        ("model".to_owned(), attention.model.to_string()),
        ("release".to_owned(), attention.release.to_string()),
        ("version".to_owned(), attention.version.to_string()),
    ]);
    Condition {
        key: format!("{}/{}/{}", attention.model, attention.kind.as_str(), attention.release),
        name: name.to_owned(),
        severity,
        summary: attention.summary,
        model: Some(attention.model),
        labels,
        details: attention.details,
        since: attention.since,
    }
}

/// What drift found.
#[derive(Debug)]
pub(crate) struct Drift(pub(crate) drift::Service);

#[async_trait]
impl Source for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }

    async fn conditions(&self) -> Result<Vec<Condition>, BoxError> {
        Ok(self.0.findings().await?.into_iter().map(of_drift).collect())
    }
}

fn of_drift(finding: Finding) -> Condition {
    let name = match finding.kind {
        FindingKind::NewCategories => "NewCategories",
        FindingKind::DataDrift => "DataDrift",
        FindingKind::PredictionDrift => "PredictionDrift",
    };
    let mut labels = BTreeMap::from([
        ("model".to_owned(), finding.version.model.to_string()),
        ("feature".to_owned(), finding.feature.clone()),
    ]);
    if let Some(segment) = &finding.segment {
        // A segment may be called `model` or `feature`, too; what receivers route by stands.
        labels.entry(segment.name.clone()).or_insert_with(|| segment.value.clone());
    }
    Condition {
        key: finding.key.clone(),
        name: name.to_owned(),
        severity: finding.severity,
        summary: finding.summary.clone(),
        model: Some(finding.version.model.clone()),
        labels,
        since: finding.since,
        details: json!(finding),
    }
}

/// What is found of a registry elsewhere.
#[derive(Debug)]
pub(crate) struct Elsewhere(pub(crate) registry::Service);

#[async_trait]
impl Source for Elsewhere {
    fn name(&self) -> &'static str {
        "registry"
    }

    async fn conditions(&self) -> Result<Vec<Condition>, BoxError> {
        let address = self.0.origin().map(|origin| origin.address().to_owned()).unwrap_or_default();
        Ok(self.0.findings_elsewhere().into_iter().map(|finding| of_origin(finding, &address)).collect())
    }
}

fn of_origin(finding: OriginFinding, address: &str) -> Condition {
    let mut labels = BTreeMap::from([("registry".to_owned(), address.to_owned())]);
    let (key, name, summary, model) = match finding.kind {
        OriginFindingKind::Away { message } => {
            let summary = format!("what serves goes on, but nothing new can be released: {message}");
            ("away".to_owned(), "RegistryAway", summary, None)
        }
        OriginFindingKind::Strayed { model, alias, here, there, refused } => {
            labels.insert("model".to_owned(), model.to_string());
            let there = there.map_or_else(|| "nothing".to_owned(), |there| format!("version {there}"));
            let why = refused.map_or_else(
                || "somebody moved it there, which changes nothing here".to_owned(),
                |why| format!("it could not be set there ({why})"),
            );
            let summary = format!(
                "the alias `{alias}` of {model} names {there} at {address}, and version {here} is stable: {why}; set it \
                 there to version {here}, or release the other one here"
            );
            (format!("{model}/alias/{here}"), "AliasStrayed", summary, Some(model))
        }
    };
    Condition {
        key,
        name: name.to_owned(),
        severity: Severity::Ticket,
        summary,
        model,
        labels,
        details: serde_json::Value::Null,
        since: finding.since,
    }
}
