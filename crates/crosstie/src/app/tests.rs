//! What the whole process exposes: every route with the access it needs, held against the reference.

mod plans;
mod shadows;

use std::{fmt::Write as _, fs, path::Path};

use alerts::Routing;
use api::routes::{Access, Route};
use http::{Method, StatusCode, header::HOST};

use super::*;
use crate::settings::WebhookSettings;

/// Routes that anyone may call from anywhere: whether the server lives, and which version it is.
const OPEN: &[&str] = &[
    "/health",
    "/version",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/api/3.0/mlflow/server-info",
    "/ajax-api/3.0/mlflow/server-info",
];

fn settings(dir: &Path) -> Settings {
    let state = dir.join(".crosstie");
    fs::create_dir_all(&state).unwrap();
    Settings {
        dir: dir.to_path_buf(),
        host: [127, 0, 0, 1].into(),
        ports: [0; 4],
        database: format!("sqlite:{}", state.join("crosstie.db").display()),
        artifacts: format!("file:{}", state.join("artifacts").display()),
        artifact_access: artifacts::Config::default(),
        default_artifact_root: "mlflow-artifacts:/".to_owned(),
        online_store: format!("redb:{}", state.join("online.redb").display()),
        registry: None,
        onnxruntime: None,
        mlflow_ui: None,
        require_token: false,
        allowed_hosts: Vec::new(),
        alerts: Routing::default(),
        webhooks: WebhookSettings {
            key: None,
            schemes: vec!["https".to_owned()],
            private_addresses: false,
            timeout: Duration::from_secs(30),
            retries: 3,
        },
        ready_file: None,
        state,
    }
}

/// The routes of each port.
async fn routes_by_port(dir: &Path) -> [(&'static str, Vec<Route>); 3] {
    let (settings, tasks, clock) = (settings(dir), Tasks::new(), SystemClock::shared());
    let services = wire(&settings, &tasks, &clock, &Signal::new()).await.unwrap();
    let status = ProcessStatus::new(&settings, &Addresses::new(), clock.now(), &services);
    let routes = [
        ("api", servers::api_routes(&services, Arc::new(status))),
        ("http", servers::inference_routes(&services)),
        ("metrics", api::server::metrics_routes(&services.metrics)),
    ];
    let late = tasks.shutdown(Duration::from_secs(10)).await;
    assert!(late.is_empty(), "still running: {late:?}");
    routes
}

async fn all_routes(dir: &Path) -> Vec<Route> {
    routes_by_port(dir).await.into_iter().flat_map(|(_, routes)| routes).collect()
}

/// What a path answers who calls this machine by the name `host`.
async fn status_by_name(method: &Method, address: &str, path: &str, host: &str, token: Option<&str>) -> StatusCode {
    let request = reqwest::Client::new().request(method.clone(), format!("http://{address}{path}")).header(HOST, host);
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn every_route_stands_in_the_reference_with_its_access() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = all_routes(dir.path())
        .await
        .iter()
        .map(|route| {
            let access = match route.access {
                Access::Open => "open",
                Access::Role(role) => role.as_str(),
            };
            format!("| {} | `{}` | {access} |", route.method, route.path)
        })
        .collect();
    lines.sort_unstable();
    let mut table = "# Routes\n\nWhat every call needs. A test holds this page against the route table.\n\n| method | path | access |\n|---|---|---|\n".to_owned();
    lines.iter().for_each(|line| writeln!(table, "{line}").unwrap());
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/routes.md");
    if fs::read_to_string(&reference).unwrap_or_default() != table {
        let written = std::env::temp_dir().join("crosstie-routes.md");
        fs::write(&written, table).unwrap();
        panic!("docs/reference/routes.md is stale: look at {} and put it there", written.display());
    }
}

#[tokio::test]
async fn nothing_but_health_and_versions_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let routes = all_routes(dir.path()).await;
    let open: Vec<&str> =
        routes.iter().filter(|route| route.access == Access::Open).map(|route| route.path.as_str()).collect();
    let strange: Vec<&&str> = open.iter().filter(|path| !OPEN.contains(path)).collect();
    assert!(strange.is_empty(), "open to anyone: {strange:?}");
}

#[tokio::test]
async fn nobody_without_a_token_calls_by_a_strange_name() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = Settings { allowed_hosts: vec!["known.example".to_owned()], ..settings(dir.path()) };
    let token = settings.state.join("token");
    let app = App::start(settings, None).await.unwrap();
    let mut tried = 0;
    for (port, routes) in routes_by_port(other.path()).await {
        for route in routes.iter().filter(|route| route.access != Access::Open) {
            let path = route.path.replace(['{', '}', '*'], "");
            let answer = status_by_name(&route.method, &app.addresses()[port], &path, "evil.example", None).await;
            assert_eq!(answer, StatusCode::FORBIDDEN, "{} {path}", route.method);
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} routes were tried");
    let api = &app.addresses()["api"];
    assert_eq!(status_by_name(&Method::GET, api, "/", "evil.example", None).await, StatusCode::FORBIDDEN);
    let path = "/api/2.0/mlflow/experiments/get?experiment_id=0";
    let token = fs::read_to_string(token).unwrap();
    assert_eq!(status_by_name(&Method::GET, api, path, "evil.example", Some(token.trim())).await, StatusCode::OK);
    for host in ["known.example", "localhost"] {
        assert_eq!(status_by_name(&Method::GET, api, path, host, None).await, StatusCode::OK, "{host}");
    }
    let late = app.stop(Duration::from_secs(10)).await;
    assert!(late.is_empty(), "still running: {late:?}");
}
