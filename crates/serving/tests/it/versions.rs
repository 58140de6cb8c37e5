//! Versions that come and go under a plan that changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use runtime::{Signal, Tasks, testing::ManualClock};
use serving::{
    Arm, Canary, Config, Error, ModelPlan, Ports, PrepareRequest, Service, Tensor, TensorData, TrafficPlan,
    VersionPlan, VersionState,
    testing::{Adder, Features, Files, Plans, Predictions, Reports, Shadows, ports},
};
use telemetry::Metrics;
use types::{Digest, ErrorKind, ModelName, ModelVersion, Percent, Timestamp};

use crate::serving::{pair, request};

/// Longer than any wait of a test, in paused time.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// The second at which gateways of tests start; the first of a span.
pub(crate) const START: i64 = 1_767_225_600;

/// A gateway and all it depends on.
pub(crate) struct Gateway {
    pub(crate) backend: Arc<Adder>,
    pub(crate) files: Arc<Files>,
    pub(crate) features: Arc<Features>,
    pub(crate) plans: Arc<Plans>,
    pub(crate) predictions: Arc<Predictions>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) shadows: Arc<Shadows>,
    /// Stands at [`START`] unless a test moves it.
    pub(crate) clock: ManualClock,
    pub(crate) metrics: Metrics,
    pub(crate) service: Service,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) tasks: Tasks,
    signal: Signal,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        let (backend, files, features) = <(Arc<Adder>, Arc<Files>, Arc<Features>)>::default();
        let (plans, predictions) = <(Arc<Plans>, Arc<Predictions>)>::default();
        let metrics = Metrics::new(&[serving::METRICS]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (reports, shadows) = <(Arc<Reports>, Arc<Shadows>)>::default();
        let ports = Ports {
            reports: reports.clone(),
            shadows: shadows.clone(),
            ..ports(&backend, &files, &features, &plans, &predictions)
        };
        let config = Config { max_in_flight: 8, ..Config::in_dir(dir.path()) };
        let clock = ManualClock::new(Timestamp::from_micros(START * 1_000_000));
        let service = Service::new(config, ports, Arc::new(clock.clone()), metrics.clone());
        let (tasks, signal) = (Tasks::new(), Signal::new());
        Self {
            backend,
            files,
            features,
            plans,
            predictions,
            reports,
            shadows,
            clock,
            metrics,
            service,
            dir,
            tasks,
            signal,
        }
    }

    /// Starts the gateway with `plan` and waits until every version of it was tried.
    pub(crate) async fn serve(&self, plan: TrafficPlan) {
        self.plans.set(plan);
        self.service.start(&self.tasks, self.signal.clone());
        assert!(self.service.wait_until_ready(LONG).await, "{:?}", self.service.status());
    }

    /// A gateway on which `plan` is stable.
    pub(crate) async fn serving(plan: VersionPlan) -> Self {
        let gateway = Self::new();
        gateway.serve(TrafficPlan { revision: 1, models: model_plan(Some(plan), None, vec![]) }).await;
        gateway
    }

    /// Changes the plan.
    pub(crate) fn follow(&self, revision: i64, models: BTreeMap<ModelName, ModelPlan>) {
        self.plans.set(TrafficPlan { revision, models });
        self.signal.notify();
    }

    /// Changes the plan and waits until requests go where it says.
    pub(crate) async fn change(&self, revision: i64, models: BTreeMap<ModelName, ModelPlan>) {
        self.follow(revision, models);
        assert!(self.service.wait_until_settled("ranker", revision, LONG).await, "{:?}", self.service.status());
    }

    /// The version that answers a request routed by `user`.
    async fn answering(&self, user: i64) -> u32 {
        let user = Tensor::column("user_id", TensorData::Int64(vec![user]));
        self.service.infer(request(vec![pair(0.0, 0.0), user])).await.unwrap().version.version
    }

    pub(crate) fn state(&self, number: u32) -> VersionState {
        let status = self.service.status();
        let mut versions = status.models.into_iter().flat_map(|model| model.versions);
        versions.find(|status| status.version.version == number).map_or(VersionState::Loading, |status| status.state)
    }
}

pub(crate) fn version(number: u32) -> VersionPlan {
    let version = ModelVersion::new(ModelName::parse("ranker").unwrap(), number);
    VersionPlan::plain(version, Adder::NAME, Digest::of(number.to_string()))
}

pub(crate) fn model_plan(
    stable: Option<VersionPlan>,
    canary: Option<(VersionPlan, f64)>,
    others: Vec<VersionPlan>,
) -> BTreeMap<ModelName, ModelPlan> {
    let canary = canary.map(|(version, weight)| Canary { version, weight: Percent::new(weight).unwrap() });
    let plan = ModelPlan { stable, canary, route_by: Some("user_id".to_owned()), others, ..ModelPlan::default() };
    BTreeMap::from([(ModelName::parse("ranker").unwrap(), plan)])
}

#[tokio::test(start_paused = true)]
async fn a_new_stable_version_takes_over_when_it_is_ready_and_not_before() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.backend.refuse(&version(2).version, Some("no such operator"));
    gateway.plans.set(TrafficPlan { revision: 2, models: model_plan(Some(version(2)), None, vec![]) });
    gateway.signal.notify();
    runtime::testing::eventually(LONG, async || {
        let state = gateway.state(2);
        let failed =
            matches!(&state, VersionState::Failed { reason, is_passing: false } if reason.contains("no such operator"));
        if failed { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await;
    assert_eq!(gateway.answering(7).await, 1, "the version before stands in");
    gateway.backend.refuse(&version(2).version, None);
    assert!(gateway.service.wait_until_settled("ranker", 2, LONG).await, "it is tried again by itself");
    assert_eq!(gateway.answering(7).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_says_nothing_about_the_version_and_it_is_loaded_when_it_is_back() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.files.set_away(true);
    gateway
        .plans
        .set(TrafficPlan { revision: 2, models: model_plan(Some(version(1)), Some((version(2), 25.0)), vec![]) });
    gateway.signal.notify();
    runtime::testing::eventually(LONG, async || {
        let state = gateway.state(2);
        let passing = matches!(&state, VersionState::Failed { reason, is_passing: true } if reason.contains("is away"));
        if passing { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await;
    gateway.files.set_away(false);
    assert!(gateway.service.wait_until_settled("ranker", 2, LONG).await, "it is tried again by itself");
}

#[tokio::test(start_paused = true)]
async fn the_canary_gets_its_share_and_users_stay_on_it_while_it_grows() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.change(2, model_plan(Some(version(1)), Some((version(2), 25.0)), vec![])).await;
    let mut early = Vec::new();
    for user in 0..400 {
        if gateway.answering(user).await == 2 {
            early.push(user);
        }
    }
    assert!((60..=140).contains(&early.len()), "{} of 400 are not about 25 %", early.len());
    let arms: Vec<Arm> = gateway.predictions.take().iter().map(|row| row.arm).collect();
    assert_eq!(arms.iter().filter(|arm| **arm == Arm::Canary).count(), early.len());
    gateway.change(3, model_plan(Some(version(1)), Some((version(2), 50.0)), vec![])).await;
    for user in early {
        assert_eq!(gateway.answering(user).await, 2, "user {user} was sent back");
    }
    gateway.change(4, model_plan(Some(version(1)), None, vec![])).await;
    assert_eq!(gateway.answering(7).await, 1);
    assert_eq!(gateway.backend.loads(), [version(1).version, version(2).version], "each was loaded once");
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_does_not_load_gets_nothing() {
    let gateway = Gateway::new();
    gateway.backend.refuse(&version(2).version, Some("broken"));
    let models = model_plan(Some(version(1)), Some((version(2), 100.0)), vec![]);
    gateway.serve(TrafficPlan { revision: 1, models }).await;
    assert_eq!(gateway.answering(7).await, 1);
    assert!(!gateway.service.status().models[0].settled, "the plan is not followed, and that shows");
}

#[tokio::test(start_paused = true)]
async fn the_canary_gets_no_more_than_its_share_while_the_stable_version_is_not_there() {
    let gateway = Gateway::new();
    gateway.backend.refuse(&version(1).version, Some("broken"));
    gateway
        .serve(TrafficPlan { revision: 1, models: model_plan(Some(version(1)), Some((version(2), 25.0)), vec![]) })
        .await;
    let (mut answered, mut refused) = (0, 0);
    for user in 0..400 {
        let user = Tensor::column("user_id", TensorData::Int64(vec![user]));
        match gateway.service.infer(request(vec![pair(0.0, 0.0), user])).await {
            Ok(answer) => answered += answer.version.version / 2,
            Err(error) => refused += u32::from(error.to_string().contains("ranker/1 is not ready: ")),
        }
    }
    assert!((60..=140).contains(&answered) && answered + refused == 400, "{answered} answered, {refused} refused");
    gateway.change(2, model_plan(None, Some((version(2), 25.0)), vec![])).await;
    assert_eq!(gateway.answering(7).await, 2, "of a first release, everybody gets it");
}

#[tokio::test(start_paused = true)]
async fn an_artifact_that_was_changed_is_refused_at_load_and_says_so() {
    let gateway = Gateway::new();
    gateway.files.change(&version(1).version, Digest::of("another"));
    gateway.serve(TrafficPlan { revision: 1, models: model_plan(Some(version(1)), None, vec![]) }).await;
    let error = gateway.service.ready("ranker", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("the artifact was changed after its release"), "{error}");
    assert!(gateway.backend.loads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn candidates_answer_gates() {
    let gateway = Gateway::new();
    let models = model_plan(Some(version(1)), None, vec![version(2)]);
    gateway.serve(TrafficPlan { revision: 1, models }).await;
    let named = |candidates| PrepareRequest {
        model: "ranker".to_owned(),
        version: Some(2),
        inputs: vec![pair(1.0, 2.0)],
        candidates,
    };
    let scored = gateway.service.score(named(true)).await.unwrap();
    assert_eq!(
        (scored.outputs[0].data.value(0), scored.prepared.arm),
        (Some(types::Value::Float64(2_003.0)), Arm::Other)
    );
    let error = gateway.service.prepare(named(false)).await.unwrap_err();
    assert_eq!(error.to_string(), "model `ranker` does not serve version 2 (it serves 1)");
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_comes_before_the_plan_waits_for_its_candidate() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.plans.set(TrafficPlan { revision: 2, models: model_plan(Some(version(1)), None, vec![version(2)]) });
    let metadata = gateway.service.candidate_metadata("ranker", 2).await.unwrap();
    assert_eq!((metadata.version, metadata.versions), (2, vec![1]));
    let error = gateway.service.candidate_metadata("ranker", 3).await.unwrap_err();
    assert!(matches!(error, Error::UnknownVersion { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_older_plan_is_ignored() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.change(5, model_plan(Some(version(2)), None, vec![])).await;
    gateway.plans.set(TrafficPlan { revision: 4, models: model_plan(Some(version(1)), None, vec![]) });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((gateway.answering(7).await, gateway.service.status().revision), (2, Some(5)));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_older_for_one_model_is_ignored_though_another_model_has_moved_on() {
    let gateway = Gateway::serving(version(1)).await;
    let of = |model: i64, stable| {
        let mut models = model_plan(Some(stable), None, vec![]);
        models.values_mut().for_each(|plan| plan.revision = model);
        models
    };
    gateway.change(9, of(5, version(2))).await;
    gateway.follow(9, of(4, version(1)));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(gateway.answering(7).await, 2);
    gateway.change(9, of(0, version(1))).await;
    runtime::testing::eventually(LONG, async || match gateway.answering(7).await {
        1 => Ok(()),
        version => Err(format!("version {version}, though no release moves the model any more")),
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_serves_from_the_plan_on_disk_when_the_source_is_away() {
    let first = Gateway::serving(version(1)).await;
    first.plans.set_away(true);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(first.answering(7).await, 1, "it serves on");
    let again = Gateway::new();
    std::fs::copy(first.dir.path().join("traffic-plan.json"), again.dir.path().join("traffic-plan.json")).unwrap();
    again.plans.set_away(true);
    again.serve(TrafficPlan::default()).await;
    assert_eq!((again.answering(7).await, again.service.status().revision), (1, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_model_unloaded_by_hand_says_so_and_comes_back_when_loaded() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.service.unload("ranker").unwrap();
    let error = gateway.service.ready("ranker", None).unwrap_err();
    assert!(error.to_string().contains("unloaded by hand"), "{error}");
    gateway.service.load("ranker").await.unwrap();
    assert_eq!(gateway.answering(7).await, 1);
    assert!(matches!(gateway.service.unload("nobody").unwrap_err(), Error::UnknownModel { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_drains_takes_no_more_requests() {
    let gateway = Gateway::serving(version(1)).await;
    assert!(gateway.service.drain(LONG).await);
    assert!(!gateway.service.is_ready());
    let error = gateway.service.infer(request(vec![pair(0.0, 0.0)])).await.unwrap_err();
    assert!(matches!(error, Error::Draining));
}
