//! The Open Inference Protocol, version 2, with the extensions of Triton that its clients use, over HTTP and gRPC.
//!
//! Everything here is translation: a request of either protocol becomes a [`serving::InferRequest`], and the answer goes
//! back in the form that was asked for. What is not supported answers as Triton does when the extension is off, and is
//! absent from the extensions that the server names.

mod admin;
mod body;
mod config;
mod describe;
mod elements;
mod grpc;
mod infer;
mod json;

use http::Method;
use types::Role;

pub use grpc::serve_grpc;

use crate::{
    error::Error,
    routes::{Access, Route},
};

/// What these protocols need.
#[derive(Debug, Clone)]
pub struct InferenceState {
    /// The data plane.
    pub serving: serving::Service,
    /// The server's version, for its metadata.
    pub version: &'static str,
}

/// The server's name in its metadata.
const SERVER_NAME: &str = "crosstie";

/// The extensions that are supported, in Triton's words.
const EXTENSIONS: [&str; 5] =
    ["binary_tensor_data", "model_configuration", "model_repository", "parameters", "statistics"];

/// The largest body of a request, before and after decompression: 64 MiB, a million rows of sixteen floats.
const LARGEST_BODY: usize = 64 << 20;

/// Bodies above this size are taken apart and put together off the async runtime.
const LARGE_BODY: usize = 256 << 10;

/// The routes of the HTTP port.
pub fn routes(state: &InferenceState) -> Vec<Route> {
    let (open, reads, operates) = (Access::Open, Access::Role(Role::Viewer), Access::Role(Role::Operator));
    let mut table = Vec::new();
    macro_rules! add {
        ($method:ident, $access:expr, $handler:expr, $($path:literal),+) => {
            $(table.push(Route::new(Method::$method, $path, $access, $handler, state.clone()));)+
        };
    }
    add!(GET, open, describe::live, "/v2/health/live");
    add!(GET, open, describe::ready, "/v2/health/ready");
    add!(GET, open, describe::server, "/v2");
    add!(GET, reads, describe::all_statistics, "/v2/models/stats");
    add!(POST, reads, admin::index, "/v2/repository/index");
    add!(POST, operates, admin::load, "/v2/repository/models/{model}/load");
    add!(POST, operates, admin::unload, "/v2/repository/models/{model}/unload");
    add!(GET, reads, admin::trace_settings, "/v2/trace/setting", "/v2/models/{model}/trace/setting");
    add!(POST, operates, admin::set_trace_settings, "/v2/trace/setting", "/v2/models/{model}/trace/setting");
    add!(GET, reads, admin::log_settings, "/v2/logging");
    add!(POST, operates, admin::set_log_settings, "/v2/logging");
    add!(GET, reads, admin::no_regions, "/v2/systemsharedmemory/status", "/v2/cudasharedmemory/status");
    add!(GET, reads, admin::no_region, "/v2/systemsharedmemory/region/{region}/status");
    add!(GET, reads, admin::no_region, "/v2/cudasharedmemory/region/{region}/status");
    add!(POST, reads, admin::no_shared_memory, "/v2/systemsharedmemory/region/{region}/register");
    add!(POST, reads, admin::no_shared_memory, "/v2/cudasharedmemory/region/{region}/register");
    add!(
        POST,
        reads,
        admin::nothing_to_unregister,
        "/v2/systemsharedmemory/unregister",
        "/v2/cudasharedmemory/unregister"
    );
    add!(POST, reads, admin::nothing_to_unregister, "/v2/systemsharedmemory/region/{region}/unregister");
    add!(POST, reads, admin::nothing_to_unregister, "/v2/cudasharedmemory/region/{region}/unregister");
    add!(GET, reads, describe::model_ready, "/v2/models/{model}/ready", "/v2/models/{model}/versions/{version}/ready");
    add!(GET, reads, describe::model, "/v2/models/{model}", "/v2/models/{model}/versions/{version}");
    add!(GET, reads, describe::config, "/v2/models/{model}/config", "/v2/models/{model}/versions/{version}/config");
    add!(GET, reads, describe::statistics, "/v2/models/{model}/stats", "/v2/models/{model}/versions/{version}/stats");
    add!(POST, reads, infer::infer, "/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer");
    table
}

/// A version as the protocols have it: text, empty for none.
fn version_number(text: &str) -> Result<Option<u32>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let malformed = || Error::invalid(format!("model version `{text}` is not a number from 1"));
    text.parse().ok().filter(|number| *number > 0).map(Some).ok_or_else(malformed)
}

/// The server's live settings of tracing and logging; none of them can be changed by this protocol.
const NO_TRACING: &str = "tracing cannot be set by this protocol";
const NO_LOGGING: &str = "logging cannot be set by this protocol";
/// The refusal of tensors in memory shared with the server.
const NO_SHARED_MEMORY: &str = "shared memory is not supported by this server: send tensors in the request";

#[cfg(test)]
mod tests;
