//! MLflow's own web client, from its wheel, on this server: in a real Chromium, over what the stock client logged.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{Server, folder, run, tool};

/// A Chromium, and a Python that has the whole of MLflow and Playwright.
const CHROMIUM: &str = "CROSSTIE_TEST_CHROMIUM";
const PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
/// A folder for pictures of every page; for people, and for no test.
const PICTURES: &str = "CROSSTIE_TEST_PICTURES";

/// The virtual environment that a Python belongs to.
fn environment(python: &Path) -> &Path {
    python.ancestors().nth(2).unwrap()
}

/// What a script of this folder prints, asked with `said` on its standard input.
fn script(python: &Path, name: &str, argument: &str, said: &Value) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mlflow_ui").join(name);
    let mut command = Command::new(python);
    command.arg(script).arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(said.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "tests find their tools in the environment")]
async fn mlflows_web_client_shows_all_that_the_stock_client_logged() {
    let (Some(chromium), Some(python)) = (tool(CHROMIUM), tool(PYTHON)) else { return };
    let (_dir, path) = folder(&[("crosstie.yaml", "version: 1\nmlflow_ui: auto\n")]);
    // `auto` finds what is installed in the project's own environment.
    std::os::unix::fs::symlink(environment(&python), path.join(".venv")).unwrap();
    let server = Server::start(&path).await;
    let url = format!("http://{}", server.address("api"));
    let filled = script(&python, "fill.py", &url, &Value::Null);
    let made: Value = serde_json::from_str(filled.lines().last().unwrap()).unwrap();
    let pictures = std::env::var(PICTURES).ok();
    let asked = json!({ "chromium": chromium, "url": url, "made": made, "pictures": pictures });
    let seen = script(&python, "visit.py", "", &asked);
    assert!(seen.contains("checks held"), "{seen}");
}

#[tokio::test]
async fn its_page_has_the_root_its_files_their_types_and_the_console_its_own_address() {
    let (_dir, path) = folder(&[
        ("crosstie.yaml", "version: 1\nrequire_token: true\n"),
        ("ui/index.html", "<html><body>MLflow</body></html>"),
        ("ui/static/js/main.1.js", "run()"),
        ("secret", "secret"),
    ]);
    let server = Server::start_with(&path, &["--mlflow-ui", "ui"]).await;
    let url = |page: &str| format!("http://{}{page}", server.address("api"));
    let nobody = reqwest::get(url("/")).await.unwrap();
    assert_eq!(nobody.status(), 401, "a viewer's token is needed");
    assert_eq!(reqwest::get(url("/static-files/static/js/main.1.js")).await.unwrap().status(), 401);
    let token = std::fs::read_to_string(path.join(".crosstie/token")).unwrap();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let ask = async |page: &str| {
        let response = http.get(url(page)).bearer_auth(token.trim()).send().await.unwrap();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (response.status().as_u16(), kind.unwrap_or_default(), response.text().await.unwrap())
    };
    let (status, kind, page) = ask("/").await;
    assert!(
        status == 200 && kind.starts_with("text/html") && page.contains("MLflow") && page.contains("console"),
        "{page}"
    );
    let (status, kind, text) = ask("/static-files/static/js/main.1.js").await;
    assert_eq!((status, kind.as_str(), text.as_str()), (200, "text/javascript; charset=utf-8", "run()"));
    for escape in ["..%2fsecret", "%2e%2e%2fsecret", "..%252fsecret", "static/..%2f..%2fsecret"] {
        let (status, _, text) = ask(&format!("/static-files/{escape}")).await;
        assert!((400..500).contains(&status) && text != "secret", "{escape}: {status} {text}");
    }
    assert!(ask("/console").await.2.contains("Fleet"));
    assert_eq!(ask("/mlflow").await.0, 303, "the console leads to it");
}

#[tokio::test]
async fn without_it_nothing_changes_and_the_console_says_how_to_have_it() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let page = async |page: &str| {
        reqwest::get(format!("http://{}{page}", server.address("api"))).await.unwrap().text().await.unwrap()
    };
    assert!(page("/").await.contains("Fleet") && page("/console").await.contains("Fleet"));
    assert!(page("/mlflow").await.contains("--mlflow-ui auto"));
}

#[test]
fn a_web_client_that_is_nowhere_is_named_with_the_way_to_get_it() {
    let (_dir, path) = folder(&[]);
    for said in ["auto", "nowhere"] {
        let said = run(&path, &["up", "--port", "0", "--mlflow-ui", said]);
        assert!(!said.succeeded && said.err.contains("pip install mlflow==3.17.2"), "{said:?}");
        assert!(said.err.contains(path.to_str().unwrap()), "where it looked: {said:?}");
    }
}
