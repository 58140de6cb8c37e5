//! What a rollout needs from gateways: which plan they follow, what each arm was asked and answered, and what a shadow
//! would have answered.

use std::time::Duration;

use async_trait::async_trait;
use types::{ModelName, ModelVersion, Timestamp};

use super::{Arm, BoxError, ServedRow};
use crate::GatewayStatus;

/// Takes what a gateway tells of itself.
#[async_trait]
pub trait GatewayReports: Send + Sync + 'static {
    /// Called as soon as the status changes, and every other second so that this gateway is known to be alive. The last
    /// call counts; one that fails is made again.
    async fn acknowledge(&self, status: &GatewayStatus) -> Result<(), BoxError>;

    /// Called every second with the seconds that are over, oldest first. A second never changes once it was reported. After
    /// an error, or when no answer came, the same windows come again: the receiver takes each of them once.
    async fn report(&self, windows: Vec<ArmWindow>) -> Result<(), BoxError>;
}

/// What one arm of a model was asked, and how it answered, in one second.
///
/// Requests are many and alike: a caller whose one bad row is sent again and again fails a hundred times for one reason.
/// So events are counted beside them, once for each route key and span of [`crate::EVENT_SPAN`] seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmWindow {
    /// The model.
    pub model: ModelName,
    /// The release that is rolled out.
    pub release: String,
    /// The model's revision that was followed.
    pub revision: i64,
    /// The second, since 1970. Never goes back, whatever the machine's clock does.
    pub second: i64,
    /// [`Arm::Stable`], [`Arm::Canary`] or [`Arm::Shadow`].
    pub arm: Arm,
    /// The version behind the arm.
    pub version: u32,
    /// Requests that were answered, failed, or were given up by their caller after `slow_after`.
    pub requests: u64,
    /// Route keys that the arm saw for the first time in the span.
    pub entities: u64,
    /// Route keys with their first failure in the span.
    pub errors: u64,
    /// Route keys with their first slow request in the span.
    pub slow: u64,
    /// Requests that failed.
    pub failed_requests: u64,
    /// How long answers took: buckets of [`crate::latency`], in order, each with its number of requests.
    pub latency: Vec<(u16, u32)>,
}

/// Takes what shadows answered.
pub trait ShadowSink: Send + Sync + 'static {
    /// Called after the copy was executed, long after the caller had its answer. The shadow's rows were not served and come
    /// nowhere else, not to the [`crate::PredictionSink`]. Must not block.
    fn record(&self, shadowed: Shadowed);
}

/// One request as it was answered, and as the shadow would have answered it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadowed {
    /// The release that is rolled out.
    pub release: String,
    /// The version that answered.
    pub primary: ModelVersion,
    /// The version that got the copy.
    pub shadow: ModelVersion,
    /// When the request was answered.
    pub at: Timestamp,
    /// What was served.
    pub primary_rows: Vec<ServedRow>,
    /// How long that took, from arrival to answer.
    pub primary_latency: Duration,
    /// The shadow's rows, one for each primary row in the same order, and how long they took; or why there are none.
    pub outcome: Result<(Vec<ServedRow>, Duration), String>,
}
