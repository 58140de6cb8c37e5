//! The protocol's messages into what serving takes, and back.

use std::collections::HashMap;

use bytes::Bytes;
use protocol::inference::{
    self as pb, infer_parameter::ParameterChoice, log_settings_response::setting_value::ParameterChoice as LogChoice,
};
use serving::{InferResponse, InputError, ModelMetadata, Tensor, TensorData};
use types::TensorType;

use super::super::{NO_SHARED_MEMORY, config};
use crate::error::Error;

type Parameters = HashMap<String, pb::InferParameter>;

/// The outputs wanted, by name.
pub(super) fn wanted(request: &pb::ModelInferRequest) -> Result<Vec<String>, Error> {
    refuse_unsupported(&request.parameters)?;
    request.outputs.iter().map(|output| refuse_unsupported(&output.parameters).map(|()| output.name.clone())).collect()
}

/// The inputs, from their raw or their typed form.
pub(super) fn inputs(request: pb::ModelInferRequest) -> Result<Vec<Tensor>, Error> {
    let pb::ModelInferRequest { inputs, raw_input_contents: raw, .. } = request;
    if !raw.is_empty() && raw.len() != inputs.len() {
        return Err(Error::invalid(format!(
            "there are {} raw contents for {} inputs; either each input has one or none has",
            raw.len(),
            inputs.len()
        )));
    }
    let mut raw = raw.into_iter();
    inputs.into_iter().map(|input| tensor(input, raw.next())).collect()
}

fn tensor(input: pb::model_infer_request::InferInputTensor, raw: Option<Bytes>) -> Result<Tensor, Error> {
    let pb::model_infer_request::InferInputTensor { name, datatype, shape, parameters, contents } = input;
    refuse_unsupported(&parameters)?;
    let datatype: TensorType =
        datatype.parse().map_err(|error: types::ParseError| Error::invalid(format!("input `{name}`: {error}")))?;
    let data = match (raw, contents) {
        (Some(raw), None) => TensorData::from_raw(&name, datatype, &raw)?,
        (None, Some(contents)) => typed(&name, datatype, contents)?,
        (Some(raw), Some(contents)) if contents == pb::InferTensorContents::default() => {
            TensorData::from_raw(&name, datatype, &raw)?
        }
        (Some(_), Some(_)) => return Err(Error::invalid(format!("input `{name}` has both raw and typed contents"))),
        (None, None) => return Err(Error::invalid(format!("input `{name}` has no contents"))),
    };
    let tensor = Tensor { name, shape, data };
    tensor.check()?;
    Ok(tensor)
}

fn typed(input: &str, datatype: TensorType, contents: pb::InferTensorContents) -> Result<TensorData, InputError> {
    Ok(match datatype {
        TensorType::Bool => TensorData::Bool(contents.bool_contents),
        TensorType::Uint8 => TensorData::Uint8(narrowed(input, datatype, contents.uint_contents)?),
        TensorType::Uint16 => TensorData::Uint16(narrowed(input, datatype, contents.uint_contents)?),
        TensorType::Uint32 => TensorData::Uint32(contents.uint_contents),
        TensorType::Uint64 => TensorData::Uint64(contents.uint64_contents),
        TensorType::Int8 => TensorData::Int8(narrowed(input, datatype, contents.int_contents)?),
        TensorType::Int16 => TensorData::Int16(narrowed(input, datatype, contents.int_contents)?),
        TensorType::Int32 => TensorData::Int32(contents.int_contents),
        TensorType::Int64 => TensorData::Int64(contents.int64_contents),
        TensorType::Fp32 => TensorData::Fp32(contents.fp32_contents),
        TensorType::Fp64 => TensorData::Fp64(contents.fp64_contents),
        TensorType::Bytes => TensorData::Bytes(contents.bytes_contents),
        TensorType::Fp16 | TensorType::Bf16 => {
            let reason = "half precisions have no typed form; send raw contents".to_owned();
            return Err(InputError::RawData { input: input.to_owned(), datatype, reason });
        }
    })
}

fn narrowed<W: Copy + std::fmt::Display, N: TryFrom<W>>(
    input: &str,
    datatype: TensorType,
    wide: Vec<W>,
) -> Result<Vec<N>, InputError> {
    let out_of_range = |row: usize, element: W| InputError::WrongValue {
        input: input.to_owned(),
        row,
        reason: format!("expected {datatype}, got {element}"),
    };
    let narrow = |(row, element): (usize, W)| N::try_from(element).map_err(|_| out_of_range(row, element));
    wide.into_iter().enumerate().map(narrow).collect()
}

/// Refuses parameters that ask for what is not supported; those that are hints are passed over.
fn refuse_unsupported(parameters: &Parameters) -> Result<(), Error> {
    let asks = |name: &str| match parameters.get(name).and_then(|parameter| parameter.parameter_choice.as_ref()) {
        Some(ParameterChoice::Int64Param(value)) => *value != 0,
        Some(ParameterChoice::Uint64Param(value)) => *value != 0,
        Some(ParameterChoice::StringParam(value)) => !value.is_empty(),
        Some(ParameterChoice::BoolParam(value)) => *value,
        Some(ParameterChoice::DoubleParam(value)) => *value != 0.0,
        None => false,
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

/// An answer; outputs are raw, as Triton's are.
pub(super) fn answer(response: InferResponse) -> pb::ModelInferResponse {
    let version = response.version.version.to_string();
    let text = |text: String| pb::InferParameter { parameter_choice: Some(ParameterChoice::StringParam(text)) };
    let degraded = pb::InferParameter { parameter_choice: Some(ParameterChoice::BoolParam(response.degraded)) };
    let raw_output_contents = response.outputs.iter().map(|tensor| tensor.data.to_raw()).collect();
    let outputs = response.outputs.into_iter().map(|tensor| pb::model_infer_response::InferOutputTensor {
        datatype: tensor.datatype().as_str().to_owned(),
        name: tensor.name,
        shape: tensor.shape,
        parameters: HashMap::new(),
        contents: None,
    });
    pb::ModelInferResponse {
        model_name: response.version.model.to_string(),
        model_version: version.clone(),
        id: response.id.unwrap_or_default(),
        parameters: HashMap::from([
            ("prediction_id".to_owned(), text(response.request.to_string())),
            ("model_version".to_owned(), text(version)),
            ("degraded".to_owned(), degraded),
        ]),
        outputs: outputs.collect(),
        raw_output_contents,
    }
}

/// An answer in a stream.
pub(super) fn streamed(response: pb::ModelInferResponse) -> pb::ModelStreamInferResponse {
    pb::ModelStreamInferResponse { error_message: String::new(), infer_response: Some(response) }
}

/// A failure in a stream, which goes on: it belongs to one request, named by its id.
pub(super) fn stream_failure(id: String, message: &str) -> pb::ModelStreamInferResponse {
    let response = pb::ModelInferResponse { id, ..pb::ModelInferResponse::default() };
    pb::ModelStreamInferResponse { error_message: message.to_owned(), infer_response: Some(response) }
}

/// What a version takes and gives.
pub(super) fn metadata(metadata: ModelMetadata) -> pb::ModelMetadataResponse {
    let tensor = |name: String, datatype: TensorType, shape: Vec<i64>| pb::model_metadata_response::TensorMetadata {
        name,
        datatype: datatype.as_str().to_owned(),
        shape,
    };
    let (platform, _) = config::platform(&metadata.backend);
    pb::ModelMetadataResponse {
        name: metadata.model.to_string(),
        versions: metadata.versions.iter().map(u32::to_string).collect(),
        platform: platform.to_owned(),
        inputs: metadata.inputs.into_iter().map(|input| tensor(input.name, input.datatype, input.shape)).collect(),
        outputs: metadata.schema.outputs.into_iter().map(|spec| tensor(spec.name, spec.datatype, spec.shape)).collect(),
    }
}

/// The log settings.
pub(super) fn log_settings() -> pb::LogSettingsResponse {
    let setting = |name: &str, choice: LogChoice| {
        (name.to_owned(), pb::log_settings_response::SettingValue { parameter_choice: Some(choice) })
    };
    let settings = [
        setting("log_file", LogChoice::StringParam(String::new())),
        setting("log_info", LogChoice::BoolParam(true)),
        setting("log_warning", LogChoice::BoolParam(true)),
        setting("log_error", LogChoice::BoolParam(true)),
        setting("log_verbose_level", LogChoice::Uint32Param(0)),
        setting("log_format", LogChoice::StringParam("default".to_owned())),
    ];
    pb::LogSettingsResponse { settings: settings.into() }
}
