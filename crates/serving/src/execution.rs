//! The execution of a version: where requests to one version meet, and so the place of the batcher.
//!
//! Each request is executed by itself for now. A batcher comes between here and the backend, one for each version;
//! nothing before or after it needs to know.

use std::time::Duration;

use tokio::time::Instant;

use crate::{BackendError, Error, Tensor, fleet::Live};

/// What came of an execution.
#[derive(Debug)]
pub(crate) struct Executed {
    /// Every output of the model.
    pub(crate) outputs: Vec<Tensor>,
    /// How long the request waited for others.
    pub(crate) queue: Duration,
    /// How long the backend took.
    pub(crate) infer: Duration,
}

/// Executes `live` once. What the backend answers is checked before anybody relies on it.
pub(crate) async fn execute(live: &Live, tensors: Vec<Tensor>) -> Result<Executed, Error> {
    let started = Instant::now();
    let version = || live.plan.version.clone();
    let failed = |error| match error {
        BackendError::Input { reason } => Error::Refused { version: version(), reason },
        source @ (BackendError::Load { .. } | BackendError::Execute { .. } | BackendError::Unavailable { .. }) => {
            Error::Backend { version: version(), source }
        }
    };
    let outputs = live.model.infer(tensors).await.map_err(failed)?;
    let declared = &live.schema().outputs;
    let as_declared = outputs.len() == declared.len()
        && outputs.iter().zip(declared).all(|(tensor, spec)| tensor.name == spec.name && tensor.check().is_ok());
    if !as_declared {
        let reason = "it answered other outputs than it declares".to_owned();
        return Err(failed(BackendError::Execute { reason }));
    }
    Ok(Executed { outputs, queue: Duration::ZERO, infer: started.elapsed() })
}
