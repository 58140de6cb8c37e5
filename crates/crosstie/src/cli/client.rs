//! The HTTP client that commands are: finds the server, shows the token, and turns an error answer into a failure.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as JsonValue;
use types::Secret;

use crate::state_dir;

/// Which server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerFlags {
    /// The server's address. Default: the one that is up on the project folder.
    #[arg(long, global = true, value_name = "URL", env = "CROSSTIE_SERVER")]
    pub(crate) server: Option<String>,
    /// The token to show; better given in the environment. Without one you are anonymous.
    #[arg(long, global = true, value_name = "TOKEN", env = "CROSSTIE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<Secret<String>>,
    state: PathBuf,
}

impl Client {
    /// The client of the server that the flags name, else of the one that is up on `dir`.
    ///
    /// # Errors
    /// When no server is named and none is up.
    pub(crate) fn connect(flags: &ServerFlags, dir: &Path) -> Result<Self> {
        let state = dir.join(".crosstie");
        let base = match &flags.server {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let running = state_dir::running(&state).ok_or_else(|| {
                    anyhow!(
                        "no server is up on {}: start one with `crosstie up -d`, or name one with --server",
                        dir.display()
                    )
                })?;
                format!("http://{}", running.addresses.get("api").context("the running server has no API")?)
            }
        };
        runtime::tls::use_ring();
        // A machine without certificates of authorities can trust no server, but speak to those without TLS.
        let http = reqwest::Client::builder()
            .build()
            .or_else(|_| reqwest::Client::builder().tls_certs_only([]).build())
            .context("cannot make an HTTP client")?;
        Ok(Self { http, base, token: flags.token.clone().map(Secret::new), state })
    }

    /// The same client showing the folder's first token, if no other is given: for commands of the folder's owner.
    pub(crate) fn acting_as_owner(mut self) -> Self {
        if self.token.is_none() {
            self.token =
                std::fs::read_to_string(self.state.join("token")).ok().map(|text| Secret::new(text.trim().to_owned()));
        }
        self
    }

    /// The server's address, `http://127.0.0.1:5000`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Reads JSON from `path`.
    ///
    /// # Errors
    /// When the server is away or answers an error; its message is the failure's.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        decode(self.send(self.request(Method::GET, path)).await?).await
    }

    /// Sends JSON to `path` and reads the JSON answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn send_json<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T> {
        decode(self.send(self.request(method, path).json(body)).await?).await
    }

    /// Posts JSON to `path`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T> {
        self.send_json(Method::POST, path, body).await
    }

    /// A request that the caller completes.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_to(method, format!("{}/crosstie/v1/{path}", self.base))
    }

    /// A request of MLflow's API.
    pub(crate) fn mlflow(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_to(method, format!("{}/api/2.0/mlflow/{path}", self.base))
    }

    fn request_to(&self, method: Method, url: String) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// Sends it; an error status is a failure with the server's message.
    ///
    /// # Errors
    /// When the server is away or answers an error.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| {
            if error.is_connect() {
                anyhow!("no server answers at {}", self.base)
            } else {
                anyhow!(error).context("the request failed")
            }
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let message = serde_json::from_str::<JsonValue>(&text)
            .ok()
            .and_then(|json| {
                json.pointer("/error/message").or_else(|| json.get("message"))?.as_str().map(str::to_owned)
            })
            .unwrap_or(text);
        let has_token_file = self.token.is_none() && self.state.join("token").is_file();
        let hint = if has_token_file && (status.as_u16() == 401 || status.as_u16() == 403) {
            " (no token was shown: set CROSSTIE_TOKEN; `crosstie token create` makes one)"
        } else {
            ""
        };
        bail!("{message}{hint}")
    }
}

async fn decode<T: DeserializeOwned>(response: Response) -> Result<T> {
    let text = response.text().await.context("the answer broke off")?;
    serde_json::from_str(&text).with_context(|| format!("the answer is not what was expected: {text:.200}"))
}
