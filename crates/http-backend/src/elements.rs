//! Elements of tensors as JSON, and JSON as elements. Nothing is converted that would change: text is never made into a
//! number, a fraction never into an integer, and a number that a type cannot hold is an error.

use bytes::Bytes;
use half::{bf16, f16};
use serde_json::{Number, Value as Json};
use serving::{Tensor, TensorData};
use types::TensorType;

/// Row `row` of a tensor: one value if a row has one element, else arrays of them.
pub(crate) fn row_as_json(tensor: &Tensor, row: usize) -> Result<Json, String> {
    let dimensions = tensor.shape.get(1..).unwrap_or_default();
    let dimensions = if dimensions.iter().all(|size| *size == 1) { &[] } else { dimensions };
    let mut next = row * tensor.row_width();
    nested(tensor, dimensions, &mut next)
}

fn nested(tensor: &Tensor, dimensions: &[i64], next: &mut usize) -> Result<Json, String> {
    let [size, inner @ ..] = dimensions else {
        let element = as_json(&tensor.data, *next);
        *next += 1;
        return element.map_err(|reason| format!("input `{}`: {reason}", tensor.name));
    };
    (0..*size).map(|_| nested(tensor, inner, next)).collect::<Result<_, _>>().map(Json::Array)
}

/// Element `index` of `data`.
fn as_json(data: &TensorData, index: usize) -> Result<Json, String> {
    let element = match data {
        TensorData::Bool(elements) => elements.get(index).map(|element| Json::Bool(*element)),
        TensorData::Uint8(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Uint16(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Uint32(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Uint64(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Int8(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Int16(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Int32(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Int64(elements) => elements.get(index).map(|element| (*element).into()),
        TensorData::Fp16(elements) => elements.get(index).map(|element| float_as_json(element.to_f64())),
        TensorData::Bf16(elements) => elements.get(index).map(|element| float_as_json(element.to_f64())),
        TensorData::Fp32(elements) => elements.get(index).map(|element| float_as_json(f64::from(*element))),
        TensorData::Fp64(elements) => elements.get(index).map(|element| float_as_json(*element)),
        TensorData::Bytes(elements) => match elements.get(index).map(|element| std::str::from_utf8(element)) {
            Some(Ok(text)) => Some(Json::String(text.to_owned())),
            Some(Err(_)) => return Err("its text is not UTF-8, which JSON must be".to_owned()),
            None => None,
        },
    };
    element.ok_or_else(|| format!("it has {} elements, fewer than its shape says", data.len()))
}

/// A float; what JSON has no number for as the text that other JSON mappings use, too.
pub(crate) fn float_as_json(value: f64) -> Json {
    Number::from_f64(value).map_or_else(
        || {
            Json::String(
                match (value.is_nan(), value > 0.0) {
                    (true, _) => "NaN",
                    (false, true) => "Infinity",
                    (false, false) => "-Infinity",
                }
                .to_owned(),
            )
        },
        Json::Number,
    )
}

/// A number, if `value` is one as [`float_as_json`] writes them.
pub(crate) fn float(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// `values` as elements of a type, or the position of the first that is none.
pub(crate) fn column(datatype: TensorType, values: &[Json]) -> Result<TensorData, usize> {
    Ok(match datatype {
        TensorType::Bool => TensorData::Bool(each(values, Json::as_bool)?),
        TensorType::Uint8 => TensorData::Uint8(each(values, |value| value.as_u64()?.try_into().ok())?),
        TensorType::Uint16 => TensorData::Uint16(each(values, |value| value.as_u64()?.try_into().ok())?),
        TensorType::Uint32 => TensorData::Uint32(each(values, |value| value.as_u64()?.try_into().ok())?),
        TensorType::Uint64 => TensorData::Uint64(each(values, Json::as_u64)?),
        TensorType::Int8 => TensorData::Int8(each(values, |value| value.as_i64()?.try_into().ok())?),
        TensorType::Int16 => TensorData::Int16(each(values, |value| value.as_i64()?.try_into().ok())?),
        TensorType::Int32 => TensorData::Int32(each(values, |value| value.as_i64()?.try_into().ok())?),
        TensorType::Int64 => TensorData::Int64(each(values, Json::as_i64)?),
        TensorType::Fp16 => {
            TensorData::Fp16(each(values, |value| held(float(value)?, f16::from_f64, |narrow| narrow.is_infinite()))?)
        }
        TensorType::Bf16 => {
            TensorData::Bf16(each(values, |value| held(float(value)?, bf16::from_f64, |narrow| narrow.is_infinite()))?)
        }
        TensorType::Fp32 => {
            TensorData::Fp32(each(values, |value| held(float(value)?, |wide| wide as f32, |n: &f32| n.is_infinite()))?)
        }
        TensorType::Fp64 => TensorData::Fp64(each(values, float)?),
        TensorType::Bytes => {
            TensorData::Bytes(each(values, |value| value.as_str().map(|text| Bytes::from(text.to_owned())))?)
        }
    })
}

fn each<T>(values: &[Json], element: impl Fn(&Json) -> Option<T>) -> Result<Vec<T>, usize> {
    values.iter().enumerate().map(|(position, value)| element(value).ok_or(position)).collect()
}

/// `wide` in a narrower type, unless it is finite and would not be there.
fn held<T>(wide: f64, narrow: impl Fn(f64) -> T, is_infinite: impl Fn(&T) -> bool) -> Option<T> {
    let narrowed = narrow(wide);
    (wide.is_infinite() || !is_infinite(&narrowed)).then_some(narrowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_nested_as_their_shape_says() {
        let tensor = Tensor::new("grid", [2, 2, 1], TensorData::Int32(vec![1, 2, 3, 4]));
        assert_eq!(row_as_json(&tensor, 1).unwrap(), json!([[3], [4]]));
        let column = Tensor::column("user", TensorData::Bytes(vec!["a".into(), Bytes::from_static(&[0xff])]));
        assert_eq!(row_as_json(&column, 0).unwrap(), json!("a"));
        let one_each = Tensor { shape: vec![2, 1], ..column.clone() };
        assert_eq!(row_as_json(&one_each, 0).unwrap(), json!("a"));
        assert_eq!(row_as_json(&column, 1).unwrap_err(), "input `user`: its text is not UTF-8, which JSON must be");
    }

    #[test]
    fn nothing_is_converted_that_would_change() {
        for (datatype, value) in [
            (TensorType::Int64, json!(1.5)),
            (TensorType::Int64, json!("7")),
            (TensorType::Uint8, json!(256)),
            (TensorType::Uint64, json!(-1)),
            (TensorType::Fp32, json!(1e300)),
            (TensorType::Fp16, json!(1e6)),
            (TensorType::Fp32, json!("0.5")),
            (TensorType::Fp64, json!(null)),
            (TensorType::Bool, json!(1)),
            (TensorType::Bytes, json!(7)),
        ] {
            assert_eq!(column(datatype, std::slice::from_ref(&value)), Err(0), "{datatype} of {value}");
        }
    }

    #[test]
    fn floats_without_a_number_in_json_keep_their_value() {
        for value in [f64::INFINITY, f64::NEG_INFINITY, 0.1, f64::MAX] {
            assert_eq!(float(&float_as_json(value)), Some(value));
        }
        assert!(float(&float_as_json(f64::NAN)).unwrap().is_nan());
        assert_eq!(column(TensorType::Fp32, &[json!("Infinity")]), Ok(TensorData::Fp32(vec![f32::INFINITY])));
    }
}
