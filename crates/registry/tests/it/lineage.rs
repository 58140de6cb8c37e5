//! Lineage as it is read off standard MLflow calls, and what it says when they were not made.

use database::Database;
use registry::{Dataset, DatasetInput, KeyValue, NewVersion, RunBatch};
use types::{Digest, ModelName, ModelVersion, Principal};

use crate::fixture::registry;

fn missing(lineage: &registry::Lineage) -> Vec<&str> {
    lineage.missing.iter().map(|missing| missing.what.as_str()).collect()
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
        let batch = RunBatch {
            tags: tags.map(|(key, value)| KeyValue::new(key, value)).to_vec(),
            params: vec![KeyValue::new("depth", "3")],
            ..RunBatch::default()
        };
        fixture.registry.log_batch(&run.info.id, batch).await.unwrap();
        let dataset = Dataset {
            name: "labels".to_owned(),
            digest: "d1".to_owned(),
            source_type: "local".to_owned(),
            source: "{}".to_owned(),
            schema: None,
            profile: None,
        };
        let input = DatasetInput { dataset, tags: vec![KeyValue::new("mlflow.data.context", "training")] };
        fixture.registry.log_inputs(&run.info.id, vec![input], Vec::new()).await.unwrap();
        fixture.version_of("ranker", &run).await;

        let id = ModelVersion::parse("ranker/1").unwrap();
        let lineage = fixture.registry.lineage(&id).await.unwrap();
        assert_eq!(missing(&lineage), [""; 0]);
        let known = lineage.run.as_ref().unwrap();
        assert_eq!((known.experiment.as_str(), known.params["depth"].as_str()), ("clicks", "3"));
        assert_eq!(lineage.datasets[0].context.as_deref(), Some("training"));
        assert_eq!(lineage.features["user_activity"].to_string(), digest);
        assert_eq!(lineage.git.as_ref().unwrap().dirty, Some(true));
        assert_eq!(lineage.environment.unwrap().to_string(), digest);
        assert_eq!(lineage.workflow.as_ref().unwrap().parameters["depth"], "3");
        assert_eq!(lineage.author.as_ref().unwrap().name, "ada");
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
        let tags = vec![KeyValue::new("crosstie.features", "not json"), KeyValue::new("crosstie.environment", "x")];
        fixture.registry.log_batch(&run.info.id, RunBatch { tags, ..RunBatch::default() }).await.unwrap();
        fixture.version_of("ranker", &run).await;
        let lineage = fixture.registry.lineage(&ModelVersion::parse("ranker/2").unwrap()).await.unwrap();
        assert_eq!(missing(&lineage), ["features", "git", "environment", "datasets"]);
        assert!(lineage.missing.iter().all(|missing| !missing.add.is_empty()));
    }
}
