//! The stock Python client, end to end: a script per topic asserts what it reads back and prints it. Where the real
//! `mlflow server` is at hand, too, the same script says the same of both, but for ids and times.

use std::{net::TcpListener, path::Path, process::Stdio, time::Duration};

use runtime::testing::eventually;
use tokio::process::{Child, Command};

use crate::program::{Server, folder};

/// The variable that names a Python with the whole of MLflow, scikit-learn, LightGBM, matplotlib, Pillow and psutil.
const PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
/// Generous: the machine may be building something else at the same time.
const PATIENCE: Duration = Duration::from_secs(300);

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests find their tools in the environment")]
fn python() -> Option<String> {
    let python = std::env::var(PYTHON).ok().filter(|python| !python.is_empty());
    if python.is_none() {
        assert!(std::env::var("CI").is_err(), "{PYTHON} is not set");
        eprintln!("skipped: {PYTHON} is not set");
    }
    python
}

/// What a script says of a server.
async fn said(python: &str, topic: &str, server: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/python/stock/{topic}.py"));
    let output = Command::new(python).arg(script).arg(server).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{topic} of {server}:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The real server on a store of its own, killed with its test.
struct Mlflow {
    server: Child,
    url: String,
}

impl Mlflow {
    async fn start(python: &str, dir: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (store, artifacts) = (format!("sqlite:///{}/mlflow.db", dir.display()), dir.join("artifacts"));
        let server = Command::new(python)
            .args(["-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--backend-store-uri", &store, "--artifacts-destination"])
            .arg(artifacts)
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its workers are in its group, and end with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        runtime::tls::use_ring();
        eventually(PATIENCE, async || {
            reqwest::get(format!("{url}/health")).await.map(drop).map_err(|error| error.to_string())
        })
        .await;
        Self { server, url }
    }
}

impl Drop for Mlflow {
    /// Ends it with its workers, which a kill of it alone would leave.
    fn drop(&mut self) {
        let group = self.server.id().map(|pid| format!("-{pid}"));
        let killed = group.map(|group| std::process::Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(killed);
    }
}

#[expect(clippy::print_stdout, reason = "what was asserted is worth reading")]
async fn same_of_both(topic: &str) {
    let Some(python) = python() else { return };
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let ours = said(&python, topic, &format!("http://{}", server.address("api"))).await;
    println!("{ours}");
    assert!(server.down(&path));
    let (_dir, path) = folder(&[]);
    let mlflow = Mlflow::start(&python, &path).await;
    let theirs = said(&python, topic, &mlflow.url).await;
    drop(mlflow);
    let different: Vec<_> = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(different.is_empty(), "said of Crosstie, and of MLflow: {different:#?}");
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn autologging_logs_what_it_logs_to_mlflow() {
    same_of_both("autologging").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_registered_loaded_and_copied() {
    same_of_both("models").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_nested_searched_deleted_and_restored() {
    same_of_both("runs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_images_tables_and_system_metrics_come_back() {
    same_of_both("files").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_registered_models_that_searches_hide() {
    same_of_both("prompts").await;
}
