//! Tells gateways and registry what a release decided: gateways are woken, and the alias `production` follows stable.

use async_trait::async_trait;
use release::{Assignment, PortError, TrafficControl};
use runtime::{SharedClock, Signal};
use serde_json::json;
use types::{AuditEntry, ModelName, ModelVersion};

use super::{candidates::from_registry, plan_source::PRODUCTION};

/// Wakes gateways, and projects the alias.
#[derive(Debug)]
pub(crate) struct Projection {
    pub(crate) registry: registry::Service,
    pub(crate) plan_changed: Signal,
    pub(crate) identity: identity::Service,
    pub(crate) clock: SharedClock,
}

#[async_trait]
impl TrafficControl for Projection {
    async fn apply(&self, model: &ModelName, assignment: &Assignment) -> Result<(), PortError> {
        self.plan_changed.notify();
        // Before the first promotion the alias is not ours: whoever set it still decides what serves.
        let Some(pinned) = &assignment.stable else { return Ok(()) };
        let version = ModelVersion::new(model.clone(), pinned.version);
        self.registry.project_alias(&version, PRODUCTION).await.map_err(from_registry)?;
        if let Err(error) = self.registry.project_alias_elsewhere(&version, PRODUCTION).await {
            tracing::warn!(%error, %version, "the alias is not set at the registry elsewhere");
            let entry = AuditEntry {
                at: self.clock.now(),
                principal: "crosstie".to_owned(),
                action: "release.alias_not_set".to_owned(),
                subject: format!("release {}", assignment.release),
                detail: json!({ "alias": PRODUCTION, "version": version, "because": error.to_string() }),
            };
            let kept = self.identity.append(entry).await;
            return kept
                .map_err(|error| PortError::because(error.kind(), "the audit trail could not be written", error));
        }
        Ok(())
    }
}
