//! Where in an answer the outputs are, checked against what the outputs are.

use std::collections::BTreeMap;

use types::{TensorSpec, TensorType};

use super::{Answer, FEATURE, Feature, Pointers, TypedFeature, checks};
use crate::{Error, pointer::Pointer};

/// For each output where its elements are.
pub(super) fn of(outputs: &[TensorSpec], response: &BTreeMap<String, Pointers>) -> Result<Vec<Answer>, Error> {
    if let Some(stranger) = response.keys().find(|name| !outputs.iter().any(|output| output.name == **name)) {
        return Err(Error::invalid(format!("response.{stranger}"), "is not among the outputs"));
    }
    outputs.iter().map(|output| answer(output, response.get(&output.name))).collect()
}

fn answer(output: &TensorSpec, pointers: Option<&Pointers>) -> Result<Answer, Error> {
    let at = format!("response.{}", output.name);
    let Some(pointers) = pointers else {
        return Err(Error::invalid(at, "is missing: say where in the answer the output is"));
    };
    let width = checks::width(output);
    let texts = match pointers {
        Pointers::One(text) => std::slice::from_ref(text),
        Pointers::Each(texts) => texts.as_slice(),
    };
    let parsed: Vec<_> = texts
        .iter()
        .map(|text| Pointer::parse(text).map_err(|problem| Error::invalid(&at, problem)))
        .collect::<Result<_, _>>()?;
    if parsed.iter().any(Pointer::is_rest) && !checks::is_float(output.datatype) {
        return Err(Error::invalid(at, format!("`1 - ` makes sense for floats, and this is {}", output.datatype)));
    }
    match (pointers, parsed.as_slice()) {
        (Pointers::One(_), [pointer]) if output.shape.len() > 1 && !(width == 1 && pointer.is_rest()) => {
            if pointer.is_rest() {
                return Err(Error::invalid(at, "`1 - ` makes sense for one element, not for an array of them"));
            }
            Ok(Answer::Array(pointer.clone(), width))
        }
        (Pointers::One(_) | Pointers::Each(_), pointers) if pointers.len() == width => Ok(Answer::Elements(parsed)),
        (Pointers::One(_) | Pointers::Each(_), pointers) => {
            let problem = format!("has {} pointers, and a row of the output has {width} elements", pointers.len());
            Err(Error::invalid(at, problem))
        }
    }
}

/// Where a feature that explains is, and as what it is told.
pub(super) fn of_feature(name: &str, feature: &Feature) -> Result<(TensorType, Answer), Error> {
    let at = format!("{FEATURE}{name}");
    let (text, datatype) = match feature {
        Feature::Text(pointer) => (pointer, TensorType::Bytes),
        Feature::Typed(TypedFeature { pointer, datatype }) => (pointer, *datatype),
    };
    let pointer = Pointer::parse(text).map_err(|problem| Error::invalid(&at, problem))?;
    if pointer.is_rest() {
        return Err(Error::invalid(at, "a feature is told as it is; `1 - ` makes no sense"));
    }
    if datatype == TensorType::Bytes {
        Ok((datatype, Answer::FeatureText(pointer)))
    } else if datatype == TensorType::Fp64 {
        Ok((datatype, Answer::FeatureNumber(pointer)))
    } else {
        Err(Error::invalid(at, format!("is told as BYTES or as FP64, not as {datatype}")))
    }
}
