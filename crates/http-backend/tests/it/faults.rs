//! Servers that do not answer as declared: each is an error that says what was asked and what came.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use serde_json::{Value, json};
use serving::{BackendError, Tensor, TensorData};

use crate::server::{artifact, load, nobody, serve, serve_raw, spec};

const DECLARATION: &str = r#"
version: 1
url: http://ADDRESS/score
timeout: 10s
inputs: [{ name: user_id, datatype: INT64, shape: [-1] }]
request: { user: "${user_id}" }
outputs:
  - { name: probabilities, datatype: FP32, shape: [-1, 2] }
  - { name: label, datatype: INT8, shape: [-1] }
response: { probabilities: ["1 - /score", /score], label: /label }
"#;

fn users(count: i64) -> Vec<Tensor> {
    vec![Tensor::column("user_id", TensorData::Int64((0..count).collect()))]
}

/// What one row ends with.
async fn failure(declaration: &str, address: impl ToString) -> BackendError {
    let model = load(&declaration.replace("ADDRESS", &address.to_string())).await.unwrap();
    model.infer(users(1)).await.unwrap_err()
}

/// What a row ends with whose server answers `answer`.
async fn failure_of(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> BackendError {
    let address = serve(Router::new().route("/score", post(async move || answer))).await;
    let error = failure(DECLARATION, address).await;
    assert!(error.to_string().contains(&format!("POST http://{address}/score: ")), "{error}");
    error
}

#[tokio::test]
async fn answers_that_are_not_as_declared_name_the_url_and_the_pointer() {
    let good = json!({ "score": 0.5, "label": 1 });
    let with = |key: &str, value: Value| {
        let mut answer = good.clone();
        answer[key] = value;
        answer
    };
    for (answer, expected) in [
        (json!({ "label": 1 }), "/score (row 0) is not in the answer, which is the object {\"label\":1}"),
        (json!([]), "/score (row 0) is not in the answer, which is the array []"),
        (with("score", json!("0.5")), "/score (row 0) holds the text \"0.5\", and `1 - ` takes a number"),
        (with("score", Value::Null), "/score (row 0) holds null"),
        (with("score", json!({})), "/score (row 0) holds the object {}"),
        (with("score", json!(1e300)), "/score (row 0) holds the number -1e+300, and `probabilities` is FP32"),
        (with("label", json!(1.5)), "/label (row 0) holds the number 1.5, and `label` is INT8"),
        (with("label", json!(300)), "/label (row 0) holds the number 300, and `label` is INT8"),
        (with("label", json!(true)), "/label (row 0) holds the truth value true, and `label` is INT8"),
    ] {
        let error = failure_of(Json(answer)).await;
        assert!(matches!(error, BackendError::Execute { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn statuses_are_failures_of_the_right_kind() {
    let kind = |error: &BackendError| match error {
        BackendError::Execute { .. } => "execute",
        BackendError::Unavailable { .. } => "unavailable",
        BackendError::Input { .. } => "input",
        BackendError::Load { .. } => "load",
    };
    for (status, expected) in [
        (StatusCode::INTERNAL_SERVER_ERROR, "execute"),
        (StatusCode::NOT_FOUND, "execute"),
        (StatusCode::UNAUTHORIZED, "execute"),
        (StatusCode::BAD_REQUEST, "input"),
        (StatusCode::UNPROCESSABLE_ENTITY, "input"),
        (StatusCode::TOO_MANY_REQUESTS, "unavailable"),
        (StatusCode::BAD_GATEWAY, "unavailable"),
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    ] {
        let error = failure_of((status, "<html>\nKeyError: 'user'</html>")).await;
        assert_eq!(kind(&error), expected, "{error}");
        let text = error.to_string();
        assert!(text.contains(status.as_str()) && text.contains("<html> KeyError: 'user'</html>"), "{text}");
    }
    let error = failure_of(Redirect::temporary("/elsewhere")).await;
    assert!(error.to_string().contains("it answered 307"), "{error}");
}

#[tokio::test]
async fn what_is_no_json_is_quoted() {
    for (answer, expected) in [
        ("", "its answer is no JSON"),
        ("<html>oops</html>", "<html>oops</html>"),
        ("{\"score\": NaN}", "{\"score\": NaN}"),
        ("{\"score\": 0.5", "its answer is no JSON"),
    ] {
        let error = failure_of(answer).await;
        assert!(matches!(error, BackendError::Execute { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let deep = failure_of("[".repeat(100_000)).await.to_string();
    assert!(deep.contains("recursion limit") && deep.len() < 600, "{deep}");
    let invalid = failure_of(vec![0xff_u8; 64]).await.to_string();
    assert!(invalid.contains("its answer is no JSON"), "{invalid}");
}

#[tokio::test]
async fn servers_that_break_the_protocol_are_failures() {
    for (answer, expected) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "the connection broke"),
        (&b""[..], "the connection broke"),
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"score\""[..], "the connection broke"),
        (&b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"[..], "the connection broke"),
    ] {
        let address = serve_raw(answer, false).await;
        let error = failure(DECLARATION, address).await;
        assert!(matches!(error, BackendError::Execute { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(&format!("POST http://{address}/score")), "{text}");
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_the_timeout_for_any_part_of_an_answer() {
    let impatient = DECLARATION.replace("timeout: 10s", "timeout: 60ms");
    for answer in [&b""[..], &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"[..]] {
        let address = serve_raw(answer, true).await;
        let error = failure(&impatient, address).await;
        assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("POST http://{address}/score: no answer within 60ms")), "{error}");
    }
}

#[tokio::test]
async fn answers_without_an_end_are_not_read_to_it() {
    let error = failure_of(" ".repeat(17 << 20)).await;
    assert!(error.to_string().contains("its answer is longer than 16777216 bytes"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_found_again() {
    let address = nobody().await;
    let error = failure(DECLARATION, address).await;
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("POST http://{address}/score: no connection")), "{text}");
    assert!(text.contains("refused"), "{text}");
    let model = load(&DECLARATION.replace("ADDRESS", &address.to_string())).await.unwrap();
    model.infer(users(1)).await.unwrap_err();
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let answer = async || Json(json!({ "score": 0.5, "label": 1 }));
    let server = axum::serve(listener, Router::new().route("/score", post(answer)));
    tokio::spawn(async move { server.await });
    model.infer(users(1)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_unavailable() {
    let address = serve(Router::new()).await;
    let error = failure(&DECLARATION.replace("http://", "https://"), address).await;
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("POST https://{address}/score: no connection")), "{error}");
}

#[tokio::test]
async fn one_bad_row_fails_the_request_and_says_which() {
    let score = async |Json(request): Json<Value>| match request["user"].as_i64() {
        Some(3) => Json(json!({ "label": 1 })),
        _ => Json(json!({ "score": 0.5, "label": 1 })),
    };
    let address = serve(Router::new().route("/score", post(score))).await;
    let model = load(&DECLARATION.replace("ADDRESS", &address.to_string())).await.unwrap();
    let error = model.infer(users(5)).await.unwrap_err();
    assert!(error.to_string().contains("/score (row 3) is not in the answer"), "{error}");
    model.infer(users(3)).await.unwrap();
}

#[tokio::test]
async fn a_batch_must_have_an_answer_for_each_row() {
    let batch = r#"
version: 1
url: http://ADDRESS/score
inputs: [{ name: user_id, datatype: INT64, shape: [-1] }]
batch: { row: "${user_id}", answers: /predictions }
request: { instances: "${rows}" }
outputs: [{ name: pair, datatype: FP32, shape: [-1, 2] }]
response: { pair: /pair }
"#;
    for (answer, expected) in [
        (json!({}), "/predictions is not in the answer"),
        (json!({ "predictions": 1 }), "/predictions is the number 1, not an array"),
        (json!({ "predictions": [] }), "/predictions has 0 answers to 1 rows"),
        (json!({ "predictions": [{ "pair": [1] }] }), "/pair (row 0) holds 1 elements instead of 2"),
    ] {
        let address = serve(Router::new().route("/score", post(async move || Json(answer)))).await;
        let error = failure(batch, address).await;
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_is_the_callers_fault() {
    let declaration = DECLARATION.replace("INT64", "BYTES").replace("ADDRESS", &nobody().await.to_string());
    let model = load(&declaration).await.unwrap();
    let broken = TensorData::Bytes(vec![vec![0xff].into()]);
    let error = model.infer(vec![Tensor::column("user_id", broken)]).await.unwrap_err();
    assert!(matches!(error, BackendError::Input { .. }), "{error:?}");
    assert!(error.to_string().contains("input `user_id`: its text is not UTF-8"), "{error}");
}

#[tokio::test]
async fn a_version_with_a_health_path_loads_once_its_server_is_well() {
    let well = async || StatusCode::NO_CONTENT;
    let ill = async || (StatusCode::SERVICE_UNAVAILABLE, "loading the model");
    let address = serve(Router::new().route("/well", get(well)).route("/ill", get(ill))).await;
    let with = |health: &str, address: String| {
        DECLARATION.replace("version: 1", &format!("version: 1\nhealth: {health}")).replace("ADDRESS", &address)
    };
    load(&with("/well", address.to_string())).await.unwrap();
    let Err(error) = load(&with("/ill", address.to_string())).await else { panic!("it loaded") };
    let text = error.to_string();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    assert!(text.contains(&format!("GET http://{address}/ill: it answered 503")), "{text}");
    assert!(text.contains("loading the model"), "{text}");
    let Err(error) = load(&with("/well", nobody().await.to_string())).await else { panic!("it loaded") };
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn artifacts_without_a_declaration_are_refused() {
    let Err(error) = load("version: 1\nurl: nowhere").await else { panic!("it loaded") };
    assert!(matches!(error, BackendError::Load { .. }), "{error:?}");
    assert!(error.to_string().contains("http.yaml: "), "{error}");
    let folder = artifact("");
    std::fs::remove_file(folder.path().join(http_backend::FILE)).unwrap();
    let backend = http_backend::HttpBackend::new().unwrap();
    let Err(error) = serving::Backend::load(&backend, &spec(&folder)).await else { panic!("it loaded") };
    assert!(error.to_string().contains("the artifact holds no http.yaml"), "{error}");
}
