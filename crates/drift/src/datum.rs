//! One value as drift sees it: a number, a category, or missing; from the log and from columns alike.

use arrow::{
    array::{Array, ArrayRef, AsArray as _},
    compute::cast,
    datatypes::{DataType, Float64Type},
    error::ArrowError,
};
use types::Value;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Datum {
    /// Null, or a number that is not finite.
    Missing,
    /// A number; truth values count as 0 and 1.
    Number(f64),
    /// A category.
    Text(String),
}

impl Datum {
    /// A value of the log.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Missing,
            Value::Bool(value) => Self::Number(f64::from(u8::from(*value))),
            Value::Int32(value) => Self::Number(f64::from(*value)),
            Value::Int64(value) => Self::Number(*value as f64),
            Value::Float32(value) => Self::number(f64::from(*value)),
            Value::Float64(value) => Self::number(*value),
            Value::String(value) => Self::Text(value.clone()),
            Value::Timestamp(value) => Self::Number(value.as_micros() as f64),
        }
    }

    fn number(value: f64) -> Self {
        if value.is_finite() { Self::Number(value) } else { Self::Missing }
    }

    /// The value as the name of an entity or segment; `None` if it is missing.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Missing => None,
            // Whole numbers without a point, as people write ids.
            Self::Number(value) => Some(value.to_string()),
            Self::Text(value) => Some(value.clone()),
        }
    }
}

/// A column of the reference.
pub(crate) fn read(column: &ArrayRef) -> Result<Vec<Datum>, ArrowError> {
    if is_text(column.data_type()) {
        let texts = cast(column, &DataType::Utf8)?;
        let of = |text: Option<&str>| text.map_or(Datum::Missing, |text| Datum::Text(text.to_owned()));
        return Ok(texts.as_string::<i32>().iter().map(of).collect());
    }
    // A point in time has no way to a float but by its integer.
    let whole = if column.data_type().is_temporal() { cast(column, &DataType::Int64)? } else { column.clone() };
    let numbers = cast(&whole, &DataType::Float64)?;
    Ok(numbers
        .as_primitive::<Float64Type>()
        .iter()
        .map(|number| number.map_or(Datum::Missing, Datum::number))
        .collect())
}

fn is_text(kind: &DataType) -> bool {
    if let DataType::Dictionary(_, values) = kind { is_text(values) } else { kind.is_string() }
}
