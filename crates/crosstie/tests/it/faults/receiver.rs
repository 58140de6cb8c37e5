//! Someone who is to be told.

use std::net::{SocketAddr, TcpListener as Reserved};
use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;

/// What a receiver was told: the header by which it knows a message again, and the message.
type Told = Arc<Mutex<Vec<(String, Value)>>>;

/// A receiver of alerts, at an address that is known before it listens.
#[derive(Debug)]
pub(super) struct Receiver {
    address: SocketAddr,
    told: Told,
}

impl Receiver {
    /// One that is not there yet.
    pub(super) fn away() -> Self {
        let reserved = Reserved::bind("127.0.0.1:0").unwrap();
        Self { address: reserved.local_addr().unwrap(), told: Told::default() }
    }

    /// One that listens.
    pub(super) async fn start() -> Self {
        let receiver = Self::away();
        receiver.listen().await;
        receiver
    }

    pub(super) async fn listen(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&self.told));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }

    /// A project that tells it everything.
    pub(super) fn project(&self) -> String {
        format!("version: 1\nalerts: [{{ webhook: \"http://{}/\", severity: info }}]\n", self.address)
    }

    /// The messages about conditions of this name, in the order in which they came.
    pub(super) fn told(&self, name: &str) -> Vec<(String, Value)> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|(_, message)| message["name"] == name).cloned().collect()
    }

    /// Their statuses.
    pub(super) fn statuses(&self, name: &str) -> Vec<String> {
        self.told(name).iter().map(|(_, message)| message["status"].as_str().unwrap().to_owned()).collect()
    }
}

async fn take(State(told): State<Told>, headers: HeaderMap, Json(message): Json<Value>) {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    told.lock().unwrap().push((key, message));
}
