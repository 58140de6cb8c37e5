//! Calls that only MLflow's web client makes.

use database::Database;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::mlflow::{Server, serve};

async fn run(server: &Server) -> String {
    let made = server.call(Method::POST, "/api/2.0/mlflow/runs/create", Some(json!({ "experiment_id": "0" }))).await;
    made.1["run"]["info"]["run_id"].as_str().unwrap().to_owned()
}

database::testing::on_both! {
    async fn an_uploaded_file_is_read_back_and_nothing_else_is_taken(db: Database) {
        let server = serve(db, true).await;
        let id = run(&server).await;
        let upload = async |query: &str, origin: Option<&str>, body: Vec<u8>| {
            let mut request = server.http().post(server.url(&format!("/ajax-api/2.0/mlflow/upload-artifact?{query}"))).body(body);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let response = request.send().await.unwrap();
            (response.status(), response.text().await.unwrap())
        };
        let here = server.url("");
        let path = format!("run_uuid={id}&path=notes/words.txt");
        assert_eq!(upload(&path, Some(&here), b"hello".to_vec()).await.0, StatusCode::OK);
        let read = server.http().get(server.url(&format!("/get-artifact?{path}"))).send().await.unwrap();
        assert_eq!(read.text().await.unwrap(), "hello");
        for (query, body, said) in [
            (String::new(), b"x".to_vec(), "Request must specify run_uuid."),
            (format!("run_uuid={id}"), b"x".to_vec(), "Request must specify path."),
            (format!("run_uuid={id}&path=..%2f..%2fx"), b"x".to_vec(), "Invalid path"),
            (path.clone(), Vec::new(), "Request must specify data."),
            (path.clone(), vec![0; 10 * 1024 * 1024 + 1], "Max size is 10MB"),
        ] {
            let (status, answer) = upload(&query, None, body).await;
            assert!(status == StatusCode::BAD_REQUEST && answer.contains(said), "{query}: {status} {answer}");
        }
        let (status, _) = upload(&path, Some("http://evil.example"), b"x".to_vec()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "another site's page writes nothing");
    }

    async fn lists_of_what_this_server_does_not_have_are_empty_only_while_there_is_nothing(db: Database) {
        let server = serve(db.clone(), true).await;
        let traces = json!({ "locations": [{ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": "0" } }] });
        let count = json!({ "experiment_ids": ["0"], "metric_name": "trace_count", "aggregations": [{ "aggregation_type": "COUNT" }] });
        let calls = [
            (Method::POST, "traces/search", Some(traces)),
            (Method::POST, "traces/metrics", Some(count)),
            (Method::POST, "datasets/search", Some(json!({ "experiment_ids": ["0"] }))),
            (Method::GET, "scorers/list?experiment_id=0", None),
        ];
        for (method, path, body) in &calls {
            let (status, answer) = server.call(method.clone(), &format!("/ajax-api/3.0/mlflow/{path}"), body.clone()).await;
            assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            let counted = json!({ "data_points": [{ "metric_name": "trace_count", "values": { "COUNT": 0.0 } }] });
            assert_eq!(answer, if *path == "traces/metrics" { counted } else { json!({}) }, "{path}");
        }
        db.write::<_, _, registry::Error>(async move |tx| {
            tx.execute("INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES ('t', 0, 1, 'OK')", Vec::new()).await?;
            tx.execute("INSERT INTO scorers (experiment_id, scorer_name, scorer_id) VALUES (0, 's', 's')", Vec::new()).await?;
            tx.execute(
                "INSERT INTO entity_associations (association_id, source_type, source_id, destination_type, destination_id)
                 VALUES ('a', 'evaluation_dataset', 'd', 'experiment', '0')",
                Vec::new(),
            )
            .await?;
            Ok(())
        })
        .await
        .unwrap();
        for (method, path, body) in calls {
            let (status, answer) = server.call(method, &format!("/ajax-api/3.0/mlflow/{path}"), body).await;
            assert_eq!((status, &answer["error_code"]), (StatusCode::NOT_IMPLEMENTED, &json!("NOT_IMPLEMENTED")), "{path}");
        }
    }

    async fn what_it_asks_about_the_server_is_answered_with_nothing_and_no(db: Database) {
        let server = serve(db, true).await;
        for (path, answer) in [
            ("2.0/mlflow/users/current", json!({})),
            ("2.0/mlflow/gateway-proxy?gateway_path=api%2F2.0%2Fendpoints%2F", json!({ "endpoints": [] })),
            ("3.0/mlflow/ui-telemetry", json!({ "disable_ui_telemetry": true, "disable_ui_events": [], "ui_rollout_percentage": 0 })),
            ("3.0/mlflow/assistant/config", json!({ "providers": {}, "projects": {}, "remote_access_allowed": false })),
        ] {
            let (status, said) = server.call(Method::GET, &format!("/ajax-api/{path}"), None).await;
            assert_eq!((status, said), (StatusCode::OK, answer), "{path}");
        }
        let asked = Some(json!({ "gateway_path": "api/2.0/endpoints/" }));
        let (status, said) = server.call(Method::POST, "/ajax-api/2.0/mlflow/gateway-proxy", asked).await;
        assert_eq!((status, said), (StatusCode::OK, json!({ "endpoints": [] })));
    }

    async fn what_mlflow_serves_beside_its_own_api_is_known_and_not_there(db: Database) {
        let server = serve(db, true).await;
        for (method, path) in [
            (Method::GET, "/api/3.0/mlflow/mcp-servers"),
            (Method::PATCH, "/ajax-api/3.0/mlflow/mcp-servers/a/b/versions/1"),
            (Method::POST, "/ajax-api/3.0/jobs/"),
            (Method::GET, "/ajax-api/3.0/jobs/1"),
            (Method::POST, "/ajax-api/3.0/jobs/search"),
            (Method::PATCH, "/ajax-api/3.0/jobs/cancel/1"),
            (Method::POST, "/ajax-api/3.0/mlflow/assistant/message"),
            (Method::GET, "/ajax-api/3.0/mlflow/assistant/sessions/1/stream"),
            (Method::POST, "/gateway/chat/mlflow/invocations"),
        ] {
            let (status, answer) = server.call(method, path, None).await;
            assert_eq!((status, &answer["error_code"]), (StatusCode::NOT_IMPLEMENTED, &json!("NOT_IMPLEMENTED")), "{path}");
        }
    }
}
