//! Executing copies of requests with the shadow version.
//!
//! All copies are executed in one task, a few at a time: so the work that is done on the async runtime never takes more
//! than one of its threads from requests that somebody waits for. A copy that fails, hangs or panics is an outcome of the
//! shadow, and nothing else.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use runtime::Tasks;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Inner, answer::Turn, loading::describe};
use crate::{
    Arm, InferRequest, ServedRow, Shadowed,
    fleet::{Live, ModelRoute, Routes},
    route::RouteKey,
    shadow::{AT_ONCE, Copied, PATIENCE, Reserved},
    windows::Ending,
};

/// Spawns the task that executes copies.
pub(super) fn start(inner: Arc<Inner>, tasks: &Tasks) {
    let Some(mut copies) = inner.copies.receive() else { return };
    let token = tasks.shutdown_token();
    tasks.spawn("serving.shadows", async move {
        let waiting = stream::poll_fn(|context| copies.poll_recv(context));
        let executing = waiting.for_each_concurrent(AT_ONCE, |copy| execute(&inner, copy));
        tokio::select! {
            () = token.cancelled() => {}
            () = executing => {}
        }
    });
}

impl Inner {
    /// Copies a request, if there is a shadow, and room.
    pub(super) fn copy(
        &self,
        request: &InferRequest,
        routes: &Arc<Routes>,
        key: &RouteKey,
        route: &ModelRoute,
    ) -> Option<Reserved> {
        let shadow = route.shadowed()?;
        let reserved = self.copies.reserve(request, routes, key, shadow);
        if reserved.is_none() {
            shadow.0.meters.not_shadowed();
        }
        reserved
    }

    /// Sends a copy on its way, now that the request was answered.
    pub(super) fn send(&self, request: Reserved, primary: &Live, rows: Vec<ServedRow>, latency: Duration) {
        let shadow = Arc::clone(&request.live);
        let primary = primary.plan.version.clone();
        let copy = Copied { request, primary, at: self.clock.now(), rows, latency };
        if !self.copies.send(copy) {
            shadow.meters.not_shadowed();
        }
    }

    /// Executes a request once more; how its rows came out.
    async fn shadow(&self, request: &mut Reserved) -> Result<Vec<ServedRow>, String> {
        let inputs = std::mem::take(&mut request.inputs);
        let route = request.routes.model(&request.model).map_err(|error| describe(&error))?;
        let (live, started) = (&*request.live, Instant::now());
        let turn = Turn { route, live, arm: Arm::Shadow, request: Uuid::now_v7(), started };
        self.rows(turn, &request.principal, inputs).await.map_err(|error| describe(&error))
    }
}

async fn execute(inner: &Inner, copy: Copied) {
    let Copied { mut request, primary, at, rows, latency } = copy;
    let started = Instant::now();
    let attempt = tokio::time::timeout(PATIENCE, inner.shadow(&mut request));
    let outcome = match AssertUnwindSafe(attempt).catch_unwind().await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(format!("no answer within {PATIENCE:?}")),
        Err(_) => Err("it panicked; the log has the message".to_owned()),
    };
    let took = started.elapsed();
    let live = &request.live;
    live.meters.shadowed(outcome.is_ok(), took);
    let ending = if outcome.is_ok() { Ending::Answered(took) } else { Ending::Failed };
    inner.windows.count(&request.watched, Arm::Shadow, live.plan.version.version, &request.key, ending);
    inner.ports.shadows.record(Shadowed {
        release: request.watched.release.clone(),
        primary,
        shadow: live.plan.version.clone(),
        at,
        primary_rows: rows,
        primary_latency: latency,
        outcome: outcome.map(|rows| (rows, took)),
    });
}
