//! Requests: what is answered, logged and refused.

use serving::{Error, InferRequest, InputRole, PrepareRequest, Tensor, TensorData, TrafficPlan, input_name};
use types::{ErrorKind, Principal, TensorSpec, TensorType, Value};

use crate::versions::{Gateway, model_plan, version};

pub(crate) fn request(inputs: Vec<Tensor>) -> InferRequest {
    InferRequest {
        id: Some("r-1".to_owned()),
        model: "ranker".to_owned(),
        version: None,
        inputs,
        outputs: Vec::new(),
        principal: Principal::known("shop", types::Role::Viewer),
    }
}

pub(crate) fn pair(one: f32, other: f32) -> Tensor {
    Tensor::new("input", [1, 2], TensorData::Fp32(vec![one, other]))
}

/// A gateway that serves `ranker/1`, which takes `clicks` and `country` of a user and `hour` of the request.
async fn with_features() -> Gateway {
    let gateway = Gateway::new();
    let spec = |name: &str, datatype| TensorSpec { name: name.to_owned(), datatype, shape: vec![-1, 1] };
    let inputs = [("clicks", TensorType::Fp32), ("country", TensorType::Bytes), ("hour", TensorType::Int64)];
    gateway.backend.declare(&version(1).version, inputs.map(|(name, datatype)| spec(name, datatype)).to_vec());
    let mut plan = version(1);
    plan.features = ["activity:clicks", "profile:country", "request:hour"].map(str::to_owned).to_vec();
    plan.entity_keys = vec![("user_id".to_owned(), types::ValueType::Int64)];
    plan.request_values = vec![("hour".to_owned(), types::ValueType::Int64)];
    let kinds = [types::ValueType::Int64, types::ValueType::String, types::ValueType::Int64];
    let names = plan.features.iter().map(|feature| input_name(feature).to_owned());
    plan.feature_types = names.zip(kinds).collect();
    gateway.features.set("activity:clicks", Value::Int64(3));
    gateway.features.set("profile:country", Value::String("DE".to_owned()));
    gateway.serve(TrafficPlan { revision: 1, models: model_plan(Some(plan), None, vec![]) }).await;
    gateway
}

fn of_users(users: &[i64]) -> Vec<Tensor> {
    let hours = users.iter().map(|_| 10).collect();
    vec![Tensor::column("user_id", TensorData::Int64(users.to_vec())), Tensor::column("hour", TensorData::Int64(hours))]
}

#[tokio::test(start_paused = true)]
async fn entities_get_their_features_and_every_row_is_logged_as_it_was_scored() {
    let gateway = with_features().await;
    let response = gateway.service.infer(request(of_users(&[7, 8]))).await.unwrap();
    // 3 clicks, 2 letters, hour 10, version 1.
    assert_eq!(response.outputs, [Tensor::new("sum", [2, 1], TensorData::Fp64(vec![1_015.0, 1_015.0]))]);
    assert_eq!((response.id.as_deref(), response.rows, response.degraded), (Some("r-1"), 2, false));
    let rows = gateway.predictions.take();
    assert_eq!(
        rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        [response.prediction_id(0), response.prediction_id(1)]
    );
    assert_eq!(rows[1].entities, [("user_id".to_owned(), Value::Int64(8)), ("hour".to_owned(), Value::Int64(10))]);
    let logged: Vec<_> = rows[0].features.iter().map(|f| (&*f.name, f.value.clone(), &*f.origin)).collect();
    assert_eq!(
        logged,
        [
            ("activity:clicks", Value::Int64(3), "materialized"),
            ("profile:country", Value::String("DE".to_owned()), "materialized"),
            ("request:hour", Value::Int64(10), "request"),
        ]
    );
    assert_eq!(rows[0].outputs, [("sum".to_owned(), vec![Value::Float64(1_015.0)])]);
    assert_eq!((rows[0].principal.as_str(), rows[0].arm), ("shop", serving::Arm::Stable));
}

#[tokio::test(start_paused = true)]
async fn prepare_answers_what_infer_would_execute_and_serves_nothing() {
    let gateway = with_features().await;
    let mut inputs = of_users(&[7]);
    inputs.push(Tensor::column("country", TensorData::Bytes(vec!["USA".into()])));
    let prepare = PrepareRequest { model: "ranker".to_owned(), version: None, inputs, candidates: false };
    let prepared = gateway.service.prepare(prepare.clone()).await.unwrap();
    assert_eq!(prepared.tensors[1].data, TensorData::Bytes(vec!["USA".into()]));
    assert_eq!(prepared.rows[0].features[1].origin, "override");
    let scored = gateway.service.score(prepare).await.unwrap();
    assert_eq!(scored.outputs[0].data, TensorData::Fp64(vec![1_016.0]));
    assert!(gateway.predictions.take().is_empty());
    assert_eq!(gateway.service.statistics(Some("ranker"), None).unwrap()[0].inference_count, 0);
}

#[tokio::test(start_paused = true)]
async fn a_missing_feature_is_a_refusal_that_names_it_and_a_last_known_one_is_marked() {
    let gateway = with_features().await;
    gateway.features.set_degraded(true);
    assert!(gateway.service.infer(request(of_users(&[7]))).await.unwrap().degraded);
    gateway.features.set("profile:country", Value::Null);
    let error = gateway.service.infer(request(of_users(&[7]))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert!(error.to_string().contains("`profile:country` is null for user_id=7"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn metadata_describes_both_kinds_of_request() {
    let gateway = with_features().await;
    let metadata = gateway.service.metadata("ranker", None).unwrap();
    let inputs: Vec<_> = metadata.inputs.iter().map(|i| (i.name.as_str(), i.datatype, i.role, i.optional)).collect();
    assert_eq!(
        inputs,
        [
            ("user_id", TensorType::Int64, InputRole::EntityKey, false),
            ("hour", TensorType::Int64, InputRole::RequestValue, false),
            ("clicks", TensorType::Int64, InputRole::Override, true),
            ("country", TensorType::Bytes, InputRole::Override, true),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_version_share_its_statistics_and_a_full_log_does_not_stop_them() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.service.infer(request(vec![pair(1.0, 2.0)])).await.unwrap();
    gateway.predictions.set_full(true);
    gateway.service.infer(request(vec![pair(1.0, 2.0)])).await.unwrap();
    gateway.service.infer(request(vec![])).await.unwrap_err();
    let statistics = gateway.service.statistics(None, None).unwrap().remove(0);
    assert_eq!((statistics.success.count, statistics.fail.count, statistics.inference_count), (2, 1, 2));
    assert_eq!((statistics.batches.len(), statistics.batches[0].batch_size), (1, 1));
    let exposed = gateway.metrics.render();
    for line in [
        r#"nv_inference_request_success{model="ranker",version="1"} 2"#,
        r#"nv_inference_request_failure{model="ranker",reason="OTHER",version="1"} 1"#,
        "crosstie_inference_unlogged_rows_total 1",
        "crosstie_inference_in_flight 0",
        r#"crosstie_inference_seconds_count{arm="stable",model="ranker",outcome="ok",version="1"} 2"#,
    ] {
        assert!(exposed.lines().any(|shown| shown == line), "`{line}` is not in:\n{exposed}");
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_are_answered_as_asked_for() {
    let gateway = Gateway::serving(version(1)).await;
    let asked = |output: &str| InferRequest { outputs: vec![output.to_owned()], ..request(vec![pair(1.0, 2.0)]) };
    assert_eq!(gateway.service.infer(asked("sum")).await.unwrap().outputs.len(), 1);
    let error = gateway.service.infer(asked("product")).await.unwrap_err();
    assert_eq!(error.to_string(), "unexpected inference output `product` for model `ranker`: it gives sum");
    let unknown = InferRequest { model: "nobody".to_owned(), ..request(vec![]) };
    assert!(matches!(gateway.service.infer(unknown).await.unwrap_err(), Error::UnknownModel { .. }));
}
