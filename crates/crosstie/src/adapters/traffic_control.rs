//! Tells gateways and registry what a release decided: gateways are woken, and the alias `production` follows stable.

use async_trait::async_trait;
use release::{Assignment, PortError, TrafficControl};
use runtime::Signal;
use types::{ModelName, ModelVersion};

use super::{candidates::from_registry, plan_source::PRODUCTION};

/// Wakes gateways, and projects the alias.
#[derive(Debug)]
pub(crate) struct Projection {
    pub(crate) registry: registry::Service,
    pub(crate) plan_changed: Signal,
}

#[async_trait]
impl TrafficControl for Projection {
    async fn apply(&self, model: &ModelName, assignment: &Assignment) -> Result<(), PortError> {
        self.plan_changed.notify();
        // Before the first promotion the alias is not ours: whoever set it still decides what serves.
        let Some(pinned) = &assignment.stable else { return Ok(()) };
        let version = ModelVersion::new(model.clone(), pinned.version);
        self.registry.project_alias(&version, PRODUCTION).await.map_err(from_registry)
    }
}
