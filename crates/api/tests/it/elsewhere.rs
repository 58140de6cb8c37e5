//! A registry elsewhere: what is handed through to it, and what never is.

use std::sync::{Arc, Mutex};

use api::{
    auth::Gate,
    error::Error,
    mlflow::{
        MlflowState,
        elsewhere::{Upstream, routes},
    },
    routes::router,
};
use async_trait::async_trait;
use axum::body::Bytes;
use database::Database;
use futures::StreamExt as _;
use registry::Config;
use reqwest::Method;
use runtime::SystemClock;
use tokio::net::TcpListener;

use crate::mlflow::LOOKS;

/// Writes down what it is asked.
#[derive(Debug, Default)]
struct Spy {
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Upstream for Spy {
    fn address(&self) -> &str {
        "https://mlflow.example.com"
    }

    async fn forward(&self, question: http::Request<Bytes>) -> Result<http::Response<artifacts::Content>, Error> {
        self.asked.lock().unwrap().push(format!("{} {}", question.method(), question.uri().path()));
        let html =
            http::Response::builder().header("content-type", "text/html").header("content-disposition", "inline");
        Ok(html.body(futures::stream::empty().boxed()).unwrap())
    }
}

#[tokio::test]
async fn nothing_that_may_change_something_reaches_a_registry_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("sqlite:{}", folder.path().join("t.db").display());
    let db = Database::connect(&uri, &runtime::Tasks::new()).await.unwrap();
    let identity = identity::Service::new(db.clone(), Arc::new(SystemClock));
    identity.migrate().await.unwrap();
    let artifacts = artifacts::Store::open(folder.path().to_str().unwrap()).unwrap();
    let registry = registry::Service::new(Config::default(), db, artifacts.clone(), Arc::new(SystemClock));
    let spy = Arc::new(Spy::default());
    let table = routes(&MlflowState { registry, artifacts }, &(Arc::clone(&spy) as Arc<dyn Upstream>));
    let calls: Vec<(Method, String)> = table.iter().map(|route| (route.method.clone(), route.path.clone())).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(table, &Gate::new(identity, true));
    tokio::spawn(async move { axum::serve(listener, router).await });
    runtime::tls::use_ring();
    let http = reqwest::Client::new();
    let mut handed = 0;
    for (method, path) in calls {
        // `{run_id}` is a name like any other.
        let url = format!("http://{address}{}", path.replace(['{', '}', '*'], ""));
        let answer = http.request(method.clone(), url).send().await.unwrap();
        let asked = spy.asked.lock().unwrap().drain(..).count();
        let name = path.trim_start_matches("/ajax-api").trim_start_matches("/api");
        let looks = method == Method::GET || method == Method::POST && LOOKS.contains(&name);
        assert!(looks || asked == 0, "{method} {path}");
        if asked > 0 {
            assert!(answer.status().is_success(), "{method} {path}");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{method} {path}");
            assert_eq!(answer.headers()["content-disposition"], "attachment", "{method} {path}");
        }
        assert!(!(name.contains("gateway") || name.contains("ui-telemetry")) || asked == 0, "{method} {path}");
        handed += asked;
    }
    assert!(handed > 50, "{handed}");
}
