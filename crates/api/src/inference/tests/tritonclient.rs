//! The stock Python client, from the virtual environment that `CROSSTIE_TEST_PYTHON` names.

use std::path::Path;

use tokio::process::Command;

use super::Servers;

/// Names the interpreter.
const PYTHON: &str = "CROSSTIE_TEST_PYTHON";

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what they may use")]
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
async fn every_call_of_tritonclient_is_answered() {
    let Ok(python) = std::env::var(PYTHON) else {
        assert!(std::env::var("CI").is_err(), "{PYTHON} is not set");
        eprintln!("skipped: {PYTHON} is not set");
        return;
    };
    let servers = Servers::start(true).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/tritonclient_calls.py");
    let (http, grpc) = (servers.http.to_string(), servers.grpc.to_string());
    let output = Command::new(python)
        .arg(script)
        .args(["--http", &http, "--grpc", &grpc])
        .args(["--model", "ranker", "--input", "input", "--columns", "2", "--output", "sum"])
        .output()
        .await
        .unwrap();
    let (printed, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}\n{complained}");
}
