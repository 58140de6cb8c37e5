//! Calls to the other server: bounded in time and size, and made again where that may help.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use runtime::Backoff;
use serde_json::Value as Json;
use url::Url;

use crate::{Address, Credentials, Error};

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(30);
/// How often something is asked before it counts as refused.
const ATTEMPTS: u32 = 4;
/// Waits between them, unless the server says how long; then that, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// The longest answer that is read into memory, 16 MiB: a page of a thousand runs is a fraction of it.
const LONGEST_ANSWER: usize = 16 << 20;
/// How much of a refusal is repeated.
const EXCERPT: usize = 500;

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    pub(crate) address: Address,
    credentials: Credentials,
}

impl Http {
    pub(crate) fn new(address: Address, credentials: &Credentials) -> Result<Self, Error> {
        runtime::tls::use_ring();
        // A machine without certificates of authorities can trust no server, but speak to those without TLS.
        let client = builder().build().or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "no server can be trusted over TLS");
            builder().tls_certs_only([]).build()
        });
        let client = client.map_err(|source| Error::Client { address: address.to_string(), source })?;
        Ok(Self { client, address, credentials: credentials.clone() })
    }

    /// A request, with credentials.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.credentials.show(self.client.request(method, url))
    }

    /// The answer to a question of MLflow's API, below `/api/2.0/mlflow/`.
    pub(crate) async fn get(&self, call: &str, query: &[(&str, &str)]) -> Result<Json, Error> {
        self.get_at(&format!("api/2.0/mlflow/{call}"), query).await
    }

    /// The same of a path of its own.
    pub(crate) async fn get_at(&self, path: &str, query: &[(&str, &str)]) -> Result<Json, Error> {
        let url = self.address.of(&path.split('/').collect::<Vec<_>>());
        let response = self.send(path, || self.request(Method::GET, url.clone()).query(query)).await?;
        self.json(path, response).await
    }

    /// Makes a change that may be made twice.
    pub(crate) async fn post(&self, call: &str, body: &Json) -> Result<Json, Error> {
        let path = format!("api/2.0/mlflow/{call}");
        let url = self.address.of(&path.split('/').collect::<Vec<_>>());
        let response = self.send(&path, || self.request(Method::POST, url.clone()).json(body)).await?;
        self.json(&path, response).await
    }

    /// A file, as it comes.
    pub(crate) async fn file(&self, url: Url, query: &[(&str, &str)]) -> Result<artifacts::Content, Error> {
        let path = url.path().to_owned();
        let response = self.send(&path, || self.request(Method::GET, url.clone()).query(query)).await?;
        Ok(response.bytes_stream().map_err(std::io::Error::other).boxed())
    }

    /// Sends what `make` makes until it is answered with success, or another answer would be no use.
    async fn send(&self, call: &str, make: impl Fn() -> RequestBuilder) -> Result<Response, Error> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut attempts = 1;
        loop {
            let (error, wait) = match make().send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let (is_passing, wait) = (may_pass(response.status()), asked_wait(response.headers()));
                    let error = self.refusal(call, response).await;
                    if !is_passing {
                        return Err(error);
                    }
                    (error, wait)
                }
                Err(source) => (self.away(source), None),
            };
            if attempts == ATTEMPTS {
                return Err(error);
            }
            attempts += 1;
            tracing::debug!(call, attempts, %error, "an MLflow elsewhere is asked again");
            tokio::time::sleep(wait.unwrap_or_else(|| backoff.next()).min(LONGEST_WAIT)).await;
        }
    }

    pub(crate) fn away(&self, source: reqwest::Error) -> Error {
        let address = self.address.to_string();
        if source.is_timeout() && !source.is_connect() {
            Error::Stalled { address, waited: SILENCE }
        } else {
            Error::Away { address, source: source.without_url() }
        }
    }

    /// What it said when it refused: MLflow's message, or the beginning of whatever it is.
    async fn refusal(&self, call: &str, response: Response) -> Error {
        let status = response.status().as_u16();
        let body = self.body(call, response).await.unwrap_or_default();
        let said = serde_json::from_slice::<Json>(&body).ok();
        let message = said.as_ref().and_then(|said| said["message"].as_str()).map(str::to_owned);
        let message = message.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
        let message = message.chars().take(EXCERPT).collect();
        Error::Refused { address: self.address.to_string(), call: call.to_owned(), status, message }
    }

    async fn json(&self, call: &str, response: Response) -> Result<Json, Error> {
        let body = self.body(call, response).await?;
        serde_json::from_slice(&body).map_err(|error| self.strange(call, error.to_string()))
    }

    async fn body(&self, call: &str, response: Response) -> Result<Bytes, Error> {
        let (mut pieces, mut body) = (response.bytes_stream(), BytesMut::new());
        while let Some(piece) = pieces.next().await {
            body.extend_from_slice(&piece.map_err(|source| self.away(source))?);
            if body.len() > LONGEST_ANSWER {
                return Err(self.strange(call, format!("it is longer than {LONGEST_ANSWER} bytes")));
            }
        }
        Ok(body.freeze())
    }

    pub(crate) fn strange(&self, call: &str, reason: impl Into<String>) -> Error {
        Error::Strange { address: self.address.to_string(), call: call.to_owned(), reason: reason.into() }
    }
}

fn builder() -> ClientBuilder {
    // Redirects are not followed, which could lead anywhere, and no environment is asked for proxies.
    Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("crosstie/", env!("CARGO_PKG_VERSION")))
}

/// Whether the same may be answered otherwise in a moment.
fn may_pass(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

/// How long the server asks to wait, in seconds.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
