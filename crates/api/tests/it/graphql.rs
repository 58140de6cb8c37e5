//! MLflow's GraphQL calls, as its web client makes them and as nobody should.

use database::Database;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::mlflow::{Server, serve};

/// The answer to `query`; every one is 200.
async fn ask(server: &Server, query: &str, variables: Json) -> Json {
    let body = json!({ "query": query, "variables": variables });
    let (status, answer) = server.call(Method::POST, "/graphql", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{query}: {answer}");
    answer
}

/// The data of the answer to a query with nothing wrong.
async fn data(server: &Server, query: &str, variables: Json) -> Json {
    let answer = ask(server, query, variables).await;
    assert_eq!(answer["errors"], Json::Null, "{query}");
    answer["data"].clone()
}

/// The only error of a query that is refused.
async fn error(server: &Server, query: &str) -> String {
    let answer = ask(server, query, json!({})).await;
    assert_eq!(answer["data"], Json::Null, "{query}");
    answer["errors"][0].as_str().unwrap().to_owned()
}

/// A run with a metric, a NaN, a param and a version that has an alias, by its id.
async fn run(server: &Server) -> String {
    let api = |path: &str| format!("/api/2.0/mlflow/{path}");
    let post = async |path: &str, body: Json| {
        let (status, answer) = server.call(Method::POST, &api(path), Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    };
    let made =
        post("runs/create", json!({ "experiment_id": "0", "run_name": "r", "start_time": 1_700_000_000_123_i64 }))
            .await;
    let id = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let metric =
        |key: &str, value: Json, step: i64| json!({ "key": key, "value": value, "timestamp": 1, "step": step });
    let metrics = json!([metric("auc", json!(0.5), 0), metric("auc", json!(0.7), 1), metric("nan", json!("NaN"), 0)]);
    let params = json!([{ "key": "depth", "value": "3" }]);
    post("runs/log-batch", json!({ "run_id": id, "metrics": metrics, "params": params })).await;
    post("registered-models/create", json!({ "name": "m" })).await;
    let source = format!("{}/model", made["run"]["info"]["artifact_uri"].as_str().unwrap());
    post("model-versions/create", json!({ "name": "m", "source": source, "run_id": id })).await;
    post("registered-models/alias", json!({ "name": "m", "alias": "best", "version": "1" })).await;
    id
}

database::testing::on_both! {
    async fn a_long_variable_is_not_put_into_many_places(db: Database) {
        let server = serve(db, true).await;
        let query = |uses: usize| {
            let filter = "$v ".repeat(uses);
            format!("query($v:String){{mlflowSearchRuns(input:{{experimentIds:[{filter}]}}){{runs{{info{{runId}}}}}}}}")
        };
        let answer = ask(&server, &query(80_000), json!({ "v": "0".repeat(100_000) })).await;
        let errors = answer["errors"].as_array().unwrap();
        assert!(errors.iter().any(|error| error.as_str().unwrap().contains("longer than 4194304 bytes")), "{errors:?}");
        assert!(answer["data"].is_null() && answer.to_string().len() < 1_000_000);
        let answer = ask(&server, &query(80), json!({ "v": "0" })).await;
        assert!(answer["errors"].is_null(), "{answer}");
        let twice = ask(&server, "query($v:Int $v:Int){mlflowGetRun(input:{runId:$v}){run{info{runId}}}}", json!({})).await;
        assert!(twice.to_string().contains("only one variable named '$v'"), "{twice}");
    }

    async fn a_run_is_read_with_variables_fragments_and_aliases(db: Database) {
        let server = serve(db, true).await;
        let id = run(&server).await;
        let query = "query GetRun($data: MlflowGetRunInput!, $all: Boolean = true) @component(name: \"X\") {
            __typename
            one: mlflowGetRun(input: $data) {
                apiError { code __typename }
                run { ...Data experiment { name } modelVersions { name version status aliases deploymentJobState { jobId jobState } } }
            }
        }
        fragment Data on MlflowRunExtension {
            info { runId runName status startTime endTime }
            ... on MlflowRunExtension { data { metrics { key value step } params @include(if: $all) { key value } tags @skip(if: $all) { key } } }
            inputs { datasetInputs { dataset { name } } }
        }";
        let answer = data(&server, query, json!({ "data": { "runId": id } })).await;
        assert_eq!(answer, json!({ "__typename": "Query", "one": { "apiError": null, "run": {
            "info": { "runId": id, "runName": "r", "status": "RUNNING", "startTime": "1700000000123", "endTime": "0" },
            "data": {
                "metrics": [{ "key": "auc", "value": 0.7, "step": "1" }, { "key": "nan", "value": null, "step": "0" }],
                "params": [{ "key": "depth", "value": "3" }],
            },
            "inputs": { "datasetInputs": [] },
            "experiment": { "name": "Default" },
            "modelVersions": [{ "name": "m", "version": "1", "status": "READY", "aliases": [], "deploymentJobState": { "jobId": "", "jobState": null } }],
        } } }));
    }

    async fn every_call_of_the_schema_answers(db: Database) {
        let server = serve(db, true).await;
        let id = run(&server).await;
        let input = json!({ "experimentIds": ["0"], "runViewType": "ACTIVE_ONLY", "maxResults": 5, "filter": "metrics.auc > 0.6" });
        for kind in ["query", "mutation"] {
            let query = format!("{kind} S($i: MlflowSearchRunsInput) {{ mlflowSearchRuns(input: $i) {{ runs {{ info {{ runUuid }} }} nextPageToken }} }}");
            let found = data(&server, &query, json!({ "i": input })).await;
            assert_eq!(found["mlflowSearchRuns"], json!({ "runs": [{ "info": { "runUuid": id } }], "nextPageToken": "" }));
        }
        let history = format!("{{ mlflowGetMetricHistoryBulkInterval(input: {{runIds: \"{id}\", metricKey: \"auc\", startStep: 1, endStep: 1}}) {{ metrics {{ value runId }} }} }}");
        assert_eq!(data(&server, &history, json!({})).await["mlflowGetMetricHistoryBulkInterval"]["metrics"], json!([{ "value": 0.7, "runId": id }]));
        let versions = "{ mlflowSearchModelVersions(input: {filter: \"name = 'm'\", maxResults: 1}) { modelVersions { runId aliases tags { key } currentStage } } }";
        assert_eq!(data(&server, versions, json!({})).await["mlflowSearchModelVersions"]["modelVersions"], json!([{ "runId": id, "aliases": [], "tags": [], "currentStage": "None" }]));
        let files = format!("{{ mlflowListArtifacts(input: {{runId: \"{id}\"}}) {{ files {{ path isDir fileSize }} }} }}");
        assert_eq!(data(&server, &files, json!({})).await["mlflowListArtifacts"]["files"], json!([]));
        let datasets = "mutation { mlflowSearchDatasets(input: {experimentIds: [\"0\"]}) { datasetSummaries { name } } }";
        assert_eq!(data(&server, datasets, json!({})).await["mlflowSearchDatasets"]["datasetSummaries"], json!([]));
        assert_eq!(data(&server, "{ test(inputString: \"a\") { output __typename } }", json!({})).await["test"], json!({ "output": "a", "__typename": "Test" }));
        let (status, answer) = server.call(Method::GET, "/graphql?query=%7Btest(inputString:%22x%22)%7Boutput%7D%7D", None).await;
        assert_eq!((status, &answer["data"]["test"]["output"]), (StatusCode::OK, &json!("x")));
    }

    async fn what_fails_is_null_and_the_rest_is_answered(db: Database) {
        let server = serve(db, true).await;
        let answer = ask(&server, "{ a: test(inputString: \"x\") { output } b: mlflowGetRun(input: {runId: \"nope\"}) { run { info { runId } } } c: test { output } }", json!({})).await;
        assert_eq!(answer["data"], json!({ "a": { "output": "x" }, "b": null, "c": null }));
        assert_eq!(answer["errors"][0], "Run with id=nope not found");
        assert!(answer["errors"][1].as_str().unwrap().contains("'inputString'"), "{answer}");
    }

    async fn what_is_wrong_with_a_query_is_said_before_anything_is_read(db: Database) {
        let server = serve(db, true).await;
        for (query, said) in [
            ("{ mlflowGetRun(input: {runId: ", "Syntax Error: Unexpected <EOF>."),
            ("{ nonsense { a } }", "Cannot query field 'nonsense' on type 'Query'."),
            ("{ mlflowGetRun(input: {runId: 5}) { run { info { runId } } } }", "String cannot represent a non string value: 5"),
            ("{ mlflowGetRun(input: {id: \"5\"}) { run { info { runId } } } }", "Field 'id' is not defined by type 'MlflowGetRunInput'."),
            ("{ mlflowGetRun(of: 1) { run { info { runId } } } }", "Unknown argument 'of' on field 'Query.mlflowGetRun'."),
            ("{ mlflowGetRun(input: {runId: \"5\"}) { run { nope } } }", "Cannot query field 'nope' on type 'MlflowRunExtension'."),
            ("{ mlflowGetRun(input: {runId: \"5\"}) { run } }", "Field 'run' of type 'MlflowRunExtension' must have a selection"),
            ("{ test(inputString: \"x\") { output { a } } }", "Field 'output' must not have a selection"),
            ("{ test(inputString: \"x\") { ...F } }", "Unknown fragment 'F'."),
            ("{ test(inputString: \"x\") { ... on MlflowRun { a } } }", "Fragment cannot be spread here"),
            ("{ test(inputString: $x) { output } }", "Variable '$x' is not defined."),
            ("query($x: String!) { test(inputString: $x) { output } }", "Variable '$x' of required type 'String!' was not provided."),
            ("{ test(inputString: \"x\") @nope { output } }", "Unknown directive '@nope'."),
            ("{ a: test(inputString: \"x\") { output } a: test(inputString: \"y\") { output } }", "Fields 'a' conflict"),
            ("query A { test(inputString: \"x\") { output } } query B { __typename }", "Must provide operation name"),
            ("{ mlflowSearchRuns(input: {runViewType: SOME}) { nextPageToken } }", "Value 'SOME' does not exist in 'MlflowViewType' enum."),
            ("subscription { a }", "There are no subscriptions."),
            ("{ __schema { types { name } } }", "Cannot query field '__schema' on type 'Query'."),
        ] {
            let found = error(&server, query).await;
            assert!(found.starts_with(said), "{query}: {found}");
        }
    }
}
