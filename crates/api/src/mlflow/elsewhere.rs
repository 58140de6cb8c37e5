//! MLflow's routes where the registry is another server's: what only looks is handed through to it, so that a client that
//! is pointed here finds its models and runs; what changes something is refused with the address to use.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::Response,
};
use types::{ErrorKind, Role};

use super::MlflowState;
use crate::{
    error::{Error, MlflowError},
    routes::{Access, Route},
};

/// The longest question that is handed through, 1 MiB: searches are a fraction of it.
const LONGEST_QUESTION: usize = 1 << 20;

/// The server whose registry it is.
#[async_trait]
pub trait Upstream: fmt::Debug + Send + Sync {
    /// Its address, for people.
    fn address(&self) -> &str;

    /// Asks it what a caller asked, with credentials of this server's own, and answers what it answers.
    async fn forward(&self, question: http::Request<Bytes>) -> Result<http::Response<artifacts::Content>, Error>;
}

/// [`super::routes`], answered by `upstream`. What anyone may ask is answered here: it is about this server.
#[must_use]
pub fn routes(state: &MlflowState, upstream: &Arc<dyn Upstream>) -> Vec<Route> {
    let elsewhere = |route: Route| {
        let upstream = Arc::clone(upstream);
        match route.access {
            Access::Open => route,
            Access::Role(Role::Viewer) => Route::new(route.method, route.path, route.access, look, upstream),
            Access::Role(Role::Editor | Role::Approver | Role::Operator | Role::Admin) => {
                Route::new(route.method, route.path, route.access, refuse, upstream)
            }
        }
    };
    super::routes(state).into_iter().map(elsewhere).collect()
}

async fn look(State(upstream): State<Arc<dyn Upstream>>, request: Request) -> Result<Response, MlflowError> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_QUESTION).await;
    let body = body.map_err(|_| Error::invalid(format!("the request is longer than {LONGEST_QUESTION} bytes")))?;
    let answer = upstream.forward(http::Request::from_parts(parts, body)).await?;
    Ok(answer.map(Body::from_stream))
}

async fn refuse(State(upstream): State<Arc<dyn Upstream>>) -> MlflowError {
    let address = upstream.address();
    let message = format!(
        "this server takes models and runs from the MLflow server at {address}, and changes nothing there: set \
         MLFLOW_TRACKING_URI={address} to log and register. What is registered there is released here, by \
         `crosstie release create MODEL/VERSION`"
    );
    Error::new(ErrorKind::PermissionDenied, message).into()
}
