//! What a backend owes to those who rely on it, as one suite.

use std::sync::Arc;

use futures::{StreamExt as _, future, stream};

use crate::{Backend, BackendError, LoadedModel, ModelSpec, Tensor, TensorData};

/// A backend, and models for it.
#[derive(Clone)]
pub struct Subject {
    /// The backend.
    pub backend: Arc<dyn Backend>,
    /// A model with the input `input`, FP32 of shape `[-1, 4]`, and the output `probabilities`, FP32 of shape `[-1, 2]`;
    /// each row of outputs depends on its own row of inputs alone, and adds up to 1.
    pub matrix: ModelSpec,
    /// A model with the inputs `a_in` and so on for each element type in lower case, of shape `[-1]`, which it answers as
    /// `a_out` and so on.
    pub types: ModelSpec,
    /// A model with the input `input`, INT64 of shape `[-1]`, that fails where it is 9.
    pub failing: ModelSpec,
    /// Something that is no model.
    pub broken: ModelSpec,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("backend", &self.backend.name()).finish_non_exhaustive()
    }
}

/// Runs the suite.
///
/// # Panics
/// When the backend does not keep the contract.
pub async fn conformance(subject: &Subject) {
    assert!(!subject.backend.name().is_empty(), "a plan must be able to name the backend");
    refuses_what_is_no_model(subject).await;
    describes_and_executes_rows_each_by_itself(subject).await;
    keeps_every_type(subject).await;
    answers_many_at_once_and_survives_those_who_leave(subject).await;
    survives_a_failing_execution(subject).await;
}

async fn load(subject: &Subject, spec: &ModelSpec) -> Arc<dyn LoadedModel> {
    let loaded = subject.backend.load(spec).await;
    loaded.unwrap_or_else(|error| panic!("{} does not load: {error}", spec.version))
}

async fn refuses_what_is_no_model(subject: &Subject) {
    let Err(error) = subject.backend.load(&subject.broken).await else { panic!("it loaded what is no model") };
    assert!(matches!(error, BackendError::Load { .. }), "{error:?}");
}

async fn describes_and_executes_rows_each_by_itself(subject: &Subject) {
    let model = load(subject, &subject.matrix).await;
    let [input] = model.schema().inputs.as_slice() else { panic!("{:?}", model.schema()) };
    assert_eq!((input.name.as_str(), input.shape.as_slice()), ("input", &[-1, 4][..]));
    let [output] = model.schema().outputs.as_slice() else { panic!("{:?}", model.schema()) };
    assert_eq!((output.name.as_str(), output.shape.as_slice()), ("probabilities", &[-1, 2][..]));
    let together = probabilities(&*model, &[1.0, 2.0, 3.0]).await;
    let mut alone = Vec::new();
    for row in [1.0, 2.0, 3.0] {
        alone.extend(probabilities(&*model, &[row]).await);
    }
    assert_eq!(together, alone, "a row's answer depends on the rows beside it");
    assert!(together.iter().all(|(one, other)| (one + other - 1.0).abs() < 1e-6), "{together:?}");
}

/// One row of four equal numbers for each of `rows`.
async fn probabilities(model: &dyn LoadedModel, rows: &[f32]) -> Vec<(f32, f32)> {
    let count = i64::try_from(rows.len()).expect("few rows");
    let elements = rows.iter().flat_map(|row| [*row; 4]).collect();
    let outputs = model.infer(vec![Tensor::new("input", [count, 4], TensorData::Fp32(elements))]).await;
    let outputs = outputs.expect("the model answers");
    let [Tensor { name, shape, data: TensorData::Fp32(data) }] = outputs.as_slice() else { panic!("{outputs:?}") };
    assert_eq!((name.as_str(), shape.as_slice()), ("probabilities", &[count, 2][..]));
    data.as_chunks::<2>().0.iter().map(|[one, other]| (*one, *other)).collect()
}

async fn keeps_every_type(subject: &Subject) {
    let model = load(subject, &subject.types).await;
    let mut inputs: Vec<Tensor> = model
        .schema()
        .inputs
        .iter()
        .map(|spec| Tensor::column(&spec.name, TensorData::zeros(spec.datatype, 2)))
        .map(|tensor| match tensor.data {
            TensorData::Bytes(_) => Tensor { data: TensorData::Bytes(vec!["é".into(), "".into()]), ..tensor },
            TensorData::Uint64(_) => Tensor { data: TensorData::Uint64(vec![u64::MAX, 0]), ..tensor },
            TensorData::Fp64(_) => Tensor { data: TensorData::Fp64(vec![f64::INFINITY, 0.1]), ..tensor },
            TensorData::Bool(_)
            | TensorData::Uint8(_)
            | TensorData::Uint16(_)
            | TensorData::Uint32(_)
            | TensorData::Int8(_)
            | TensorData::Int16(_)
            | TensorData::Int32(_)
            | TensorData::Int64(_)
            | TensorData::Fp16(_)
            | TensorData::Bf16(_)
            | TensorData::Fp32(_) => tensor,
        })
        .collect();
    let expected: Vec<Tensor> =
        inputs.iter().map(|tensor| Tensor { name: tensor.name.replace("_in", "_out"), ..tensor.clone() }).collect();
    // In any order.
    inputs.reverse();
    assert_eq!(model.infer(inputs).await.expect("the model answers"), expected);
}

async fn answers_many_at_once_and_survives_those_who_leave(subject: &Subject) {
    let model = load(subject, &subject.matrix).await;
    let expected = probabilities(&*model, &[1.0]).await;
    let left = future::select(Box::pin(probabilities(&*model, &[5.0])), future::ready(())).await;
    drop(left);
    let answers = stream::iter(0..64).map(|_| probabilities(&*model, &[1.0])).buffer_unordered(16);
    assert!(answers.all(|answer| future::ready(answer == expected)).await, "an answer went to another request");
}

async fn survives_a_failing_execution(subject: &Subject) {
    let model = load(subject, &subject.failing).await;
    let of = |element: i64| model.infer(vec![Tensor::column("input", TensorData::Int64(vec![element]))]);
    of(1).await.expect("the model answers");
    for _ in 0..32 {
        let error = of(9).await.expect_err("the model fails here");
        assert!(matches!(error, BackendError::Execute { .. }), "{error:?}");
    }
    of(1).await.expect("the model still answers");
}
