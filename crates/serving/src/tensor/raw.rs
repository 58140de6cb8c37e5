//! The protocol's raw representation of elements, which HTTP's binary extension, gRPC's raw contents and shared memory
//! all use: little-endian, without padding; each element of BYTES is preceded by its length in four bytes.

use bytes::{BufMut as _, Bytes, BytesMut};
use half::{bf16, f16};
use types::TensorType;

use super::TensorData;
use crate::InputError;

impl TensorData {
    /// Reads elements from their raw form.
    ///
    /// # Errors
    /// When the bytes are not a whole number of elements, or a truth value is neither 0 nor 1. The error names `input`.
    pub fn from_raw(input: &str, datatype: TensorType, raw: &Bytes) -> Result<Self, InputError> {
        if let Some(width) = datatype.width()
            && !raw.len().is_multiple_of(width)
        {
            return Err(malformed(input, datatype, format!("{} bytes are not a multiple of {width}", raw.len())));
        }
        Ok(match datatype {
            TensorType::Bool => Self::Bool(booleans(input, raw)?),
            TensorType::Uint8 => Self::Uint8(raw.to_vec()),
            TensorType::Uint16 => Self::Uint16(fixed(raw, u16::from_le_bytes)),
            TensorType::Uint32 => Self::Uint32(fixed(raw, u32::from_le_bytes)),
            TensorType::Uint64 => Self::Uint64(fixed(raw, u64::from_le_bytes)),
            TensorType::Int8 => Self::Int8(fixed(raw, i8::from_le_bytes)),
            TensorType::Int16 => Self::Int16(fixed(raw, i16::from_le_bytes)),
            TensorType::Int32 => Self::Int32(fixed(raw, i32::from_le_bytes)),
            TensorType::Int64 => Self::Int64(fixed(raw, i64::from_le_bytes)),
            TensorType::Fp16 => Self::Fp16(fixed(raw, f16::from_le_bytes)),
            TensorType::Bf16 => Self::Bf16(fixed(raw, bf16::from_le_bytes)),
            TensorType::Fp32 => Self::Fp32(fixed(raw, f32::from_le_bytes)),
            TensorType::Fp64 => Self::Fp64(fixed(raw, f64::from_le_bytes)),
            TensorType::Bytes => Self::Bytes(strings(input, raw)?),
        })
    }

    /// Writes the elements in their raw form.
    #[must_use]
    pub fn to_raw(&self) -> Bytes {
        match self {
            Self::Bool(elements) => elements.iter().map(|element| u8::from(*element)).collect(),
            Self::Uint8(elements) => Bytes::copy_from_slice(elements),
            Self::Uint16(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Uint32(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Uint64(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Int8(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Int16(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Int32(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Int64(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Fp16(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Bf16(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Fp32(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Fp64(elements) => joined(elements, |e| e.to_le_bytes()),
            Self::Bytes(elements) => {
                let mut raw = BytesMut::with_capacity(elements.iter().map(|element| element.len() + 4).sum());
                for element in elements {
                    raw.put_u32_le(u32::try_from(element.len()).unwrap_or(u32::MAX));
                    raw.put_slice(element);
                }
                raw.freeze()
            }
        }
    }
}

fn malformed(input: &str, datatype: TensorType, reason: String) -> InputError {
    InputError::RawData { input: input.to_owned(), datatype, reason }
}

fn fixed<const WIDTH: usize, T>(raw: &[u8], read: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    raw.as_chunks::<WIDTH>().0.iter().map(|chunk| read(*chunk)).collect()
}

fn joined<const WIDTH: usize, T: Copy>(elements: &[T], write: impl Fn(T) -> [u8; WIDTH]) -> Bytes {
    let mut raw = Vec::with_capacity(elements.len() * WIDTH);
    for element in elements {
        raw.extend_from_slice(&write(*element));
    }
    raw.into()
}

fn booleans(input: &str, raw: &[u8]) -> Result<Vec<bool>, InputError> {
    raw.iter()
        .map(|byte| match byte {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(malformed(input, TensorType::Bool, format!("a truth value is 0 or 1, not {other}"))),
        })
        .collect()
}

fn strings(input: &str, raw: &Bytes) -> Result<Vec<Bytes>, InputError> {
    let mut elements = Vec::new();
    let mut rest = raw.clone();
    while !rest.is_empty() {
        let cut_off = || malformed(input, TensorType::Bytes, format!("element {} is cut off", elements.len()));
        let (length, _) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let end = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX).saturating_add(4);
        if rest.len() < end {
            return Err(cut_off());
        }
        let element = rest.split_to(end).slice(4..);
        elements.push(element);
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_its_raw_form() {
        let columns = [
            TensorData::Bool(vec![true, false]),
            TensorData::Uint8(vec![0, 255]),
            TensorData::Uint16(vec![1, u16::MAX]),
            TensorData::Uint32(vec![1, u32::MAX]),
            TensorData::Uint64(vec![1, u64::MAX]),
            TensorData::Int8(vec![-1, i8::MAX]),
            TensorData::Int16(vec![-1, i16::MIN]),
            TensorData::Int32(vec![-1, i32::MIN]),
            TensorData::Int64(vec![-1, i64::MIN]),
            TensorData::Fp16(vec![f16::from_f32(0.5), f16::INFINITY]),
            TensorData::Bf16(vec![bf16::from_f32(-2.0), bf16::ZERO]),
            TensorData::Fp32(vec![0.1, f32::MAX]),
            TensorData::Fp64(vec![0.1, f64::MIN_POSITIVE]),
            TensorData::Bytes(vec![Bytes::from_static(b"DE"), Bytes::new(), Bytes::from_static(&[0, 255])]),
        ];
        for column in columns {
            let raw = column.to_raw();
            assert_eq!(TensorData::from_raw("x", column.datatype(), &raw).unwrap(), column);
        }
    }

    #[test]
    fn broken_raw_forms_are_refused_by_input_name() {
        for (datatype, raw) in [
            (TensorType::Fp32, &[0_u8, 0, 0][..]),
            (TensorType::Bool, &[2]),
            (TensorType::Bytes, &[1, 0]),
            (TensorType::Bytes, &[2, 0, 0, 0, b'x']),
            (TensorType::Bytes, &[255, 255, 255, 255, b'x']),
        ] {
            let error = TensorData::from_raw("country", datatype, &Bytes::copy_from_slice(raw)).unwrap_err();
            assert!(error.to_string().contains("country"), "{error}");
        }
    }
}
