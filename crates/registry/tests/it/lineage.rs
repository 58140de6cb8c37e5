//! Lineage as it is read off standard MLflow calls, what it says when they were not made, and the graph both ways.

use async_trait::async_trait;
use database::Database;
use futures::StreamExt as _;
use registry::{
    Dataset, DatasetInput, Deployments, Downstream, KeyValue, ModelOutput, NewLoggedModel, NewVersion, NodeKind,
    Released, Run, RunBatch, RunStatus, RunUpdate, Serves,
};
use types::{Digest, ModelName, ModelVersion, Principal};

use crate::fixture::{Fixture, registry};

fn missing(lineage: &registry::Lineage) -> Vec<&str> {
    lineage.missing.iter().map(|missing| missing.what.as_str()).collect()
}

fn text(content: &'static str) -> artifacts::Content {
    futures::stream::once(async move { Ok(content.as_bytes().into()) }).boxed()
}

fn input(name: &str, digest: &str) -> DatasetInput {
    let dataset = Dataset {
        name: name.to_owned(),
        digest: digest.to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: None,
        profile: None,
    };
    DatasetInput { dataset, tags: vec![KeyValue::new("mlflow.data.context", "training")] }
}

impl Fixture {
    async fn tag(&self, run: &Run, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(key, value)| KeyValue::new(*key, *value)).collect();
        self.registry.log_batch(&run.info.id, RunBatch { tags, ..RunBatch::default() }).await.unwrap();
    }

    /// What the tag on the run says.
    async fn said(&self, run: &Run) -> Option<String> {
        self.registry.run(&run.info.id).await.unwrap().tag(registry::RELEASABLE_TAG).map(str::to_owned)
    }

    /// A run that has a model, and everything that is asked of one.
    async fn complete_run(&self, experiment: &str) -> Run {
        let run = self.run_in(experiment).await;
        let id = &run.info.id;
        let features = format!(r#"{{"user_activity":"{}"}}"#, Digest::of("x"));
        let tags = [("mlflow.source.git.commit", "abc"), ("mlflow.source.git.dirty", "False")];
        self.tag(&run, &tags).await;
        self.tag(&run, &[("crosstie.features", &features), ("mlflow.source.name", "train.py")]).await;
        self.registry.keep_evidence(id, "environment.txt", text("numpy==2.1.0\n")).await.unwrap();
        self.registry.log_inputs(id, vec![input("labels", "d1d1d1d1d1")], Vec::new()).await.unwrap();
        let experiment_id = run.info.experiment_id.to_string();
        let new = NewLoggedModel { experiment_id, source_run_id: Some(id.clone()), ..NewLoggedModel::default() };
        let model_id = self.registry.create_logged_model(new).await.unwrap().id;
        self.registry.log_outputs(id, vec![ModelOutput { model_id, step: 0 }]).await.unwrap();
        run
    }

    async fn end(&self, run: &Run) {
        let update = RunUpdate { status: Some(RunStatus::Finished), ended: Some(2), name: None };
        self.registry.update_run(&run.info.id, update).await.unwrap();
    }
}

/// Serves the first version as stable, and releases a second one.
#[derive(Debug)]
struct FirstServes;

#[async_trait]
impl Deployments for FirstServes {
    async fn of(&self, _: &ModelName) -> registry::Result<Downstream> {
        let released = |version, release, stage: &str| Released { version, release, stage: stage.to_owned() };
        let serves = Serves { version: 1, release: 5, role: "stable".to_owned(), live: true };
        Ok(Downstream { releases: vec![released(1, 5, "done"), released(2, 6, "gating")], serving: vec![serves] })
    }
}

database::testing::on_both! {
    async fn a_version_of_a_complete_run_misses_nothing(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("clicks").await;
        let digest = Digest::of("x").to_string();
        let features = format!(r#"{{"user_activity":"{digest}"}}"#);
        let workflow = format!(r#"{{"name":"train","digest":"{digest}","parameters":{{"depth":"3"}}}}"#);
        let tags = [
            ("mlflow.source.git.commit", "abc"),
            ("crosstie.git.dirty", "true"),
            ("crosstie.features", &features),
            ("crosstie.environment", &digest),
            ("crosstie.workflow", &workflow),
        ];
        fixture.tag(&run, &tags).await;
        let params = RunBatch { params: vec![KeyValue::new("depth", "3")], ..RunBatch::default() };
        fixture.registry.log_batch(&run.info.id, params).await.unwrap();
        fixture.registry.log_inputs(&run.info.id, vec![input("labels", "d1")], Vec::new()).await.unwrap();
        fixture.version_of("ranker", &run).await;
        let id = ModelVersion::parse("ranker/1").unwrap();
        assert_eq!(missing(&fixture.registry.lineage(&id).await.unwrap()), ["changes", "environment"]);

        for (name, content) in [("environment.txt", "numpy==2.1.0\n"), ("changes.patch", "diff")] {
            fixture.registry.keep_evidence(&run.info.id, name, text(content)).await.unwrap();
        }
        let lineage = fixture.registry.lineage(&id).await.unwrap();
        assert_eq!(missing(&lineage), [""; 0]);
        let known = lineage.run.as_ref().unwrap();
        assert_eq!((known.experiment.as_str(), known.params["depth"].as_str()), ("clicks", "3"));
        assert_eq!(lineage.datasets[0].context.as_deref(), Some("training"));
        assert_eq!(lineage.features["user_activity"].to_string(), digest);
        assert_eq!(lineage.git.as_ref().unwrap().dirty, Some(true));
        assert_eq!(lineage.environment, Some(Digest::of("numpy==2.1.0\n")), "the file is what counts");
        assert_eq!(lineage.workflow.as_ref().unwrap().parameters["depth"], "3");
        assert_eq!(lineage.author.as_ref().unwrap().name, "ada");
        assert_eq!(lineage.files.as_ref().unwrap().len(), 2);
        let json = serde_json::to_string(&lineage).unwrap();
        assert_eq!(serde_json::from_str::<registry::Lineage>(&json).unwrap(), lineage);
    }

    async fn a_version_registered_by_hand_says_what_it_misses_and_what_to_add(db: Database) {
        let fixture = registry(db).await;
        fixture.registry.create_model("ranker", None, Vec::new()).await.unwrap();
        let new = NewVersion { name: "ranker".to_owned(), source: "s3://b/m".to_owned(), ..NewVersion::default() };
        fixture.registry.create_version(&Principal::anonymous(), new).await.unwrap();
        let id = ModelVersion::new(ModelName::parse("ranker").unwrap(), 1);
        let lineage = fixture.registry.lineage(&id).await.unwrap();
        assert_eq!(missing(&lineage), ["run"]);
        assert!(lineage.author.unwrap().anonymous);

        let run = fixture.run_in("e").await;
        fixture.tag(&run, &[("crosstie.features", "not json"), ("crosstie.environment", "x")]).await;
        fixture.version_of("ranker", &run).await;
        let lineage = fixture.registry.lineage(&ModelVersion::parse("ranker/2").unwrap()).await.unwrap();
        assert_eq!(missing(&lineage), ["features", "git", "environment", "workflow", "datasets"]);
        assert!(lineage.missing.iter().all(|missing| !missing.add.is_empty() && !missing.line.is_empty()));
    }

    async fn the_tag_on_a_run_says_whether_it_is_releasable_and_follows_what_is_known(db: Database) {
        let fixture = registry(db).await;
        let plain = fixture.run_in("plain").await;
        fixture.end(&plain).await;
        assert_eq!(fixture.said(&plain).await, None, "a run without a model has nothing to release");

        let run = fixture.complete_run("clicks").await;
        assert_eq!(fixture.said(&run).await, None, "not before it ends");
        fixture.end(&run).await;
        assert_eq!(fixture.said(&run).await.as_deref(), Some("yes"));
        let judged = fixture.registry.run_lineage(&run.info.id).await.unwrap();
        assert!(judged.releasable && judged.has_model);

        fixture.registry.delete_tag(&run.info.id, "mlflow.source.git.dirty").await.unwrap();
        let said = fixture.said(&run).await.unwrap();
        assert!(said.starts_with("no: dirty: mlflow.set_tag("), "{said}");
        fixture.tag(&run, &[("crosstie.git.dirty", "true")]).await;
        assert!(fixture.said(&run).await.unwrap().starts_with("no: changes: mlflow.log_text("));
        let path = fixture.registry.evidence_file(&run.info.id, "train.ipynb").await.unwrap();
        fixture.registry.keep_evidence(&run.info.id, "train.ipynb", text("{}")).await.unwrap();
        assert_eq!(fixture.said(&run).await.as_deref(), Some("yes"));
        assert!(path.as_str().ends_with("/artifacts/crosstie/train.ipynb"), "{path}");
        fixture.registry.set_tag(&run.info.id, KeyValue::new("crosstie.features", "?")).await.unwrap();
        assert!(fixture.said(&run).await.unwrap().starts_with("no: features: "));

        // A run without a model is judged once a version is made of it.
        fixture.version_of("ranker", &plain).await;
        assert!(fixture.said(&plain).await.unwrap().starts_with("no: features: "));
    }

    async fn the_graph_leads_from_data_to_what_serves_and_back(db: Database) {
        let mut fixture = registry(db).await;
        fixture.registry = fixture.registry.with_deployments(std::sync::Arc::new(FirstServes));
        let run = fixture.complete_run("clicks").await;
        let model_id = fixture.registry.run(&run.info.id).await.unwrap().model_outputs[0].model_id.clone();
        fixture.registry.create_model("ranker", None, Vec::new()).await.unwrap();
        let new = NewVersion {
            name: "ranker".to_owned(),
            source: format!("models:/{model_id}"),
            run_id: Some(run.info.id.clone()),
            model_id: Some(model_id.clone()),
            ..NewVersion::default()
        };
        fixture.registry.create_version(&crate::fixture::editor(), new.clone()).await.unwrap();
        fixture.registry.create_version(&crate::fixture::editor(), new).await.unwrap();
        fixture.registry.set_alias(&crate::fixture::editor(), "ranker", "production", "1").await.unwrap();
        let other = fixture.run_in("other").await;
        fixture.registry.log_inputs(&other.info.id, vec![input("labels", "d2d2d2d2d2")], Vec::new()).await.unwrap();

        let first = ModelVersion::parse("ranker/1").unwrap();
        let (_, graph) = fixture.registry.lineage_graph(&first).await.unwrap();
        let edges: Vec<(String, String)> =
            graph.edges.iter().map(|edge| (edge.from.clone(), edge.to.clone())).collect();
        let run_node = format!("run:{}", run.info.id);
        let logged = format!("model:{model_id}");
        for (from, to) in [
            ("dataset:labels@d1d1d1d1d1", run_node.as_str()),
            (&format!("feature:user_activity@{}", Digest::of("x").hex()), &run_node),
            (&run_node, &logged),
            (&logged, "version:ranker/1"),
            ("version:ranker/1", "release:5"),
            ("release:5", "serving:ranker/1/stable"),
            ("version:ranker/1", "alias:ranker@production"),
        ] {
            assert!(edges.contains(&(from.to_owned(), to.to_owned())), "{from} → {to} in {edges:?}");
        }
        assert_eq!(edges.len(), 7, "{edges:?}");
        let run_facts = &graph.of_kind(NodeKind::Run).next().unwrap().facts;
        assert_eq!((run_facts["commit"].as_str(), run_facts["source"].as_str()), ("abc", "train.py"));
        assert_eq!(graph.to_dot(), fixture.registry.lineage_graph(&first).await.unwrap().1.to_dot());

        let readers = fixture.registry.readers_of_dataset("labels").await.unwrap();
        let live: Vec<&str> = readers.live_models.iter().map(ModelName::as_str).collect();
        assert_eq!(live, ["ranker"]);
        let serves: Vec<_> = readers.versions.iter().map(|reading| (reading.version.version, reading.live)).collect();
        assert_eq!(serves, [(1, true), (2, false)]);
        assert_eq!(readers.graph.of_kind(NodeKind::Dataset).count(), 2);
        assert_eq!(readers.graph.of_kind(NodeKind::Run).count(), 2, "a run without a version is shown, too");
        assert_eq!(readers.graph.of_kind(NodeKind::Feature).count(), 0, "only what comes from the data");
        assert_eq!(fixture.registry.readers_of_dataset("d1d1d1d1").await.unwrap().versions.len(), 2);
        assert!(fixture.registry.readers_of_dataset("d2d2d2d2d2").await.unwrap().live_models.is_empty());
        let by_feature = fixture.registry.readers_of_feature("user_activity").await.unwrap();
        assert_eq!((by_feature.versions.len(), by_feature.live_models.len()), (2, 1));
        assert!(fixture.registry.readers_of_feature("user").await.is_err());
        for nothing in ["nothing", "%", "________", "d1d1"] {
            assert!(fixture.registry.readers_of_dataset(nothing).await.is_err(), "{nothing}");
        }
        let listed = fixture.registry.read_datasets().await.unwrap();
        assert_eq!(listed.iter().map(|dataset| (dataset.digest.as_str(), dataset.runs)).collect::<Vec<_>>(),
            [("d1d1d1d1d1", 1), ("d2d2d2d2d2", 1)]);
        // What answers callers is told of, whatever became of its run.
        fixture.registry.delete_run(&run.info.id).await.unwrap();
        let readers = fixture.registry.readers_of_dataset("labels").await.unwrap();
        assert_eq!((readers.live_models.len(), readers.versions.len(), readers.more), (1, 2, false));
    }
}
