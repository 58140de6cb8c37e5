//! Messages as HTTP: a POST of JSON, which is delivered once the receiver answers 2xx.

use std::{error::Error as StdError, time::Duration as Wait};

use async_trait::async_trait;
use reqwest::{Client, ClientBuilder, redirect::Policy};

use crate::{BoxError, Error, Notice, Notifier, WebhookUrl};

/// How long a receiver may take: longer than one that works ever does, shorter than the lease matters for.
const TIMEOUT: Wait = Wait::from_secs(10);
/// How long connecting may take.
const CONNECT_TIMEOUT: Wait = Wait::from_secs(5);
/// The header by which a receiver knows a message again (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The notifier that posts.
#[derive(Debug, Clone)]
pub struct Webhook {
    client: Client,
}

impl Webhook {
    /// The notifier. It follows no redirects: a message may hold what only its receiver should know.
    ///
    /// # Errors
    /// When this machine cannot make HTTP connections at all.
    pub fn new() -> Result<Self, Error> {
        runtime::tls::use_ring();
        // A machine without certificates of authorities can trust no receiver, but speak to those without TLS.
        let client = builder().build().or_else(|error| {
            tracing::warn!(error = &error as &dyn StdError, "no receiver of alerts can be trusted over TLS");
            builder().tls_certs_only([]).build()
        });
        Ok(Self { client: client.map_err(|source| Error::Client { source: source.into() })? })
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("crosstie/", env!("CARGO_PKG_VERSION")))
}

#[async_trait]
impl Notifier for Webhook {
    async fn notify(&self, receiver: &WebhookUrl, notice: &Notice) -> Result<(), BoxError> {
        let request = self.client.post(receiver.expose().clone()).header(IDEMPOTENCY_KEY, &notice.idempotency_key);
        let sent = request.json(&notice.body).send().await;
        let status = match sent {
            Ok(response) => response.status(),
            Err(error) if error.is_timeout() => return Err(format!("no answer within {TIMEOUT:?}").into()),
            Err(error) => return Err(root(&error).into()),
        };
        if status.is_success() { Ok(()) } else { Err(format!("it answered {status}").into()) }
    }
}

/// The innermost cause, which says something and holds no URL: `Connection refused`.
fn root(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "the request could not be sent".to_owned() };
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
