//! A registry elsewhere: where it is, and what is shown to it.

use remote_mlflow::{Address, Credentials};
use types::Secret;

/// MLflow's own variables for credentials. They are flags only because clap reads variables for flags: on a command line
/// everyone on the machine could see them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TrackingVariables {
    #[arg(long, hide = true, env = "MLFLOW_TRACKING_TOKEN", hide_env_values = true, value_parser = secret)]
    tracking_token: Option<Secret<String>>,
    #[arg(long, hide = true, env = "MLFLOW_TRACKING_USERNAME")]
    tracking_username: Option<String>,
    #[arg(long, hide = true, env = "MLFLOW_TRACKING_PASSWORD", hide_env_values = true, value_parser = secret)]
    tracking_password: Option<Secret<String>>,
}

impl TrackingVariables {
    /// A user wins over a token, as with MLflow's clients.
    pub(super) fn credentials(self) -> Credentials {
        match self {
            Self { tracking_username: Some(user), tracking_password: password, .. } if !user.is_empty() => {
                Credentials::Basic { user, password: password.unwrap_or_else(|| Secret::new(String::new())) }
            }
            Self { tracking_token: Some(token), .. } if !token.expose().is_empty() => Credentials::Token(token),
            Self { .. } => Credentials::None,
        }
    }
}

/// A text that nobody shall see in a message.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for a parser that may fail")]
pub(super) fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

/// A registry elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct RemoteRegistry {
    pub(crate) address: Address,
    pub(crate) credentials: Credentials,
}
