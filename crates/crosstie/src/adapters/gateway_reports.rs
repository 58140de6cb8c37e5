//! What a gateway reports reaches the releases: which plan it follows, and what each arm was asked and answered.

use async_trait::async_trait;
use release::{GatewayReport, ModelReport};
use serving::{ArmWindow, BoxError, GatewayReports, GatewayStatus, VersionState};

/// Reports in the name of one gateway.
#[derive(Debug)]
pub(crate) struct Reports {
    pub(crate) releases: release::Service,
    pub(crate) gateway: String,
}

#[async_trait]
impl GatewayReports for Reports {
    async fn acknowledge(&self, status: &GatewayStatus) -> Result<(), BoxError> {
        let models = status.models.iter().map(|model| {
            let failed = model.versions.iter().filter_map(|status| match &status.state {
                VersionState::Failed { reason, is_passing: false } => Some((status.version.version, reason.clone())),
                // With the store away nothing is known of the version: it is waited for, and told of if that lasts.
                VersionState::Failed { is_passing: true, .. }
                | VersionState::Loading
                | VersionState::Ready
                | VersionState::Unloaded => None,
            });
            let report = ModelReport { revision: model.revision, settled: model.settled, failed: failed.collect() };
            (model.model.clone(), report)
        });
        let report = GatewayReport { gateway: self.gateway.clone(), models: models.collect() };
        Ok(self.releases.acknowledge(&report).await?)
    }

    async fn report(&self, windows: Vec<ArmWindow>) -> Result<(), BoxError> {
        let counted = windows.into_iter().filter_map(counted).collect();
        Ok(self.releases.count(&self.gateway, counted).await?)
    }
}

/// A window as releases know it; requests that named their version are nobody's.
fn counted(window: ArmWindow) -> Option<release::ArmWindow> {
    let arm = match window.arm {
        serving::Arm::Stable => release::Arm::Stable,
        serving::Arm::Canary => release::Arm::Canary,
        serving::Arm::Shadow => release::Arm::Shadow,
        serving::Arm::Explicit | serving::Arm::Other => return None,
    };
    Some(release::ArmWindow {
        model: window.model,
        release: window.release.parse().ok()?,
        revision: window.revision,
        second: window.second,
        arm,
        version: window.version,
        requests: window.requests,
        entities: window.entities,
        errors: window.errors,
        slow: window.slow,
        failed_requests: window.failed_requests,
        latency: window.latency.into_iter().map(|(bucket, count)| (upper_micros(bucket), u64::from(count))).collect(),
    })
}

/// The upper end of a latency bucket, in microseconds.
fn upper_micros(bucket: u16) -> u64 {
    u64::try_from(serving::latency::upper_bound(bucket).as_micros()).unwrap_or(u64::MAX)
}
