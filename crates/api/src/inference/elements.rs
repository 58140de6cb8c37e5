//! Elements of tensors as JSON. Numbers, booleans and strings; floats that JSON has no number for are the words `"NaN"`,
//! `"Infinity"` and `"-Infinity"`, in both directions.

use std::fmt;

use bytes::Bytes;
use half::{bf16, f16};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
    ser::{Error as _, SerializeSeq as _},
};
use serving::{InputError, TensorData};
use types::TensorType;

/// One element as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Element {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

/// The elements of one tensor, flat, however deeply they were nested.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Elements(pub(super) Vec<Element>);

impl<'de> Deserialize<'de> for Elements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut elements = Vec::new();
        deserializer.deserialize_any(Flatten(&mut elements))?;
        Ok(Self(elements))
    }
}

/// Appends what it visits. Depth is bounded by the JSON parser's own limit.
struct Flatten<'a>(&'a mut Vec<Element>);

impl<'de> Visitor<'de> for Flatten<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, booleans, strings, or arrays of them")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push(Element::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push(Element::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.push(Element::Signed(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.push(i64::try_from(value).map_or(Element::Unsigned(value), Element::Signed));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.push(Element::Float(value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.push(Element::Text(value.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Nested(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// One member of an array.
struct Nested<'a>(&'a mut Vec<Element>);

impl<'de> serde::de::DeserializeSeed<'de> for Nested<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Flatten(self.0))
    }
}

impl Elements {
    /// The elements as those of a tensor. Integers are taken for floats; nothing else is converted.
    pub(super) fn into_data(self, input: &str, datatype: TensorType) -> Result<TensorData, InputError> {
        let wrong = |at: usize, element: &Element| InputError::WrongValue {
            input: input.to_owned(),
            row: at,
            reason: format!("expected {datatype}, got {element}"),
        };
        Ok(match datatype {
            TensorType::Bool => TensorData::Bool(self.each(boolean, wrong)?),
            TensorType::Uint8 => TensorData::Uint8(self.each(integer, wrong)?),
            TensorType::Uint16 => TensorData::Uint16(self.each(integer, wrong)?),
            TensorType::Uint32 => TensorData::Uint32(self.each(integer, wrong)?),
            TensorType::Uint64 => TensorData::Uint64(self.each(integer, wrong)?),
            TensorType::Int8 => TensorData::Int8(self.each(integer, wrong)?),
            TensorType::Int16 => TensorData::Int16(self.each(integer, wrong)?),
            TensorType::Int32 => TensorData::Int32(self.each(integer, wrong)?),
            TensorType::Int64 => TensorData::Int64(self.each(integer, wrong)?),
            TensorType::Fp16 => TensorData::Fp16(self.each(|e| float(e).map(f16::from_f64), wrong)?),
            TensorType::Bf16 => TensorData::Bf16(self.each(|e| float(e).map(bf16::from_f64), wrong)?),
            TensorType::Fp32 => TensorData::Fp32(self.each(|e| float(e).map(|value| value as f32), wrong)?),
            TensorType::Fp64 => TensorData::Fp64(self.each(float, wrong)?),
            TensorType::Bytes => TensorData::Bytes(self.each(text, wrong)?),
        })
    }

    fn each<T>(
        &self,
        read: impl Fn(&Element) -> Option<T>,
        wrong: impl Fn(usize, &Element) -> InputError,
    ) -> Result<Vec<T>, InputError> {
        self.0.iter().enumerate().map(|(at, element)| read(element).ok_or_else(|| wrong(at, element))).collect()
    }
}

fn boolean(element: &Element) -> Option<bool> {
    if let Element::Bool(value) = element { Some(*value) } else { None }
}

fn integer<T: TryFrom<i64> + TryFrom<u64>>(element: &Element) -> Option<T> {
    match element {
        Element::Signed(value) => T::try_from(*value).ok(),
        Element::Unsigned(value) => T::try_from(*value).ok(),
        Element::Null | Element::Bool(_) | Element::Float(_) | Element::Text(_) => None,
    }
}

fn float(element: &Element) -> Option<f64> {
    match element {
        Element::Signed(value) => Some(*value as f64),
        Element::Unsigned(value) => Some(*value as f64),
        Element::Float(value) => Some(*value),
        Element::Text(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        Element::Null | Element::Bool(_) => None,
    }
}

fn text(element: &Element) -> Option<Bytes> {
    if let Element::Text(text) = element { Some(Bytes::copy_from_slice(text.as_bytes())) } else { None }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => write!(f, "the string {value:?}"),
        }
    }
}

/// The elements of a tensor, to be written flat.
pub(super) struct Written<'a>(pub(super) &'a TensorData);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            TensorData::Bool(elements) => elements.serialize(serializer),
            TensorData::Uint8(elements) => elements.serialize(serializer),
            TensorData::Uint16(elements) => elements.serialize(serializer),
            TensorData::Uint32(elements) => elements.serialize(serializer),
            TensorData::Uint64(elements) => elements.serialize(serializer),
            TensorData::Int8(elements) => elements.serialize(serializer),
            TensorData::Int16(elements) => elements.serialize(serializer),
            TensorData::Int32(elements) => elements.serialize(serializer),
            TensorData::Int64(elements) => elements.serialize(serializer),
            TensorData::Fp16(elements) => floats(elements, |e| e.to_f32(), |e| e.to_f64(), serializer),
            TensorData::Bf16(elements) => floats(elements, |e| e.to_f32(), |e| e.to_f64(), serializer),
            TensorData::Fp32(elements) => floats(elements, |e| e, f64::from, serializer),
            TensorData::Fp64(elements) => floats(elements, |e| e, |e| e, serializer),
            TensorData::Bytes(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    let text = std::str::from_utf8(element);
                    let text = text.map_err(|_| S::Error::custom("bytes that are not text have no form in JSON"))?;
                    sequence.serialize_element(text)?;
                }
                sequence.end()
            }
        }
    }
}

/// Finite floats as the shortest number of their own width, others as words.
fn floats<T: Copy, N: Serialize, S: Serializer>(
    elements: &[T],
    number: impl Fn(T) -> N,
    wide: impl Fn(T) -> f64,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
    for element in elements {
        match wide(*element) {
            value if value.is_finite() => sequence.serialize_element(&number(*element))?,
            value if value.is_nan() => sequence.serialize_element("NaN")?,
            value if value > 0.0 => sequence.serialize_element("Infinity")?,
            _ => sequence.serialize_element("-Infinity")?,
        }
    }
    sequence.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, datatype: TensorType) -> Result<TensorData, InputError> {
        serde_json::from_str::<Elements>(json).unwrap().into_data("x", datatype)
    }

    #[test]
    fn nested_and_flat_elements_are_the_same() {
        let flat = read("[1, 2, 3, 4]", TensorType::Fp32).unwrap();
        assert_eq!(flat, TensorData::Fp32(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(read("[[1, 2], [3, 4]]", TensorType::Fp32).unwrap(), flat);
        assert_eq!(read("[[[1], [2]], [[3], [4]]]", TensorType::Fp32).unwrap(), flat);
    }

    #[test]
    fn elements_of_another_type_or_out_of_range_are_refused_by_position() {
        for (json, datatype) in [
            ("[1, 300]", TensorType::Uint8),
            ("[1, -1]", TensorType::Uint64),
            ("[1, 1.5]", TensorType::Int64),
            ("[1, \"2\"]", TensorType::Int64),
            ("[1, null]", TensorType::Fp32),
            ("[1, true]", TensorType::Fp32),
            ("[\"a\", 1]", TensorType::Bytes),
        ] {
            let error = read(json, datatype).unwrap_err();
            assert!(error.to_string().starts_with(&format!("input `x`, row 1: expected {datatype}, got ")), "{error}");
        }
    }

    #[test]
    fn every_type_survives_json() {
        let columns = [
            TensorData::Bool(vec![true, false]),
            TensorData::Uint64(vec![0, u64::MAX]),
            TensorData::Int64(vec![i64::MIN, i64::MAX]),
            TensorData::Int8(vec![-128, 127]),
            TensorData::Fp16(vec![f16::from_f32(0.1), f16::NEG_INFINITY]),
            TensorData::Bf16(vec![bf16::from_f32(0.1)]),
            TensorData::Fp32(vec![0.1, f32::INFINITY, f32::MIN_POSITIVE]),
            TensorData::Fp64(vec![0.1, f64::NEG_INFINITY]),
            TensorData::Bytes(vec!["é\"".into(), "".into()]),
        ];
        for column in columns {
            let json = serde_json::to_string(&Written(&column)).unwrap();
            assert_eq!(read(&json, column.datatype()).unwrap(), column, "{json}");
        }
        let json = serde_json::to_string(&Written(&TensorData::Fp32(vec![f32::NAN]))).unwrap();
        assert_eq!(json, r#"["NaN"]"#);
        assert!(matches!(read(&json, TensorType::Fp32).unwrap(), TensorData::Fp32(v) if v[0].is_nan()));
    }
}
