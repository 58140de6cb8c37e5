//! Telling what this gateway follows and what it counted.
//!
//! Two tasks, so that counts which take long never delay an acknowledgement: a rollback is over when every gateway has
//! acknowledged it. Neither failure is a reason to serve less.

use std::time::Duration;

use runtime::Tasks;
use tokio::time::{Instant, timeout, timeout_at};

use super::{GatewayStatus, Service, loading::describe};
use crate::{BoxError, metrics::REPORT_FAILURES};

/// How often an unchanged status is told, so that this gateway is known to be alive.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_secs(2);
/// When a status is told again that did not arrive.
const AGAIN: Duration = Duration::from_secs(1);
/// How often closed seconds are reported: as often as they are closed.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// A receiver that takes longer than this is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a gateway that stops waits for the receiver of its last words.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// Windows of one report: what a database takes in one transaction without keeping others waiting.
const BATCH: usize = 500;

/// Spawns both tasks.
pub(super) fn start(service: &Service, tasks: &Tasks) {
    let (token, acknowledging) = (tasks.shutdown_token(), service.clone());
    tasks.spawn("serving.acknowledge", async move {
        tokio::select! {
            () = token.cancelled() => {}
            () = acknowledge_changes(&acknowledging) => {}
        }
    });
    let (token, reporting) = (tasks.shutdown_token(), service.clone());
    tasks.spawn("serving.windows", async move {
        while !token.is_cancelled() {
            report(&reporting).await;
            tokio::select! {
                () = token.cancelled() => {}
                () = tokio::time::sleep(REPORT_EVERY) => {}
            }
        }
    });
}

/// Reports what is left and says that this gateway stops.
pub(super) async fn finish(service: &Service) {
    service.inner.windows.close();
    let last = async {
        report(service).await;
        acknowledge(service, &service.status()).await;
    };
    if timeout(LAST_PATIENCE, last).await.is_err() {
        tracing::warn!("the last counts of this gateway were not reported in time");
    }
}

async fn acknowledge_changes(service: &Service) {
    let mut changes = service.inner.fleet.changes();
    loop {
        changes.mark_unchanged();
        let status = service.status();
        let wait = if acknowledge(service, &status).await { ACKNOWLEDGE_EVERY } else { AGAIN };
        let end = Instant::now() + wait;
        // Routes are also made anew where nothing changes that anybody must know.
        while service.status() == status {
            match timeout_at(end, changes.changed()).await {
                Ok(Ok(())) => {}
                // The time is over; or the fleet is gone, which holds its sender as long as the service lives.
                Ok(Err(_)) | Err(_) => break,
            }
        }
    }
}

/// Whether the status arrived.
async fn acknowledge(service: &Service, status: &GatewayStatus) -> bool {
    let told = timeout(PATIENCE, service.inner.ports.reports.acknowledge(status)).await;
    arrived(service, "acknowledge", told.map_err(Into::into).flatten())
}

/// Reports every closed second, oldest first, until one report fails.
async fn report(service: &Service) {
    while let Some((last, windows)) = service.inner.windows.due(BATCH) {
        let told = timeout(PATIENCE, service.inner.ports.reports.report(windows)).await;
        if !arrived(service, "windows", told.map_err(Into::into).flatten()) {
            return;
        }
        service.inner.windows.reported(last);
    }
}

fn arrived(service: &Service, what: &'static str, told: Result<(), BoxError>) -> bool {
    if let Err(error) = &told {
        service.inner.metrics.add(&REPORT_FAILURES, &[what], 1.0);
        tracing::warn!(report = what, reason = describe(&**error), "a report did not arrive, it is sent again");
    }
    told.is_ok()
}
