//! The port through which messages leave.

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::{BoxError, WebhookUrl};

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The same for each attempt at the same message, and different for any other: the receiver may drop what it knows.
    pub idempotency_key: String,
    /// What it says, the same for each attempt.
    pub body: Json,
}

/// Carries messages to receivers.
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Hands a message to a receiver. `Ok` once the receiver has it for good. After an error, or if the future is dropped,
    /// the same message is handed over again later; returns within a bounded time.
    async fn notify(&self, receiver: &WebhookUrl, notice: &Notice) -> Result<(), BoxError>;
}
