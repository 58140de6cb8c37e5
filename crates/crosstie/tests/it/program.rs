//! Running the built binary, and a server of it that ends with its test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reqwest::Method;
use runtime::testing::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Generous: the machine may be building something else at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the tester's own environment may say this, and no test wants to hear it: with a bucket or database of theirs,
/// tests would collect and back up there.
fn is_forgotten(variable: &str) -> bool {
    let families = ["CROSSTIE_", "MLFLOW_", "AWS_", "GIT_"];
    matches!(variable, "VIRTUAL_ENV" | "RUST_LOG") || families.iter().any(|family| variable.starts_with(family))
}

/// A program without what the tester's own environment would tell it; git without the tester's own settings.
pub(crate) fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars_os() {
        if variable.to_str().is_some_and(is_forgotten) {
            command.env_remove(variable);
        }
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

/// Says why a test is not run; in CI that is a failure.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a skip is printed")]
pub(crate) fn skip(why: &str) {
    assert!(std::env::var("CI").is_err(), "{why}, and in CI every test must run");
    eprintln!("skipped: {why}");
}

/// The file that the tester's variable names; `None`, with a line that says so, where there is none.
#[expect(clippy::disallowed_methods, reason = "tests find their tools in the environment")]
pub(crate) fn tool(variable: &str) -> Option<PathBuf> {
    let found = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if found.is_none() {
        skip(&format!("{variable} is not set"));
    }
    found.map(PathBuf::from)
}

/// The command line, without what the tester's own environment would tell it.
pub(crate) fn crosstie(dir: &Path, arguments: &[&str]) -> Command {
    // Whoever runs it is about to speak to it, too.
    runtime::tls::use_ring();
    let mut command = program(env!("CARGO_BIN_EXE_crosstie"));
    command.args(arguments).arg("--dir").arg(dir).current_dir(dir).stdin(Stdio::null());
    command
}

/// What a command that ends has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) succeeded: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            succeeded: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Said {
    Said::from(crosstie(dir, arguments).output().unwrap())
}

/// A running `crosstie up`, killed with its test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    addresses: Value,
    http: reqwest::Client,
}

impl Server {
    /// Starts on free ports and waits until everything answers.
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[]).await
    }

    pub(crate) async fn start_with(dir: &Path, flags: &[&str]) -> Self {
        Self::start_in(dir, flags, &[]).await
    }

    /// With variables of the environment besides.
    pub(crate) async fn start_in(dir: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let ready = dir.join("ready.json");
        fs::remove_file(&ready).ok();
        let ports = ["up", "--port", "0", "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"];
        let log = fs::File::create(dir.join("test.log")).unwrap();
        let mut command = crosstie(dir, &[&ports, flags].concat());
        command.envs(environment.iter().copied());
        command.arg("--ready-file").arg(&ready).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        let addresses = eventually(PATIENCE, || async {
            let text =
                fs::read_to_string(&ready).map_err(|_| fs::read_to_string(dir.join("test.log")).unwrap_or_default())?;
            serde_json::from_str(&text).map_err(|error| error.to_string())
        });
        let mut server = Self { child, addresses: Value::Null, http: reqwest::Client::new() };
        server.addresses = addresses.await;
        server
    }

    /// `127.0.0.1:PORT` of `api`, `http`, `grpc` or `metrics`.
    pub(crate) fn address(&self, port: &str) -> String {
        self.addresses[port].as_str().unwrap_or_else(|| panic!("no address of {port}")).to_owned()
    }

    /// The most memory that it has had so far, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A call of MLflow's REST API; `Err` unless it was acknowledged.
    pub(crate) async fn mlflow(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        mlflow(&self.http, &self.address("api"), method, path, body).await
    }

    /// SIGKILL: no drain, no flush.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop by `crosstie down` and answers whether it ended well.
    pub(crate) fn down(mut self, dir: &Path) -> bool {
        let said = run(dir, &["down"]);
        assert!(said.succeeded, "{said:?}");
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One call of MLflow's REST API at `address`.
pub(crate) async fn mlflow(
    http: &reqwest::Client,
    address: &str,
    method: Method,
    path: &str,
    body: Value,
) -> Result<Value, String> {
    let url = format!("http://{address}/api/2.0/mlflow/{path}");
    let mut request = http.request(method.clone(), url);
    request = match (method, body) {
        (Method::GET, body) => request.query(&body),
        (_, body) => request.json(&body),
    };
    let response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    let text = response.text().await.map_err(|error| error.to_string())?;
    if status.is_success() { serde_json::from_str(&text).map_err(|error| error.to_string()) } else { Err(text) }
}

/// Makes an experiment and answers its id.
pub(crate) async fn experiment(server: &Server, name: &str) -> String {
    let made = server.mlflow(Method::POST, "experiments/create", json!({ "name": name })).await.unwrap();
    made["experiment_id"].as_str().unwrap().to_owned()
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = dir.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    // The canonical path: messages name it, and the temporary folder may be a link.
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}
