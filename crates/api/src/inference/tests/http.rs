//! Requests over HTTP.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use types::{PredictionId, Role};

use super::Servers;

async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn get(servers: &Servers, path: &str) -> (StatusCode, Value) {
    let response = Client::new().get(servers.url(path)).send().await.unwrap();
    (response.status(), json(response).await)
}

async fn post(servers: &Servers, path: &str, body: Value) -> (StatusCode, Value) {
    let response = Client::new().post(servers.url(path)).json(&body).send().await.unwrap();
    (response.status(), json(response).await)
}

fn row() -> Value {
    json!({ "id": "r-1", "inputs": [{ "name": "input", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2.5]] }] })
}

#[tokio::test]
async fn an_answer_has_the_version_and_the_prediction_id_of_what_was_logged() {
    let servers = Servers::start(true).await;
    let (status, answer) = post(&servers, "models/ranker/infer", row()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        (&answer["id"], &answer["model_name"], &answer["model_version"]),
        (&json!("r-1"), &json!("ranker"), &json!("1"))
    );
    let outputs = json!([{ "name": "sum", "datatype": "FP64", "shape": [1, 1], "data": [1003.5] }]);
    assert_eq!(answer["outputs"], outputs);
    assert_eq!(
        (&answer["parameters"]["model_version"], &answer["parameters"]["degraded"]),
        (&json!("1"), &json!(false))
    );
    let id = PredictionId::parse(answer["parameters"]["prediction_id"].as_str().unwrap()).unwrap();
    let logged = servers.predictions.take().remove(0);
    assert_eq!((logged.id, logged.principal.as_str()), (id, "anonymous"));
    let (status, answer) = post(&servers, "models/ranker/versions/1/infer", row()).await;
    assert_eq!((status, &answer["outputs"]), (StatusCode::OK, &outputs));
}

#[tokio::test]
async fn binary_tensors_go_both_ways() {
    let servers = Servers::start(true).await;
    let header = json!({
        "parameters": { "binary_data_output": true },
        "inputs": [{ "name": "input", "shape": [1, 2], "datatype": "FP32", "parameters": { "binary_data_size": 8 } }],
    });
    let mut body = header.to_string().into_bytes();
    let json_length = body.len().to_string();
    body.extend([1.0_f32, 2.5].iter().flat_map(|element| element.to_le_bytes()));
    let request = Client::new().post(servers.url("models/ranker/infer")).body(body);
    let response = request.header("Inference-Header-Content-Length", json_length).send().await.unwrap();
    let length: usize = response.headers()["Inference-Header-Content-Length"].to_str().unwrap().parse().unwrap();
    let answer = response.bytes().await.unwrap();
    let header: Value = serde_json::from_slice(&answer[..length]).unwrap();
    assert_eq!(header["outputs"][0]["parameters"]["binary_data_size"], 8);
    assert_eq!(answer[length..], 1003.5_f64.to_le_bytes());
}

#[tokio::test]
async fn refusals_have_tritons_shape_and_name_what_is_wrong() {
    let servers = Servers::start(true).await;
    let of = |name: &str, datatype: &str, shape: Value, data: Value| json!({ "inputs": [{ "name": name, "shape": shape, "datatype": datatype, "data": data }] });
    for (path, body, status, said) in [
        ("models/nobody/infer", row(), StatusCode::NOT_FOUND, "unknown model `nobody`"),
        ("models/ranker/versions/7/infer", row(), StatusCode::NOT_FOUND, "does not serve version 7 (it serves 1)"),
        (
            "models/ranker/versions/2/infer",
            row(),
            StatusCode::FORBIDDEN,
            "naming version 2 of model `ranker` needs a token",
        ),
        ("models/ranker/versions/x/infer", row(), StatusCode::BAD_REQUEST, "model version `x`"),
        ("models/ranker/infer", json!({}), StatusCode::BAD_REQUEST, "the request has no inputs"),
        ("models/ranker/infer", json!([1]), StatusCode::BAD_REQUEST, "not valid JSON"),
        (
            "models/ranker/infer",
            of("input", "FP64", json!([1, 2]), json!([1, 2])),
            StatusCode::BAD_REQUEST,
            "input `input` has type FP64, expected FP32",
        ),
        (
            "models/ranker/infer",
            of("input", "FP32", json!([1, 3]), json!([1, 2, 3])),
            StatusCode::BAD_REQUEST,
            "input `input` has shape [1, 3], expected [-1, 2]",
        ),
        (
            "models/ranker/infer",
            of("other", "FP32", json!([1, 2]), json!([1, 2])),
            StatusCode::BAD_REQUEST,
            "missing input `input`",
        ),
    ] {
        let (answered, error) = post(&servers, path, body).await;
        assert_eq!(answered, status, "{error}");
        assert!(error["error"].as_str().unwrap().contains(said), "{error}");
    }
    let oversized = Client::new().post(servers.url("models/ranker/infer")).body(vec![b' '; (64 << 20) + 1]);
    assert_eq!(oversized.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn health_and_descriptions_have_the_protocols_bodies() {
    let servers = Servers::start(true).await;
    assert_eq!(get(&servers, "health/live").await, (StatusCode::OK, json!({ "live": true })));
    assert_eq!(get(&servers, "health/ready").await, (StatusCode::OK, json!({ "ready": true })));
    let ready = json!({ "name": "ranker", "ready": true });
    assert_eq!(get(&servers, "models/ranker/ready").await, (StatusCode::OK, ready));
    assert_eq!(get(&servers, "models/nobody/ready").await.0, StatusCode::NOT_FOUND);
    let (_, metadata) = get(&servers, "models/ranker").await;
    assert_eq!((&metadata["versions"], &metadata["inputs"][0]["datatype"]), (&json!(["1"]), &json!("FP32")));
    let (_, config) = get(&servers, "models/ranker/config").await;
    assert_eq!(config["input"], json!([{ "name": "input", "data_type": "TYPE_FP32", "dims": [-1, 2] }]));
    post(&servers, "models/ranker/infer", row()).await;
    let (_, statistics) = get(&servers, "models/ranker/stats").await;
    assert_eq!(statistics["model_stats"][0]["inference_stats"]["success"]["count"], 1);
    let (_, index) = post(&servers, "repository/index", json!({})).await;
    assert_eq!(index, json!([{ "name": "ranker", "version": "1", "state": "READY", "reason": "" }]));
}

#[tokio::test]
async fn where_tokens_are_needed_only_health_answers_without_one() {
    let servers = Servers::start(false).await;
    assert_eq!(get(&servers, "health/ready").await.0, StatusCode::OK);
    let (status, error) = post(&servers, "models/ranker/infer", row()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(error["error"].is_string(), "{error}");
    let viewer = servers.token(Role::Viewer).await;
    let with_token = |path: &str| Client::new().post(servers.url(path)).bearer_auth(&viewer).json(&row()).send();
    assert_eq!(with_token("models/ranker/infer").await.unwrap().status(), StatusCode::OK);
    assert_eq!(servers.predictions.take()[0].principal, "viewer");
    assert_eq!(with_token("repository/models/ranker/unload").await.unwrap().status(), StatusCode::FORBIDDEN);
}
