//! The backend with the real ONNX Runtime, whose library `CROSSTIE_TEST_ONNXRUNTIME` names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use onnx::{Error, MissingRuntime, OnnxRuntime};
use serving::{
    Backend, BackendError, LoadedModel, ModelSpec, Tensor, TensorData,
    testing::{Subject, conformance},
};
use types::{Digest, ModelName, ModelVersion};

/// Names the library of the tests.
const LIBRARY: &str = "CROSSTIE_TEST_ONNXRUNTIME";

/// The runtime, or `None` where no library is named; on a build server that is a failure.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what they may use")]
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn runtime() -> Option<OnnxRuntime> {
    let Ok(library) = std::env::var(LIBRARY) else {
        assert!(std::env::var("CI").is_err(), "{LIBRARY} is not set");
        eprintln!("skipped: {LIBRARY} is not set");
        return None;
    };
    Some(OnnxRuntime::load(Path::new(&library)).unwrap())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("test-data").join(name)
}

fn spec(file: PathBuf) -> ModelSpec {
    let version = ModelVersion::new(ModelName::parse("model").unwrap(), 1);
    ModelSpec { version, backend: onnx::BACKEND.to_owned(), file, digest: Digest::of("") }
}

async fn loaded(runtime: &OnnxRuntime, name: &str) -> Arc<dyn LoadedModel> {
    runtime.load(&spec(fixture(name))).await.unwrap()
}

async fn refusal(runtime: &OnnxRuntime, file: PathBuf) -> String {
    match runtime.load(&spec(file)).await {
        Ok(_) => panic!("it loaded"),
        Err(error) => error.to_string(),
    }
}

fn matrix_of_one() -> Vec<Tensor> {
    vec![Tensor::new("input", [2, 4], TensorData::Fp32(vec![1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]))]
}

#[tokio::test]
async fn it_keeps_the_contract_of_backends() {
    let Some(runtime) = runtime() else { return };
    let subject = Subject {
        backend: Arc::new(runtime),
        matrix: spec(fixture("matrix.onnx")),
        types: spec(fixture("types.onnx")),
        failing: spec(fixture("fails_above_two.onnx")),
        broken: spec(fixture("make.py")),
    };
    conformance(&subject).await;
}

#[tokio::test]
async fn numbers_are_those_of_onnxruntime_in_python() {
    let Some(runtime) = runtime() else { return };
    let features = loaded(&runtime, "features.onnx").await;
    let inputs = vec![
        Tensor::new("hour", [1, 1], TensorData::Int64(vec![7])),
        Tensor::new("clicks", [1, 1], TensorData::Int64(vec![3])),
        Tensor::new("country", [1, 1], TensorData::Bytes(vec!["US".into()])),
    ];
    let outputs = features.infer(inputs).await.unwrap();
    assert_eq!(outputs, [Tensor::new("score", [1, 1], TensorData::Fp32(vec![23.07]))]);
}

#[tokio::test]
async fn maps_of_classes_become_columns() {
    let Some(runtime) = runtime() else { return };
    let expected = loaded(&runtime, "matrix.onnx").await.infer(matrix_of_one()).await.unwrap().remove(0);
    for name in ["zipmap.onnx", "zipmap_strings.onnx"] {
        let outputs = loaded(&runtime, name).await.infer(matrix_of_one()).await.unwrap();
        assert_eq!(outputs[0], Tensor::new("label", [2], TensorData::Int64(vec![0, 0])));
        assert_eq!((outputs[1].shape.as_slice(), &outputs[1].data), (&[2, 2][..], &expected.data), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_loaded_says_why() {
    let Some(runtime) = runtime() else { return };
    let broken = refusal(&runtime, fixture("make.py")).await;
    assert!(broken.contains("ONNX Runtime does not load make.py"), "{broken}");
    let sequence = refusal(&runtime, fixture("sequence.onnx")).await;
    assert!(sequence.contains("its output `pieces` is no tensor"), "{sequence}");
    let folder = tempfile::tempdir().unwrap();
    let empty = refusal(&runtime, folder.path().to_owned()).await;
    assert!(empty.contains("holds no .onnx file"), "{empty}");
    let missing = refusal(&runtime, folder.path().join("model.onnx")).await;
    assert!(missing.contains("cannot be read"), "{missing}");
}

#[tokio::test]
async fn a_models_folder_is_loaded_by_its_graph() {
    let Some(runtime) = runtime() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("matrix.onnx"), folder.path().join("ranker.onnx")).unwrap();
    runtime.load(&spec(folder.path().to_owned())).await.unwrap();
    std::fs::copy(fixture("zipmap.onnx"), folder.path().join("model.onnx")).unwrap();
    let usual = runtime.load(&spec(folder.path().to_owned())).await.unwrap();
    assert_eq!(usual.schema().outputs[1].name, "output_probability");
}

#[tokio::test]
async fn without_its_library_the_message_says_how_to_get_it() {
    let error = OnnxRuntime::load(Path::new("/nowhere/libonnxruntime.so")).unwrap_err();
    assert!(error.to_string().contains("pip install onnxruntime"), "{error}");
    assert!(error.to_string().contains("--onnxruntime FILE"), "{error}");
    let nowhere = Error::NotFound { looked_in: vec![PathBuf::from("/project/.venv")] };
    let Err(error) = MissingRuntime::new(&nowhere).load(&spec(fixture("matrix.onnx"))).await else {
        panic!("it loaded")
    };
    assert!(matches!(error, BackendError::Unavailable { .. }));
    assert!(error.to_string().contains("/project/.venv"), "{error}");
}

#[test]
fn what_is_no_library_is_refused() {
    let error = OnnxRuntime::load(&fixture("make.py")).unwrap_err();
    assert!(matches!(error, Error::Unusable { .. } | Error::AnotherLoaded { .. }), "{error}");
}
