//! The port through which webhooks leave.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use url::{Host, Url};

/// A message to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whom it goes to.
    pub url: Url,
    /// What it is sent with, beside its content type.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP's status.
    pub status: u16,
    /// After which time it wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What it said, up to a length.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing may be sent there, and nothing was.
    #[error("{0}")]
    Refused(String),
    /// It could not be sent, or no answer came. Trying again may help.
    #[error("{0}")]
    Failed(String),
}

/// Carries messages to receivers.
///
/// It decides which addresses may be spoken to, and holds to that when it connects: what a name meant earlier counts for
/// nothing. Each call returns within a bounded time. Dropping one abandons the attempt.
#[async_trait]
pub trait Sender: fmt::Debug + Send + Sync + 'static {
    /// Whether messages may go to `host`, as far as one can tell now. `Err` says why not, as a client is told.
    async fn check(&self, host: Host<&str>) -> Result<(), String>;

    /// Sends once.
    async fn send(&self, request: &Request) -> Result<Response, Failure>;
}

/// Sends nothing: what a registry has before it is given a sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mute;

#[async_trait]
impl Sender for Mute {
    async fn check(&self, _: Host<&str>) -> Result<(), String> {
        Ok(())
    }

    async fn send(&self, _: &Request) -> Result<Response, Failure> {
        Err(Failure::Failed("this process sends no webhooks".to_owned()))
    }
}
