//! Where requests go: a snapshot that a request takes once and then holds, whatever changes meanwhile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use types::{ModelName, ModelVersion, Percent, Principal};

use super::{Live, Stage, State};
use crate::{
    Arm, Error, ModelPlan, VersionPlan, VersionState, VersionStatus, Watch,
    inputs::Context,
    route::{self, RouteKey},
    windows::Watched,
};

/// Where requests go.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// The plan's revision; `None` before there is one.
    pub(crate) revision: Option<i64>,
    /// The models.
    pub(crate) models: BTreeMap<ModelName, ModelRoute>,
}

/// Where one model's requests go.
#[derive(Debug)]
pub(crate) struct ModelRoute {
    route_by: Option<String>,
    segments: Vec<String>,
    /// The model's own revision in the plan.
    pub(crate) revision: i64,
    /// What serves by default.
    pub(crate) stable: Option<Arc<Live>>,
    /// What is being rolled out, if it is ready.
    pub(crate) canary: Option<(Arc<Live>, Percent)>,
    /// What gets copies of requests, if it is ready.
    pub(crate) shadow: Option<Arc<Live>>,
    others: Vec<Arc<Live>>,
    /// How each version of the plan stands.
    pub(crate) versions: Vec<VersionStatus>,
    /// Whether stable, canary and shadow are those of the plan.
    pub(crate) settled: bool,
    /// What is counted for the release that rolls out.
    watched: Option<Arc<Watched>>,
}

impl Routes {
    /// The routes for `state`; a stable version that is not ready yet is stood in for by the one before.
    pub(super) fn new(state: &State, before: &Self) -> Self {
        let Some(plan) = &state.plan else { return Self::default() };
        let route = |(name, model): (&ModelName, &ModelPlan)| {
            (name.clone(), ModelRoute::new(state, name, model, before.models.get(name)))
        };
        Self { revision: Some(plan.revision), models: plan.models.iter().map(route).collect() }
    }

    /// The part of `model`.
    pub(crate) fn model(&self, model: &str) -> Result<&ModelRoute, Error> {
        self.models.get(model).ok_or_else(|| Error::UnknownModel { model: model.to_owned() })
    }
}

impl ModelRoute {
    fn new(state: &State, name: &ModelName, plan: &ModelPlan, before: Option<&Self>) -> Self {
        let ready = |version: &VersionPlan| match &state.slots.get(&version.version)?.stage {
            Stage::Ready(live) => Some(Arc::clone(live)),
            Stage::Waiting | Stage::Loading | Stage::Failed { .. } => None,
        };
        let unloaded = state.unloaded.contains(name);
        let stable_target = plan.stable.as_ref().and_then(ready);
        let canary_target = plan.canary.as_ref().and_then(|c| Some((ready(&c.version)?, c.weight)));
        let shadow = plan.shadow.as_ref().and_then(ready);
        let settled = stable_target.is_some() == plan.stable.is_some()
            && canary_target.is_some() == plan.canary.is_some()
            && shadow.is_some() == plan.shadow.is_some();
        let stand_in =
            || before.filter(|_| plan.stable.is_some() && !unloaded).and_then(|before| before.stable.clone());
        let status = |(version, arm): (&VersionPlan, Arm)| VersionStatus {
            version: version.version.clone(),
            arm,
            state: if unloaded { VersionState::Unloaded } else { version_state(state, version) },
        };
        let arms = plan.stable.iter().map(|version| (version, Arm::Stable));
        let arms = arms.chain(plan.canary.iter().map(|canary| (&canary.version, Arm::Canary)));
        let arms = arms.chain(plan.shadow.iter().map(|version| (version, Arm::Shadow)));
        let arms = arms.chain(plan.others.iter().map(|version| (version, Arm::Other)));
        Self {
            route_by: plan.route_by.clone(),
            segments: plan.segments.clone(),
            revision: plan.revision,
            stable: stable_target.or_else(stand_in),
            canary: canary_target,
            shadow,
            others: plan.others.iter().filter_map(ready).collect(),
            versions: arms.map(status).collect(),
            settled,
            watched: plan.watch.as_ref().map(|watch| Arc::new(watched(name, plan.revision, watch))),
        }
    }

    /// Names that requests may carry beside a version's inputs.
    pub(crate) fn context(&self) -> Context<'_> {
        Context { route_by: self.route_by.as_deref(), segments: &self.segments }
    }

    /// The input that keeps a caller on one version.
    pub(crate) fn route_by(&self) -> Option<&str> {
        self.route_by.as_deref()
    }

    /// What is counted of requests now; nothing while a version stands in for another.
    pub(crate) fn watched(&self) -> Option<&Arc<Watched>> {
        self.watched.as_ref().filter(|_| self.settled)
    }

    /// The version that gets a copy of requests now.
    pub(crate) fn shadowed(&self) -> Option<(&Arc<Live>, &Arc<Watched>)> {
        Some((self.shadow.as_ref()?, self.watched()?))
    }

    /// The version that answers a request which names none.
    pub(crate) fn routed(&self, model: &str, key: &RouteKey) -> Result<(Arc<Live>, Arm), Error> {
        match (&self.stable, &self.canary) {
            (Some(stable), Some((canary, weight))) => Ok(match route::choose(&canary.plan.version, *weight, key) {
                Arm::Canary => (Arc::clone(canary), Arm::Canary),
                Arm::Stable | Arm::Shadow | Arm::Explicit | Arm::Other => (Arc::clone(stable), Arm::Stable),
            }),
            (Some(stable), None) => Ok((Arc::clone(stable), Arm::Stable)),
            // The first release of a model: there is nobody else to answer. Where there is a stable version that is not
            // ready yet, as after a start, the canary must not get more than its share.
            (None, Some((canary, _))) if !self.has_stable() => Ok((Arc::clone(canary), Arm::Canary)),
            (None, Some((canary, weight))) => match route::choose(&canary.plan.version, *weight, key) {
                Arm::Canary => Ok((Arc::clone(canary), Arm::Canary)),
                Arm::Stable | Arm::Shadow | Arm::Explicit | Arm::Other => Err(self.nothing_ready(model)),
            },
            (None, None) => Err(self.nothing_ready(model)),
        }
    }

    /// Whether the plan has a stable version, ready or not.
    fn has_stable(&self) -> bool {
        self.versions.iter().any(|status| status.arm == Arm::Stable)
    }

    /// The version that metadata is about when a request names none.
    pub(crate) fn default_version(&self, model: &str) -> Result<Arc<Live>, Error> {
        let canary = self.canary.as_ref().map(|(live, _)| live);
        self.stable.as_ref().or(canary).cloned().ok_or_else(|| self.nothing_ready(model))
    }

    /// The version that `principal` names: any that is loaded. Without a token, only the one that everybody gets.
    pub(crate) fn asked_for(&self, model: &str, number: u32, principal: &Principal) -> Result<Arc<Live>, Error> {
        let first = self.canary.as_ref().filter(|_| !self.has_stable()).map(|(live, _)| live);
        let production = self.stable.as_ref().or(first).map(|live| live.plan.version.version);
        let planned = self.status(number).map(|status| status.arm);
        let open = production == Some(number) || planned.is_none_or(|arm| arm == Arm::Stable);
        if principal.anonymous && !open {
            let production = production.map_or_else(|| "none".to_owned(), |number| number.to_string());
            return Err(Error::VersionNotOpen { model: model.to_owned(), version: number, production });
        }
        self.named(model, number, true).map(|(live, _)| live)
    }

    /// The version that a request names, if it serves; with `candidates`, any that is loaded.
    pub(crate) fn named(&self, model: &str, number: u32, candidates: bool) -> Result<(Arc<Live>, Arm), Error> {
        let serving = self.stable.iter().map(|live| (live, Arm::Stable));
        let serving = serving.chain(self.canary.iter().map(|(live, _)| (live, Arm::Canary)));
        let shadow = self.shadow.iter().map(|live| (live, Arm::Shadow));
        let others = shadow.chain(self.others.iter().map(|live| (live, Arm::Other))).filter(|_| candidates);
        if let Some((live, arm)) = serving.chain(others).find(|(live, _)| live.plan.version.version == number) {
            return Ok((Arc::clone(live), arm));
        }
        match self.status(number).filter(|status| candidates || serves(status)) {
            Some(status) => Err(not_ready(status)),
            None => Err(self.unknown_version(model, &number.to_string())),
        }
    }

    /// How a version of the plan stands.
    pub(crate) fn status(&self, number: u32) -> Option<&VersionStatus> {
        self.versions.iter().find(|status| status.version.version == number)
    }

    /// The numbers of the versions that serve, in order.
    pub(crate) fn serving(&self) -> Vec<u32> {
        let live = self.stable.iter().chain(self.canary.iter().map(|(live, _)| live));
        let mut numbers: Vec<u32> = live.map(|live| live.plan.version.version).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The refusal of a version that does not serve.
    pub(crate) fn unknown_version(&self, model: &str, version: &str) -> Error {
        let serving = self.serving().iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let serving = if serving.is_empty() { "none".to_owned() } else { serving };
        Error::UnknownVersion { model: model.to_owned(), version: version.to_owned(), serving }
    }

    fn nothing_ready(&self, model: &str) -> Error {
        let first = self.versions.iter().find(|status| serves(status));
        first.map_or_else(|| Error::NothingServes { model: model.to_owned() }, not_ready)
    }
}

/// Whether callers get the version, once it is ready.
fn serves(status: &VersionStatus) -> bool {
    match status.arm {
        Arm::Stable | Arm::Canary => true,
        Arm::Shadow | Arm::Explicit | Arm::Other => false,
    }
}

fn watched(model: &ModelName, revision: i64, watch: &Watch) -> Watched {
    let slow_after = watch.slow_after.map(|limit| Duration::from_micros(limit.as_micros().unsigned_abs()));
    Watched { model: model.clone(), release: watch.release.clone(), revision, slow_after }
}

fn version_state(state: &State, version: &VersionPlan) -> VersionState {
    match state.slots.get(&version.version).map(|slot| &slot.stage) {
        Some(Stage::Ready(_)) => VersionState::Ready,
        Some(Stage::Failed { failure, .. }) => {
            VersionState::Failed { reason: failure.reason.clone(), is_passing: failure.is_passing }
        }
        Some(Stage::Waiting | Stage::Loading) | None => VersionState::Loading,
    }
}

/// The refusal of a version that is not ready.
pub(crate) fn not_ready(status: &VersionStatus) -> Error {
    let version: ModelVersion = status.version.clone();
    let reason = match &status.state {
        VersionState::Loading => "it is being loaded".to_owned(),
        VersionState::Failed { reason, .. } => reason.clone(),
        VersionState::Unloaded => "it was unloaded by hand".to_owned(),
        VersionState::Ready => "it is about to serve".to_owned(),
    };
    Error::NotReady { version, reason }
}
