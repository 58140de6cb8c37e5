//! Whose files a version consists of, whatever was said when it was registered.

use std::sync::Arc;

use artifacts::{ArtifactPath, Content, Store};
use async_trait::async_trait;
use database::Database;
use futures::StreamExt as _;
use registry::{
    Config, Error, LifecycleStage, NewLoggedModel, NewVersion, Origin, OriginError, OriginFile, OriginFolder,
    OriginRun, OriginVersion, Run, RunInfo, RunStatus, Service, Version,
};
use runtime::SystemClock;
use types::{Digest, ErrorKind, ModelName, ModelVersion};

use crate::fixture::{Fixture, editor, registry};

/// A run of the registry elsewhere.
const THERE: &str = "0123456789abcdef0123456789abcdef";

fn text(content: &'static str) -> Content {
    futures::stream::once(async move { Ok(content.as_bytes().into()) }).boxed()
}

impl Fixture {
    /// The run that is judged for the next version of `model`, registered from `source` with `named` as its run.
    async fn judged(&self, model: &str, source: &str, named: Option<&Run>) -> Option<String> {
        judged(&self.registry, model, source, named).await
    }
}

async fn judged(registry: &Service, model: &str, source: &str, named: Option<&Run>) -> Option<String> {
    if registry.model(model).await.is_err() {
        registry.create_model(model, None, Vec::new()).await.unwrap();
    }
    let run_id = named.map(|run| run.info.id.clone());
    let new = NewVersion { name: model.to_owned(), source: source.to_owned(), run_id, ..NewVersion::default() };
    let made = registry.create_version(&editor(), new).await.unwrap();
    registry.resolve(&id(model, made.version)).await.unwrap().run_id
}

fn id(model: &str, version: u32) -> ModelVersion {
    ModelVersion::new(ModelName::parse(model).unwrap(), version)
}

/// A registry elsewhere with one version.
#[derive(Debug)]
struct One;

#[async_trait]
impl Origin for One {
    fn address(&self) -> &str {
        "https://mlflow.example"
    }

    async fn version(&self, version: &ModelVersion) -> Result<OriginVersion, OriginError> {
        let info = RunInfo {
            id: THERE.to_owned(),
            name: None,
            experiment_id: 7,
            user_id: "grace".to_owned(),
            status: RunStatus::Finished,
            started: Some(1),
            ended: Some(2),
            artifact_uri: "s3://theirs/7".to_owned(),
            stage: LifecycleStage::Active,
        };
        let run = Run {
            info,
            metrics: Vec::new(),
            params: Vec::new(),
            tags: Vec::new(),
            datasets: Vec::new(),
            model_inputs: Vec::new(),
            model_outputs: Vec::new(),
        };
        let found = Version {
            name: version.model.to_string(),
            version: version.version,
            created: 1,
            updated: None,
            description: None,
            user_id: None,
            stage: "None".to_owned(),
            source: Some("s3://theirs/7/model".to_owned()),
            storage_location: None,
            run_id: Some(THERE.to_owned()),
            status: "READY".to_owned(),
            status_message: None,
            run_link: None,
            tags: Vec::new(),
            aliases: Vec::new(),
        };
        let run = Some(OriginRun { run, experiment: "elsewhere".to_owned() });
        Ok(OriginVersion { version: found, location: "s3://theirs/7/model".to_owned(), run })
    }

    async fn files(&self, folder: OriginFolder<'_>) -> Result<Vec<OriginFile>, OriginError> {
        Ok(match folder {
            OriginFolder::Version(_) => vec![OriginFile { path: "part/model".to_owned(), size: Some(5) }],
            OriginFolder::Run(..) => Vec::new(),
        })
    }

    async fn open(&self, _: OriginFolder<'_>, _: &str) -> Result<Content, OriginError> {
        Ok(text("model"))
    }

    async fn aliased(&self, _: &ModelName, _: &str) -> Result<Option<u32>, OriginError> {
        Ok(None)
    }

    async fn set_alias(&self, _: &ModelVersion, _: &str) -> Result<(), OriginError> {
        Ok(())
    }
}

/// The same, as a server sees it while another one is quicker to bring a version from it.
#[derive(Debug)]
struct Meanwhile {
    another: Service,
    version: u32,
    /// Whether the connection breaks then.
    breaks: bool,
}

#[async_trait]
impl Origin for Meanwhile {
    fn address(&self) -> &str {
        One.address()
    }

    async fn version(&self, version: &ModelVersion) -> Result<OriginVersion, OriginError> {
        One.version(version).await
    }

    async fn files(&self, folder: OriginFolder<'_>) -> Result<Vec<OriginFile>, OriginError> {
        One.files(folder).await
    }

    async fn open(&self, _: OriginFolder<'_>, _: &str) -> Result<Content, OriginError> {
        self.another.bring(&id("theirs", self.version)).await.unwrap();
        if self.breaks {
            return Err(OriginError::new(ErrorKind::Unavailable, "the connection broke"));
        }
        Ok(text("model"))
    }

    async fn aliased(&self, model: &ModelName, alias: &str) -> Result<Option<u32>, OriginError> {
        One.aliased(model, alias).await
    }

    async fn set_alias(&self, version: &ModelVersion, alias: &str) -> Result<(), OriginError> {
        One.set_alias(version, alias).await
    }
}

database::testing::on_both! {
    async fn a_logged_model_counts_only_where_its_files_are(db: Database) {
        let fixture = registry(db).await;
        let (good, bad) = (fixture.run_in("good").await, fixture.run_in("bad").await);
        let new = NewLoggedModel {
            experiment_id: good.info.experiment_id.to_string(),
            source_run_id: Some(good.info.id.clone()),
            ..NewLoggedModel::default()
        };
        let model = fixture.registry.create_logged_model(new).await.unwrap();
        let disguised = format!("{}/{}/model", bad.info.artifact_uri, model.id);
        assert_eq!(fixture.judged("ranker", &disguised, None).await.as_ref(), Some(&bad.info.id));
        let nobodys = format!("mlflow-artifacts:/other/{}/model", model.id);
        assert_eq!(fixture.judged("ranker", &nobodys, Some(&good)).await, None);
        let within = format!("{}/model", model.artifact_uri);
        assert_eq!(fixture.judged("ranker", &within, Some(&bad)).await.as_ref(), Some(&good.info.id));
    }

    async fn what_was_not_brought_is_nobodys_wherever_it_lies(db: Database) {
        let fixture = registry(db).await;
        let good = fixture.run_in("good").await;
        let path = ArtifactPath::parse("brought/evil/model").unwrap();
        let refused = fixture.registry.store_artifact(&path, text("evil")).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid(why) if why.contains("`brought/evil/model` cannot be changed")), "{refused}");
        fixture.registry.forget_artifact(&path).await.unwrap_err();
        fixture.registry.delete_artifacts(&path).await.unwrap_err();
        fixture.artifacts.put_bytes(&path, "evil").await.unwrap();

        assert_eq!(fixture.judged("x", "mlflow-artifacts:/brought/evil/model", Some(&good)).await, None);
        assert_eq!(fixture.judged("y", "models:/x/1", None).await, None, "nor is a copy of it");
    }

    async fn what_was_brought_is_its_runs_elsewhere_for_copies_too(db: Database) {
        let mut fixture = registry(db).await;
        fixture.registry = fixture.registry.with_origin(Arc::new(One));
        let good = fixture.run_in("good").await;
        for _ in 0..2 {
            fixture.registry.bring(&id("theirs", 3)).await.unwrap();
        }
        let record = fixture.registry.resolve(&id("theirs", 3)).await.unwrap();
        assert_eq!(record.run_id.as_deref(), Some(THERE));
        assert_eq!(fixture.artifacts.get_bytes(&record.storage.join("part/model").unwrap()).await.unwrap(), "model");
        assert_eq!(fixture.judged("copy", "models:/theirs/3", None).await.as_deref(), Some(THERE));
        let part = format!("mlflow-artifacts:/{}/part", record.storage);
        assert_eq!(fixture.judged("part", &part, Some(&good)).await.as_deref(), Some(THERE));
    }

    async fn of_two_servers_that_bring_a_version_neither_touches_what_the_other_has_brought(db: Database) {
        let fixture = registry(db.clone()).await;
        let server = || Service::new(Config::default(), db.clone(), fixture.artifacts.clone(), Arc::new(SystemClock));
        for (version, breaks) in [(3, true), (4, false)] {
            let folder = format!("brought/models/theirs-{}/{version}-1", &Digest::of("theirs").hex()[..8]);
            let folder = ArtifactPath::parse(&folder).unwrap();
            // What an attempt has left that was broken off.
            fixture.artifacts.put_bytes(&folder.join("earlier/part/stray").unwrap(), "stray").await.unwrap();
            let another = server().with_origin(Arc::new(One));
            let slower = Meanwhile { another: another.clone(), version, breaks };
            let outcome = server().with_origin(Arc::new(slower)).bring(&id("theirs", version)).await;
            assert_eq!(outcome.is_err(), breaks, "{outcome:?}");

            let place = another.resolve(&id("theirs", version)).await.unwrap().storage;
            another.bring(&id("theirs", version)).await.unwrap();
            assert_eq!(another.resolve(&id("theirs", version)).await.unwrap().storage, place);
            let files = fixture.artifacts.walk(&folder).await.unwrap();
            let files: Vec<_> = files.into_iter().map(|file| file.path).collect();
            assert_eq!(files, [place.join("part/model").unwrap()]);
            assert_eq!(fixture.artifacts.get_bytes(&files[0]).await.unwrap(), "model");
        }
    }

    async fn the_stores_own_address_says_whose_files_they_are(db: Database) {
        let access = artifacts::Config::default()
            .with_s3("AWS_ACCESS_KEY_ID", "k")
            .with_s3("AWS_SECRET_ACCESS_KEY", "s")
            .with_s3("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let store = Store::open_with("s3://bucket/prefix", &access).unwrap();
        let mut fixture = registry(db.clone()).await;
        fixture.registry = Service::new(Config::default(), db, store, Arc::new(SystemClock));
        let (good, bad) = (fixture.run_in("good").await, fixture.run_in("bad").await);
        let own = |run: &Run| run.info.artifact_uri.replace("mlflow-artifacts:/", "s3://bucket/prefix/");
        let source = format!("{}/model", own(&bad));
        assert_eq!(fixture.judged("ranker", &source, Some(&good)).await.as_ref(), Some(&bad.info.id));
        let nobodys = "s3://bucket/prefix/nobodys/model";
        assert_eq!(fixture.judged("ranker", nobodys, Some(&good)).await, None);
    }

    async fn every_address_of_a_runs_folder_is_the_runs(db: Database) {
        let fixture = registry(db).await;
        let (run, other) = (fixture.run_in("e").await, fixture.run_in("f").await);
        let below = format!("{}/{}/artifacts/model", run.info.experiment_id, run.info.id);
        for address in [
            "mlflow-artifacts:/",
            "mlflow-artifacts://host:5000/",
            "http://h/api/2.0/mlflow-artifacts/artifacts/",
            "https://h:8443/api/2.0/mlflow-artifacts/artifacts/",
        ] {
            for named in [None, Some(&run), Some(&other)] {
                let source = format!("{address}{below}");
                assert_eq!(fixture.judged("ranker", &source, named).await.as_ref(), Some(&run.info.id), "{source}");
            }
        }
        let source = format!("runs:/{}/model", run.info.id);
        assert_eq!(fixture.judged("ranker", &source, Some(&other)).await.as_ref(), Some(&run.info.id));
    }
}
