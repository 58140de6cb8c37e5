//! Outputs of the operator ZipMap, which skl2onnx puts behind classifiers by default: for each row a map from class to
//! probability. They become one tensor with a row for each row and a column for each class, classes in ascending order,
//! which is the order of scikit-learn's `classes_`.

use std::{fmt::Display, hash::Hash};

use ort::value::{
    DynMap, DynMapValueType, DynSequence, DynSequenceValueType, DynValue, IntoTensorElementType, TensorElementType,
    ValueType,
};
use serving::{Tensor, TensorData};

/// The columns of a sequence of maps.
pub(crate) fn columns(name: &str, value: &DynValue) -> Result<Tensor, String> {
    let failed = |error: ort::Error| format!("output `{name}`: {error}");
    let sequence = value.view().downcast::<DynSequenceValueType>().map_err(failed)?;
    let sequence: &DynSequence = &sequence;
    let rows: Vec<DynMap> = sequence.try_extract_sequence::<DynMapValueType>().map_err(failed)?;
    let has_text_keys =
        rows.first().is_some_and(|map| matches!(map.dtype(), ValueType::Map { key: TensorElementType::String, .. }));
    let (classes, data) = if has_text_keys { table::<String>(name, &rows)? } else { table::<i64>(name, &rows)? };
    let dimension = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    Ok(Tensor::new(name, [dimension(rows.len()), dimension(classes)], TensorData::Fp32(data)))
}

/// The number of classes and, row by row, their values. Every row has the same classes.
fn table<K>(name: &str, rows: &[DynMap]) -> Result<(usize, Vec<f32>), String>
where
    K: IntoTensorElementType + Clone + Hash + Ord + Display,
{
    let mut classes: Option<Vec<K>> = None;
    let mut data = Vec::new();
    for row in rows {
        let mut pairs: Vec<(K, f32)> =
            row.try_extract_key_values().map_err(|error| format!("output `{name}`: {error}"))?;
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (keys, values): (Vec<K>, Vec<f32>) = pairs.into_iter().unzip();
        if classes.get_or_insert_with(|| keys.clone()) != &keys {
            return Err(format!("output `{name}` has maps with different classes"));
        }
        data.extend(values);
    }
    Ok((classes.map_or(0, |classes| classes.len()), data))
}
