//! Postgres away for ten seconds under a program that goes on: once it does not answer, once it is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    process::Command,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{cluster::Cluster, report, world::until};
use crate::program::{Server, experiment, folder, tool};

const MLFLOW_PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
/// How long Postgres is away.
const AWAY: Duration = Duration::from_secs(10);
/// Callers that write and read all the time.
const CALLERS: usize = 4;
/// The longest that a call may take while it is away: that it is away shows after three seconds, at each of the
/// transactions of a call; what was under way may wait until it is back.
const BOUND: Duration = Duration::from_secs(20);
/// Calls of each caller before Postgres goes away, and after it is back.
const CALLS: usize = 20;

/// The stock client, as a training loop uses it.
const CLIENT: &str = "
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run(run_name='rides through') as run:
    print(run.info.run_id, flush=True)
    step = 0
    for line in sys.stdin:
        for _ in range(int(line)):
            mlflow.log_metric('loss', step, step=step)
            step += 1
        print(step, flush=True)
";

/// What callers saw.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: BTreeSet<u64>,
    reads: usize,
    /// Answers that it is away, and the longest that anyone waited for any answer.
    refused: usize,
    slowest: Duration,
    /// Answers that nobody should get.
    wrong: Vec<String>,
}

impl Seen {
    /// What came of a read, or of the write of a step.
    fn note(&mut self, written: Option<u64>, outcome: Result<bool, String>, took: Duration) {
        self.slowest = self.slowest.max(took);
        match (outcome, written) {
            (Ok(true), Some(step)) => _ = self.acknowledged.insert(step),
            (Ok(true), None) => self.reads += 1,
            (Ok(false), _) => self.refused += 1,
            (Err(wrong), _) => self.wrong.push(wrong),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_does_not_answer_or_is_gone_for_ten_seconds_is_ridden_through() {
    let Some(python) = tool(MLFLOW_PYTHON) else { return };
    let Some(mut cluster) = Cluster::start().await else { return };
    let (_dir, path) = folder(&[]);
    let server = Server::start_with(&path, &["--database", &cluster.uri()]).await;
    let experiment = experiment(&server, "away").await;
    let new = json!({ "experiment_id": experiment, "start_time": 1 });
    let run = server.mlflow(Method::POST, "runs/create", new).await.unwrap()["run"]["info"]["run_id"].take();
    let mut client = Client::start(&python, &path, &server.address("api")).await;
    for (what, is_gone) in [("does not answer", false), ("is gone", true)] {
        let callers = Callers::start(&server.address("api"), run.as_str().unwrap());
        callers.more(CALLS).await;
        if is_gone {
            cluster.crash()
        } else {
            cluster.freeze()
        }
        let since = Instant::now();
        client.log(5).await;
        callers.anew(&server.address("api"), run.as_str().unwrap()).await;
        sleep(AWAY.saturating_sub(since.elapsed())).await;
        if is_gone {
            cluster.start_again().await
        } else {
            cluster.thaw()
        }
        let back = Instant::now();
        callers.more(CALLS).await;
        let took = back.elapsed();
        let logged = client.logged().await;
        let seen = callers.end().await;
        assert_eq!(seen.wrong, [""; 0], "while Postgres {what}");
        assert!(seen.refused > 0, "nobody noticed that Postgres {what}");
        assert!(seen.slowest < BOUND, "a call took {:?} while Postgres {what}", seen.slowest);
        assert_kept(&server, &run, &seen).await;
        report(&format!(
            "Postgres {what} for {AWAY:?}: {} calls answered 503 with Retry-After, the slowest answer after {:.1} s; {} writes \
             acknowledged and none lost, {} reads; {CALLS} calls of each caller within {:.1} s of its return; stock client at step {logged}",
            seen.refused,
            seen.slowest.as_secs_f64(),
            seen.acknowledged.len(),
            seen.reads,
            took.as_secs_f64(),
        ));
    }
    client.end(&server).await;
}

async fn assert_kept(server: &Server, run: &Value, seen: &Seen) {
    let history =
        server.mlflow(Method::GET, "metrics/get-history", json!({ "run_id": run, "metric_key": "step" })).await;
    let history = history.unwrap();
    let kept: BTreeSet<u64> =
        history["metrics"].as_array().unwrap().iter().map(|point| point["step"].as_u64().unwrap()).collect();
    let lost: Vec<_> = seen.acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
}

/// Writes and reads, by turns, until told to end.
struct Callers {
    seen: Arc<Mutex<Seen>>,
    tasks: JoinSet<()>,
}

impl Callers {
    fn start(address: &str, run: &str) -> Self {
        let (seen, mut tasks) = (Arc::<Mutex<Seen>>::default(), JoinSet::new());
        for caller in 0..CALLERS {
            let (seen, url, run) = (Arc::clone(&seen), format!("http://{address}/api/2.0/mlflow"), run.to_owned());
            tasks.spawn(async move {
                let http = reqwest::Client::new();
                for number in 0.. {
                    // Each number once, whoever makes it and whenever.
                    let step = super::now() as u64 * CALLERS as u64 + caller as u64;
                    let point = json!({ "key": "step", "value": 1, "timestamp": 1, "step": step });
                    let batch = json!({ "run_id": run, "metrics": [point] });
                    let is_write = number % 2 == 0;
                    let request = if is_write {
                        http.post(format!("{url}/runs/log-batch")).json(&batch)
                    } else {
                        http.get(format!("{url}/runs/get?run_id={run}"))
                    };
                    let sent = Instant::now();
                    let outcome = judge(request).await;
                    seen.lock().unwrap().note(is_write.then_some(step), outcome, sent.elapsed());
                }
            });
        }
        Self { seen, tasks }
    }

    /// Asks from as many new callers once each, who come when it is away.
    async fn anew(&self, address: &str, run: &str) {
        let url = format!("http://{address}/api/2.0/mlflow/runs/get?run_id={run}");
        let mut asked = JoinSet::new();
        for _ in 0..CALLERS {
            let (seen, url) = (Arc::clone(&self.seen), url.clone());
            asked.spawn(async move {
                let sent = Instant::now();
                let outcome = judge(reqwest::Client::new().get(url)).await;
                seen.lock().unwrap().note(None, outcome, sent.elapsed());
            });
        }
        asked.join_all().await;
    }

    /// Waits until so many more calls of each succeed.
    async fn more(&self, calls: usize) {
        let count = || {
            let seen = self.seen.lock().unwrap();
            seen.acknowledged.len() + seen.reads
        };
        let before = count();
        until("answered", async || {
            let more = count() - before;
            if more >= calls * CALLERS { Ok(()) } else { Err(json!(more)) }
        })
        .await;
    }

    async fn end(mut self) -> Seen {
        self.tasks.shutdown().await;
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Whether it succeeded, or was refused as it should be.
async fn judge(request: reqwest::RequestBuilder) -> Result<bool, String> {
    let response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let again = response.headers().get("retry-after").is_some();
    let text = response.text().await.map_err(|error| error.to_string())?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    match (status, again, body["error_code"].as_str()) {
        (200, _, _) => Ok(true),
        (503, true, Some("TEMPORARILY_UNAVAILABLE")) => Ok(false),
        _ => Err(format!("{status} {text}")),
    }
}

/// The stock client in a process of its own.
struct Client {
    child: tokio::process::Child,
    lines: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
    run: String,
    steps: u64,
}

impl Client {
    async fn start(python: &Path, dir: &Path, address: &str) -> Self {
        use tokio::io::AsyncBufReadExt as _;
        let mut command = Command::new(python);
        command.args(["-c", CLIENT, &format!("http://{address}")]).current_dir(dir).kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = tokio::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut client = Self { child, lines, run: String::new(), steps: 0 };
        client.run = client.lines.next_line().await.unwrap().expect("the client made a run");
        client
    }

    /// Logs so many more steps, in its own time.
    async fn log(&mut self, steps: u64) {
        use tokio::io::AsyncWriteExt as _;
        self.child.stdin.as_mut().unwrap().write_all(format!("{steps}\n").as_bytes()).await.unwrap();
        self.steps += steps;
    }

    /// Waits until all are logged.
    async fn logged(&mut self) -> u64 {
        let line = self.lines.next_line().await.unwrap().expect("the client gave up");
        assert_eq!(line, self.steps.to_string());
        self.steps
    }

    async fn end(mut self, server: &Server) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().await.unwrap().success());
        let history = json!({ "run_id": self.run, "metric_key": "loss" });
        let history = server.mlflow(Method::GET, "metrics/get-history", history).await.unwrap();
        let steps: Vec<u64> =
            history["metrics"].as_array().unwrap().iter().map(|point| point["step"].as_u64().unwrap()).collect();
        assert_eq!(steps, (0..self.steps).collect::<Vec<_>>());
        let run = server.mlflow(Method::GET, "runs/get", json!({ "run_id": self.run })).await.unwrap();
        assert_eq!(run["run"]["info"]["status"], "FINISHED");
    }
}
