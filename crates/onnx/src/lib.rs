//! The backend `onnx`: executes ONNX graphs in this process with ONNX Runtime.
//!
//! The only crate that knows ONNX Runtime. Its library is not linked but loaded from a file, the official build that
//! PyPI's `onnxruntime` wheel holds, so that the binary starts without it and says how to get it when a model needs it.
//! Deliberately absent: what a model is for, where its file comes from, and batching (see `serving`).

mod error;
mod executors;
mod library;
mod maps;
mod model;
mod runtime;
mod schema;
mod tensors;

pub use error::Error;
pub use library::library_in_environment;
pub use runtime::{MissingRuntime, OnnxRuntime};

/// The backend's name, as traffic plans have it.
pub const BACKEND: &str = "onnx";
