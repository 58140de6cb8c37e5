//! One feature value, request value or entity key, of a type known when the program runs.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ParseError, Timestamp};

/// The type of a feature, an entity's join key or a request-time value, as written in project files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Truth value.
    Bool,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// IEEE single precision.
    Float32,
    /// IEEE double precision.
    Float64,
    /// UTF-8 text.
    String,
    /// A point in time, UTC, microseconds.
    Timestamp,
}

impl ValueType {
    /// The type as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Timestamp => "timestamp",
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ValueType {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        [Self::Bool, Self::Int32, Self::Int64, Self::Float32, Self::Float64, Self::String, Self::Timestamp]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                ParseError::new("value type", text, "bool, int32, int64, float32, float64, string or timestamp")
            })
    }
}

/// One value. Serialized with its type (`{"int64": 3}`, `"null"`), so that nothing is guessed when it is read back;
/// floats that JSON has no word for travel as their bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// Not known. Never a stand-in for zero.
    Null,
    /// Truth value.
    Bool(bool),
    /// Signed 32-bit integer.
    Int32(i32),
    /// Signed 64-bit integer.
    Int64(i64),
    /// IEEE single precision.
    Float32(#[serde(with = "float32")] f32),
    /// IEEE double precision.
    Float64(#[serde(with = "float64")] f64),
    /// UTF-8 text.
    String(String),
    /// A point in time.
    Timestamp(Timestamp),
}

impl Value {
    /// Its type; `None` for null.
    #[must_use]
    pub const fn value_type(&self) -> Option<ValueType> {
        match self {
            Self::Null => None,
            Self::Bool(_) => Some(ValueType::Bool),
            Self::Int32(_) => Some(ValueType::Int32),
            Self::Int64(_) => Some(ValueType::Int64),
            Self::Float32(_) => Some(ValueType::Float32),
            Self::Float64(_) => Some(ValueType::Float64),
            Self::String(_) => Some(ValueType::String),
            Self::Timestamp(_) => Some(ValueType::Timestamp),
        }
    }

    /// Whether it is not known.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Equality as parity means it: nulls equal nulls, floats are equal bit for bit (so NaN equals the same NaN, and
    /// 0.0 differs from -0.0).
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float32(a), Self::Float32(b)) => a.to_bits() == b.to_bits(),
            (Self::Float64(a), Self::Float64(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }

    /// The value as plain JSON for people and APIs: the number, string, boolean or null itself; non-finite floats as
    /// `"NaN"`, `"Infinity"`, `"-Infinity"`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int32(value) => (*value).into(),
            Self::Int64(value) => (*value).into(),
            Self::Float32(value) => float_json(f64::from(*value)),
            Self::Float64(value) => float_json(*value),
            Self::String(value) => value.clone().into(),
            Self::Timestamp(value) => value.to_string().into(),
        }
    }

    /// Reads plain JSON as `expected`. Null is null of any type; integers are accepted for floats; nothing else is
    /// converted.
    ///
    /// # Errors
    /// When the JSON is of another type or out of range.
    pub fn from_json(json: &serde_json::Value, expected: ValueType) -> Result<Self, ParseError> {
        use serde_json::Value as Json;
        let malformed = || ParseError::new("value", &json.to_string(), expected.as_str());
        match (expected, json) {
            (_, Json::Null) => Ok(Self::Null),
            (ValueType::Bool, Json::Bool(value)) => Ok(Self::Bool(*value)),
            (ValueType::Int32, Json::Number(value)) => {
                value.as_i64().and_then(|v| i32::try_from(v).ok()).map(Self::Int32).ok_or_else(malformed)
            }
            (ValueType::Int64, Json::Number(value)) => value.as_i64().map(Self::Int64).ok_or_else(malformed),
            (ValueType::Float32, Json::Number(value)) => {
                value.as_f64().map(|v| Self::Float32(v as f32)).ok_or_else(malformed)
            }
            (ValueType::Float64, Json::Number(value)) => value.as_f64().map(Self::Float64).ok_or_else(malformed),
            (ValueType::Float32, Json::String(text)) => {
                float_word(text).map(|v| Self::Float32(v as f32)).ok_or_else(malformed)
            }
            (ValueType::Float64, Json::String(text)) => float_word(text).map(Self::Float64).ok_or_else(malformed),
            (ValueType::String, Json::String(text)) => Ok(Self::String(text.clone())),
            (ValueType::Timestamp, Json::String(text)) => Timestamp::parse(text).map(Self::Timestamp),
            (_, Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_)) => {
                Err(malformed())
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int32(value) => value.fmt(f),
            Self::Int64(value) => value.fmt(f),
            Self::Float32(value) => value.fmt(f),
            Self::Float64(value) => value.fmt(f),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Timestamp(value) => value.fmt(f),
        }
    }
}

fn float_json(value: f64) -> serde_json::Value {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        value.into()
    }
}

fn float_word(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Floats as JSON numbers where JSON can hold them exactly, else as their bits (`"bits:7ff8000000000000"`).
macro_rules! float_codec {
    ($module:ident, $float:ty, $bits:ty) => {
        mod $module {
            use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

            #[derive(Serialize, Deserialize)]
            #[serde(untagged)]
            enum Wire {
                Number($float),
                Bits(String),
            }

            pub(super) fn serialize<S: Serializer>(value: &$float, serializer: S) -> Result<S::Ok, S::Error> {
                let exact = value.is_finite() && value.to_bits() != <$float>::to_bits(-0.0);
                let wire = if exact { Wire::Number(*value) } else { Wire::Bits(format!("bits:{:x}", value.to_bits())) };
                wire.serialize(serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$float, D::Error> {
                match Wire::deserialize(deserializer)? {
                    Wire::Number(value) => Ok(value),
                    Wire::Bits(text) => text
                        .strip_prefix("bits:")
                        .and_then(|bits| <$bits>::from_str_radix(bits, 16).ok())
                        .map(<$float>::from_bits)
                        .ok_or_else(|| D::Error::custom("expected a number or `bits:` and hexadecimal digits")),
                }
            }
        }
    };
}
float_codec!(float32, f32, u32);
float_codec!(float64, f64, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_its_own_json_bit_for_bit() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int32(-1),
            Value::Int64(i64::MAX),
            Value::Float32(0.1),
            Value::Float64(0.1 + 0.2),
            Value::Float64(f64::NAN),
            Value::Float64(f64::NEG_INFINITY),
            Value::Float64(-0.0),
            Value::String("é\"".to_owned()),
            Value::Timestamp(Timestamp::from_micros(1)),
        ];
        for value in values {
            let json = serde_json::to_string(&value).unwrap();
            let back: Value = serde_json::from_str(&json).unwrap();
            assert!(value.same(&back), "{value:?} became {back:?} by way of {json}");
        }
    }

    #[test]
    fn plain_json_of_another_type_is_refused() {
        assert_eq!(Value::from_json(&serde_json::json!(3), ValueType::Float64).unwrap(), Value::Float64(3.0));
        assert!(Value::from_json(&serde_json::json!(3.5), ValueType::Int64).is_err());
        assert!(Value::from_json(&serde_json::json!("3"), ValueType::Int64).is_err());
        assert!(Value::from_json(&serde_json::json!(3_000_000_000_i64), ValueType::Int32).is_err());
        assert!(Value::from_json(&serde_json::json!(null), ValueType::String).unwrap().is_null());
    }
}
