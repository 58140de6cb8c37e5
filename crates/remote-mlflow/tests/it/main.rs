//! What a client shows, how often it asks, and what it takes, against a server of the test's own. What it makes of MLflow's
//! answers is tried with the real server (`crates/crosstie/tests/it/remote.rs`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, body::Body, extract::Request, response::Response, routing::any};
use registry::{Origin as _, OriginError};
use remote_mlflow::{Credentials, Error, Passed, RemoteMlflow};
use reqwest::{Method, header::HeaderMap};
use serde_json::json;
use types::{ErrorKind, ModelName, Secret};

/// A server that answers every call so, and how often it was asked.
async fn server(answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("mlflow+http://{}", listener.local_addr().unwrap());
    let counted = Arc::clone(&asked);
    let handler = any(move |request: Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        let response = answer(request);
        async move { response }
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    (address, asked)
}

fn answer(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("retry-after", "0").body(body.into()).unwrap()
}

fn client(address: &str, credentials: &Credentials) -> RemoteMlflow {
    RemoteMlflow::new(address.parse().unwrap(), credentials).unwrap()
}

async fn aliased(client: &RemoteMlflow) -> Result<Option<u32>, OriginError> {
    client.aliased(&ModelName::parse("ranker").unwrap(), "production").await
}

#[tokio::test]
async fn a_user_with_a_password_is_shown_as_basic() {
    let (address, _) = server(|request| {
        // me:secret
        let shown = request.headers().get("authorization").and_then(|shown| shown.to_str().ok());
        match shown {
            Some("Basic bWU6c2VjcmV0") => answer(200, r#"{"model_version": {"name": "ranker", "version": "7"}}"#),
            Some(_) | None => answer(401, "who are you?"),
        }
    })
    .await;
    let password = Secret::new("secret".to_owned());
    let known = client(&address, &Credentials::Basic { user: "me".to_owned(), password });
    assert_eq!(aliased(&known).await.unwrap(), Some(7));
    let unknown = aliased(&client(&address, &Credentials::None)).await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::FailedPrecondition);
    assert!(unknown.to_string().contains("MLFLOW_TRACKING_USERNAME"), "{unknown}");
}

#[tokio::test]
async fn what_may_pass_is_asked_again_a_few_times_and_what_may_not_is_not() {
    for (status, times, kind) in [
        (503, 4, ErrorKind::Unavailable),
        (429, 4, ErrorKind::Unavailable),
        (403, 1, ErrorKind::FailedPrecondition),
        (302, 1, ErrorKind::InvalidArgument),
    ] {
        let (address, asked) = server(move |_| answer(status, "no")).await;
        let refused = aliased(&client(&address, &Credentials::None)).await.unwrap_err();
        assert_eq!((refused.kind, asked.load(Ordering::SeqCst)), (kind, times), "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let (address, _) = server(|_| {
        let piece = || Ok::<_, std::io::Error>(vec![b' '; 1 << 16]);
        answer(200, Body::from_stream(futures::stream::repeat_with(piece)))
    })
    .await;
    let endless = aliased(&client(&address, &Credentials::None)).await.unwrap_err();
    assert!(endless.to_string().contains("longer than"), "{endless}");
}

#[tokio::test]
async fn a_listing_without_end_is_left() {
    // Tokens a, b, a, b, …: each another than the one before.
    let page = |request: &Request| {
        let next = if request.uri().query().unwrap_or_default().contains("page_token=a") { "b" } else { "a" };
        let files = (0..1_000).map(|n| json!({ "path": format!("model/{n}"), "is_dir": false }));
        json!({ "files": files.collect::<Vec<_>>(), "next_page_token": next })
    };
    let run = json!({ "info": { "run_id": "r", "artifact_uri": "s3://b/r", "experiment_id": "0",
        "status": "FINISHED", "lifecycle_stage": "active" }, "data": {} });
    let (address, asked) = server(move |request| {
        let answered = match request.uri().path() {
            "/api/2.0/mlflow/artifacts/list" => page(&request),
            "/api/2.0/mlflow/model-versions/get" => json!({ "model_version": {
                "name": "ranker", "version": "1", "source": "s3://b/r/model", "run_id": "r" } }),
            "/api/2.0/mlflow/model-versions/get-download-uri" => json!({ "artifact_uri": "s3://b/r/model" }),
            "/api/2.0/mlflow/runs/get" => json!({ "run": run }),
            _ => json!({ "experiment": { "experiment_id": "0", "name": "e" } }),
        };
        answer(200, answered.to_string())
    })
    .await;
    let client = client(&address, &Credentials::None);
    let version = types::ModelVersion::new(ModelName::parse("ranker").unwrap(), 1);
    let version = client.version(&version).await.unwrap();
    let error = client.files(registry::OriginFolder::Version(&version)).await.unwrap_err();
    assert!(error.to_string().contains("files in one place"), "{error}");
    assert!(asked.load(Ordering::SeqCst) < 30);
}

#[tokio::test]
async fn a_call_is_handed_through_without_the_callers_credentials_and_not_out_of_the_api() {
    let (address, asked) = server(|request| {
        let shown = request.headers().get("authorization").map(|shown| shown.to_str().unwrap().to_owned());
        let cookie = request.headers().contains_key("cookie");
        answer(418, format!("{} {shown:?} {cookie}", request.uri()))
    })
    .await;
    let client = client(&address, &Credentials::Token(Secret::new("ours".to_owned())));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer theirs".parse().unwrap());
    headers.insert("cookie", "session=theirs".parse().unwrap());
    let passed = |path: &str| Passed {
        method: Method::GET,
        path: path.to_owned(),
        query: Some("a=%2F".to_owned()),
        headers: headers.clone(),
        body: bytes::Bytes::new(),
    };
    let answered = client.forward(passed("/api/2.0/mlflow/runs%20x/get")).await.unwrap();
    let pieces: Vec<_> = futures::TryStreamExt::try_collect(answered.content).await.unwrap();
    assert_eq!(answered.status.as_u16(), 418);
    assert_eq!(pieces.concat(), br#"/api/2.0/mlflow/runs%20x/get?a=%2F Some("Bearer ours") false"#);
    for path in ["/api/2.0/../x", "/api/%2e%2e/x", "/api/2.0/mlflow-artifacts/artifacts/.%2E/%2e./x"] {
        assert!(matches!(client.forward(passed(path)).await, Err(Error::Path)), "{path}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
