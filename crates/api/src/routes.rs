//! The route table. A route cannot be made without the access it needs, and no router is made but from a table, so a
//! route that nobody thought about does not exist.

use std::collections::BTreeMap;

use axum::{
    Router,
    handler::Handler,
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;
use types::Role;

use crate::{
    auth::{Gate, admit},
    error::Shape,
};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a token, from anywhere: health and versions only.
    Open,
    /// A principal with this role or more.
    Role(Role),
}

/// One method on one path, with the access it needs.
#[derive(Debug, Clone)]
pub struct Route {
    /// The HTTP method.
    pub method: Method,
    /// The path in axum's syntax: `/v2/models/{model}/infer`.
    pub path: String,
    /// Who may call it.
    pub access: Access,
    handler: MethodRouter,
}

impl Route {
    /// The route that answers `method` on `path` with `handler`, which finds its services in `state`.
    ///
    /// # Panics
    /// When the method is none of HTTP's common ones; that is a mistake in the table, seen at start.
    pub fn new<H, T, S>(method: Method, path: impl Into<String>, access: Access, handler: H, state: S) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("the table names common HTTP methods only");
        Self { method, path: path.into(), access, handler: on(filter, handler).with_state(state) }
    }

    /// The same route at another path, for protocols that serve one call at several.
    #[must_use]
    pub fn also_at(&self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }
}

/// The router of a table. Each request passes the gate with its route's access before its handler sees it; handlers
/// find the caller as `Extension<types::Principal>`.
///
/// # Panics
/// When two routes of the table have the same method and path; that is a mistake in the table, seen at start.
pub fn router(routes: Vec<Route>, gate: &Gate) -> Router {
    let mut by_path: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for Route { path, access, handler, .. } in routes {
        let shape = Shape::of_path(&path);
        let guarded = handler.layer(middleware::from_fn_with_state((gate.clone(), access, shape), admit));
        let at_path = by_path.remove(&path).unwrap_or_default();
        by_path.insert(path, at_path.merge(guarded));
    }
    by_path.into_iter().fold(Router::new(), |router, (path, methods)| router.route(&path, methods))
}
