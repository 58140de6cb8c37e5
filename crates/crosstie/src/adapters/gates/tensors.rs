//! Values as tensors: what gates ask a version with, in the types that its metadata names.

use arrow::{
    array::{Array, ArrayRef, AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type},
};
use bytes::Bytes;
use release::PortError;
use serving::{InputSpec, Tensor, TensorData};
use types::{ErrorKind, TensorType, Value};

fn unfit(input: &str, reason: impl std::fmt::Display) -> PortError {
    PortError::new(ErrorKind::FailedPrecondition, format!("input `{input}`: {reason}"))
}

/// The values of one input, one for each row.
pub(super) fn of_values(input: &InputSpec, values: &[Value]) -> Result<Tensor, PortError> {
    let wrong = |value: &Value| unfit(&input.name, format_args!("{value} is no {}", input.datatype));
    macro_rules! column {
        ($kind:ident, $($pattern:pat => $element:expr),+) => {
            TensorData::$kind(values.iter().map(|value| match value {
                $($pattern => Ok($element),)+
                other => Err(wrong(other)),
            }).collect::<Result<_, _>>()?)
        };
    }
    let data = match input.datatype {
        TensorType::Bool => column!(Bool, Value::Bool(v) => *v),
        TensorType::Int32 => column!(Int32, Value::Int32(v) => *v),
        TensorType::Int64 => {
            column!(Int64, Value::Int64(v) => *v, Value::Int32(v) => i64::from(*v), Value::Timestamp(v) => v.as_micros())
        }
        TensorType::Fp32 => column!(Fp32, Value::Float32(v) => *v, Value::Null => f32::NAN),
        TensorType::Fp64 => {
            column!(Fp64, Value::Float64(v) => *v, Value::Float32(v) => f64::from(*v), Value::Null => f64::NAN)
        }
        TensorType::Bytes => column!(Bytes, Value::String(v) => Bytes::copy_from_slice(v.as_bytes())),
        other @ (TensorType::Uint8
        | TensorType::Uint16
        | TensorType::Uint32
        | TensorType::Uint64
        | TensorType::Int8
        | TensorType::Int16
        | TensorType::Fp16
        | TensorType::Bf16) => return Err(unfit(&input.name, format_args!("gates do not make {other}"))),
    };
    Ok(shaped(input, data))
}

/// One element for each row, in as many dimensions as the input has.
fn shaped(input: &InputSpec, data: TensorData) -> Tensor {
    let mut tensor = Tensor::column(input.name.clone(), data);
    tensor.shape.resize(input.shape.len().max(1), 1);
    tensor
}

/// The column of `batch` that is named like `input`, as its tensor; `None` when there is no such column.
pub(super) fn of_column(input: &InputSpec, batch: &RecordBatch) -> Result<Option<Tensor>, PortError> {
    let Some(column) = batch.column_by_name(&input.name) else { return Ok(None) };
    let (kind, nullable) = match input.datatype {
        TensorType::Bool => (DataType::Boolean, false),
        TensorType::Int32 => (DataType::Int32, false),
        TensorType::Int64 => (DataType::Int64, false),
        TensorType::Fp32 => (DataType::Float32, true),
        TensorType::Fp64 => (DataType::Float64, true),
        TensorType::Bytes => (DataType::Utf8, false),
        other @ (TensorType::Uint8
        | TensorType::Uint16
        | TensorType::Uint32
        | TensorType::Uint64
        | TensorType::Int8
        | TensorType::Int16
        | TensorType::Fp16
        | TensorType::Bf16) => return Err(unfit(&input.name, format_args!("gates do not make {other}"))),
    };
    let column = cast(column, &kind).map_err(|error| unfit(&input.name, error))?;
    if !nullable && column.null_count() > 0 {
        return Err(unfit(&input.name, format_args!("{} rows of the evaluation data are null", column.null_count())));
    }
    Ok(Some(shaped(input, elements(&column, &kind))))
}

/// The elements of a column that was cast to one of the kinds above; null is NaN.
#[expect(clippy::wildcard_enum_match_arm, reason = "of Arrow's many types the caller casts to six; the last is text")]
fn elements(column: &ArrayRef, kind: &DataType) -> TensorData {
    match kind {
        DataType::Boolean => TensorData::Bool(column.as_boolean().values().iter().collect()),
        DataType::Int32 => TensorData::Int32(column.as_primitive::<Int32Type>().values().to_vec()),
        DataType::Int64 => TensorData::Int64(column.as_primitive::<Int64Type>().values().to_vec()),
        DataType::Float32 => {
            TensorData::Fp32(column.as_primitive::<Float32Type>().iter().map(|v| v.unwrap_or(f32::NAN)).collect())
        }
        DataType::Float64 => {
            TensorData::Fp64(column.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(f64::NAN)).collect())
        }
        _ => {
            let text = column.as_string::<i32>();
            TensorData::Bytes((0..text.len()).map(|row| Bytes::copy_from_slice(text.value(row).as_bytes())).collect())
        }
    }
}

/// The scores in a model's outputs, one for each row: of the first float output the last element of each row, which is
/// the probability of the positive class where there is one for each class.
pub(super) fn scores(outputs: &[Tensor]) -> Result<Vec<f64>, PortError> {
    let output = outputs.iter().find(|output| matches!(output.data, TensorData::Fp32(_) | TensorData::Fp64(_)));
    let Some(output) = output else {
        return Err(PortError::new(ErrorKind::FailedPrecondition, "the model has no float output to score by"));
    };
    let score = |row| match output.row_values(row).last() {
        Some(Value::Float32(score)) => Ok(f64::from(*score)),
        Some(Value::Float64(score)) => Ok(*score),
        _ => Err(PortError::new(
            ErrorKind::FailedPrecondition,
            format!("the output `{}` has no element in row {row}", output.name),
        )),
    };
    (0..output.rows()).map(score).collect()
}
