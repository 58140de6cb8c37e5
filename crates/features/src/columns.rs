//! Between [`Value`]s, of which a request has a few, and Arrow columns, of which a training set has millions.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder,
        StringBuilder, TimestampMicrosecondBuilder,
    },
    datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use types::{Timestamp, Value, ValueType};

/// The zone of every timestamp column behind the edge.
pub(crate) const UTC: &str = "UTC";

/// The one Arrow type that holds values of `kind`.
#[must_use]
pub fn data_type(kind: ValueType) -> DataType {
    match kind {
        ValueType::Bool => DataType::Boolean,
        ValueType::Int32 => DataType::Int32,
        ValueType::Int64 => DataType::Int64,
        ValueType::Float32 => DataType::Float32,
        ValueType::Float64 => DataType::Float64,
        ValueType::String => DataType::Utf8,
        ValueType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    }
}

/// Row `row` of a column of [`data_type`]`(kind)`.
pub(crate) fn value_at(column: &dyn Array, kind: ValueType, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match kind {
        ValueType::Bool => Value::Bool(column.as_boolean().value(row)),
        ValueType::Int32 => Value::Int32(column.as_primitive::<Int32Type>().value(row)),
        ValueType::Int64 => Value::Int64(column.as_primitive::<Int64Type>().value(row)),
        ValueType::Float32 => Value::Float32(column.as_primitive::<Float32Type>().value(row)),
        ValueType::Float64 => Value::Float64(column.as_primitive::<Float64Type>().value(row)),
        ValueType::String => Value::String(column.as_string::<i32>().value(row).to_owned()),
        ValueType::Timestamp => {
            Value::Timestamp(Timestamp::from_micros(column.as_primitive::<TimestampMicrosecondType>().value(row)))
        }
    }
}

/// A column of `kind` from values, where a value of another type becomes null: callers check types at the edge.
pub(crate) fn column_of<'a>(kind: ValueType, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    macro_rules! build {
        ($builder:expr, $variant:ident, $value:ident => $stored:expr) => {{
            let mut builder = $builder;
            for value in values {
                builder.append_option(if let Value::$variant($value) = value { Some($stored) } else { None });
            }
            Arc::new(builder.finish())
        }};
    }
    match kind {
        ValueType::Bool => build!(BooleanBuilder::new(), Bool, value => *value),
        ValueType::Int32 => build!(Int32Builder::new(), Int32, value => *value),
        ValueType::Int64 => build!(Int64Builder::new(), Int64, value => *value),
        ValueType::Float32 => build!(Float32Builder::new(), Float32, value => *value),
        ValueType::Float64 => build!(Float64Builder::new(), Float64, value => *value),
        ValueType::String => build!(StringBuilder::new(), String, value => value.as_str()),
        ValueType::Timestamp => {
            let builder = TimestampMicrosecondBuilder::new().with_timezone(UTC);
            build!(builder, Timestamp, value => value.as_micros())
        }
    }
}
