//! Alerts: conditions that hold become messages that arrive, and are taken back when they end.
//!
//! Sources ([`Source`]) say what holds *now*; they keep no history and raise no events. This crate compares that with what
//! it has raised: a condition that is new fires, one that is gone for a while resolves, and one that goes on is the same
//! alert. Each such change commits together with the messages that follow from it ([`Routing`] says where to), so a
//! message is neither forgotten by a crash nor made twice; a watcher under a lease carries them out, in order and again and
//! again until the receiver has said yes.
//!
//! A message may arrive twice when a process dies between the receiver's yes and its record; it carries an
//! `Idempotency-Key` by which the receiver can tell. Not here: what is alarming (that is for `drift` and `release` to
//! know) and Prometheus' own alerts (see `telemetry::AlertDef`).

mod alert;
mod condition;
mod error;
mod metrics;
mod notifier;
mod repo;
mod routing;
mod rules;
mod service;
mod severity;
mod watch;
mod webhook;

pub use alert::{Alert, Delivery, Filter, Status};
pub use condition::{BoxError, Condition, Source};
pub use error::Error;
pub use metrics::METRICS;
pub use notifier::{Notice, Notifier};
pub use routing::{Route, Routing, WebhookUrl};
pub use service::{Config, Service};
pub use webhook::Webhook;
