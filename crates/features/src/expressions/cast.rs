//! Casts that either keep the value or fail: the last step of every expression and of every column that is read.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Float32Type, Float64Type, TimeUnit},
};
use types::ValueType;

use crate::columns::data_type;

/// Whether a column of `from` may become `to`; values are still checked one by one.
pub(crate) fn castable(from: &DataType, to: ValueType) -> bool {
    if from == &DataType::Null {
        return true;
    }
    match to {
        ValueType::Bool => from == &DataType::Boolean,
        ValueType::Int32 | ValueType::Int64 => from.is_integer(),
        ValueType::Float32 | ValueType::Float64 => from.is_integer() || from.is_floating() || from.is_decimal(),
        ValueType::String => is_text(from),
        ValueType::Timestamp => {
            matches!(from, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
        }
    }
}

/// Whether a column holds text, in any of Arrow's encodings.
pub(crate) fn is_text(kind: &DataType) -> bool {
    if let DataType::Dictionary(_, value) = kind {
        return is_text(value);
    }
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// `array` as `to`, nulls kept; the reason if a value would change. Rounding a double to a declared float32 is what the
/// declaration asks for; overflowing it to infinity is not.
pub(crate) fn cast_to(array: &ArrayRef, to: ValueType) -> Result<ArrayRef, String> {
    let target = data_type(to);
    if array.data_type() == &target {
        return Ok(ArrayRef::clone(array));
    }
    if !castable(array.data_type(), to) {
        return Err(format!("{} does not become {to} without loss", array.data_type()));
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let cast = |to: &DataType| {
        cast_with_options(array, to, &strict).map_err(|error| format!("a value does not fit {target}: {error}"))
    };
    if let DataType::Timestamp(unit, _) = array.data_type() {
        return to_micros(array, unit, &cast);
    }
    let result = cast(&target)?;
    if array.data_type().is_integer() && result.data_type().is_floating() {
        exact_float(array, &result, to)?;
    }
    if array.data_type() == &DataType::Float64 && to == ValueType::Float32 {
        let (wide, narrow) = (array.as_primitive::<Float64Type>(), result.as_primitive::<Float32Type>());
        let lost = wide
            .iter()
            .zip(narrow)
            .any(|(a, b)| a.is_some_and(f64::is_finite) && b.is_some_and(|narrow| !narrow.is_finite()));
        if lost {
            return Err("a value is too large for float32".to_owned());
        }
    }
    Ok(result)
}

/// Without a zone a timestamp is UTC; nanoseconds are cut to the microsecond that has begun.
fn to_micros(
    array: &ArrayRef,
    unit: &TimeUnit,
    cast: &impl Fn(&DataType) -> Result<ArrayRef, String>,
) -> Result<ArrayRef, String> {
    use arrow::datatypes::TimestampMicrosecondType as Micros;
    let utc = |values: arrow::array::PrimitiveArray<Micros>| -> ArrayRef {
        std::sync::Arc::new(values.with_timezone(crate::columns::UTC))
    };
    if unit == &TimeUnit::Nanosecond {
        let nanos = array.as_primitive_opt::<arrow::datatypes::TimestampNanosecondType>();
        let nanos = nanos.ok_or("a timestamp column is not what its type says")?;
        return Ok(utc(nanos.unary::<_, Micros>(|value| value.div_euclid(1_000))));
    }
    let micros = cast(&DataType::Timestamp(TimeUnit::Microsecond, zone_of(array.data_type())))?;
    Ok(utc(micros.as_primitive::<Micros>().clone()))
}

fn zone_of(kind: &DataType) -> Option<std::sync::Arc<str>> {
    if let DataType::Timestamp(_, zone) = kind { zone.clone() } else { None }
}

/// Whole numbers beyond 2^53 (2^24 for float32) would silently become their neighbours.
fn exact_float(integers: &ArrayRef, floats: &ArrayRef, to: ValueType) -> Result<(), String> {
    let strict = CastOptions { safe: true, ..CastOptions::default() };
    let back = cast_with_options(floats, integers.data_type(), &strict).map_err(|error| error.to_string())?;
    if back.to_data() == integers.to_data() {
        Ok(())
    } else {
        Err(format!("a whole number is too large to be exact as {to}"))
    }
}
