//! A loaded graph: its schema and the sessions that execute it.
//!
//! A session executes one thing at a time, so a model has one for each executor; only a graph too large to be held
//! several times has a single one, and its requests wait for each other.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use ort::{environment::Environment, session::Session};
use serving::{BackendError, LoadedModel, Tensor};
use tokio::sync::Semaphore;
use types::Schema;

use crate::{executors::Executors, schema, tensors};

/// A graph's file above which it is held in memory once: 64 MiB, some hundred times the size of a usual ranker.
const LARGE: u64 = 64 << 20;

/// A graph in memory.
pub(crate) struct Model {
    schema: Schema,
    executors: Arc<Executors>,
    /// One permit for each idle session.
    idle: Arc<Semaphore>,
    sessions: Arc<Mutex<Vec<Session>>>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads the graph in `file`. Takes as long as the runtime takes to optimize it; to be called where that may be.
    pub(crate) fn load(file: &Path, environment: &Environment, executors: Arc<Executors>) -> Result<Self, String> {
        let size = file.metadata().map_err(|error| format!("{} cannot be read: {error}", file.display()))?.len();
        let first = open(file, environment)?;
        let schema = schema::of(&first)?;
        let mut sessions = vec![first];
        let wanted = if size > LARGE { 1 } else { executors.count() };
        while sessions.len() < wanted {
            sessions.push(open(file, environment)?);
        }
        let idle = Arc::new(Semaphore::new(sessions.len()));
        Ok(Self { schema, executors, idle, sessions: Arc::new(Mutex::new(sessions)) })
    }
}

/// A session that does everything on the calling thread.
fn open(file: &Path, environment: &Environment) -> Result<Session, String> {
    let build = || -> ort::Result<Session> {
        Session::builder(environment)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .commit_from_file(file)
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    build().map_err(|error| format!("ONNX Runtime does not load {name}: {error}"))
}

#[async_trait]
impl LoadedModel for Model {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn infer(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, BackendError> {
        let gone = || BackendError::Execute { reason: "ONNX Runtime panicked; the log has the message".to_owned() };
        let permit = Arc::clone(&self.idle).acquire_owned().await.map_err(|_| gone())?;
        let sessions = Arc::clone(&self.sessions);
        let work = move || {
            let taken = lock(&sessions).pop();
            let mut session = taken.ok_or_else(gone)?;
            let outcome = execute(&mut session, inputs);
            lock(&sessions).push(session);
            drop(permit);
            outcome
        };
        self.executors.run(work).await.ok_or_else(gone)?
    }
}

fn lock(sessions: &Mutex<Vec<Session>>) -> std::sync::MutexGuard<'_, Vec<Session>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

fn execute(session: &mut Session, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, BackendError> {
    let mut values = Vec::with_capacity(inputs.len());
    for tensor in inputs {
        let name = tensor.name.clone();
        values.push((name, tensors::into_value(tensor).map_err(|reason| BackendError::Input { reason })?));
    }
    // Types and shapes were checked against the schema before, so whatever fails here is the model's own failure, also
    // when the runtime calls a value in the middle of the graph an invalid argument.
    let outputs = session.run(values).map_err(|error| BackendError::Execute { reason: error.to_string() })?;
    let read = |(name, value): (&str, ort::value::ValueRef<'_>)| tensors::from_value(name, &value);
    outputs.iter().map(read).collect::<Result<_, _>>().map_err(|reason| BackendError::Execute { reason })
}
