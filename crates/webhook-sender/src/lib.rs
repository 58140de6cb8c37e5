//! Sends the registry's webhooks over HTTP, and only to where anyone on the internet could send, too.
//!
//! Whoever may make a webhook has this server make requests, so a webhook must not reach what only this server can: its
//! own machine, its network, a cloud's metadata service. The address is looked at when the connection is made
//! ([`address::is_public`] on what the name means *then*), not only when the webhook was made: a name that meant something
//! else meanwhile (DNS rebinding) leads nowhere. A name is resolved once, every address that it has must be public, and
//! the connection goes to one of exactly those. Connections are not kept, so each message is looked at.
//!
//! A redirect that keeps the method (307, 308) is followed under the same rules; any other would lose the message. No
//! proxy of the environment is used: behind one, nobody could tell where a message goes.

mod address;
mod client;
mod resolver;

pub use client::{Config, Error, HttpSender};
