//! Following the traffic plan: poll it, keep it on disk, bring its versions into memory.
//!
//! Loads run beside the poll, each in its own task, so that a slow artifact never delays a rollback.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use runtime::{Signal, Tasks};

use super::Inner;
use crate::{
    BackendError, FilesError, LoadedModel, ModelSpec, Tensor, TensorData, TrafficPlan, VersionPlan, element_count,
    fleet::LoadFailure, metrics::PLAN_FAILURES,
};

/// A plan source that takes longer than this is away.
const POLL_PATIENCE: Duration = Duration::from_secs(5);

/// A model that takes longer than this for one row of zeros is taken as it is; what it is worth, requests will tell.
const WARM_UP_PATIENCE: Duration = Duration::from_secs(30);

/// Spawns the loop that follows the plan.
pub(super) fn start(inner: Arc<Inner>, tasks: &Tasks, plan_changed: Signal) {
    let token = tasks.shutdown_token();
    let every = inner.config.poll_every;
    let loads = tasks.clone();
    tasks.spawn("serving.plan", async move {
        let pass = || {
            let (inner, loads) = (Arc::clone(&inner), loads.clone());
            async move {
                poll(&inner).await;
                for plan in inner.fleet.begin_loading() {
                    let inner = Arc::clone(&inner);
                    loads.spawn(format!("serving.load {}", plan.version), async move { load(&inner, &plan).await });
                }
            }
        };
        runtime::reconcile_loop("serving.plan", plan_changed, every, token, pass).await;
    });
}

/// Takes in the plan as it is now, or the one on disk if there is none yet and the source is away.
async fn poll(inner: &Arc<Inner>) {
    let answer = tokio::time::timeout(POLL_PATIENCE, inner.ports.plans.current()).await;
    let failure = match answer {
        Ok(Ok(plan)) => return take_in(inner, plan).await,
        Ok(Err(error)) => describe(&*error),
        Err(_) => format!("no answer within {POLL_PATIENCE:?}"),
    };
    inner.metrics.add(&PLAN_FAILURES, &[], 1.0);
    if let Some(plan) = inner.fleet.plan() {
        tracing::warn!(revision = plan.revision, reason = failure, "no traffic plan, serving on from the last one");
        return;
    }
    let file = inner.plan_file.clone();
    match runtime::blocking(move || file.read()).await {
        Ok(Some(plan)) => {
            tracing::warn!(revision = plan.revision, reason = failure, "no traffic plan, serving the one kept on disk");
            inner.fleet.follow(plan);
        }
        Ok(None) => tracing::error!(reason = failure, "no traffic plan, and none was kept on disk"),
        Err(error) => tracing::error!(reason = failure, error = describe(&error), "no traffic plan"),
    }
}

async fn take_in(inner: &Arc<Inner>, plan: TrafficPlan) {
    if let Some(current) = inner.fleet.plan() {
        if plan.is_older_than(&current) {
            tracing::warn!(revision = plan.revision, current = current.revision, "ignoring an older traffic plan");
            return;
        }
        if *current == plan {
            return;
        }
    }
    tracing::info!(revision = plan.revision, models = plan.models.len(), "following a traffic plan");
    let (file, kept) = (inner.plan_file.clone(), plan.clone());
    // First followed, then kept: a full disk is no reason to serve what was rolled back.
    inner.fleet.follow(plan);
    if let Err(error) = runtime::blocking(move || file.write(&kept)).await {
        tracing::error!(error = describe(&error), "the traffic plan was not kept on disk");
    }
}

/// Brings one version into memory and reports to the fleet, whatever happens.
async fn load(inner: &Arc<Inner>, plan: &VersionPlan) {
    let attempt = AssertUnwindSafe(bring(inner, plan)).catch_unwind().await;
    let panicked = || LoadFailure::lasting("loading it panicked; the log has the message".to_owned());
    let outcome = attempt.unwrap_or_else(|_| Err(panicked()));
    inner.fleet.finish_loading(plan, outcome);
}

async fn bring(inner: &Inner, plan: &VersionPlan) -> Result<Arc<dyn LoadedModel>, LoadFailure> {
    let backend = inner.ports.backends.iter().find(|backend| backend.name() == plan.backend);
    let no_backend = || LoadFailure::lasting(format!("there is no backend `{}` here", plan.backend));
    let backend = backend.ok_or_else(no_backend)?;
    let fetched = inner.ports.files.fetch(&plan.version, &plan.digest).await;
    let file = fetched.map_err(|error| LoadFailure {
        reason: describe(&error),
        is_passing: matches!(error, FilesError::Unavailable { .. }),
    })?;
    let (version, backend_name) = (plan.version.clone(), plan.backend.clone());
    let spec = ModelSpec { version, backend: backend_name, file, digest: plan.digest };
    let loaded = backend.load(&spec).await;
    let model = loaded.map_err(|error: BackendError| LoadFailure::lasting(describe(&error)))?;
    warm_up(plan, &*model).await;
    Ok(model)
}

/// Executes the model once on zeros, so that the first request does not pay for what a runtime puts off until then. A
/// model may well refuse zeros; that says nothing about real requests.
async fn warm_up(plan: &VersionPlan, model: &dyn LoadedModel) {
    let zeros = |spec: &types::TensorSpec| {
        let shape: Vec<i64> = spec.shape.iter().map(|size| if *size < 0 { 1 } else { *size }).collect();
        let count = element_count(&shape)?;
        Some(Tensor { name: spec.name.clone(), shape, data: TensorData::zeros(spec.datatype, count) })
    };
    let Some(inputs) = model.schema().inputs.iter().map(zeros).collect() else { return };
    match tokio::time::timeout(WARM_UP_PATIENCE, model.infer(inputs)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::debug!(version = %plan.version, error = describe(&error), "the model refuses to be warmed up on zeros");
        }
        Err(_) => tracing::warn!(version = %plan.version, "the model does not answer while it is warmed up on zeros"),
    }
}

/// An error and its causes in one line.
pub(super) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
