//! The console as a viewer meets it: in a real Chromium, with and without JavaScript, seeing everything and changing nothing.

mod team;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::program::folder;
use team::{Scorer, Team};

/// A Chromium, and a Python that has Playwright.
const CHROMIUM: &str = "CROSSTIE_TEST_CHROMIUM";
const PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
/// A folder for pictures of every page; for people, and for no test.
const PICTURES: &str = "CROSSTIE_TEST_PICTURES";

const PROJECT: &str = "version: 1\nrequire_token: true\n";

/// Calls that are no `GET` and change nothing all the same: they ask with a body, or take back what nobody can have here.
const QUESTIONS: &[&str] = &[
    "/search",
    "/search-datasets",
    "/graphql",
    "/traces/metrics",
    "/ui-telemetry",
    "/gateway-proxy",
    "/get-latest-versions",
    "/infer",
    "/features/historical",
    "/features/online",
    "/repository/index",
    "/unregister",
];

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests find their tools in the environment")]
fn tools() -> Option<(PathBuf, PathBuf, Option<String>)> {
    let (Ok(chromium), Ok(python)) = (std::env::var(CHROMIUM), std::env::var(PYTHON)) else {
        assert!(std::env::var("CI").is_err(), "{CHROMIUM} and {PYTHON} are not set");
        eprintln!("skipped: {CHROMIUM} and {PYTHON} are not set");
        return None;
    };
    Some((chromium.into(), python.into(), std::env::var(PICTURES).ok()))
}

/// A model that sends half of its users to the new version, after `first`, and stays there.
fn declared(model: &str, first: &str) -> String {
    format!(
        "version: 1
model: {model}
route_by: user_id
attribution: 1s
kpis: {{ ctr: click / prediction }}
rollout:
  steps:{first}
    - set_weight: 50
    - pause: {{ duration: 1h, min_requests: 2000 }}
    - set_weight: 100
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads_every_page_in_a_browser_with_and_without_scripts() {
    let Some((chromium, python, pictures)) = tools() else { return };
    let (good, worse) = (declared("ranker", "\n    - shadow: { duration: 1s }"), declared("recommender", ""));
    let odd = "version: 1\nmodel: click <ranker>\n";
    let files = [
        ("crosstie.yaml", PROJECT),
        ("models/ranker.yaml", &good),
        ("models/recommender.yaml", &worse),
        ("models/click <ranker>.yaml", odd),
    ];
    let (_dir, path) = folder(&files);
    let team = Team::start(&path).await;
    let scorer = Scorer::start(&python);
    let stopped = team.stopped_release("click <ranker>", &scorer.declaration("/good")).await;
    let (rolling, sent_back) = two_rollouts(&team, &scorer).await;
    let asked = json!({
        "chromium": chromium,
        "url": team.url(""),
        "token": team.viewer,
        "pictures": pictures,
        "pages": [
            { "path": "/", "shows": ["click <ranker>", "gates failed", "rolling out", "1 alert fires"], "has": ["svg.bar", ".badge.waiting"] },
            { "path": "/models/click%20%3Cranker%3E", "shows": ["Nothing is in production", "Versions", "KPIs", "Drift"] },
            { "path": "/models/click%20%3Cranker%3E/versions/1", "shows": ["Lineage", "Not known"], "has": ["svg.lineage .version"] },
            { "path": "/lineage", "shows": ["Datasets", "No run has read"] },
            { "path": "/models/ranker", "shows": ["canary at 50 %", "stable", "http", "release 3"], "has": ["svg.bar"] },
            { "path": "/models/recommender", "shows": ["Alerts", "stable"] },
            { "path": "/releases", "shows": ["gates failed", "rolled back", "rolling out"] },
            { "path": format!("/releases/{stopped}"), "shows": ["Stopped by its gates", "lineage", "Approvals"] },
            {
                "path": format!("/releases/{rolling}"),
                "shows": ["holding", "of 2\u{202f}000", "Evidence", "Shadow comparison", "\"us\" → \"US\"", "Gateways", "waived by ann", "release.approve"],
                "has": ["svg.chart .line0", "svg.chart .fearful", "svg.bar .meant", "tr.now"],
            },
            { "path": format!("/releases/{sent_back}"), "shows": ["rolled back", "Evidence"], "has": ["svg.chart .line0"] },
            { "path": "/alerts", "shows": ["1 fires", "ticket", "recommender/2"], "has": ["details dl"] },
            { "path": "/features", "shows": ["no feature views"] },
            { "path": "/predictions", "shows": ["ranker/2", "canary"] },
            { "path": "/audit", "shows": ["release.create", "release.waive", "controller"] },
        ],
        "changes": [
            {
                "path": "/",
                "shows": "brand-new",
                "post": team.url("/api/2.0/mlflow/registered-models/create"),
                "by": team.editor,
                "body": { "name": "brand-new" },
            },
            {
                "path": format!("/releases/{rolling}"),
                "shows": "paused",
                "post": team.url(&format!("/crosstie/v1/releases/{rolling}/pause")),
                "by": team.operator,
                "body": {},
            },
        ],
        "moving": format!("/releases/{rolling}"),
    });
    browse(&python, &asked);
}

/// A rollout that holds at 50 %, and one that was sent back.
async fn two_rollouts(team: &Team, scorer: &Scorer) -> (u64, u64) {
    let mut releases = Vec::new();
    for (model, next) in [("ranker", "/good"), ("recommender", "/worse")] {
        let named = json!({ "name": model });
        let (status, answer) =
            team.ask(Method::POST, "/api/2.0/mlflow/registered-models/create", &team.editor, named).await;
        assert_eq!(status, 200, "{answer}");
        let first = team.version(model, &scorer.declaration("/legacy")).await;
        let stable = team.signed_release(model, first).await;
        team.traffic_until(model, stable, |release| release["stage"] == "done").await;
        let second = team.version(model, &scorer.declaration(next)).await;
        let release = team.signed_release(model, second).await;
        team.traffic_until(model, release, |release| {
            let canary = release["rollout"]["shares"].as_array().into_iter().flatten().last();
            let answered = canary
                .is_some_and(|share| share["is_shadow"] == false && share["canary"]["requests"].as_u64() > Some(40));
            release["stage"] == "rolled_back" || (model == "ranker" && answered)
        })
        .await;
        releases.push(release);
    }
    (releases[0], releases[1])
}

fn browse(python: &Path, asked: &Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/console/pages.py");
    let mut command = Command::new(python);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    assert!(said(&output.stdout).contains("checks held"), "{}", said(&output.stdout));
}

#[tokio::test]
async fn a_viewers_token_opens_every_page_and_no_call_that_changes_anything() {
    let (_dir, path) = folder(&[("crosstie.yaml", PROJECT)]);
    let team = Team::start(&path).await;
    for page in ["/", "/console", "/mlflow", "/releases", "/alerts", "/features", "/predictions", "/audit"] {
        let (status, _) = team.ask(Method::GET, page, &team.viewer, Value::Null).await;
        assert_eq!(status, 200, "{page}");
        let nobody = team.http.get(team.url(page)).send().await.unwrap();
        assert_eq!(nobody.status(), 401, "{page}: a token is needed");
        let mut challenges = nobody.headers().get_all("www-authenticate").iter();
        assert!(challenges.any(|challenge| challenge == "Basic realm=\"crosstie\""), "browsers ask for it");
    }
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/routes.md");
    let reference = std::fs::read_to_string(reference).unwrap();
    let mut refused = 0;
    for (method, route, access) in reference.lines().filter_map(in_table).filter(|route| route.0 != Method::GET) {
        if QUESTIONS.iter().any(|question| route.ends_with(question)) {
            continue;
        }
        let (status, answer) = answered(&team, &method, &filled_in(route)).await;
        if access == "viewer" {
            // What MLflow and Triton have and this program does not: it says so to everyone.
            assert!(status >= 400, "{method} {route}: {status} {answer}");
        } else {
            assert_eq!(status, 403, "{method} {route} needs {access}: {answer}");
            refused += 1;
        }
    }
    assert!(refused > 40, "only {refused} routes were tried: has the reference another form?");
}

/// What a viewer is told, by whichever port has the route.
async fn answered(team: &Team, method: &Method, path: &str) -> (u16, Value) {
    let (status, answer) = team.ask(method.clone(), path, &team.viewer, json!({})).await;
    if status != 404 && status != 405 {
        return (status, answer);
    }
    let url = format!("http://{}{path}", team.server.address("http"));
    let response =
        team.http.request(method.clone(), url).bearer_auth(&team.viewer).json(&json!({})).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

/// Method, path and access of a line of the reference.
fn in_table(line: &str) -> Option<(Method, &str, &str)> {
    let mut cells = line.trim_matches('|').split('|').map(str::trim);
    let method = Method::from_bytes(cells.next()?.as_bytes()).ok()?;
    let path = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    Some((method, path, cells.next()?))
}

/// The path with something in place of its parameters.
fn filled_in(route: &str) -> String {
    let segments = route.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}
