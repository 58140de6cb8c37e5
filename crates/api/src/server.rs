//! Runs route tables on listeners. Which listeners there are, and when they close, is decided by the wiring.

use axum::{Router, extract::State, serve::ListenerExt as _};
use http::{Method, header::CONTENT_TYPE};
use telemetry::Metrics;
use tokio::net::TcpListener;
use types::Role;

use crate::{
    auth::{Gate, guarded},
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
    let app = router(routes, &gate).merge(pages);
    // Small answers must not wait for the next segment's acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection has no TCP_NODELAY");
        }
    });
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await
}

/// The route that Prometheus scrapes.
#[must_use]
pub fn metrics_routes(metrics: &Metrics) -> Vec<Route> {
    vec![Route::new(Method::GET, "/metrics", Access::Role(Role::Viewer), scrape, metrics.clone())]
}

async fn scrape(State(metrics): State<Metrics>) -> ([(http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, EXPOSITION)], metrics.render())
}
