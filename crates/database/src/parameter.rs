//! Values on their way into a statement.
//!
//! Postgres fixes the type of a parameter when it prepares a statement, so `NULL` has one too: an untyped `NULL` would
//! be text and refused by a `BIGINT` column. Integers travel as `BIGINT`; Postgres casts them to smaller columns and
//! refuses what does not fit.

use std::borrow::Cow;

use types::{Digest, ModelName, Role, Timestamp};

/// A value for a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// Nothing, of a type.
    Null(ParameterType),
    /// Truth value.
    Bool(bool),
    /// Integer of any width.
    Int(i64),
    /// Floating point.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    /// `BOOLEAN`.
    Bool,
    /// `BIGINT`, `INTEGER`, `SMALLINT`.
    Int,
    /// `DOUBLE PRECISION`.
    Float,
    /// `TEXT`, `VARCHAR`.
    Text,
    /// `BYTEA`, `BLOB`.
    Bytes,
}

impl Parameter {
    /// Its type.
    #[must_use]
    pub const fn parameter_type(&self) -> ParameterType {
        match self {
            Self::Null(parameter_type) => *parameter_type,
            Self::Bool(_) => ParameterType::Bool,
            Self::Int(_) => ParameterType::Int,
            Self::Float(_) => ParameterType::Float,
            Self::Text(_) => ParameterType::Text,
            Self::Bytes(_) => ParameterType::Bytes,
        }
    }
}

/// A type whose `Option` can be a parameter, because its `None` has a type.
pub trait Typed {
    /// The type of the parameter that it becomes.
    const TYPE: ParameterType;
}

impl<T: Typed + ?Sized> Typed for &T {
    const TYPE: ParameterType = T::TYPE;
}

impl<T: Typed + Into<Parameter>> From<Option<T>> for Parameter {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::TYPE), Into::into)
    }
}

/// `From<$rust>` and `From<&$rust>` by one conversion from a reference.
macro_rules! parameter_from {
    ($($rust:ty => $variant:ident, |$value:ident| $convert:expr;)*) => {
        $(
            impl Typed for $rust {
                const TYPE: ParameterType = ParameterType::$variant;
            }
            impl From<&$rust> for Parameter {
                fn from($value: &$rust) -> Self {
                    Self::$variant($convert)
                }
            }
        )*
    };
}

macro_rules! parameter_from_owned {
    ($($rust:ty),*) => {
        $(
            impl From<$rust> for Parameter {
                fn from(value: $rust) -> Self {
                    Self::from(&value)
                }
            }
        )*
    };
}

parameter_from! {
    bool => Bool, |value| *value;
    i64 => Int, |value| *value;
    i32 => Int, |value| i64::from(*value);
    i16 => Int, |value| i64::from(*value);
    u32 => Int, |value| i64::from(*value);
    u16 => Int, |value| i64::from(*value);
    u8 => Int, |value| i64::from(*value);
    f64 => Float, |value| *value;
    f32 => Float, |value| f64::from(*value);
    str => Text, |value| value.to_owned();
    String => Text, |value| value.clone();
    Cow<'_, str> => Text, |value| value.clone().into_owned();
    ModelName => Text, |value| value.as_str().to_owned();
    Digest => Text, |value| value.to_string();
    Role => Text, |value| value.as_str().to_owned();
    Timestamp => Int, |value| value.as_micros();
    [u8] => Bytes, |value| value.to_owned();
    Vec<u8> => Bytes, |value| value.clone();
}
parameter_from_owned!(bool, i64, i32, i16, u32, u16, u8, f64, f32, ModelName, Digest, Role, Timestamp);

impl From<String> for Parameter {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&&str> for Parameter {
    fn from(value: &&str) -> Self {
        Self::Text((*value).to_owned())
    }
}

impl From<Cow<'_, str>> for Parameter {
    fn from(value: Cow<'_, str>) -> Self {
        Self::Text(value.into_owned())
    }
}

impl From<Vec<u8>> for Parameter {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// A list of parameters: anything that is `Into<Parameter>`, options of it included.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        ::std::vec::Vec::<$crate::Parameter>::from([$($crate::Parameter::from($value)),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_keeps_the_type_that_it_would_have_had() {
        let owned = String::from("a");
        let parameters = params![1_u32, None::<i64>, Some(true), None::<&str>, &owned, Some(&owned), "b"];
        assert_eq!(
            parameters,
            [
                Parameter::Int(1),
                Parameter::Null(ParameterType::Int),
                Parameter::Bool(true),
                Parameter::Null(ParameterType::Text),
                Parameter::Text("a".into()),
                Parameter::Text("a".into()),
                Parameter::Text("b".into()),
            ]
        );
        assert_eq!(params![], []);
    }
}
