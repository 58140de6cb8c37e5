//! The runtime in this process: loaded once from its library, used by every model.

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use async_trait::async_trait;
use ort::environment::Environment;
use serving::{Backend, BackendError, LoadedModel, ModelSpec};
use tracing::instrument;

use crate::{BACKEND, Error, executors::Executors, model::Model};

/// ONNX Runtime. A process has one; clones share it.
#[derive(Clone)]
pub struct OnnxRuntime {
    library: PathBuf,
    environment: Environment,
    executors: Arc<Executors>,
}

/// The process's runtime: the library can be loaded once, and stays.
static LOADED: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

impl OnnxRuntime {
    /// Loads the runtime from its library. Loading the same library again gives the same runtime.
    ///
    /// # Errors
    /// When there is no such file, it is no library of a version that can be used, or another one was loaded before. The
    /// message says how to get it.
    pub fn load(library: &Path) -> Result<Self, Error> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            let (loaded, path) = (runtime.library.clone(), library.to_owned());
            return if loaded == path { Ok(runtime.clone()) } else { Err(Error::AnotherLoaded { loaded, path }) };
        }
        if !library.is_file() {
            return Err(Error::NoSuchFile { path: library.to_owned() });
        }
        let unusable = |reason: String| Error::Unusable { path: library.to_owned(), reason };
        let environment = ort::init_from(library).map_err(|error| unusable(error.to_string()))?;
        let environment = environment.with_name("crosstie").with_telemetry(false).build();
        let environment = environment.map_err(|error| unusable(error.to_string()))?;
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let executors = Executors::start(cores).map_err(|error| unusable(format!("no threads for it: {error}")))?;
        tracing::info!(library = %library.display(), executors = cores, "loaded ONNX Runtime");
        let runtime = Self { library: library.to_owned(), environment, executors: Arc::new(executors) };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The library that was loaded.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }
}

impl std::fmt::Debug for OnnxRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxRuntime").field("library", &self.library).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for OnnxRuntime {
    fn name(&self) -> &'static str {
        BACKEND
    }

    #[instrument(skip_all, fields(version = %spec.version))]
    async fn load(&self, spec: &ModelSpec) -> Result<Arc<dyn LoadedModel>, BackendError> {
        let runtime = self.clone();
        let place = spec.file.clone();
        let model = runtime::blocking(move || {
            let graph = graph_in(&place)?;
            Model::load(&graph, &runtime.environment, runtime.executors)
        });
        Ok(Arc::new(model.await.map_err(|reason| BackendError::Load { reason })?))
    }
}

/// The graph's file in an artifact: the artifact itself, or `model.onnx` in an MLflow model's folder, or the only other
/// `.onnx` file there.
fn graph_in(place: &Path) -> Result<PathBuf, String> {
    if !place.is_dir() {
        return Ok(place.to_owned());
    }
    let usual = place.join("model.onnx");
    if usual.is_file() {
        return Ok(usual);
    }
    let entries = fs::read_dir(place).map_err(|error| format!("the artifact's folder cannot be read: {error}"))?;
    let mut graphs: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    match (graphs.pop(), graphs.is_empty()) {
        (Some(graph), true) => Ok(graph),
        (Some(_), false) => Err("the artifact holds several .onnx files and none of them is model.onnx".to_owned()),
        (None, _) => Err("the artifact holds no .onnx file; log the model with `mlflow.onnx.log_model`".to_owned()),
    }
}

/// Stands in for the runtime where its library is missing: everything but ONNX models works, and those say why not.
#[derive(Debug, Clone)]
pub struct MissingRuntime {
    reason: String,
}

impl MissingRuntime {
    /// Because of `error`.
    #[must_use]
    pub fn new(error: &Error) -> Self {
        Self { reason: error.to_string() }
    }
}

#[async_trait]
impl Backend for MissingRuntime {
    fn name(&self) -> &'static str {
        BACKEND
    }

    async fn load(&self, _spec: &ModelSpec) -> Result<Arc<dyn LoadedModel>, BackendError> {
        Err(BackendError::Unavailable { backend: BACKEND.to_owned(), reason: self.reason.clone() })
    }
}
