//! What is shown to the other server: MLflow's own two ways.

use reqwest::RequestBuilder;
use types::Secret;

/// How a call says who makes it. Never the caller's own credentials, which are this server's.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing is shown.
    #[default]
    None,
    /// `Authorization: Bearer TOKEN`.
    Token(Secret<String>),
    /// `Authorization: Basic …`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret<String>,
    },
}

impl Credentials {
    pub(crate) fn show(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::None => request,
            Self::Token(token) => request.bearer_auth(token.expose()),
            Self::Basic { user, password } => request.basic_auth(user, Some(password.expose())),
        }
    }
}
