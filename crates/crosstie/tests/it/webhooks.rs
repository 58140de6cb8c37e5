//! Webhooks of the whole program, over HTTP: signed, not lost by a kill, and nowhere inside.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use reqwest::Method;
use runtime::testing::eventually;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::program::{Server, folder};

/// A deadline that only a defect reaches.
const LONG: Duration = Duration::from_secs(60);
const SECRET: &str = "test secret";

/// A receiver that keeps what it is sent, and answers only while it is told to.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<AtomicBool>,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Receiver {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accept = |State(receiver): State<Self>, headers: HeaderMap, body: String| async move {
            receiver.got.lock().unwrap().push((headers, body));
            if !receiver.answers.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        };
        let router = Router::new().route("/in", post(accept)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn until(&self, count: usize) -> Vec<(HeaderMap, String)> {
        eventually(LONG, async || {
            let got = self.got.lock().unwrap().clone();
            if got.len() >= count { Ok(got) } else { Err(format!("{} of {count} messages", got.len())) }
        })
        .await
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap_or_else(|| panic!("no {name} in {headers:?}")).to_str().unwrap()
}

async fn hook(server: &Server, url: &str) -> Result<Value, String> {
    let events = json!([{ "entity": "REGISTERED_MODEL", "action": "CREATED" }]);
    let webhook = json!({ "name": "test", "url": url, "events": events, "secret": SECRET });
    server.mlflow(Method::POST, "webhooks", webhook).await
}

async fn model(server: &Server, name: &str) {
    server.mlflow(Method::POST, "registered-models/create", json!({ "name": name })).await.unwrap();
}

async fn start(path: &Path) -> Server {
    Server::start_with(path, &["--webhook-schemes", "http", "--webhook-private-addresses=true"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_commit_and_delivery_loses_no_message() {
    let (_dir, path) = folder(&[]);
    let receiver = Receiver::default();
    let url = format!("http://{}/in", receiver.start().await);
    let server = start(&path).await;
    hook(&server, &url).await.unwrap();
    model(&server, "first").await;
    model(&server, "second").await;
    // Both are committed, and both are on their way to a receiver that does not answer.
    receiver.until(2).await;
    server.kill();

    receiver.answers.store(true, Ordering::SeqCst);
    let server = start(&path).await;
    let got = receiver.until(4).await;
    let id = |(headers, _): &(HeaderMap, String)| header(headers, "x-mlflow-delivery-id").to_owned();
    let sorted = |messages: &[(HeaderMap, String)]| {
        let mut ids: Vec<String> = messages.iter().map(id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(&got[..2]), sorted(&got[2..]), "the same two, by their ids");
    // The secret was stored under the key in the state folder, which is the same after the restart.
    for (headers, body) in &got {
        let signature = header(headers, "x-mlflow-signature");
        assert!(signature.starts_with("v1,") && body.contains("\"registered_model\""), "{signature} {body}");
    }
    assert!(path.join(".crosstie/webhook-secret.key").is_file());
    assert!(server.down(&path));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_inside_is_reached_by_number_or_name() {
    let (_dir, path) = folder(&[]);
    let receiver = Receiver::default();
    let port = receiver.start().await.port();
    let server = Server::start_with(&path, &["--webhook-schemes", "http,https"]).await;
    for host in ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"] {
        let refused = hook(&server, &format!("http://{host}:{port}/in")).await.unwrap_err();
        assert!(refused.contains("INVALID_PARAMETER_VALUE"), "{host}: {refused}");
        assert!(refused.contains("Webhook URL must not resolve to a non-public IP address."), "{host}: {refused}");
    }
    assert_eq!(receiver.got.lock().unwrap().len(), 0);
    assert!(server.down(&path));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_of_a_permissive_server_is_refused_by_a_strict_one_when_it_connects() {
    let (_dir, path) = folder(&[]);
    let receiver = Receiver::default();
    receiver.answers.store(true, Ordering::SeqCst);
    let port = receiver.start().await.port();
    let server = start(&path).await;
    // A name: what it means is found out at the connection.
    let made = hook(&server, &format!("http://localhost:{port}/in")).await.unwrap();
    model(&server, "permitted").await;
    receiver.until(1).await;
    assert!(server.down(&path));

    let server = Server::start_with(&path, &["--webhook-schemes", "http"]).await;
    model(&server, "refused").await;
    let test = format!("webhooks/{}/test", made["webhook"]["webhook_id"].as_str().unwrap());
    let tried = server.mlflow(Method::POST, &test, json!({})).await.unwrap();
    assert_eq!(tried["result"]["success"], false);
    assert!(tried["result"]["error_message"].as_str().unwrap().contains("non-public IP address"), "{tried}");
    eventually(LONG, async || {
        let metrics = reqwest::get(format!("http://{}/metrics", server.address("metrics"))).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let abandoned = metrics.contains("crosstie_webhooks_deliveries_total{outcome=\"abandoned\"} 1");
        if abandoned { Ok(()) } else { Err(metrics) }
    })
    .await;
    assert_eq!(receiver.got.lock().unwrap().len(), 1, "only what was permitted");
    assert!(server.down(&path));
}
