//! The sender: one HTTP client whose connections pass the guard.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use async_trait::async_trait;
use registry::webhooks::{Failure, Request, Response, Sender};
use reqwest::{
    Client, ClientBuilder,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use tokio::time::timeout;
use url::{Host, Url};

use crate::resolver::{Guard, Refused};

/// Bytes of an answer that are read: enough for any message to a person who tries a webhook.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Redirects that are followed.
const MOST_REDIRECTS: usize = 5;
/// How long a name may take to be looked up when a webhook is made.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// How messages are sent.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long one attempt may take, from the lookup to the last byte.
    pub timeout: Duration,
    /// Whether any address may be spoken to, private ones too.
    pub allow_private: bool,
    /// Schemes that a URL may have, in lower case; redirects, too.
    pub allowed_schemes: Vec<String>,
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made for webhooks")]
pub struct Error(#[from] reqwest::Error);

/// Sends over HTTP. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpSender {
    client: Client,
    guard: Guard,
    timeout: Duration,
}

impl HttpSender {
    /// The sender, without any connection.
    ///
    /// # Errors
    /// When this machine cannot make HTTP connections at all.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Self::guarded(config, Guard::new(config.allow_private, &config.allowed_schemes))
    }

    fn guarded(config: &Config, guard: Guard) -> Result<Self, Error> {
        runtime::tls::use_ring();
        // A machine without certificates of authorities can trust no receiver, but speak to those without TLS.
        let client = builder(config, &guard).build().or_else(|error| {
            tracing::warn!(error = &error as &dyn StdError, "no receiver of webhooks can be trusted over TLS");
            builder(config, &guard).tls_certs_only([]).build()
        })?;
        Ok(Self { client, guard, timeout: config.timeout })
    }
}

fn builder(config: &Config, guard: &Guard) -> ClientBuilder {
    Client::builder()
        .timeout(config.timeout)
        .connect_timeout(config.timeout)
        .dns_resolver(Arc::new(guard.clone()))
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .user_agent(concat!("crosstie/", env!("CARGO_PKG_VERSION")))
}

/// Where the message is to go instead, method and body kept. Other redirects would lose the body, so they are the answer.
fn moved_to(response: &reqwest::Response, from: &Url) -> Option<Url> {
    let keeps_the_message = matches!(response.status().as_u16(), 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| keeps_the_message)?;
    from.join(location.to_str().ok()?).ok()
}

#[async_trait]
impl Sender for HttpSender {
    async fn check(&self, host: Host<&str>) -> Result<(), String> {
        if self.guard.allows_private() {
            // Nothing that a name may mean is refused, so it may also mean nothing yet.
            return Ok(());
        }
        let name = host.to_string();
        match timeout(LOOKUP_TIMEOUT, self.guard.resolve(host)).await {
            Ok(resolved) => resolved.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("Cannot resolve Webhook URL hostname '{name}': no answer within {LOOKUP_TIMEOUT:?}")),
        }
    }

    async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let mut url = request.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            self.guard.check(&url).map_err(|refused| Failure::Refused(refused.to_string()))?;
            let mut sent = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
            for (name, value) in &request.headers {
                sent = sent.header(*name, value);
            }
            let response = sent.body(request.body.clone()).send().await.map_err(|error| self.failure(&error))?;
            match moved_to(&response, &url) {
                Some(next) => url = next,
                None => return Ok(read(response).await),
            }
        }
        Err(Failure::Failed(format!("more than {MOST_REDIRECTS} redirects")))
    }
}

impl HttpSender {
    fn failure(&self, error: &reqwest::Error) -> Failure {
        let mut causes = std::iter::successors(error.source(), |cause| (**cause).source());
        if let Some(refused) = causes.clone().find_map(refusal) {
            return Failure::Refused(refused);
        }
        if error.is_timeout() {
            return Failure::Failed(format!("no answer within {:?}", self.timeout));
        }
        // The innermost cause says something and holds no URL: `Connection refused`.
        let innermost = causes.by_ref().last().map(ToString::to_string);
        Failure::Failed(innermost.unwrap_or_else(|| "the request could not be sent".to_owned()))
    }
}

/// The refusal that an error is, or holds without telling.
fn refusal(error: &(dyn StdError + 'static)) -> Option<String> {
    let unreachable = || match error.downcast_ref::<crate::resolver::Unreachable>()? {
        crate::resolver::Unreachable::Refused(refused) => Some(refused.to_string()),
        crate::resolver::Unreachable::Unknown { .. } => None,
    };
    error.downcast_ref::<Refused>().map(ToString::to_string).or_else(unreachable)
}

/// What is worth keeping of an answer. One that breaks off was given all the same: its status counts.
async fn read(mut response: reqwest::Response) -> Response {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(LONGEST_ANSWER - body.len())]);
        if body.len() == LONGEST_ANSWER {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Response { status: response.status().as_u16(), retry_after, body }
}

#[cfg(test)]
mod tests;
