//! MLflow's routes where the registry is another server's: what only looks is handed through to it, so that a client that
//! is pointed here finds its models and runs; what changes something is refused with the address to use.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, header};
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

/// [`super::routes`], those of a registry answered by `upstream`. What is about this server is answered here, and so is
/// what it does not have: nobody said of those calls that they only look.
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
    let mut routes: Vec<Route> = super::of_registry(state).into_iter().map(elsewhere).collect();
    routes.extend(super::of_this_server(state));
    routes
}

async fn look(State(upstream): State<Arc<dyn Upstream>>, request: Request) -> Result<Response, MlflowError> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_QUESTION).await;
    let body = body.map_err(|_| Error::invalid(format!("the request is longer than {LONGEST_QUESTION} bytes")))?;
    let mut answer = upstream.forward(http::Request::from_parts(parts, body)).await?;
    disarm(answer.headers_mut());
    Ok(answer.map(Body::from_stream))
}

/// A file of somebody else's is no page of ours, whatever it says it is: the console has the same origin.
fn disarm(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let is_json =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let is_saved = headers.get(header::CONTENT_DISPOSITION).is_some_and(|said| is_attachment(said.as_bytes()));
    if !is_json && !is_saved {
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}

/// Whether browsers save what has this `Content-Disposition`. They show what is `inline`.
fn is_attachment(disposition: &[u8]) -> bool {
    disposition.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"attachment")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_saved_and_keeps_the_name_that_it_is_saved_by() {
        for (kind, said, disposition) in [
            ("text/html", "inline", "attachment"),
            ("text/html", "inline; filename=attachment", "attachment"),
            ("text/html", "Attachment; filename=a.html", "Attachment; filename=a.html"),
            ("application/json", "inline", "inline"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(said));
            disarm(&mut headers);
            assert_eq!(headers[header::CONTENT_DISPOSITION], disposition, "{kind} {said}");
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }
}
