//! Requests of both kinds against models of both layouts, and every way in which an input can be wrong.

use std::collections::BTreeMap;

use types::{Digest, ModelName, ModelVersion, TensorType, ValueType};

use super::*;
use crate::{FeatureValue, TensorData};

fn plain() -> VersionPlan {
    let version = ModelVersion::new(ModelName::parse("ranker").unwrap(), 7);
    VersionPlan::plain(version, "onnx", Digest::of("model"))
}

/// A version that takes `clicks` and `country` of a user, and `hour` of the request.
fn with_features() -> VersionPlan {
    let types = [("clicks", ValueType::Int64), ("country", ValueType::String), ("hour", ValueType::Int64)];
    VersionPlan {
        features: ["activity:clicks", "profile:country", "request:hour"].map(str::to_owned).to_vec(),
        feature_digests: BTreeMap::new(),
        entity_keys: vec![("user_id".to_owned(), ValueType::Int64)],
        request_values: vec![("hour".to_owned(), ValueType::Int64)],
        feature_types: types.map(|(name, value_type)| (name.to_owned(), value_type)).to_vec(),
        ..plain()
    }
}

fn spec(name: &str, datatype: TensorType, shape: &[i64]) -> TensorSpec {
    TensorSpec { name: name.to_owned(), datatype, shape: shape.to_vec() }
}

fn schema(inputs: Vec<TensorSpec>) -> Schema {
    Schema { inputs, outputs: vec![spec("score", TensorType::Fp32, &[-1, 1])] }
}

fn per_feature() -> Schema {
    schema(vec![
        spec("clicks", TensorType::Fp32, &[-1, 1]),
        spec("country", TensorType::Bytes, &[-1, 1]),
        spec("hour", TensorType::Int64, &[-1]),
    ])
}

const NO_CONTEXT: Context<'static> = Context { route_by: None, segments: &[] };

fn ids(values: &[i64]) -> Tensor {
    Tensor::column("user_id", TensorData::Int64(values.to_vec()))
}

fn hours(values: &[i64]) -> Tensor {
    Tensor::column("hour", TensorData::Int64(values.to_vec()))
}

fn refusal(plan: &VersionPlan, schema: &Schema, inputs: Vec<Tensor>) -> String {
    read(plan, schema, NO_CONTEXT, inputs).unwrap_err().to_string()
}

#[test]
fn entities_request_values_and_overrides_are_told_apart() {
    let country = Tensor::new("country", [2, 1], TensorData::Bytes(vec!["DE".into(), "US".into()]));
    let inputs = vec![hours(&[9, 10]), country, ids(&[7, 8])];
    let intake = read(&with_features(), &per_feature(), NO_CONTEXT, inputs).unwrap();
    let Intake::Entities { rows, context } = intake else { panic!("{intake:?}") };
    assert_eq!((rows.rows, context.len()), (2, 0));
    assert_eq!(rows.entities, [Column { name: "user_id".to_owned(), values: vec![Value::Int64(7), Value::Int64(8)] }]);
    assert_eq!(rows.request[0].values, [Value::Int64(9), Value::Int64(10)]);
    assert_eq!(rows.overrides[0].values, [Value::String("DE".to_owned()), Value::String("US".to_owned())]);
}

#[test]
fn a_request_with_every_input_of_the_model_is_direct() {
    let matrix = schema(vec![spec("input", TensorType::Fp32, &[-1, 3])]);
    let input = Tensor::new("input", [2, 3], TensorData::Fp32(vec![0.0; 6]));
    let intake = read(&with_features(), &matrix, NO_CONTEXT, vec![input.clone(), ids(&[1, 2])]).unwrap();
    let Intake::Direct { tensors, context, rows } = intake else { panic!("{intake:?}") };
    assert_eq!((tensors, context[0].name.as_str(), rows), (vec![input], "user_id", 2));
}

#[test]
fn segments_and_the_routing_key_may_come_along() {
    let segments = ["customer_id".to_owned()];
    let context = Context { route_by: Some("session"), segments: &segments };
    let customer = Tensor::column("customer_id", TensorData::Bytes(vec!["acme".into()]));
    let session = Tensor::column("session", TensorData::Uint32(vec![5]));
    let inputs = vec![ids(&[7]), hours(&[9]), customer, session];
    let intake = read(&with_features(), &per_feature(), context, inputs).unwrap();
    let Intake::Entities { context, .. } = intake else { panic!("{intake:?}") };
    assert_eq!(context[0].values, [Value::String("acme".to_owned())]);
    assert_eq!(context[1].values, [Value::Int64(5)]);
}

#[test]
fn every_refusal_names_the_input_with_what_was_expected_and_what_came() {
    let (plan, schema) = (with_features(), per_feature());
    for (inputs, said) in [
        (vec![], "the request has no inputs"),
        (vec![ids(&[])], "the request has no rows"),
        (vec![ids(&[7])], "missing input `hour`: the request value of type int64"),
        (vec![hours(&[7])], "missing input `user_id`: the entity key of type int64"),
        (vec![ids(&[7]), hours(&[1, 2])], "input `hour` has 2 rows, expected 1 as in input `user_id`"),
        (vec![ids(&[7]), ids(&[7])], "input `user_id` is there more than once"),
        (vec![ids(&[7]), hours(&[1]), Tensor::column("age", TensorData::Int64(vec![1]))], "unexpected input `age`"),
        (
            vec![Tensor::column("user_id", TensorData::Bytes(vec!["7".into()])), hours(&[1])],
            "input `user_id` has type BYTES, expected INT64",
        ),
        (
            vec![Tensor::new("user_id", [1, 2], TensorData::Int64(vec![7, 8])), hours(&[1])],
            "input `user_id` has shape [1, 2], expected one value for each row",
        ),
        (
            vec![Tensor::column("user_id", TensorData::Uint64(vec![u64::MAX])), hours(&[1])],
            "input `user_id`, row 0: 18446744073709552000 is out of range for int64",
        ),
        (
            vec![ids(&[7]), hours(&[1]), Tensor::column("country", TensorData::Bytes(vec![vec![255].into()]))],
            "input `country`, row 0: the text is not UTF-8",
        ),
        (
            vec![Tensor::new("user_id", [3], TensorData::Int64(vec![7]))],
            "input `user_id` of shape [3] needs 3 elements, got 1",
        ),
    ] {
        let refusal = refusal(&plan, &schema, inputs);
        assert!(refusal.contains(said), "{refusal}");
    }
    let plain_schema = self::schema(vec![spec("input", TensorType::Fp32, &[-1, 2])]);
    for (tensor, said) in [
        (Tensor::new("input", [1, 2], TensorData::Fp64(vec![0.0; 2])), "input `input` has type FP64, expected FP32"),
        (
            Tensor::new("input", [1, 3], TensorData::Fp32(vec![0.0; 3])),
            "input `input` has shape [1, 3], expected [-1, 2]",
        ),
        (Tensor::new("x", [1, 2], TensorData::Fp32(vec![0.0; 2])), "missing input `input`: FP32 of shape [-1, 2]"),
    ] {
        let refusal = refusal(&plain(), &plain_schema, vec![tensor]);
        assert!(refusal.contains(said), "{refusal}");
    }
}

fn feature(name: &str, value: Value) -> FeatureValue {
    let origin = "materialized".into();
    FeatureValue { name: name.into(), value, event_time: None, origin, degraded: false, digest: None }
}

fn row(clicks: Value, country: Value, hour: Value) -> Vec<FeatureValue> {
    vec![feature("activity:clicks", clicks), feature("profile:country", country), feature("request:hour", hour)]
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

#[test]
fn features_become_one_input_each_and_null_becomes_nan_where_it_can() {
    let layout = Layout::of(&with_features(), &per_feature()).unwrap();
    let rows = [row(Value::Int64(3), text("DE"), Value::Int64(9)), row(Value::Null, text("US"), Value::Int64(10))];
    let tensors = layout.assemble(&rows, |row| format!("user_id={row}")).unwrap();
    assert_eq!((tensors[0].name.as_str(), tensors[0].shape.as_slice()), ("clicks", &[2, 1][..]));
    assert!(matches!(&tensors[0].data, TensorData::Fp32(v) if v[0] == 3.0 && v[1].is_nan()));
    assert_eq!(tensors[1].data, TensorData::Bytes(vec!["DE".into(), "US".into()]));
    assert_eq!((tensors[2].shape.as_slice(), &tensors[2].data), (&[2][..], &TensorData::Int64(vec![9, 10])));
    for (rows, said) in [
        ([row(Value::Int64(3), Value::Null, Value::Int64(9))], "the feature `profile:country` is null for user_id=0"),
        ([row(Value::Int64(3), text("DE"), Value::Null)], "the feature `request:hour` is null for user_id=0"),
        (
            [row(text("3"), text("DE"), Value::Int64(9))],
            "the feature `activity:clicks` of user_id=0 is \"3\", which FP32 cannot hold",
        ),
    ] {
        let refusal = layout.assemble(&rows, |row| format!("user_id={row}")).unwrap_err().to_string();
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn features_become_one_matrix_in_the_declared_order() {
    let plan = VersionPlan {
        features: vec!["a:x".to_owned(), "b:y".to_owned()],
        feature_types: vec![("x".to_owned(), ValueType::Bool), ("y".to_owned(), ValueType::Float64)],
        ..plain()
    };
    let layout = Layout::of(&plan, &schema(vec![spec("input", TensorType::Fp32, &[-1, 2])])).unwrap();
    let of = |x: bool, y: Value| vec![feature("a:x", Value::Bool(x)), feature("b:y", y)];
    let rows = [of(true, Value::Float64(0.5)), of(false, Value::Float64(1.5))];
    let tensors = layout.assemble(&rows, |_| String::new()).unwrap();
    assert_eq!(tensors, [Tensor::new("input", [2, 2], TensorData::Fp32(vec![1.0, 0.5, 0.0, 1.5]))]);
}

#[test]
fn a_model_whose_inputs_do_not_fit_its_features_is_refused_at_load() {
    let plan = with_features();
    for (inputs, said) in [
        (
            vec![spec("input", TensorType::Fp32, &[-1, 3])],
            "the feature `profile:country` is string, which its input `input` of type FP32 cannot take",
        ),
        (vec![spec("input", TensorType::Fp32, &[-1, 2])], "takes 2 values for each row, and it declares 3 features"),
        (vec![spec("clicks", TensorType::Bytes, &[-1, 1])], "numbers are never made into text"),
        (vec![spec("clicks", TensorType::Fp32, &[-1, 3])], "a feature is one value for each row"),
        (
            vec![spec("clicks", TensorType::Fp32, &[-1, 1]), spec("age", TensorType::Fp32, &[-1, 1])],
            "no feature is named `age`",
        ),
    ] {
        let refusal = Layout::of(&plan, &schema(inputs)).unwrap_err();
        assert!(refusal.contains(said), "{refusal}");
    }
}
