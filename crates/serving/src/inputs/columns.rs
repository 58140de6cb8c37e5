//! Tensors of a request as columns of typed values, and values as elements of a tensor.
//!
//! What is converted, and nothing else: integers of any width into integers (refused when out of range), integers and
//! floats into floats, truth values into numbers on the way to a model. Integers beyond 2^24 lose digits in FP32 and
//! those beyond 2^53 in FP64: that is what a model asks for whose declared input is a float, and it was trained so.
//! Numbers never become text, text never becomes numbers, and fractions never become integers.

use bytes::Bytes;
use half::{bf16, f16};
use types::{TensorType, Timestamp, Value, ValueType};

use crate::{Column, InputError, Tensor, TensorData};

/// The values of `tensor`, one for each row, as `expected`.
pub(crate) fn column(tensor: &Tensor, expected: ValueType) -> Result<Column, InputError> {
    let one_each = matches!(tensor.shape.as_slice(), [_] | [_, 1]);
    if !one_each {
        return Err(InputError::WrongShape {
            input: tensor.name.clone(),
            expected: "one value for each row: [ROWS] or [ROWS, 1]".to_owned(),
            actual: tensor.shape.clone(),
        });
    }
    if !accepts(expected, tensor.datatype()) {
        return Err(InputError::WrongType {
            input: tensor.name.clone(),
            expected: format!("{} for a value of type {expected}", wire_type(expected)),
            actual: tensor.datatype(),
        });
    }
    let value = |row| {
        read(&tensor.data, row, expected).map_err(|reason| InputError::WrongValue {
            input: tensor.name.clone(),
            row,
            reason,
        })
    };
    let values = (0..tensor.data.len()).map(value).collect::<Result<_, _>>()?;
    Ok(Column { name: tensor.name.clone(), values })
}

/// The tensor type in which a value of this type is sent, as the metadata says.
pub(crate) const fn wire_type(value_type: ValueType) -> TensorType {
    match value_type {
        ValueType::Bool => TensorType::Bool,
        ValueType::Int32 => TensorType::Int32,
        ValueType::Int64 | ValueType::Timestamp => TensorType::Int64,
        ValueType::Float32 => TensorType::Fp32,
        ValueType::Float64 => TensorType::Fp64,
        ValueType::String => TensorType::Bytes,
    }
}

/// The value type that a tensor has when nothing else is declared.
pub(crate) const fn natural_type(datatype: TensorType) -> ValueType {
    match datatype {
        TensorType::Bool => ValueType::Bool,
        TensorType::Uint8
        | TensorType::Uint16
        | TensorType::Uint32
        | TensorType::Uint64
        | TensorType::Int8
        | TensorType::Int16
        | TensorType::Int32
        | TensorType::Int64 => ValueType::Int64,
        TensorType::Fp16 | TensorType::Bf16 | TensorType::Fp32 | TensorType::Fp64 => ValueType::Float64,
        TensorType::Bytes => ValueType::String,
    }
}

const fn is_integer(datatype: TensorType) -> bool {
    matches!(natural_type(datatype), ValueType::Int64)
}

const fn is_float(datatype: TensorType) -> bool {
    matches!(natural_type(datatype), ValueType::Float64)
}

/// Whether a tensor of `datatype` can carry values of `expected`.
const fn accepts(expected: ValueType, datatype: TensorType) -> bool {
    match expected {
        ValueType::Bool => matches!(datatype, TensorType::Bool),
        ValueType::Int32 | ValueType::Int64 => is_integer(datatype),
        ValueType::Float32 | ValueType::Float64 => is_integer(datatype) || is_float(datatype),
        ValueType::String => matches!(datatype, TensorType::Bytes),
        ValueType::Timestamp => matches!(datatype, TensorType::Int64 | TensorType::Bytes),
    }
}

fn read(data: &TensorData, row: usize, expected: ValueType) -> Result<Value, String> {
    if let Some(element) = bytes_at(data, row) {
        let text = std::str::from_utf8(element).map_err(|_| "the text is not UTF-8".to_owned())?;
        return match expected {
            ValueType::Timestamp => Timestamp::parse(text).map(Value::Timestamp).map_err(|error| error.to_string()),
            ValueType::Bool
            | ValueType::Int32
            | ValueType::Int64
            | ValueType::Float32
            | ValueType::Float64
            | ValueType::String => Ok(Value::String(text.to_owned())),
        };
    }
    let value = data.value(row).ok_or("there is no such row")?;
    let out_of_range = || format!("{value} is out of range for {expected}");
    Ok(match expected {
        ValueType::Bool | ValueType::String => value,
        ValueType::Int32 => {
            Value::Int32(as_integer(&value).and_then(|v| i32::try_from(v).ok()).ok_or_else(out_of_range)?)
        }
        ValueType::Int64 => Value::Int64(as_integer(&value).ok_or_else(out_of_range)?),
        ValueType::Float32 => Value::Float32(as_float(&value).ok_or_else(out_of_range)? as f32),
        ValueType::Float64 => Value::Float64(as_float(&value).ok_or_else(out_of_range)?),
        ValueType::Timestamp => Value::Timestamp(Timestamp::from_micros(as_integer(&value).ok_or_else(out_of_range)?)),
    })
}

fn bytes_at(data: &TensorData, row: usize) -> Option<&Bytes> {
    if let TensorData::Bytes(elements) = data { elements.get(row) } else { None }
}

fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Int32(value) => Some((*value).into()),
        Value::Int64(value) => Some(*value),
        Value::Timestamp(value) => Some(value.as_micros()),
        Value::Null | Value::Float32(_) | Value::Float64(_) | Value::String(_) => None,
    }
}

fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Float32(value) => Some((*value).into()),
        Value::Float64(value) => Some(*value),
        Value::Bool(_) | Value::Int32(_) | Value::Int64(_) => as_integer(value).map(|value| value as f64),
        Value::Null | Value::String(_) | Value::Timestamp(_) => None,
    }
}

/// Whether a model's input of `datatype` can take a feature of `value_type`.
pub(crate) const fn converts(value_type: ValueType, datatype: TensorType) -> bool {
    match value_type {
        ValueType::Bool => matches!(datatype, TensorType::Bool) || is_integer(datatype) || is_float(datatype),
        ValueType::Int32 | ValueType::Int64 => is_integer(datatype) || is_float(datatype),
        ValueType::Float32 | ValueType::Float64 => is_float(datatype),
        ValueType::String => matches!(datatype, TensorType::Bytes),
        ValueType::Timestamp => matches!(datatype, TensorType::Int64),
    }
}

/// Why a value does not become an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The value is null and the type has no way to say so.
    Null,
    /// The value is of another kind or out of range.
    Value,
}

/// Values as the elements of one tensor. Null becomes NaN where the type has one. An error carries the position.
pub(crate) fn elements<'v>(
    datatype: TensorType,
    values: impl ExactSizeIterator<Item = &'v Value>,
) -> Result<TensorData, (usize, Unfit)> {
    match datatype {
        TensorType::Bool => {
            collect(values, |v| if let Value::Bool(v) = v { Some(*v) } else { None }).map(TensorData::Bool)
        }
        TensorType::Uint8 => collect(values, integer).map(TensorData::Uint8),
        TensorType::Uint16 => collect(values, integer).map(TensorData::Uint16),
        TensorType::Uint32 => collect(values, integer).map(TensorData::Uint32),
        TensorType::Uint64 => collect(values, integer).map(TensorData::Uint64),
        TensorType::Int8 => collect(values, integer).map(TensorData::Int8),
        TensorType::Int16 => collect(values, integer).map(TensorData::Int16),
        TensorType::Int32 => collect(values, integer).map(TensorData::Int32),
        TensorType::Int64 => collect(values, integer).map(TensorData::Int64),
        TensorType::Fp16 => collect(values, |v| float(v).map(f16::from_f64)).map(TensorData::Fp16),
        TensorType::Bf16 => collect(values, |v| float(v).map(bf16::from_f64)).map(TensorData::Bf16),
        TensorType::Fp32 => collect(values, single).map(TensorData::Fp32),
        TensorType::Fp64 => collect(values, float).map(TensorData::Fp64),
        TensorType::Bytes => collect(values, text).map(TensorData::Bytes),
    }
}

fn collect<'v, T>(
    values: impl Iterator<Item = &'v Value>,
    convert: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, (usize, Unfit)> {
    let unfit = |value: &Value| if value.is_null() { Unfit::Null } else { Unfit::Value };
    values.enumerate().map(|(at, value)| convert(value).ok_or_else(|| (at, unfit(value)))).collect()
}

fn integer<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    as_integer(value).and_then(|value| T::try_from(value).ok())
}

fn float(value: &Value) -> Option<f64> {
    if value.is_null() { Some(f64::NAN) } else { as_float(value) }
}

/// Straight to single precision, so that an integer is rounded once and not twice.
fn single(value: &Value) -> Option<f32> {
    match value {
        Value::Float32(value) => Some(*value),
        Value::Int32(value) => Some(*value as f32),
        Value::Int64(value) => Some(*value as f32),
        Value::Null | Value::Bool(_) | Value::Float64(_) | Value::String(_) | Value::Timestamp(_) => {
            float(value).map(|value| value as f32)
        }
    }
}

fn text(value: &Value) -> Option<Bytes> {
    if let Value::String(text) = value { Some(Bytes::copy_from_slice(text.as_bytes())) } else { None }
}
