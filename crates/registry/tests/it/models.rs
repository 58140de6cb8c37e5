//! Registered models and versions: numbers, sources, aliases, stages, authors.

use artifacts::ArtifactPath;
use database::{Database, params};
use registry::{Author, Error, KeyValue, ModelSearch, NewLoggedModel, NewVersion, Transition, VersionSearch};
use types::{ModelName, ModelVersion, Principal};

use crate::fixture::{editor, registry};

fn id(version: u32) -> ModelVersion {
    ModelVersion::new(ModelName::parse("ranker").unwrap(), version)
}

fn new_version(source: &str) -> NewVersion {
    NewVersion { name: "ranker".to_owned(), source: source.to_owned(), ..NewVersion::default() }
}

database::testing::on_both! {
    async fn numbers_are_never_used_twice_and_deleted_versions_tell_nothing(db: Database) {
        let fixture = registry(db.clone()).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("e").await;
        for number in 1..=2 {
            assert_eq!(fixture.version_of("ranker", &run).await.version, number);
        }
        registry.set_alias(&editor(), "ranker", "best", "2").await.unwrap();
        registry.delete_version(&editor(), "ranker", "2").await.unwrap();
        assert_eq!(fixture.version_of("ranker", &run).await.version, 3);
        let gone = registry.version("ranker", "2").await.unwrap_err();
        assert_eq!(gone.to_string(), "Model Version (name=ranker, version=2) not found");
        assert_eq!(registry.version_of_alias(&id(1).model, "best").await.unwrap(), None);
        let redacted = db.read(async |tx| {
            let select = "SELECT source FROM model_versions WHERE version = 2 AND current_stage = 'Deleted_Internal'";
            tx.row(select, params![]).await?.map(|row| row.get::<String>("source")).transpose()
        });
        assert_eq!(redacted.await.unwrap().as_deref(), Some("REDACTED-SOURCE-PATH"));
    }

    async fn models_are_renamed_and_deleted_with_all_that_hangs_on_them(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("e").await;
        fixture.version_of("ranker", &run).await;
        registry.set_model_tag("ranker", KeyValue::new("a", "b")).await.unwrap();
        registry.set_version_tag("ranker", "1", KeyValue::new("c", "d")).await.unwrap();
        registry.set_alias(&editor(), "ranker", "best", "1").await.unwrap();
        registry.create_model("taken", None, Vec::new()).await.unwrap();
        assert!(matches!(registry.rename_model(&editor(), "ranker", "taken").await, Err(Error::AlreadyExists(_))));

        let renamed = registry.rename_model(&editor(), "ranker", "scorer").await.unwrap();
        assert_eq!((renamed.tags, renamed.aliases.len()), (vec![KeyValue::new("a", "b")], 1));
        let version = registry.version_by_alias("scorer", "best").await.unwrap();
        assert_eq!((version.version, version.tags), (1, vec![KeyValue::new("c", "d")]));
        let scorer = ModelVersion::new(ModelName::parse("scorer").unwrap(), 1);
        assert_eq!(registry.author(&scorer).await.unwrap().unwrap().name, "ada");

        registry.delete_model(&editor(), "scorer").await.unwrap();
        assert!(matches!(registry.model("scorer").await, Err(Error::NotFound(_))));
        assert_eq!(registry.models().await.unwrap().len(), 1);
    }

    async fn the_author_is_the_caller_and_never_that_of_an_earlier_version_of_the_same_number(db: Database) {
        let fixture = registry(db.clone()).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("e").await;
        fixture.version_of("ranker", &run).await;
        assert_eq!(registry.author(&id(1)).await.unwrap(), Some(Author { name: "ada".to_owned(), anonymous: false }));

        let source = format!("{}/model", run.info.artifact_uri);
        let new = NewVersion { run_id: Some(run.info.id.clone()), ..new_version(&source) };
        registry.create_version(&Principal::anonymous(), new).await.unwrap();
        assert!(registry.author(&id(2)).await.unwrap().unwrap().anonymous);

        // As if MLflow itself had made it, on a database that we had written to before.
        let theirs = "UPDATE model_versions SET creation_time = creation_time + 1 WHERE version = 1";
        db.write(async move |tx| tx.execute(theirs, params![]).await).await.unwrap();
        assert_eq!(registry.author(&id(1)).await.unwrap(), None);
    }

    async fn a_source_must_belong_to_what_the_request_names(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let (run, other) = (fixture.run_in("e").await.info, fixture.run_in("f").await.info);
        registry.create_model("ranker", None, Vec::new()).await.unwrap();
        let runs = format!("runs:/{}/model", run.id);
        for (source, run_id) in [
            ("/etc/passwd".to_owned(), Some(run.id.clone())),
            ("file:///etc".to_owned(), None),
            (format!("{}/../../secrets", run.artifact_uri), Some(run.id.clone())),
            (format!("{}/%2e%2e/x", run.artifact_uri), Some(run.id.clone())),
            ("models:/m-00000000000000000000000000000000".to_owned(), Some(run.id.clone())),
        ] {
            let new = NewVersion { run_id, ..new_version(&source) };
            let refused = registry.create_version(&editor(), new).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{source}: {refused:?}");
        }
        let new = NewVersion { run_id: Some(run.id.clone()), ..new_version(&runs) };
        registry.create_version(&editor(), new).await.unwrap();
        let record = registry.resolve(&id(1)).await.unwrap();
        let expected = format!("{}/{}/artifacts/model", run.experiment_id, run.id);
        assert_eq!(record.storage, ArtifactPath::parse(&expected).unwrap());
        assert_eq!(record.run_id.as_ref(), Some(&run.id));

        let place = format!("{}/model", run.artifact_uri);
        for (number, source) in [(2, &runs), (3, &place)] {
            let new = NewVersion { run_id: Some(other.id.clone()), ..new_version(source) };
            registry.create_version(&editor(), new).await.unwrap();
            let record = registry.resolve(&id(number)).await.unwrap();
            let why = "older clients may name any run; what counts is whose files these are";
            assert_eq!(record.run_id.as_ref(), Some(&run.id), "{source}: {why}");
            let judged = registry.lineage(&id(number)).await.unwrap().run.unwrap();
            assert_eq!(judged.id, run.id, "{source}: and that one is judged before a release");
        }
        let new = NewVersion { run_id: Some(run.id.clone()), ..new_version("mlflow-artifacts:/elsewhere") };
        registry.create_version(&editor(), new).await.unwrap();
        assert_eq!(registry.resolve(&id(4)).await.unwrap().run_id, None, "that run's files are not there");
    }

    async fn logged_models_and_other_versions_resolve_to_where_their_files_lie(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("e").await.info;
        registry.create_model("ranker", None, Vec::new()).await.unwrap();
        let new = NewLoggedModel {
            experiment_id: run.experiment_id.to_string(),
            source_run_id: Some(run.id.clone()),
            ..NewLoggedModel::default()
        };
        let model = registry.create_logged_model(new).await.unwrap();
        let source = format!("models:/{}", model.id);
        let new = NewVersion { model_id: Some(model.id.clone()), ..new_version(&source) };
        let version = registry.create_version(&editor(), new).await.unwrap();
        assert_eq!(version.run_id.as_deref(), Some(run.id.as_str()), "the logged model knows its run");
        let copy = registry.create_version(&editor(), new_version("models:/ranker/1")).await.unwrap();
        assert_eq!(copy.run_id, version.run_id);

        let place = format!("{}/models/{}/artifacts", run.experiment_id, model.id);
        for number in 1..=2 {
            let record = registry.resolve(&id(number)).await.unwrap();
            assert_eq!((record.storage.as_str(), record.model_id.as_ref()), (place.as_str(), Some(&model.id)));
        }
        assert_eq!(registry.download_uri("ranker", "2").await.unwrap(), model.artifact_uri);
        let listed = registry.logged_model(&model.id, false).await.unwrap();
        let tag = listed.tags.iter().find(|tag| tag.key == "mlflow.modelVersions").unwrap();
        assert_eq!(tag.value, r#"[{"name": "ranker", "version": 1}]"#);

        registry.create_version(&editor(), new_version("s3://bucket/model")).await.unwrap();
        assert!(matches!(registry.resolve(&id(3)).await, Err(Error::Elsewhere { .. })));

        registry.create_model("a@b", None, Vec::new()).await.unwrap();
        let new = NewVersion { name: "a@b".to_owned(), ..new_version("s3://bucket/other") };
        registry.create_version(&editor(), new).await.unwrap();
        registry.set_alias(&editor(), "a@b", "best", "1").await.unwrap();
        for (source, copied) in [("models:/ranker/LATEST", "models:/ranker/3"), ("models:/a@b@best", "models:/a@b/1")] {
            let copy = registry.create_version(&editor(), new_version(source)).await.unwrap();
            assert_eq!(copy.source.as_deref(), Some(copied), "{source}");
        }
        for source in ["models:/ranker/1/x", "models:/a@b@", "s3://bucket", "s3://bucket/./model"] {
            let refused = registry.create_version(&editor(), new_version(source)).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{source}: {refused:?}");
        }
    }

    async fn aliases_move_and_reserved_ones_are_refused(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("e").await;
        fixture.version_of("ranker", &run).await;
        fixture.version_of("ranker", &run).await;
        for version in ["1", "2"] {
            registry.set_alias(&editor(), "ranker", "best", version).await.unwrap();
        }
        assert_eq!(registry.version_of_alias(&id(1).model, "best").await.unwrap(), Some(2));
        assert_eq!(registry.version("ranker", "2").await.unwrap().aliases, ["best"]);
        for (alias, version) in [("latest", "1"), ("v1", "1"), ("a b", "1"), ("", "1"), ("x", "9"), ("x", "y")] {
            registry.set_alias(&editor(), "ranker", alias, version).await.unwrap_err();
        }
        assert_eq!(registry.version_by_alias("ranker", "latest").await.unwrap().version, 2);
        registry.delete_alias(&editor(), "ranker", "best").await.unwrap();
        registry.delete_alias(&editor(), "ranker", "best").await.unwrap();
        let missing = registry.version_by_alias("ranker", "best").await.unwrap_err();
        assert_eq!(missing.to_string(), "Registered model alias best not found.");
    }

    async fn stages_have_a_newest_version_each_and_archive_the_others(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let run = fixture.run_in("e").await;
        let to = |version: &str, stage: &str, archive_existing: bool| Transition {
            name: "ranker".to_owned(),
            version: version.to_owned(),
            stage: stage.to_owned(),
            archive_existing,
        };
        for _ in 0..3 {
            fixture.version_of("ranker", &run).await;
        }
        registry.transition_stage(&editor(), to("1", "production", false)).await.unwrap();
        let moved = registry.transition_stage(&editor(), to("2", "Production", true)).await.unwrap();
        assert_eq!(moved.stage, "Production");
        registry.transition_stage(&editor(), to("3", "None", true)).await.unwrap_err();
        registry.transition_stage(&editor(), to("3", "nowhere", false)).await.unwrap_err();
        let latest = registry.latest_versions("ranker", &[]).await.unwrap();
        let latest: Vec<_> = latest.iter().map(|version| (version.version, version.stage.as_str())).collect();
        assert_eq!(latest, [(1, "Archived"), (2, "Production"), (3, "None")]);
        assert_eq!(registry.latest_versions("ranker", &["staging".to_owned()]).await.unwrap(), []);
    }

    async fn searches_hide_prompts_unless_they_ask_for_them(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let prompt = vec![KeyValue::new("mlflow.prompt.is_prompt", "true")];
        registry.create_model("a prompt", None, prompt).await.unwrap();
        registry.create_model("ranker", None, vec![KeyValue::new("team", "x")]).await.unwrap();
        let found = async |filter: &str| {
            let search = ModelSearch { filter: filter.to_owned(), max_results: 10, ..ModelSearch::default() };
            let page = registry.search_models(search).await.unwrap();
            page.items.into_iter().map(|model| model.name).collect::<Vec<_>>()
        };
        assert_eq!(found("").await, ["ranker"]);
        assert_eq!(found("tags.`mlflow.prompt.is_prompt` = 'true'").await, ["a prompt"]);
        assert_eq!(found("tags.`mlflow.prompt.is_prompt` != 'true'").await, ["ranker"]);
        assert_eq!(found("tags.team = 'x' AND name LIKE 'r%'").await, ["ranker"]);
        assert_eq!(found("name IN ('ranker', 'a prompt')").await, ["ranker"]);
        let taken = registry.create_model("a prompt", None, Vec::new()).await.unwrap_err();
        assert!(taken.to_string().starts_with("Tried to create a registered model with name 'a prompt'"), "{taken}");
    }

    async fn versions_are_found_by_run_source_number_and_tag(db: Database) {
        let fixture = registry(db).await;
        let registry = &fixture.registry;
        let (one, two) = (fixture.run_in("e").await, fixture.run_in("f").await);
        fixture.version_of("ranker", &one).await;
        fixture.version_of("ranker", &two).await;
        registry.set_version_tag("ranker", "2", KeyValue::new("k", "v")).await.unwrap();
        let found = async |filter: String| {
            let search = VersionSearch { filter, max_results: 10, ..VersionSearch::default() };
            let page = registry.search_versions(search).await.unwrap();
            page.items.into_iter().map(|version| version.version).collect::<Vec<_>>()
        };
        assert_eq!(found("name = 'ranker'".to_owned()).await, [2, 1]);
        assert_eq!(found(format!("run_id = '{}'", one.info.id)).await, [1]);
        assert_eq!(found("version_number > 1 AND tags.k = 'v'".to_owned()).await, [2]);
        assert_eq!(found(format!("source_path LIKE '%{}%'", two.info.id)).await, [2]);
        assert_eq!(found("name ILIKE 'R%' AND tags.k != 'w'".to_owned()).await, [2]);
    }
}
