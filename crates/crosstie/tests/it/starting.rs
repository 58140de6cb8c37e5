//! Starting and stopping, and what is said when it cannot be.

use std::net::TcpListener;
use std::process::Command;

use reqwest::Method;
use serde_json::json;

use crate::program::{Said, Server, crosstie, experiment, folder, run};

#[tokio::test]
async fn all_four_ports_answer_and_down_ends_it_well() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    for (port, route) in [("api", "/health"), ("api", "/"), ("http", "/v2/health/ready"), ("metrics", "/metrics")] {
        let answer = reqwest::get(format!("http://{}{route}", server.address(port))).await.unwrap();
        assert_eq!(answer.status(), 200, "{port}{route}");
    }
    std::net::TcpStream::connect(server.address("grpc")).unwrap();
    assert!(server.down(&path), "SIGTERM must drain and exit 0");
    assert!(!path.join(".crosstie/up.json").exists(), "nobody is told of a server that is gone");
}

#[tokio::test]
async fn detached_it_returns_once_everything_answers() {
    let (_dir, path) = folder(&[]);
    let ports = ["--port", "0", "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"];
    let said = run(&path, &[["up", "-d", "--json"].as_slice(), &ports].concat());
    assert!(said.succeeded, "{said:?}");
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let api = told["addresses"]["api"].as_str().unwrap();
    assert_eq!(reqwest::get(format!("http://{api}/health")).await.unwrap().status(), 200);
    let said = run(&path, &["down"]);
    assert!(said.succeeded && said.out.contains("stopped"), "{said:?}");
    assert!(reqwest::get(format!("http://{api}/health")).await.is_err(), "it is down");
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    let id = experiment(&server, "kept").await;
    assert!(server.down(&path));
    let server = Server::start(&path).await;
    let found = server.mlflow(Method::GET, "experiments/get", json!({ "experiment_id": id })).await.unwrap();
    assert_eq!(found["experiment"]["name"], "kept");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--port", "--http-port", "--grpc-port", "--metrics-port"] {
        let (_dir, path) = folder(&[]);
        let mut flags = vec!["up"];
        for other in ["--port", "--http-port", "--grpc-port", "--metrics-port"] {
            flags.extend([other, if other == flag { port.as_str() } else { "0" }]);
        }
        let said = run(&path, &flags);
        assert!(!said.succeeded, "{said:?}");
        assert!(said.err.contains(&port) && said.err.contains(flag), "which port, and how to choose another: {said:?}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_and_hurts_nothing() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    for flags in [["up", "--port", "0"].as_slice(), &["up", "-d", "--port", "0"]] {
        let said = run(&path, flags);
        assert!(!said.succeeded && said.err.contains("is up on this folder already"), "{said:?}");
        assert!(said.err.contains(&server.address("api")), "it says where the other one is: {said:?}");
    }
    assert_eq!(reqwest::get(format!("http://{}/health", server.address("api"))).await.unwrap().status(), 200);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = folder(&[]);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o555)).unwrap();
    let said = Said::from(subject_to_permissions(crosstie(&path, &["up", "--port", "0"])).output().unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!said.succeeded, "{said:?}");
    assert!(said.err.contains(path.to_str().unwrap()) && said.err.contains("--dir"), "{said:?}");
    assert!(!path.join(".crosstie").exists());
}

/// The command without root's right to write anywhere; anybody else has none to lose.
fn subject_to_permissions(command: Command) -> Command {
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    if !is_root {
        return command;
    }
    let mut confined = Command::new("setpriv");
    confined.args([
        "--bounding-set",
        "-dac_override,-dac_read_search",
        "--inh-caps",
        "-dac_override,-dac_read_search",
        "--",
    ]);
    confined.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => confined.env(name, value),
            None => confined.env_remove(name),
        };
    }
    confined.current_dir(command.get_current_dir().unwrap());
    confined
}

#[test]
fn a_library_of_onnx_runtime_that_is_not_there_is_named() {
    let (_dir, path) = folder(&[]);
    let ports = ["--port", "0", "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"];
    let said = run(&path, &[["up", "--onnxruntime", "/nowhere/libonnxruntime.so"].as_slice(), &ports].concat());
    assert!(!said.succeeded, "{said:?}");
    assert!(said.err.contains("/nowhere/libonnxruntime.so"), "{said:?}");
}

#[test]
fn a_store_of_another_kind_is_refused_by_name() {
    let (_dir, path) = folder(&[]);
    for (flag, uri, named) in [
        ("--database", "mysql://root@127.0.0.1/x", "mysql:"),
        ("--artifacts", "gs://bucket/x", "gs:"),
        ("--online-store", "redis://127.0.0.1", "redis:"),
    ] {
        let said = run(&path, &["up", "--port", "0", flag, uri]);
        assert!(!said.succeeded && said.err.contains(named) && said.err.contains(flag), "{said:?}");
    }
}

#[test]
fn a_command_without_a_server_says_how_to_start_one() {
    let (_dir, path) = folder(&[]);
    let said = run(&path, &["lineage", "click-ranker/1"]);
    assert!(!said.succeeded && said.err.contains("crosstie up"), "{said:?}");
    let said = run(&path, &["status"]);
    assert!(said.succeeded && said.out.contains("nothing is up"), "{said:?}");
}
