//! Inference over HTTP.

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde::Deserialize;
use serving::InferRequest;
use types::Principal;

use super::{
    InferenceState, LARGE_BODY,
    body::{self, Encoding},
    json, version_number,
};
use crate::error::{Error, InferenceError};

/// The model of a path, and its version, if the path names one.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) model: String,
    #[serde(default)]
    version: String,
}

impl Named {
    /// The version that the path names.
    pub(super) fn version(&self) -> Result<Option<u32>, Error> {
        version_number(&self.version)
    }
}

/// Answers one request.
pub(super) async fn infer(
    State(state): State<InferenceState>,
    Extension(principal): Extension<Principal>,
    Path(named): Path<Named>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let parts = match body::read(&headers, body).await {
        Ok(parts) => parts,
        Err(refusal) => return refusal.into_response(),
    };
    let answered = answer(state, principal, named, parts, Encoding::of_answer(&headers)).await;
    answered.unwrap_or_else(|error| InferenceError(error).into_response())
}

async fn answer(
    state: InferenceState,
    principal: Principal,
    named: Named,
    parts: body::Parts,
    encoding: Option<Encoding>,
) -> Result<Response, Error> {
    let version = named.version()?;
    let large = parts.json.len() + parts.binary.len() > LARGE_BODY;
    let read = if large { runtime::blocking(move || json::read(&parts)).await } else { json::read(&parts) };
    let json::Inference { id, inputs, wanted } = read?;
    let outputs = wanted.names();
    let request = InferRequest { id, model: named.model, version, inputs, outputs, principal };
    let response = state.serving.infer(request).await?;
    let elements: usize = response.outputs.iter().map(|tensor| tensor.data.len()).sum();
    let write = move || json::write(&response, &wanted)?.into_response(encoding);
    // A number in JSON takes some eight bytes.
    if elements > LARGE_BODY / 8 { runtime::blocking(write).await } else { write() }
}
