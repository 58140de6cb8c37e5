//! Tensors as requests carry them and backends take them: a name, a shape and a typed column of elements.
//!
//! One enum variant per element type, so that a backend can hand the memory on without looking at single elements.
//! Shape and data are checked against each other at the edge ([`Tensor::check`]); behind it they agree.

mod raw;

use std::fmt;

use bytes::Bytes;
use half::{bf16, f16};
use types::{TensorType, Value};

use crate::InputError;

/// A named, shaped column of elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The input's or output's name.
    pub name: String,
    /// The dimensions, all known; the first one counts rows.
    pub shape: Vec<i64>,
    /// The elements, last dimension fastest.
    pub data: TensorData,
}

/// The elements of a tensor.
#[derive(Clone, PartialEq)]
pub enum TensorData {
    /// Truth values.
    Bool(Vec<bool>),
    /// Unsigned, 8 bits.
    Uint8(Vec<u8>),
    /// Unsigned, 16 bits.
    Uint16(Vec<u16>),
    /// Unsigned, 32 bits.
    Uint32(Vec<u32>),
    /// Unsigned, 64 bits.
    Uint64(Vec<u64>),
    /// Signed, 8 bits.
    Int8(Vec<i8>),
    /// Signed, 16 bits.
    Int16(Vec<i16>),
    /// Signed, 32 bits.
    Int32(Vec<i32>),
    /// Signed, 64 bits.
    Int64(Vec<i64>),
    /// IEEE half precision.
    Fp16(Vec<f16>),
    /// bfloat16.
    Bf16(Vec<bf16>),
    /// IEEE single precision.
    Fp32(Vec<f32>),
    /// IEEE double precision.
    Fp64(Vec<f64>),
    /// Strings of bytes.
    Bytes(Vec<Bytes>),
}

impl Tensor {
    /// A tensor of `shape`.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<i64>>, data: TensorData) -> Self {
        Self { name: name.into(), shape: shape.into(), data }
    }

    /// A tensor with one element for each row, of shape `[rows]`.
    #[must_use]
    pub fn column(name: impl Into<String>, data: TensorData) -> Self {
        let rows = i64::try_from(data.len()).unwrap_or(i64::MAX);
        Self { name: name.into(), shape: vec![rows], data }
    }

    /// The element type.
    #[must_use]
    pub const fn datatype(&self) -> TensorType {
        self.data.datatype()
    }

    /// Rows: the first dimension; 1 for a scalar.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.first().map_or(1, |rows| usize::try_from(*rows).unwrap_or(0))
    }

    /// Elements of one row.
    #[must_use]
    pub fn row_width(&self) -> usize {
        self.shape.iter().skip(1).map(|size| usize::try_from(*size).unwrap_or(0)).product()
    }

    /// The elements of row `row`, as values.
    #[must_use]
    pub fn row_values(&self, row: usize) -> Vec<Value> {
        let width = self.row_width();
        (row * width..(row + 1) * width).filter_map(|index| self.data.value(index)).collect()
    }

    /// Whether shape and number of elements agree.
    ///
    /// # Errors
    /// When a dimension is negative or the elements are not as many as the shape says.
    pub fn check(&self) -> Result<(), InputError> {
        let elements = element_count(&self.shape)
            .ok_or_else(|| InputError::BadShape { input: self.name.clone(), shape: self.shape.clone() })?;
        if elements == self.data.len() {
            Ok(())
        } else {
            Err(InputError::ElementCount {
                input: self.name.clone(),
                shape: self.shape.clone(),
                expected: elements,
                actual: self.data.len(),
            })
        }
    }
}

/// Elements that a fully known shape holds; `None` when a dimension is negative or the product does not fit.
#[must_use]
pub fn element_count(shape: &[i64]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, size| product.checked_mul(usize::try_from(*size).ok()?))
}

/// Does the same with the elements of every variant.
macro_rules! for_each_type {
    ($data:expr, $elements:ident => $body:expr) => {
        match $data {
            TensorData::Bool($elements) => $body,
            TensorData::Uint8($elements) => $body,
            TensorData::Uint16($elements) => $body,
            TensorData::Uint32($elements) => $body,
            TensorData::Uint64($elements) => $body,
            TensorData::Int8($elements) => $body,
            TensorData::Int16($elements) => $body,
            TensorData::Int32($elements) => $body,
            TensorData::Int64($elements) => $body,
            TensorData::Fp16($elements) => $body,
            TensorData::Bf16($elements) => $body,
            TensorData::Fp32($elements) => $body,
            TensorData::Fp64($elements) => $body,
            TensorData::Bytes($elements) => $body,
        }
    };
}

impl TensorData {
    /// The element type.
    #[must_use]
    pub const fn datatype(&self) -> TensorType {
        match self {
            Self::Bool(_) => TensorType::Bool,
            Self::Uint8(_) => TensorType::Uint8,
            Self::Uint16(_) => TensorType::Uint16,
            Self::Uint32(_) => TensorType::Uint32,
            Self::Uint64(_) => TensorType::Uint64,
            Self::Int8(_) => TensorType::Int8,
            Self::Int16(_) => TensorType::Int16,
            Self::Int32(_) => TensorType::Int32,
            Self::Int64(_) => TensorType::Int64,
            Self::Fp16(_) => TensorType::Fp16,
            Self::Bf16(_) => TensorType::Bf16,
            Self::Fp32(_) => TensorType::Fp32,
            Self::Fp64(_) => TensorType::Fp64,
            Self::Bytes(_) => TensorType::Bytes,
        }
    }

    /// How many elements there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        for_each_type!(self, elements => elements.len())
    }

    /// The memory that the elements take, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Bytes(elements) => elements.iter().map(|element| size_of::<Bytes>() + element.len()).sum(),
            Self::Bool(_)
            | Self::Uint8(_)
            | Self::Uint16(_)
            | Self::Uint32(_)
            | Self::Uint64(_)
            | Self::Int8(_)
            | Self::Int16(_)
            | Self::Int32(_)
            | Self::Int64(_)
            | Self::Fp16(_)
            | Self::Bf16(_)
            | Self::Fp32(_)
            | Self::Fp64(_) => for_each_type!(self, elements => size_of_val(elements.as_slice())),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `count` elements that are zero, false or empty.
    #[must_use]
    pub fn zeros(datatype: TensorType, count: usize) -> Self {
        match datatype {
            TensorType::Bool => Self::Bool(vec![false; count]),
            TensorType::Uint8 => Self::Uint8(vec![0; count]),
            TensorType::Uint16 => Self::Uint16(vec![0; count]),
            TensorType::Uint32 => Self::Uint32(vec![0; count]),
            TensorType::Uint64 => Self::Uint64(vec![0; count]),
            TensorType::Int8 => Self::Int8(vec![0; count]),
            TensorType::Int16 => Self::Int16(vec![0; count]),
            TensorType::Int32 => Self::Int32(vec![0; count]),
            TensorType::Int64 => Self::Int64(vec![0; count]),
            TensorType::Fp16 => Self::Fp16(vec![f16::ZERO; count]),
            TensorType::Bf16 => Self::Bf16(vec![bf16::ZERO; count]),
            TensorType::Fp32 => Self::Fp32(vec![0.0; count]),
            TensorType::Fp64 => Self::Fp64(vec![0.0; count]),
            TensorType::Bytes => Self::Bytes(vec![Bytes::new(); count]),
        }
    }

    /// Element `index` as a value: integers as `int64` (those above its range as `float64`), half precisions as
    /// `float32`, bytes as text (what is not UTF-8 is replaced). For logs and for people; tensors travel as they are.
    #[must_use]
    pub fn value(&self, index: usize) -> Option<Value> {
        Some(match self {
            Self::Bool(elements) => Value::Bool(*elements.get(index)?),
            Self::Uint8(elements) => Value::Int64((*elements.get(index)?).into()),
            Self::Uint16(elements) => Value::Int64((*elements.get(index)?).into()),
            Self::Uint32(elements) => Value::Int64((*elements.get(index)?).into()),
            Self::Uint64(elements) => {
                let element = *elements.get(index)?;
                i64::try_from(element).map_or(Value::Float64(element as f64), Value::Int64)
            }
            Self::Int8(elements) => Value::Int64((*elements.get(index)?).into()),
            Self::Int16(elements) => Value::Int64((*elements.get(index)?).into()),
            Self::Int32(elements) => Value::Int32(*elements.get(index)?),
            Self::Int64(elements) => Value::Int64(*elements.get(index)?),
            Self::Fp16(elements) => Value::Float32(elements.get(index)?.to_f32()),
            Self::Bf16(elements) => Value::Float32(elements.get(index)?.to_f32()),
            Self::Fp32(elements) => Value::Float32(*elements.get(index)?),
            Self::Fp64(elements) => Value::Float64(*elements.get(index)?),
            Self::Bytes(elements) => Value::String(String::from_utf8_lossy(elements.get(index)?).into_owned()),
        })
    }
}

impl fmt::Debug for TensorData {
    /// Type and number only: requests are not logged by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.datatype(), self.len())
    }
}
