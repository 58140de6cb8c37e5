//! The lineage gate: a version says what it was made from.

use async_trait::async_trait;
use release::{Candidate, GateCheck, GateName, GateOutcome, PortError};
use serde_json::json;

use crate::adapters::candidates::from_registry;

/// Reads lineage from the registry.
#[derive(Debug)]
pub(crate) struct Lineage {
    pub(crate) registry: registry::Service,
}

#[async_trait]
impl GateCheck for Lineage {
    fn name(&self) -> GateName {
        GateName::Lineage
    }

    async fn check(&self, candidate: &Candidate) -> Result<GateOutcome, PortError> {
        let lineage = self.registry.lineage(&candidate.version).await.map_err(from_registry)?;
        let missing: Vec<&str> = lineage.missing.iter().map(|missing| missing.what.as_str()).collect();
        let summary = if missing.is_empty() {
            format!("{} dataset(s), features, code and environment are known", lineage.datasets.len())
        } else {
            format!("not known: {}. {}", missing.join(", "), registry::verdict(&lineage.missing))
        };
        Ok(GateOutcome { passed: missing.is_empty(), summary, evidence: json!(lineage) })
    }
}
