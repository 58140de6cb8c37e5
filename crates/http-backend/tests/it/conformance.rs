//! The contract of backends, kept over HTTP.

use std::{fmt::Write as _, sync::Arc};

use axum::{Json, Router, http::StatusCode, routing::post};
use http_backend::HttpBackend;
use serde_json::{Value, json};
use serving::testing::{Subject, conformance};
use types::TensorType;

use crate::server::{artifact, serve, spec};

const MATRIX: &str = r#"
version: 1
url: http://ADDRESS/matrix
inputs: [{ name: input, datatype: FP32, shape: [-1, 4] }]
request: { row: "${input}" }
outputs: [{ name: probabilities, datatype: FP32, shape: [-1, 2] }]
response: { probabilities: ["1 - /score", /score] }
"#;

const FAILING: &str = r#"
version: 1
url: http://ADDRESS/failing
inputs: [{ name: input, datatype: INT64, shape: [-1] }]
request: { number: "${input}" }
outputs: [{ name: output, datatype: INT64, shape: [-1] }]
response: { output: /number }
"#;

/// Every type, in and out.
fn types() -> String {
    let mut text = "version: 1\nurl: http://ADDRESS/echo\nrequest:\n".to_owned();
    let names = TensorType::ALL.map(|datatype| (datatype, datatype.as_str().to_lowercase()));
    for (_, name) in &names {
        writeln!(text, "  {name}: \"${{{name}_in}}\"").unwrap();
    }
    for (what, ending) in [("inputs", "in"), ("outputs", "out")] {
        writeln!(text, "{what}:").unwrap();
        for (datatype, name) in &names {
            writeln!(text, "  - {{ name: {name}_{ending}, datatype: {datatype}, shape: [-1] }}").unwrap();
        }
    }
    text.push_str("response:\n");
    for (_, name) in &names {
        writeln!(text, "  {name}_out: /{name}").unwrap();
    }
    text
}

async fn matrix(Json(request): Json<Value>) -> Json<Value> {
    let sum: f64 = request["row"].as_array().unwrap().iter().map(|element| element.as_f64().unwrap()).sum();
    Json(json!({ "score": 1.0 / (1.0 + (-sum).exp()) }))
}

async fn failing(Json(request): Json<Value>) -> Result<Json<Value>, (StatusCode, &'static str)> {
    if request["number"] == json!(9) {
        return Err((StatusCode::INTERNAL_SERVER_ERROR, "KeyError: 9"));
    }
    Ok(Json(request))
}

#[tokio::test]
async fn it_keeps_the_contract_of_backends() {
    let router = Router::new()
        .route("/matrix", post(matrix))
        .route("/failing", post(failing))
        .route("/echo", post(async |Json(request): Json<Value>| Json(request)));
    let address = serve(router).await;
    let artifacts = [MATRIX.to_owned(), types(), FAILING.to_owned(), "version: 1".to_owned()]
        .map(|declaration| artifact(&declaration.replace("ADDRESS", &address.to_string())));
    let [matrix, types, failing, broken] = artifacts.each_ref().map(spec);
    let backend = Arc::new(HttpBackend::new().unwrap());
    conformance(&Subject { backend, matrix, types, failing, broken }).await;
}
