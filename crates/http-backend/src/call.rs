//! One call of a server, and why it did not work in words that name what was asked.

use std::{error::Error as StdError, time::Duration as Wait};

use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode, redirect::Policy};
use serde_json::Value as Json;
use serving::BackendError;
use types::Duration;
use url::Url;

use crate::{BACKEND, declaration::Declaration, pointer::excerpt};

/// How long a connection that nobody uses is kept. Servers close theirs after two (gunicorn) or five seconds (uvicorn,
/// Node); whoever closes first cannot be surprised in the middle of a request.
const IDLE: Wait = Wait::from_millis(1_500);
/// The longest answer that is read, 16 MiB: scores of a million rows.
const LONGEST_ANSWER: usize = 16 << 20;

/// A client for all servers: it keeps connections, follows no redirects and asks no environment for proxies.
pub(crate) fn client() -> Result<Client, String> {
    runtime::tls::use_ring();
    // A machine without certificates of authorities can trust no server, but speak to those without TLS.
    let client = builder().build().or_else(|error| {
        tracing::warn!(error = &error as &dyn StdError, "no server can be trusted over TLS");
        builder().tls_certs_only([]).build()
    });
    client.map_err(|error| chain(&error))
}

fn builder() -> ClientBuilder {
    Client::builder()
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .no_proxy()
        .redirect(Policy::none())
        .user_agent(concat!("crosstie/", env!("CARGO_PKG_VERSION")))
}

/// Asks the server and answers its JSON.
pub(crate) async fn call(
    client: &Client,
    declaration: &Declaration,
    url: Url,
    body: Option<&Json>,
) -> Result<Json, BackendError> {
    let asked = Asked { method: &declaration.method, url: &declaration.shown_url, timeout: declaration.timeout };
    let mut request = client.request(declaration.method.clone(), url).headers(declaration.headers.clone());
    if let Some(body) = body {
        request = request.json(body);
    }
    let (status, answer) = asked.send(request).await?;
    if !status.is_success() {
        return Err(asked.refused(status, &answer));
    }
    serde_json::from_slice(&answer).map_err(|error| {
        asked.failed(format!("its answer is no JSON ({error}): {}", excerpt(&String::from_utf8_lossy(&answer))))
    })
}

/// Asks whether the server is there.
pub(crate) async fn health(client: &Client, declaration: &Declaration, url: &Url) -> Result<(), BackendError> {
    let asked = Asked { method: &Method::GET, url: url.as_str(), timeout: declaration.timeout };
    let request = client.get(url.clone()).headers(declaration.headers.clone());
    let (status, answer) = asked.send(request).await?;
    if status.is_success() {
        return Ok(());
    }
    Err(asked.away(format!("it answered {status} instead of 2xx: {}", excerpt(&String::from_utf8_lossy(&answer)))))
}

/// What was asked, for messages.
struct Asked<'a> {
    method: &'a Method,
    url: &'a str,
    timeout: Duration,
}

impl Asked<'_> {
    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), BackendError> {
        let sent = request.timeout(self.timeout.into()).send().await;
        let mut response = sent.map_err(|error| self.broken(&error))?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if answer.len() + chunk.len() > LONGEST_ANSWER {
                return Err(self.failed(format!("its answer is longer than {LONGEST_ANSWER} bytes")));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok((response.status(), answer))
    }

    /// The server is there, but what it did is no answer.
    fn failed(&self, what: String) -> BackendError {
        BackendError::Execute { reason: format!("{} {}: {what}", self.method, self.url) }
    }

    /// The server is not there for us.
    fn away(&self, what: String) -> BackendError {
        BackendError::Unavailable {
            backend: BACKEND.to_owned(),
            reason: format!("{} {}: {what}", self.method, self.url),
        }
    }

    /// Nothing or not everything came back.
    fn broken(&self, error: &reqwest::Error) -> BackendError {
        if error.is_timeout() {
            self.away(format!("no answer within {}", self.timeout))
        } else if error.is_connect() {
            self.away(format!("no connection ({})", root(error)))
        } else {
            self.failed(format!("the connection broke ({})", root(error)))
        }
    }

    /// It answered that it will not.
    fn refused(&self, status: StatusCode, answer: &[u8]) -> BackendError {
        let what = format!("it answered {status}: {}", excerpt(&String::from_utf8_lossy(answer)));
        match status.as_u16() {
            // Whoever sent the inputs can change them.
            400 | 422 => BackendError::Input { reason: format!("{} {}: {what}", self.method, self.url) },
            // It says itself that it may do so later.
            429 | 502..=504 => self.away(what),
            _ => self.failed(what),
        }
    }
}

/// The innermost cause, which is the one that says something: `Connection refused`.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
