//! Tensors into the runtime's values and back.

use bytes::Bytes;
use ort::value::{DynValue, PrimitiveTensorElementType, Shape, Tensor as OrtTensor};
use serving::{Tensor, TensorData};
use types::TensorType;

use crate::{maps, schema};

/// A tensor as the runtime's value. Its memory is handed over, except for strings, which are copied.
pub(crate) fn into_value(tensor: Tensor) -> Result<DynValue, String> {
    let Tensor { name, shape, data } = tensor;
    let value = match data {
        TensorData::Bool(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Uint8(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Uint16(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Uint32(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Uint64(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Int8(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Int16(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Int32(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Int64(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Fp16(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Bf16(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Fp32(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Fp64(elements) => OrtTensor::from_array((shape, elements)).map(OrtTensor::into_dyn),
        TensorData::Bytes(elements) => {
            let text = |element: &Bytes| {
                std::str::from_utf8(element)
                    .map(str::to_owned)
                    .map_err(|_| format!("input `{name}` has text that is not UTF-8"))
            };
            let strings = elements.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            OrtTensor::from_string_array((shape, strings.as_slice())).map(OrtTensor::into_dyn)
        }
    };
    value.map_err(|error| format!("input `{name}`: {error}"))
}

/// The runtime's value as a tensor. What a map per row holds becomes one column for each key.
pub(crate) fn from_value(name: &str, value: &DynValue) -> Result<Tensor, String> {
    let failed = |error: ort::Error| format!("output `{name}`: {error}");
    let Some(element) = value.dtype().tensor_type() else { return maps::columns(name, value) };
    let Some(datatype) = schema::tensor_type(element) else {
        return Err(format!("output `{name}` is a tensor of {element}, which the protocol has no type for"));
    };
    let (shape, data) = match datatype {
        TensorType::Bool => copy(value, TensorData::Bool),
        TensorType::Uint8 => copy(value, TensorData::Uint8),
        TensorType::Uint16 => copy(value, TensorData::Uint16),
        TensorType::Uint32 => copy(value, TensorData::Uint32),
        TensorType::Uint64 => copy(value, TensorData::Uint64),
        TensorType::Int8 => copy(value, TensorData::Int8),
        TensorType::Int16 => copy(value, TensorData::Int16),
        TensorType::Int32 => copy(value, TensorData::Int32),
        TensorType::Int64 => copy(value, TensorData::Int64),
        TensorType::Fp16 => copy(value, TensorData::Fp16),
        TensorType::Bf16 => copy(value, TensorData::Bf16),
        TensorType::Fp32 => copy(value, TensorData::Fp32),
        TensorType::Fp64 => copy(value, TensorData::Fp64),
        TensorType::Bytes => value
            .try_extract_strings()
            .map(|(shape, strings)| (shape.clone(), TensorData::Bytes(strings.into_iter().map(Bytes::from).collect()))),
    }
    .map_err(failed)?;
    Ok(Tensor { name: name.to_owned(), shape: shape.iter().copied().collect(), data })
}

fn copy<T: PrimitiveTensorElementType + Clone>(
    value: &DynValue,
    data: impl Fn(Vec<T>) -> TensorData,
) -> ort::Result<(Shape, TensorData)> {
    let (shape, elements) = value.try_extract_tensor::<T>()?;
    Ok((shape.clone(), data(elements.to_vec())))
}
