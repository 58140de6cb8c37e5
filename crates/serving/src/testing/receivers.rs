//! Stand-ins for those who hear of rollouts.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;

use super::stand_ins::lock;
use crate::{ArmWindow, BoxError, GatewayReports, GatewayStatus, ShadowSink, Shadowed};

/// Keeps what a gateway reported; a test can take it away.
#[derive(Debug, Default)]
pub struct Reports {
    acknowledged: Mutex<Vec<GatewayStatus>>,
    windows: Mutex<Vec<ArmWindow>>,
    away: AtomicBool,
    hanging: AtomicBool,
}

impl Reports {
    /// What was acknowledged since this was last asked.
    #[must_use]
    pub fn acknowledged(&self) -> Vec<GatewayStatus> {
        std::mem::take(&mut *lock(&self.acknowledged))
    }

    /// What was counted since this was last asked, in the order of its coming.
    #[must_use]
    pub fn windows(&self) -> Vec<ArmWindow> {
        std::mem::take(&mut *lock(&self.windows))
    }

    /// Takes the receiver away, or brings it back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Makes the receiver take reports and never answer, or answer again.
    pub fn hang(&self, hanging: bool) {
        self.hanging.store(hanging, Ordering::SeqCst);
    }

    async fn there(&self) -> Result<(), BoxError> {
        if self.hanging.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::SeqCst) { Err("the database is away".into()) } else { Ok(()) }
    }
}

#[async_trait]
impl GatewayReports for Reports {
    async fn acknowledge(&self, status: &GatewayStatus) -> Result<(), BoxError> {
        self.there().await?;
        lock(&self.acknowledged).push(status.clone());
        Ok(())
    }

    async fn report(&self, windows: Vec<ArmWindow>) -> Result<(), BoxError> {
        self.there().await?;
        lock(&self.windows).extend(windows);
        Ok(())
    }
}

/// Keeps what shadows answered.
#[derive(Debug, Default)]
pub struct Shadows(Mutex<Vec<Shadowed>>);

impl Shadows {
    /// What shadows answered since this was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<Shadowed> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl ShadowSink for Shadows {
    fn record(&self, shadowed: Shadowed) {
        lock(&self.0).push(shadowed);
    }
}
