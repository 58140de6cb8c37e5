//! What `crosstie up` is told of webhooks, under MLflow's names. `MLFLOW_WEBHOOK_CACHE_TTL` has no counterpart: nothing is
//! cached, so a subscription holds at once.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::builder::BoolishValueParser;
use registry::webhooks::Key;
use types::Secret;

use super::remote::secret;

/// Flags of `crosstie up` about webhooks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Webhooks")]
pub(crate) struct WebhookFlags {
    /// The key that secrets of webhooks are stored under, made by `Fernet.generate_key()`. Needed where several servers, or
    /// MLflow's, share a database; otherwise one is made and kept in `.crosstie/webhook-secret.key`. Set the variable
    /// rather than the flag: everyone on the machine can see a flag.
    #[arg(long, value_name = "KEY", env = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", hide_env_values = true, value_parser = secret)]
    webhook_secret_key: Option<Secret<String>>,
    /// Schemes that a webhook's URL may have.
    #[arg(
        long,
        value_name = "SCHEMES",
        env = "MLFLOW_WEBHOOK_ALLOWED_SCHEMES",
        value_delimiter = ',',
        default_value = "https"
    )]
    webhook_schemes: Vec<String>,
    /// Let webhooks reach private addresses: this machine, its network, a cloud's metadata service. For development.
    #[arg(
        long,
        env = "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS",
        num_args = 0..=1,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    webhook_private_addresses: bool,
    /// How long a receiver may take to answer, in seconds.
    #[arg(long, value_name = "SECONDS", env = "MLFLOW_WEBHOOK_REQUEST_TIMEOUT", default_value_t = 30)]
    webhook_timeout: u64,
    /// How often a message is tried again.
    #[arg(long, value_name = "NUMBER", env = "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES", default_value_t = 3)]
    webhook_retries: u32,
}

/// How webhooks behave.
#[derive(Debug, Clone)]
pub(crate) struct WebhookSettings {
    /// What secrets are stored under, if it was said.
    pub(crate) key: Option<Key>,
    /// Schemes that URLs may have.
    pub(crate) schemes: Vec<String>,
    /// Whether they may reach private addresses.
    pub(crate) private_addresses: bool,
    /// How long a receiver may take.
    pub(crate) timeout: Duration,
    /// How often a message is tried again.
    pub(crate) retries: u32,
}

impl WebhookSettings {
    /// What the flags say.
    ///
    /// # Errors
    /// When the key is none.
    pub(crate) fn resolve(flags: WebhookFlags) -> Result<Self> {
        // MLflow takes an empty variable for none.
        let key = flags.webhook_secret_key.filter(|text| !text.expose().is_empty());
        let key = key.map(|text| Key::parse(text.expose())).transpose();
        Ok(Self {
            key: key.context("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY cannot be read")?,
            schemes: flags.webhook_schemes.iter().map(|scheme| scheme.trim().to_ascii_lowercase()).collect(),
            private_addresses: flags.webhook_private_addresses,
            timeout: Duration::from_secs(flags.webhook_timeout),
            retries: flags.webhook_retries,
        })
    }
}
