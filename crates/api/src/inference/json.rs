//! Requests and answers in JSON, with tensors in it or in binary behind it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;
use serving::{InferResponse, InputError, Tensor, TensorData};
use types::TensorType;

use super::{
    NO_SHARED_MEMORY,
    body::{Answer, Parts},
    elements::{Elements, Written},
};
use crate::error::Error;

type Parameters = BTreeMap<String, Json>;

/// A request as it is written.
#[derive(Debug, Deserialize)]
struct Request {
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    #[serde(default)]
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Debug, Deserialize)]
struct Input {
    name: String,
    shape: Vec<i64>,
    datatype: String,
    #[serde(default)]
    parameters: Parameters,
    data: Option<Elements>,
}

#[derive(Debug, Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

/// A request as it is meant.
#[derive(Debug)]
pub(super) struct Inference {
    /// The caller's own id.
    pub(super) id: Option<String>,
    /// The inputs.
    pub(super) inputs: Vec<Tensor>,
    /// What is wanted back.
    pub(super) wanted: Wanted,
}

/// Which outputs are wanted, and in which form.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Outputs by name, each with whether it is wanted in binary; empty for all.
    outputs: Vec<(String, bool)>,
    /// Whether outputs that are not named are wanted in binary.
    binary: bool,
}

impl Wanted {
    /// The names; empty for all.
    pub(super) fn names(&self) -> Vec<String> {
        self.outputs.iter().map(|(name, _)| name.clone()).collect()
    }

    fn is_binary(&self, output: &str) -> bool {
        self.outputs.iter().find(|(name, _)| name == output).map_or(self.binary, |(_, binary)| *binary)
    }
}

/// Reads a request.
pub(super) fn read(parts: &Parts) -> Result<Inference, Error> {
    let malformed = |error: serde_json::Error| Error::invalid(format!("the request is not valid JSON: {error}"));
    let request: Request = serde_json::from_slice(&parts.json).map_err(malformed)?;
    refuse_unsupported(&request.parameters)?;
    let binary_by_default = flag(&request.parameters, "binary_data_output").unwrap_or(false);
    let mut outputs = Vec::with_capacity(request.outputs.len());
    for Output { name, parameters } in request.outputs {
        refuse_unsupported(&parameters)?;
        let binary = flag(&parameters, "binary_data").unwrap_or(binary_by_default);
        outputs.push((name, binary));
    }
    let mut rest = parts.binary.clone();
    let inputs = request.inputs.into_iter().map(|input| tensor(input, &mut rest)).collect::<Result<_, _>>()?;
    if !rest.is_empty() {
        return Err(Error::invalid(format!("{} bytes of binary data belong to no input", rest.len())));
    }
    Ok(Inference { id: request.id, inputs, wanted: Wanted { outputs, binary: binary_by_default } })
}

fn tensor(input: Input, binary: &mut Bytes) -> Result<Tensor, Error> {
    let Input { name, shape, datatype, parameters, data } = input;
    refuse_unsupported(&parameters)?;
    let datatype: TensorType =
        datatype.parse().map_err(|error: types::ParseError| Error::invalid(format!("input `{name}`: {error}")))?;
    let data = match (parameters.get("binary_data_size"), data) {
        (None, Some(elements)) => elements.into_data(&name, datatype)?,
        (Some(size), None) => {
            let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|size| *size <= binary.len()).ok_or_else(|| InputError::RawData {
                input: name.clone(),
                datatype,
                reason: format!("binary_data_size is not a number of bytes that follow ({} are left)", binary.len()),
            })?;
            TensorData::from_raw(&name, datatype, &binary.split_to(size))?
        }
        (Some(_), Some(_)) => {
            return Err(Error::invalid(format!("input `{name}` has both data and binary_data_size")));
        }
        (None, None) => return Err(Error::invalid(format!("input `{name}` has no data"))),
    };
    let tensor = Tensor { name, shape, data };
    tensor.check()?;
    Ok(tensor)
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        Self::of(error.kind(), &error)
    }
}

/// Refuses parameters that ask for what is not supported; those that are hints are passed over.
fn refuse_unsupported(parameters: &Parameters) -> Result<(), Error> {
    let asks = |name: &str| match parameters.get(name) {
        None | Some(Json::Null) => false,
        Some(Json::Bool(value)) => *value,
        Some(Json::Number(value)) => value.as_f64() != Some(0.0),
        Some(Json::String(value)) => !value.is_empty(),
        Some(Json::Array(_) | Json::Object(_)) => true,
    };
    if asks("shared_memory_region") {
        return Err(Error::invalid(NO_SHARED_MEMORY));
    }
    if asks("sequence_id") {
        return Err(Error::invalid("sequences are not supported by this server"));
    }
    if asks("classification") {
        return Err(Error::invalid("classification is not supported by this server: ask for the output itself"));
    }
    Ok(())
}

fn flag(parameters: &Parameters, name: &str) -> Option<bool> {
    parameters.get(name).and_then(Json::as_bool)
}

/// An answer as it is written.
#[derive(Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    model_name: &'a str,
    model_version: String,
    parameters: ResponseParameters<'a>,
    outputs: Vec<ResponseOutput<'a>>,
}

#[derive(Serialize)]
struct ResponseParameters<'a> {
    prediction_id: String,
    model_version: &'a str,
    degraded: bool,
}

#[derive(Serialize)]
struct ResponseOutput<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [i64],
    #[serde(flatten)]
    content: Content<'a>,
}

/// Elements in JSON, or how many bytes of them follow.
enum Content<'a> {
    Json(&'a TensorData),
    Binary(usize),
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Json(data) => map.serialize_entry("data", &Written(data))?,
            Self::Binary(size) => {
                map.serialize_entry("parameters", &BTreeMap::from([("binary_data_size", size)]))?;
            }
        }
        map.end()
    }
}

/// Writes an answer.
pub(super) fn write(response: &InferResponse, wanted: &Wanted) -> Result<Answer, Error> {
    let raw: Vec<Option<Bytes>> =
        response.outputs.iter().map(|tensor| wanted.is_binary(&tensor.name).then(|| tensor.data.to_raw())).collect();
    let version = response.version.version.to_string();
    let outputs = response.outputs.iter().zip(&raw).map(|(tensor, raw)| ResponseOutput {
        name: &tensor.name,
        datatype: tensor.datatype().as_str(),
        shape: &tensor.shape,
        content: raw.as_ref().map_or(Content::Json(&tensor.data), |raw| Content::Binary(raw.len())),
    });
    let written = Response {
        id: response.id.as_deref(),
        model_name: response.version.model.as_str(),
        model_version: version.clone(),
        parameters: ResponseParameters {
            prediction_id: response.request.to_string(),
            model_version: &version,
            degraded: response.degraded,
        },
        outputs: outputs.collect(),
    };
    let unwritable = |error: serde_json::Error| {
        Error::invalid(format!("the outputs cannot be written: {error}; ask for binary data"))
    };
    let json = serde_json::to_vec(&written).map_err(unwritable)?;
    Ok(Answer { json, binary: raw.into_iter().flatten().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(json: &str, binary: &'static [u8]) -> Parts {
        Parts { json: Bytes::copy_from_slice(json.as_bytes()), binary: Bytes::from_static(binary) }
    }

    #[test]
    fn inputs_in_json_and_in_binary_stand_side_by_side() {
        let json = r#"{"id": "r-1", "inputs": [
            {"name": "a", "shape": [2], "datatype": "UINT8", "parameters": {"binary_data_size": 2}},
            {"name": "b", "shape": [2, 1], "datatype": "BYTES", "data": [["x"], ["y"]]},
            {"name": "c", "shape": [2], "datatype": "INT16", "parameters": {"binary_data_size": 4}}],
            "outputs": [{"name": "o", "parameters": {"binary_data": true}}, {"name": "p"}]}"#;
        let inference = read(&parts(json, &[1, 2, 3, 0, 4, 0])).unwrap();
        assert_eq!(inference.id.as_deref(), Some("r-1"));
        assert_eq!(inference.inputs[0].data, TensorData::Uint8(vec![1, 2]));
        assert_eq!(inference.inputs[1].data, TensorData::Bytes(vec!["x".into(), "y".into()]));
        assert_eq!(inference.inputs[2].data, TensorData::Int16(vec![3, 4]));
        assert_eq!(inference.wanted.names(), ["o", "p"]);
        assert!(inference.wanted.is_binary("o") && !inference.wanted.is_binary("p"));
    }

    #[test]
    fn malformed_requests_name_what_is_wrong() {
        for (json, binary, said) in [
            ("{", &[][..], "not valid JSON"),
            (r#"{"inputs": [{"name": "a", "shape": [2], "datatype": "FLOAT", "data": [1, 2]}]}"#, &[], "`FLOAT`"),
            (
                r#"{"inputs": [{"name": "a", "shape": [3], "datatype": "FP32", "data": [1, 2]}]}"#,
                &[],
                "needs 3 elements, got 2",
            ),
            (r#"{"inputs": [{"name": "a", "shape": [-1], "datatype": "FP32", "data": [1, 2]}]}"#, &[], "[-1]"),
            (r#"{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32"}]}"#, &[], "`a` has no data"),
            (
                r#"{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 4}}]}"#,
                &[0],
                "`a`",
            ),
            (r#"{"inputs": []}"#, &[0], "belong to no input"),
            (
                r#"{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "parameters": {"shared_memory_region": "r"}}]}"#,
                &[],
                "shared memory",
            ),
        ] {
            let error = read(&parts(json, binary)).unwrap_err();
            assert!(error.message.contains(said), "{json}: {}", error.message);
        }
    }
}
