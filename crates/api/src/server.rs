//! Runs route tables on listeners. Which listeners there are, and when they close, is decided by the wiring.

use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
    serve::ListenerExt as _,
};
use http::{Method, Uri, header::CONTENT_TYPE};
use telemetry::Metrics;
use tokio::net::TcpListener;
use types::{ErrorKind, Role};

use crate::{
    auth::{Gate, guarded},
    error::{Error, Shape},
    routes::{Access, Route, router},
};

/// The text format of Prometheus.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves `routes`, and beside them `pages` that any viewer may see, until `shutdown` resolves and the requests in flight
/// are answered.
///
/// # Errors
/// When the listener fails.
///
/// # Panics
/// When two routes have the same method and path; that is a mistake in the table, seen at start.
pub async fn serve_http(
    listener: TcpListener,
    routes: Vec<Route>,
    pages: Option<Router>,
    gate: Gate,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let pages = pages.map_or_else(Router::new, |pages| guarded(pages, &gate));
    let app = router(routes, &gate).merge(pages).fallback(elsewhere);
    // Small answers must not wait for the next segment's acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection has no TCP_NODELAY");
        }
    });
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await
}

/// What no route answers. A path with doubled slashes is sent on to the one without, as MLflow's server does.
async fn elsewhere(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    if let Some(merged) = without_doubled_slashes(path) {
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        return Redirect::permanent(&format!("{merged}{query}")).into_response();
    }
    let mut error = Error::new(ErrorKind::NotFound, format!("this server has no {method} {path}"));
    error.mlflow_code = Some("ENDPOINT_NOT_FOUND");
    Shape::of_path(path).render(error)
}

/// `path` with each run of slashes as one, if it has any. Browsers take `/\` for `//`, which begins another host.
fn without_doubled_slashes(path: &str) -> Option<String> {
    if !path.contains("//") || path.contains('\\') {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    Some(format!("/{}{end}", parts.join("/")))
}

/// The route that Prometheus scrapes.
#[must_use]
pub fn metrics_routes(metrics: &Metrics) -> Vec<Route> {
    vec![Route::new(Method::GET, "/metrics", Access::Role(Role::Viewer), scrape, metrics.clone())]
}

async fn scrape(State(metrics): State<Metrics>) -> ([(http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, EXPOSITION)], metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_slashes_never_lead_to_another_host() {
        assert_eq!(without_doubled_slashes("//api//2.0/").as_deref(), Some("/api/2.0/"));
        assert_eq!(without_doubled_slashes("//host").as_deref(), Some("/host"));
        assert_eq!(without_doubled_slashes("//").as_deref(), Some("/"));
        assert_eq!(without_doubled_slashes("//\\host"), None);
        assert_eq!(without_doubled_slashes("/api/2.0"), None);
    }
}
