//! A graph's inputs and outputs in the protocol's words, or why they have no form there.

use ort::{
    session::Session,
    value::{Outlet, TensorElementType, ValueType},
};
use types::{Schema, TensorSpec, TensorType};

/// The schema of a graph.
pub(crate) fn of(session: &Session) -> Result<Schema, String> {
    let described = |what: &str, outlets: &[Outlet], map: bool| -> Result<Vec<TensorSpec>, String> {
        outlets
            .iter()
            .map(|outlet| spec(outlet, map).map_err(|reason| format!("its {what} `{}` is {reason}", outlet.name())))
            .collect()
    };
    Ok(Schema {
        inputs: described("input", session.inputs(), false)?,
        outputs: described("output", session.outputs(), true)?,
    })
}

fn spec(outlet: &Outlet, maps_allowed: bool) -> Result<TensorSpec, String> {
    let name = outlet.name().to_owned();
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let datatype =
                tensor_type(*ty).ok_or_else(|| format!("a tensor of {ty}, which the protocol has no type for"))?;
            Ok(TensorSpec {
                name,
                datatype,
                shape: shape.iter().map(|size| if *size < 0 { -1 } else { *size }).collect(),
            })
        }
        ValueType::Sequence(element) if maps_allowed => match &**element {
            ValueType::Map {
                key: TensorElementType::Int64 | TensorElementType::String,
                value: TensorElementType::Float32,
            } => Ok(TensorSpec { name, datatype: TensorType::Fp32, shape: vec![-1, -1] }),
            ValueType::Map { .. } | ValueType::Tensor { .. } | ValueType::Sequence(_) | ValueType::Optional(_) => {
                Err(no_tensor(outlet))
            }
        },
        ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => Err(no_tensor(outlet)),
    }
}

fn no_tensor(outlet: &Outlet) -> String {
    format!(
        "no tensor but {}: export the model so that it takes and gives tensors (for skl2onnx, with `zipmap=False`)",
        outlet.dtype()
    )
}

/// The protocol's word for an element type; `None` if it has none.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum may grow; what is not known has no word here")]
pub(crate) const fn tensor_type(element: TensorElementType) -> Option<TensorType> {
    Some(match element {
        TensorElementType::Bool => TensorType::Bool,
        TensorElementType::Uint8 => TensorType::Uint8,
        TensorElementType::Uint16 => TensorType::Uint16,
        TensorElementType::Uint32 => TensorType::Uint32,
        TensorElementType::Uint64 => TensorType::Uint64,
        TensorElementType::Int8 => TensorType::Int8,
        TensorElementType::Int16 => TensorType::Int16,
        TensorElementType::Int32 => TensorType::Int32,
        TensorElementType::Int64 => TensorType::Int64,
        TensorElementType::Float16 => TensorType::Fp16,
        TensorElementType::Bfloat16 => TensorType::Bf16,
        TensorElementType::Float32 => TensorType::Fp32,
        TensorElementType::Float64 => TensorType::Fp64,
        TensorElementType::String => TensorType::Bytes,
        _ => return None,
    })
}
