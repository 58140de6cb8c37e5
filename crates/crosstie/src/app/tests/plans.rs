//! What the gateway is told to serve, of models that nobody has released and of one that is released for the first time.

use std::path::Path;

use registry::{NewExperiment, NewRun, NewVersion};
use serving::{PlanSource as _, TrafficPlan};
use types::{ModelName, ModelVersion, Principal, Role};

use super::*;
use crate::adapters::{
    backends::BackendOf,
    plan_source::{PRODUCTION, Plans},
};

/// A registry with versions in it, and what makes plans of it.
pub(super) struct World {
    pub(super) services: Services,
    plans: Plans,
    pub(super) tasks: Tasks,
}

impl World {
    pub(super) async fn new(dir: &Path) -> Self {
        let (settings, tasks, clock) = (settings(dir), Tasks::new(), SystemClock::shared());
        let services = wire(&settings, &tasks, &clock, &Signal::new()).await.unwrap();
        let (registry, projects) = (services.registry.clone(), Arc::clone(&services.projects.projects));
        let backends = BackendOf { registry: registry.clone(), artifacts: services.artifacts.clone() };
        let plans = Plans::new(services.releases.clone(), registry, projects, backends);
        Self { services, plans, tasks }
    }

    /// Registers a version with a file, or one whose files lie elsewhere.
    pub(super) async fn version(&self, model: &str, number: u32, elsewhere: bool) {
        if number == 1 {
            self.services.registry.create_model(model, None, Vec::new()).await.unwrap();
        }
        let registry = &self.services.registry;
        let location = if elsewhere { "s3://bucket" } else { "mlflow-artifacts:/runs" };
        let (name, location) = (format!("{model}-{number}"), Some(location.to_owned()));
        let new = NewExperiment { name, artifact_location: location, ..NewExperiment::default() };
        let experiment_id = registry.create_experiment(new).await.unwrap().to_string();
        let run = registry.create_run(NewRun { experiment_id, ..NewRun::default() }).await.unwrap();
        let source = format!("{}/model", run.info.artifact_uri);
        if let Some(folder) = source.strip_prefix("mlflow-artifacts:/") {
            let file = artifacts::ArtifactPath::parse(&format!("{folder}/model.onnx")).unwrap();
            self.services.artifacts.put_bytes(&file, source.clone()).await.unwrap();
        }
        let run_id = Some(run.info.id);
        let new = NewVersion { name: model.to_owned(), source, run_id, ..NewVersion::default() };
        self.services.registry.create_version(&editor(), new).await.unwrap();
    }

    async fn alias(&self, model: &str, number: u32) {
        self.services.registry.set_alias(&editor(), model, PRODUCTION, &number.to_string()).await.unwrap();
    }

    async fn plan(&self) -> TrafficPlan {
        self.plans.current().await.unwrap()
    }

    /// Puts a project in force that declares the model `ranker`.
    pub(super) async fn declare(&self) {
        let files = [("crosstie.yaml", "version: 1\n"), ("models/ranker.yaml", "version: 1\nmodel: ranker\n")];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        self.services.projects.put_in_force("test", Project::parse(&files).unwrap()).await.unwrap();
    }
}

pub(super) fn editor() -> Principal {
    Principal::known("edith", Role::Editor)
}

pub(super) fn operator() -> Principal {
    Principal::known("otto", Role::Operator)
}

pub(super) fn ranker(number: u32) -> ModelVersion {
    ModelVersion::new(ModelName::parse("ranker").unwrap(), number)
}

fn stable(plan: &TrafficPlan, model: &str) -> Option<u32> {
    let model = plan.models.get(&ModelName::parse(model).unwrap());
    model.and_then(|model| model.stable.as_ref()).map(|stable| stable.version.version)
}

#[tokio::test]
async fn an_alias_of_what_cannot_be_served_keeps_no_other_model_from_its_plan() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path()).await;
    world.version("good", 1, false).await;
    world.version("good", 2, true).await;
    world.version("elsewhere", 1, true).await;
    world.alias("good", 1).await;
    world.alias("elsewhere", 1).await;
    let plan = world.plan().await;
    assert_eq!((stable(&plan, "good"), stable(&plan, "elsewhere")), (Some(1), None));
    world.alias("good", 2).await;
    assert_eq!(stable(&world.plan().await, "good"), Some(1), "what served goes on");
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn what_an_alias_serves_goes_on_until_the_first_release_is_through() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path()).await;
    for number in 1..=2 {
        world.version("ranker", number, false).await;
    }
    world.alias("ranker", 1).await;
    world.declare().await;
    let releases = &world.services.releases;
    let release = releases.create(&editor(), &ranker(2), Vec::new()).await.unwrap();
    // The controller tells the registry what was decided.
    let mut controller = release::Controller::new(releases.clone(), world.tasks.clone());
    controller.pass().await;
    let plan = world.plan().await;
    assert_eq!(stable(&plan, "ranker"), Some(1));
    let others: Vec<_> = plan.models[&ranker(2).model].others.iter().map(|other| other.version.clone()).collect();
    assert_eq!(others, [ranker(2)]);
    assert_eq!(world.services.registry.aliased(PRODUCTION).await.unwrap(), [(ranker(1).model, 1)]);
    releases.abort(&operator(), release.id, None).await.unwrap();
    // The version that serves is taken over by a release of its own.
    releases.create(&editor(), &ranker(1), Vec::new()).await.unwrap();
    let plan = world.plan().await;
    let versions: Vec<_> = plan.models[&ranker(1).model].versions().map(|version| version.version.clone()).collect();
    assert_eq!((stable(&plan, "ranker"), versions), (Some(1), vec![ranker(1)]));
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
