//! The versions that this gateway holds in memory, and where requests go.
//!
//! Three things are kept apart: the plan says what should be served; a slot for each version says how far it has come;
//! the routes say where requests go now. Routes follow the plan only as far as versions are ready: until the new stable
//! version is ready the one before serves on, and a canary that is not ready gets nothing. So a version that does not
//! load costs no request. A request holds its version, which is therefore unloaded after the last one has left.

mod routes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use runtime::Backoff;
use telemetry::Metrics;
use tokio::{sync::watch, time::Instant};
use types::{ModelName, ModelVersion, Schema};

pub(crate) use routes::{ModelRoute, Routes};

use crate::{
    LoadedModel, TrafficPlan, VersionPlan,
    inputs::Layout,
    metrics::{LOAD_FAILURES, LOADED, Meters, PLAN_REVISION},
    statistics::Statistics,
};

/// The first wait before a version that did not load is tried again; it doubles.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest such wait: an artifact that was repaired is found within this time.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// A version in memory, with all that answering takes.
pub(crate) struct Live {
    pub(crate) plan: Arc<VersionPlan>,
    pub(crate) model: Arc<dyn LoadedModel>,
    pub(crate) layout: Layout,
    pub(crate) statistics: Arc<Statistics>,
    pub(crate) meters: Meters,
}

impl Live {
    pub(crate) fn schema(&self) -> &Schema {
        self.model.schema()
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("version", &self.plan.version).finish_non_exhaustive()
    }
}

/// Why a version is not in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadFailure {
    pub(crate) reason: String,
    /// Whether the artifact store was away, which says nothing about the version.
    pub(crate) is_passing: bool,
}

impl LoadFailure {
    /// The version itself is not to be loaded.
    pub(crate) fn lasting(reason: String) -> Self {
        Self { reason, is_passing: false }
    }
}

/// How far a version has come.
#[derive(Debug)]
enum Stage {
    /// Nobody has begun to load it.
    Waiting,
    /// It is being loaded.
    Loading,
    /// It is in memory.
    Ready(Arc<Live>),
    /// It did not load.
    Failed { failure: LoadFailure, retry_at: Instant },
}

#[derive(Debug)]
struct Slot {
    plan: Arc<VersionPlan>,
    stage: Stage,
    backoff: Backoff,
}

impl Slot {
    fn new(plan: &VersionPlan) -> Self {
        Self { plan: Arc::new(plan.clone()), stage: Stage::Waiting, backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY) }
    }
}

#[derive(Debug, Default)]
struct State {
    plan: Option<Arc<TrafficPlan>>,
    slots: BTreeMap<ModelVersion, Slot>,
    /// Models that were unloaded by hand.
    unloaded: BTreeSet<ModelName>,
    statistics: BTreeMap<ModelVersion, Arc<Statistics>>,
}

/// All versions that this gateway holds.
#[derive(Debug)]
pub(crate) struct Fleet {
    state: Mutex<State>,
    routes: RwLock<Arc<Routes>>,
    changed: watch::Sender<u64>,
    metrics: Metrics,
}

impl Fleet {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { state: Mutex::default(), routes: RwLock::default(), changed: watch::Sender::new(0), metrics }
    }

    /// Where requests go now.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The plan that is followed.
    pub(crate) fn plan(&self) -> Option<Arc<TrafficPlan>> {
        self.state().plan.clone()
    }

    /// Resolves when the routes have changed since the receiver last looked.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Follows `plan` from now on.
    pub(crate) fn follow(&self, plan: TrafficPlan) {
        let mut state = self.state();
        let wanted: BTreeMap<_, _> =
            plan.models.values().flat_map(crate::ModelPlan::versions).map(|v| (v.version.clone(), v)).collect();
        for gone in state.slots.keys().filter(|version| !wanted.contains_key(*version)) {
            self.set_loaded(gone, false);
        }
        state.slots.retain(|version, _| wanted.contains_key(version));
        for (version, version_plan) in wanted {
            let kept = state.slots.remove(&version).filter(|slot| slot.plan.same_artifact(version_plan));
            let mut slot = kept.unwrap_or_else(|| Slot::new(version_plan));
            if *slot.plan != *version_plan {
                slot.plan = Arc::new(version_plan.clone());
                if let Stage::Ready(live) = &slot.stage {
                    let model = Arc::clone(&live.model);
                    slot.stage = self.live(&mut state, &slot.plan, model, &mut slot.backoff);
                }
            }
            state.slots.insert(version, slot);
        }
        self.metrics.set(&PLAN_REVISION, &[], plan.revision as f64);
        state.plan = Some(Arc::new(plan));
        self.publish(&state);
    }

    /// Versions whose loading is to begin now; they count as being loaded from here on.
    pub(crate) fn begin_loading(&self) -> Vec<Arc<VersionPlan>> {
        let mut state = self.state();
        let State { slots, unloaded, .. } = &mut *state;
        let mut begun = Vec::new();
        for (version, slot) in slots.iter_mut().filter(|(version, _)| !unloaded.contains(&version.model)) {
            let due = match &slot.stage {
                Stage::Waiting => true,
                Stage::Failed { retry_at, .. } => *retry_at <= Instant::now(),
                Stage::Loading | Stage::Ready(_) => false,
            };
            if due {
                tracing::debug!(%version, "loading");
                slot.stage = Stage::Loading;
                begun.push(Arc::clone(&slot.plan));
            }
        }
        if !begun.is_empty() {
            self.publish(&state);
        }
        begun
    }

    /// Takes in the outcome of loading `plan`. One that the plan has moved on from meanwhile is dropped.
    pub(crate) fn finish_loading(&self, plan: &VersionPlan, outcome: Result<Arc<dyn LoadedModel>, LoadFailure>) {
        let mut state = self.state();
        let Some(mut slot) = state.slots.remove(&plan.version) else { return };
        if matches!(slot.stage, Stage::Loading) && slot.plan.same_artifact(plan) {
            slot.stage = match outcome {
                Ok(model) => self.live(&mut state, &slot.plan, model, &mut slot.backoff),
                Err(failure) => self.failed(&slot.plan.version, failure, &mut slot.backoff),
            };
        }
        state.slots.insert(plan.version.clone(), slot);
        self.publish(&state);
    }

    /// Takes a model out of memory, or lets it be loaded again; whether the plan knows it.
    pub(crate) fn set_unloaded(&self, model: &ModelName, unloaded: bool) -> bool {
        let mut state = self.state();
        if !state.plan.as_ref().is_some_and(|plan| plan.models.contains_key(model)) {
            return false;
        }
        if unloaded {
            state.unloaded.insert(model.clone());
            for (version, slot) in state.slots.iter_mut().filter(|(version, _)| version.model == *model) {
                slot.stage = Stage::Waiting;
                self.set_loaded(version, false);
            }
        } else {
            state.unloaded.remove(model);
        }
        self.publish(&state);
        true
    }

    /// Every version's statistics, also of those that have left the plan.
    pub(crate) fn statistics(&self) -> Vec<(ModelVersion, Arc<Statistics>)> {
        self.state().statistics.iter().map(|(version, stats)| (version.clone(), Arc::clone(stats))).collect()
    }

    /// The stage of a version whose model is in memory: ready, unless its inputs do not fit its features.
    fn live(
        &self,
        state: &mut State,
        plan: &Arc<VersionPlan>,
        model: Arc<dyn LoadedModel>,
        backoff: &mut Backoff,
    ) -> Stage {
        match Layout::of(plan, model.schema()) {
            Ok(layout) => {
                backoff.reset();
                self.set_loaded(&plan.version, true);
                let statistics = Arc::clone(state.statistics.entry(plan.version.clone()).or_default());
                let meters = Meters::new(&self.metrics, &plan.version);
                tracing::info!(version = %plan.version, "model version is ready");
                Stage::Ready(Arc::new(Live { plan: Arc::clone(plan), model, layout, statistics, meters }))
            }
            Err(reason) => self.failed(&plan.version, LoadFailure::lasting(reason), backoff),
        }
    }

    fn failed(&self, version: &ModelVersion, failure: LoadFailure, backoff: &mut Backoff) -> Stage {
        tracing::error!(%version, reason = failure.reason, "model version does not load");
        self.metrics.add(&LOAD_FAILURES, &[version.model.as_str(), &version.version.to_string()], 1.0);
        self.set_loaded(version, false);
        Stage::Failed { failure, retry_at: Instant::now() + backoff.next() }
    }

    fn set_loaded(&self, version: &ModelVersion, loaded: bool) {
        let labels = [version.model.as_str(), &version.version.to_string()];
        self.metrics.set(&LOADED, &labels, f64::from(u8::from(loaded)));
    }

    fn publish(&self, state: &State) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        *routes = Arc::new(Routes::new(state, &routes));
        drop(routes);
        self.changed.send_modify(|changes| *changes += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
