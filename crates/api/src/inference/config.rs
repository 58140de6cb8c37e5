//! A model's description in Triton's words, made once as messages and written as JSON from those.

use protocol::inference as pb;
use serde_json::{Value as Json, json};
use serving::{CountAndTime, ModelMetadata, VersionStatistics};
use types::TensorType;

/// Triton's names of what executes a version: the platform and the backend.
pub(super) fn platform(backend: &str) -> (&str, &str) {
    if backend == "onnx" { ("onnxruntime_onnx", "onnxruntime") } else { (backend, backend) }
}

/// A model's configuration. Rows are part of the shapes, hence no batch size.
pub(super) fn model_config(metadata: &ModelMetadata) -> pb::ModelConfig {
    let (platform, backend) = platform(&metadata.backend);
    let versions = metadata.versions.iter().map(|version| i64::from(*version)).collect();
    let specific = pb::model_version_policy::Specific { versions };
    pb::ModelConfig {
        name: metadata.model.to_string(),
        platform: platform.to_owned(),
        backend: backend.to_owned(),
        version_policy: Some(pb::ModelVersionPolicy {
            policy_choice: Some(pb::model_version_policy::PolicyChoice::Specific(specific)),
        }),
        max_batch_size: 0,
        input: metadata
            .inputs
            .iter()
            .map(|input| pb::ModelInput {
                name: input.name.clone(),
                data_type: data_type(input.datatype).into(),
                dims: input.shape.clone(),
                optional: input.optional,
            })
            .collect(),
        output: metadata
            .schema
            .outputs
            .iter()
            .map(|output| pb::ModelOutput {
                name: output.name.clone(),
                data_type: data_type(output.datatype).into(),
                dims: output.shape.clone(),
            })
            .collect(),
        default_model_filename: String::new(),
        parameters: [].into(),
        model_transaction_policy: Some(pb::ModelTransactionPolicy { decoupled: false }),
    }
}

/// The configuration as JSON.
pub(super) fn model_config_json(metadata: &ModelMetadata) -> Json {
    let config = model_config(metadata);
    let input = |input: &pb::ModelInput| {
        let mut json = json!({ "name": input.name, "data_type": input.data_type().as_str_name(), "dims": input.dims });
        if input.optional {
            json["optional"] = true.into();
        }
        json
    };
    let output = |output: &pb::ModelOutput| json!({ "name": output.name, "data_type": output.data_type().as_str_name(), "dims": output.dims });
    json!({
        "name": config.name,
        "platform": config.platform,
        "backend": config.backend,
        "version_policy": { "specific": { "versions": metadata.versions } },
        "max_batch_size": config.max_batch_size,
        "input": config.input.iter().map(input).collect::<Vec<_>>(),
        "output": config.output.iter().map(output).collect::<Vec<_>>(),
        "parameters": {},
        "model_transaction_policy": { "decoupled": false },
    })
}

/// Triton's word for an element type.
const fn data_type(datatype: TensorType) -> pb::DataType {
    match datatype {
        TensorType::Bool => pb::DataType::TypeBool,
        TensorType::Uint8 => pb::DataType::TypeUint8,
        TensorType::Uint16 => pb::DataType::TypeUint16,
        TensorType::Uint32 => pb::DataType::TypeUint32,
        TensorType::Uint64 => pb::DataType::TypeUint64,
        TensorType::Int8 => pb::DataType::TypeInt8,
        TensorType::Int16 => pb::DataType::TypeInt16,
        TensorType::Int32 => pb::DataType::TypeInt32,
        TensorType::Int64 => pb::DataType::TypeInt64,
        TensorType::Fp16 => pb::DataType::TypeFp16,
        TensorType::Bf16 => pb::DataType::TypeBf16,
        TensorType::Fp32 => pb::DataType::TypeFp32,
        TensorType::Fp64 => pb::DataType::TypeFp64,
        TensorType::Bytes => pb::DataType::TypeString,
    }
}

/// A version's statistics.
pub(super) fn statistics(of: &VersionStatistics) -> pb::ModelStatistics {
    let duration = |sum: CountAndTime| Some(pb::StatisticDuration { count: sum.count, ns: sum.nanos });
    let last = of.last_inference.map_or(0, |at| u64::try_from(at.as_millis()).unwrap_or(0));
    let batch = |batch: &serving::BatchStatistics| pb::InferBatchStatistics {
        batch_size: batch.batch_size,
        compute_input: duration(batch.compute_input),
        compute_infer: duration(batch.compute_infer),
        compute_output: duration(batch.compute_output),
    };
    pb::ModelStatistics {
        name: of.version.model.to_string(),
        version: of.version.version.to_string(),
        last_inference: last,
        inference_count: of.inference_count,
        execution_count: of.execution_count,
        inference_stats: Some(pb::InferStatistics {
            success: duration(of.success),
            fail: duration(of.fail),
            queue: duration(of.queue),
            compute_input: duration(of.compute_input),
            compute_infer: duration(of.compute_infer),
            compute_output: duration(of.compute_output),
            cache_hit: duration(CountAndTime::default()),
            cache_miss: duration(CountAndTime::default()),
        }),
        batch_stats: of.batches.iter().map(batch).collect(),
    }
}

/// A version's statistics as JSON.
pub(super) fn statistics_json(of: &VersionStatistics) -> Json {
    let duration = |sum: CountAndTime| json!({ "count": sum.count, "ns": sum.nanos });
    let batch = |batch: &serving::BatchStatistics| {
        json!({
            "batch_size": batch.batch_size,
            "compute_input": duration(batch.compute_input),
            "compute_infer": duration(batch.compute_infer),
            "compute_output": duration(batch.compute_output),
        })
    };
    json!({
        "name": of.version.model,
        "version": of.version.version.to_string(),
        "last_inference": of.last_inference.map_or(0, types::Timestamp::as_millis),
        "inference_count": of.inference_count,
        "execution_count": of.execution_count,
        "inference_stats": {
            "success": duration(of.success),
            "fail": duration(of.fail),
            "queue": duration(of.queue),
            "compute_input": duration(of.compute_input),
            "compute_infer": duration(of.compute_infer),
            "compute_output": duration(of.compute_output),
            "cache_hit": duration(CountAndTime::default()),
            "cache_miss": duration(CountAndTime::default()),
        },
        "batch_stats": of.batches.iter().map(batch).collect::<Vec<_>>(),
    })
}
