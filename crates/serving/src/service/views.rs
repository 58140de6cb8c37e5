//! What the service tells about itself: readiness, metadata, statistics, and how each version stands.

use std::time::Duration;

use types::{ModelName, Schema};

use super::Service;
use crate::{
    Error, InputRole, InputSpec, ModelMetadata, VersionPlan, VersionState, VersionStatistics, VersionStatus,
    fleet::{Live, ModelRoute},
    inputs::wire_type,
};

/// How this gateway stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayStatus {
    /// The revision of the plan that is followed; `None` before there is one.
    pub revision: Option<i64>,
    /// Whether it is stopping and takes no more requests.
    pub draining: bool,
    /// The models of the plan.
    pub models: Vec<ModelStatus>,
}

/// How one model stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelStatus {
    /// The model.
    pub model: ModelName,
    /// The model's own revision in the plan that is followed.
    pub revision: i64,
    /// Whether requests go where the plan says: its stable version, its canary and its shadow are ready. This is what a
    /// gateway acknowledges.
    pub settled: bool,
    /// The version that serves by default now.
    pub stable: Option<u32>,
    /// The version that is being rolled out now.
    pub canary: Option<u32>,
    /// The version that gets copies of requests now.
    pub shadow: Option<u32>,
    /// Each version of the plan.
    pub versions: Vec<VersionStatus>,
}

impl Service {
    /// Whether requests are taken: there is a plan, every version that should serve was tried, and nothing is stopping.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let routes = self.inner.fleet.routes();
        let tried = |status: &VersionStatus| status.state != VersionState::Loading;
        routes.revision.is_some()
            && !self.inner.admission.is_draining()
            && routes.models.values().all(|route| route.versions.iter().all(tried) || route.stable.is_some())
    }

    /// Waits until [`Service::is_ready`]; whether it was before `deadline`.
    pub async fn wait_until_ready(&self, deadline: Duration) -> bool {
        self.wait_until(deadline, |service| service.is_ready()).await
    }

    /// Waits until requests for `model` go where a plan of at least `revision` says; whether they did before `deadline`.
    pub async fn wait_until_settled(&self, model: &str, revision: i64, deadline: Duration) -> bool {
        self.wait_until(deadline, |service| {
            let routes = service.inner.fleet.routes();
            routes.revision.is_some_and(|followed| followed >= revision)
                && routes.models.get(model).is_some_and(|route| route.settled)
        })
        .await
    }

    pub(super) async fn wait_until(&self, deadline: Duration, reached: impl Fn(&Self) -> bool) -> bool {
        let mut changes = self.inner.fleet.changes();
        let waiting = async {
            while !reached(self) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(deadline, waiting).await.is_ok()
    }

    /// Whether a version answers requests; without `version`, whether any does.
    ///
    /// # Errors
    /// When it does not, with the reason.
    pub fn ready(&self, model: &str, version: Option<u32>) -> Result<(), Error> {
        self.live(model, version).map(|_| ())
    }

    /// What a version takes and gives; without `version`, the one that serves by default.
    ///
    /// # Errors
    /// When it does not serve.
    pub fn metadata(&self, model: &str, version: Option<u32>) -> Result<ModelMetadata, Error> {
        let live = self.live(model, version)?;
        Ok(describe(&live, self.inner.fleet.routes().model(model)?))
    }

    /// What a version takes and gives, also one that gets no traffic; waits while it is being loaded. For gates.
    ///
    /// # Errors
    /// When it is not in the plan or did not load, with the reason.
    pub async fn candidate_metadata(&self, model: &str, version: u32) -> Result<ModelMetadata, Error> {
        self.wait_until_loaded(model, version).await;
        let routes = self.inner.fleet.routes();
        let route = routes.model(model)?;
        let (live, _) = route.named(model, version, true)?;
        Ok(describe(&live, route))
    }

    /// How this gateway and each of its models stand.
    #[must_use]
    pub fn status(&self) -> GatewayStatus {
        let routes = self.inner.fleet.routes();
        let models = routes.models.iter().map(|(model, route)| ModelStatus {
            model: model.clone(),
            revision: route.revision,
            settled: route.settled,
            stable: route.stable.as_ref().map(|live| live.plan.version.version),
            canary: route.canary.as_ref().map(|(live, _)| live.plan.version.version),
            shadow: route.shadow.as_ref().map(|live| live.plan.version.version),
            versions: route.versions.clone(),
        });
        let draining = self.inner.admission.is_draining();
        GatewayStatus { revision: routes.revision, draining, models: models.collect() }
    }

    /// The models of the plan.
    #[must_use]
    pub fn models(&self) -> Vec<ModelName> {
        self.inner.fleet.routes().models.keys().cloned().collect()
    }

    /// Statistics of the versions in the plan that were ever loaded here; of one model or version, if asked for.
    ///
    /// # Errors
    /// When the model or version is not in the plan.
    pub fn statistics(&self, model: Option<&str>, version: Option<u32>) -> Result<Vec<VersionStatistics>, Error> {
        let routes = self.inner.fleet.routes();
        if let Some(model) = model {
            let route = routes.model(model)?;
            if let Some(number) = version.filter(|number| route.status(*number).is_none()) {
                return Err(route.unknown_version(model, &number.to_string()));
            }
        }
        let wanted = self.inner.fleet.statistics().into_iter().filter(|(of, _)| {
            model.is_none_or(|model| of.model.as_str() == model)
                && version.is_none_or(|number| of.version == number)
                && routes.models.get(&of.model).is_some_and(|route| route.status(of.version).is_some())
        });
        Ok(wanted.map(|(of, statistics)| statistics.read(of)).collect())
    }

    fn live(&self, model: &str, version: Option<u32>) -> Result<std::sync::Arc<Live>, Error> {
        let routes = self.inner.fleet.routes();
        let route = routes.model(model)?;
        match version {
            Some(number) => route.named(model, number, false).map(|(live, _)| live),
            None => route.default_version(model),
        }
    }
}

fn describe(live: &Live, route: &ModelRoute) -> ModelMetadata {
    ModelMetadata {
        model: live.plan.version.model.clone(),
        version: live.plan.version.version,
        versions: route.serving(),
        backend: live.plan.backend.clone(),
        inputs: caller_inputs(&live.plan, live.schema()),
        schema: live.schema().clone(),
    }
}

/// What a caller sends: the model's own inputs; or, when features are added here, entity keys and request values, and what
/// may replace a lookup: single features, or all of the model's own inputs at once.
fn caller_inputs(plan: &VersionPlan, schema: &Schema) -> Vec<InputSpec> {
    let own = |role: InputRole| {
        schema.inputs.iter().map(move |spec| InputSpec {
            name: spec.name.clone(),
            datatype: spec.datatype,
            shape: spec.shape.clone(),
            role,
            optional: role == InputRole::Override,
        })
    };
    if plan.features.is_empty() {
        return own(InputRole::Model).collect();
    }
    let given = |name: &str| plan.request_values.iter().any(|(value, _)| value == name);
    let overrides = plan.feature_types.iter().filter(|(name, _)| !given(name));
    let roles = [
        (InputRole::EntityKey, plan.entity_keys.iter().collect::<Vec<_>>()),
        (InputRole::RequestValue, plan.request_values.iter().collect()),
        (InputRole::Override, overrides.collect()),
    ];
    let described = roles.into_iter().flat_map(|(role, columns)| {
        columns.into_iter().map(move |(name, value_type)| InputSpec {
            name: name.clone(),
            datatype: wire_type(*value_type),
            shape: vec![-1],
            role,
            optional: role == InputRole::Override,
        })
    });
    let mut inputs: Vec<InputSpec> = described.collect();
    let unnamed =
        own(InputRole::Override).filter(|spec| !inputs.iter().any(|input| input.name == spec.name)).collect::<Vec<_>>();
    inputs.extend(unnamed);
    inputs
}
