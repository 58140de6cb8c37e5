//! What servers are asked, and how their answers are read.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::ConnectInfo,
    http::{HeaderMap, Uri},
    routing::{get, post},
};
use serde_json::{Value, json};
use serving::{LoadedModel, Tensor, TensorData};
use tokio::sync::Barrier;

use crate::server::{load, serve};

const LEGACY: &str = r#"
version: 1
url: http://ADDRESS/score
headers: { x-caller: crosstie }
inputs:
  - { name: user_id, datatype: INT64, shape: [-1] }
  - { name: item_id, datatype: BYTES, shape: [-1] }
request: { user: "${user_id}", context: { item: "${item_id}", trace: "u${user_id}", source: web } }
outputs:
  - { name: probabilities, datatype: FP32, shape: [-1, 2] }
response:
  probabilities: ["1 - /score", /score]
features:
  user_country: /features/user_country
  clicks_7d: { pointer: /features/clicks_7d, datatype: FP64 }
"#;

fn rows(count: i64) -> Vec<Tensor> {
    let items = (0..count).map(|row| format!("item {row}").into()).collect();
    vec![
        Tensor::column("item_id", TensorData::Bytes(items)),
        Tensor::column("user_id", TensorData::Int64((0..count).collect())),
    ]
}

async fn loaded(declaration: &str, address: SocketAddr) -> Arc<dyn LoadedModel> {
    load(&declaration.replace("ADDRESS", &address.to_string())).await.unwrap()
}

#[tokio::test]
async fn a_row_becomes_a_request_and_the_answer_its_outputs() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let score = async move |headers: HeaderMap, Json(request): Json<Value>| {
        let user = request["user"].as_i64().unwrap();
        seen.lock().unwrap().push((headers["x-caller"].to_str().unwrap().to_owned(), request));
        let features = match user {
            0 => json!({ "user_country": "US", "clicks_7d": 3 }),
            1 => json!({ "user_country": 7, "clicks_7d": "many" }),
            _ => Value::Null,
        };
        Json(json!({ "score": user as f64 / 4.0, "features": features }))
    };
    let model = loaded(LEGACY, serve(Router::new().route("/score", post(score))).await).await;
    let outputs = model.infer(rows(3)).await.unwrap();
    assert_eq!(
        outputs[0],
        Tensor::new("probabilities", [3, 2], TensorData::Fp32(vec![1.0, 0.0, 0.75, 0.25, 0.5, 0.5]))
    );
    let TensorData::Fp64(clicks) = &outputs[1].data else { panic!("{outputs:?}") };
    assert_eq!((outputs[1].name.as_str(), clicks[0]), ("features.clicks_7d", 3.0));
    assert!(clicks[1].is_nan() && clicks[2].is_nan(), "a feature that is not told breaks no answer: {clicks:?}");
    let countries = TensorData::Bytes(vec!["US".into(), "7".into(), "".into()]);
    assert_eq!(outputs[2], Tensor::column("features.user_country", countries));
    let mut asked = asked.lock().unwrap().clone();
    asked.sort_by_key(|(_, request)| request["user"].as_i64());
    let expected = json!({ "user": 1, "context": { "item": "item 1", "trace": "u1", "source": "web" } });
    assert_eq!(asked[1], ("crosstie".to_owned(), expected));
}

#[tokio::test]
async fn a_batch_is_one_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let predict = async move |Json(request): Json<Value>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let instances = request["instances"].as_array().unwrap();
        let predictions: Vec<_> = instances.iter().map(|row| row["id"].as_i64().unwrap() as f64 / 10.0).collect();
        Json(json!({ "predictions": predictions }))
    };
    let declaration = r#"
version: 1
url: http://ADDRESS/predict
inputs: [{ name: user_id, datatype: INT64, shape: [-1] }]
batch: { row: { id: "${user_id}" }, answers: /predictions }
request: { instances: "${rows}" }
outputs: [{ name: score, datatype: FP64, shape: [-1, 1] }]
response: { score: "" }
"#;
    let model = loaded(declaration, serve(Router::new().route("/predict", post(predict))).await).await;
    let users = Tensor::new("user_id", [3, 1], TensorData::Int64(vec![1, 2, 3]));
    let outputs = model.infer(vec![users]).await.unwrap();
    assert_eq!(outputs, [Tensor::new("score", [3, 1], TensorData::Fp64(vec![0.1, 0.2, 0.3]))]);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn inputs_in_a_url_are_escaped() {
    let echo = async |uri: Uri| Json(json!({ "asked": uri.to_string(), "grid": [[1], [2]] }));
    let declaration = r#"
version: 1
url: http://ADDRESS/score/${item}?of=${item}&n=${count}
method: GET
inputs: [{ name: item, datatype: BYTES, shape: [-1] }, { name: count, datatype: UINT8, shape: [-1] }]
outputs: [{ name: asked, datatype: BYTES, shape: [-1] }, { name: grid, datatype: INT8, shape: [-1, 2, 1] }]
response: { asked: /asked, grid: /grid }
"#;
    let model = loaded(declaration, serve(Router::new().route("/score/{item}", get(echo))).await).await;
    let item = Tensor::column("item", TensorData::Bytes(vec!["../a b&é".into()]));
    let count = Tensor::column("count", TensorData::Uint8(vec![7]));
    let outputs = model.infer(vec![item, count]).await.unwrap();
    let expected = "/score/..%2Fa%20b%26%C3%A9?of=..%2Fa%20b%26%C3%A9&n=7";
    assert_eq!(outputs[0].data, TensorData::Bytes(vec![expected.into()]));
    assert_eq!(outputs[1], Tensor::new("grid", [1, 2, 1], TensorData::Int8(vec![1, 2])));
}

#[tokio::test]
async fn connections_are_used_again() {
    let ports = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&ports);
    let score = async move |ConnectInfo(caller): ConnectInfo<SocketAddr>| {
        seen.lock().unwrap().insert(caller.port());
        Json(json!({ "score": 0.5 }))
    };
    let model = loaded(LEGACY, serve(Router::new().route("/score", post(score))).await).await;
    for _ in 0..20 {
        model.infer(rows(1)).await.unwrap();
    }
    assert_eq!(ports.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn rows_are_asked_at_the_same_time_up_to_the_declared_number() {
    let (together, most) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let now = Arc::new(AtomicUsize::new(0));
    let highest = Arc::clone(&most);
    let score = async move || {
        highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        together.wait().await;
        now.fetch_sub(1, Ordering::SeqCst);
        Json(json!({ "score": 0.5 }))
    };
    let declaration = LEGACY.replace("version: 1", "version: 1\nconcurrency: 2\ntimeout: 60s");
    let model = loaded(&declaration, serve(Router::new().route("/score", post(score))).await).await;
    model.infer(rows(8)).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 2, "alone none of them would have been answered, and a third is too many");
}
