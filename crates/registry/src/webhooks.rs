//! Webhooks: who is told of changes to models, versions and prompts, in MLflow's words and on MLflow's tables.
//!
//! A change and the messages about it commit together (`change`); they leave later, signed, through a port that decides
//! which addresses may be spoken to ([`Sender`]). Secrets are stored encrypted as MLflow does ([`Key`]) and handed out
//! to nobody.
//!
//! Subscriptions are read in the transaction of the change, so a new webhook is told of the very next one. MLflow keeps
//! them in a cache for a minute.

pub(crate) mod change;
mod delivery;
mod event;
mod fernet;
mod metrics;
mod outcome;
mod payload;
mod rules;
mod sender;

use std::sync::Arc;

use runtime::Signal;
use url::Url;
use uuid::Uuid;

pub use event::{Action, Entity, Event};
pub use fernet::{InvalidKey, Key};
pub use metrics::METRICS;
pub use sender::{Failure, Request, Response, Sender};

use crate::{
    Page, Service,
    error::{Error, Result},
    page, repo,
};
use delivery::Unsendable;

/// Rows of one page.
const MOST_ROWS: i64 = 1_000;
/// Rows of one page, unless another number is asked for.
const DEFAULT_ROWS: i64 = 100;

/// How webhooks behave.
#[derive(Debug, Clone)]
pub struct Config {
    /// Schemes that a URL may have, in lower case.
    pub allowed_schemes: Vec<String>,
    /// How often a message is tried again after the first attempt.
    pub max_retries: u32,
    /// What secrets are stored under.
    pub key: Key,
}

impl Default for Config {
    /// MLflow's defaults, with a key of this process alone.
    fn default() -> Self {
        Self { allowed_schemes: vec!["https".to_owned()], max_retries: 3, key: Key::generate() }
    }
}

/// What the service holds of webhooks.
#[derive(Debug)]
pub(crate) struct Outgoing {
    config: Config,
    sender: Arc<dyn Sender>,
    /// Given when something was recorded.
    pub(crate) signal: Signal,
}

impl Outgoing {
    /// Webhooks that leave by `sender`.
    pub(crate) fn new(config: Config, sender: Arc<dyn Sender>) -> Self {
        Self { config, sender, signal: Signal::new() }
    }

    /// Webhooks that can be kept but not sent.
    pub(crate) fn muted() -> Self {
        Self::new(Config::default(), Arc::new(sender::Mute))
    }
}

/// Whether a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It is.
    #[default]
    Active,
    /// It is not.
    Disabled,
}

impl Status {
    /// The word of the protocol and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }

    /// By its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|status| status.as_str() == word)
    }
}

/// A webhook, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Its name, which others may have, too.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where its messages go.
    pub url: String,
    /// What it is told of, by the alphabet.
    pub events: Vec<Event>,
    /// Whether it is told.
    pub status: Status,
    /// When it was made, in milliseconds.
    pub created: Option<i64>,
    /// When it was changed, in milliseconds.
    pub updated: Option<i64>,
}

/// A webhook to be made.
#[derive(Debug, Clone, Default)]
pub struct NewWebhook {
    /// Its name.
    pub name: String,
    /// Where its messages go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<Event>,
    /// What it is for.
    pub description: Option<String>,
    /// What its messages are signed with.
    pub secret: Option<String>,
    /// Whether it is told.
    pub status: Status,
}

/// What is to be changed of a webhook; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookUpdate {
    /// Its name.
    pub name: Option<String>,
    /// Where its messages go.
    pub url: Option<String>,
    /// What it is told of.
    pub events: Option<Vec<Event>>,
    /// What it is for.
    pub description: Option<String>,
    /// What its messages are signed with.
    pub secret: Option<String>,
    /// Whether it is told.
    pub status: Option<Status>,
}

impl Service {
    /// Makes a webhook.
    ///
    /// # Errors
    /// When name, URL or events are not allowed.
    pub async fn create_webhook(&self, new: NewWebhook) -> Result<Webhook> {
        rules::check_name(&new.name)?;
        self.check_url(&new.url).await?;
        check_events(&new.events)?;
        rules::check_description(new.description.as_deref().unwrap_or_default())?;
        let secret = self.encrypted(new.secret.as_deref())?;
        let (id, now) = (Uuid::new_v4().to_string(), Some(self.now()));
        let webhook = Webhook {
            id,
            name: new.name,
            description: new.description,
            url: new.url,
            events: new.events,
            status: new.status,
            created: now,
            updated: now,
        };
        self.database
            .write(async move |tx| {
                repo::webhooks::insert(tx, &webhook, secret.as_deref()).await?;
                repo::webhooks::required(tx, &webhook.id).await
            })
            .await
    }

    /// The webhook of that id.
    ///
    /// # Errors
    /// When there is none.
    pub async fn webhook(&self, id: &str) -> Result<Webhook> {
        let id = id.to_owned();
        self.database.read(async move |tx| repo::webhooks::required(tx, &id).await).await
    }

    /// Webhooks, newest first; 0 asks for as many as usual.
    ///
    /// # Errors
    /// When token or page size cannot be read.
    pub async fn webhooks(&self, max_results: i64, page_token: Option<&str>) -> Result<Page<Webhook>> {
        let limit = if max_results == 0 { DEFAULT_ROWS } else { max_results };
        if !(1..=MOST_ROWS).contains(&limit) {
            return Err(Error::invalid(format!("max_results must be between 1 and {MOST_ROWS}.")));
        }
        let offset = page::offset(page_token)?;
        let rows = self.database.read(async move |tx| repo::webhooks::page(tx, limit + 1, offset).await).await?;
        Ok(Page::of(rows, offset, limit))
    }

    /// Changes a webhook.
    ///
    /// # Errors
    /// When there is none, or name, URL or events are not allowed.
    pub async fn update_webhook(&self, id: &str, update: WebhookUpdate) -> Result<Webhook> {
        self.webhook(id).await?;
        if let Some(name) = &update.name {
            rules::check_name(name)?;
        }
        if let Some(url) = &update.url {
            self.check_url(url).await?;
        }
        if let Some(events) = &update.events {
            check_events(events)?;
        }
        rules::check_description(update.description.as_deref().unwrap_or_default())?;
        let secret = self.encrypted(update.secret.as_deref())?;
        let (id, now) = (id.to_owned(), self.now());
        self.database
            .write(async move |tx| {
                let before = repo::webhooks::required(tx, &id).await?;
                let update = update.clone();
                let after = Webhook {
                    name: update.name.unwrap_or(before.name),
                    description: update.description.or(before.description),
                    url: update.url.unwrap_or(before.url),
                    events: update.events.unwrap_or(before.events),
                    status: update.status.unwrap_or(before.status),
                    updated: Some(now),
                    ..before
                };
                repo::webhooks::update(tx, &after, secret.as_deref()).await?;
                repo::webhooks::required(tx, &id).await
            })
            .await
    }

    /// Deletes a webhook. What it has not been told yet it is not told any more.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete_webhook(&self, id: &str) -> Result<()> {
        let (id, now) = (id.to_owned(), self.now());
        self.database
            .write(async move |tx| {
                repo::webhooks::required(tx, &id).await?;
                repo::webhooks::mark_deleted(tx, &id, now).await
            })
            .await
    }

    /// Sends a webhook an example of an event, of the first that it is subscribed to unless another one is named, and
    /// answers what its receiver did.
    ///
    /// # Errors
    /// When there is none, or the database is away. That the receiver is away is an answer.
    pub async fn test_webhook(&self, id: &str, event: Option<Event>) -> Result<Result<Response, Failure>> {
        let owned = id.to_owned();
        let (webhook, target) = self
            .database
            .read(async move |tx| {
                let webhook = repo::webhooks::required(tx, &owned).await?;
                Ok::<_, Error>((webhook, repo::webhooks::target(tx, &owned).await?))
            })
            .await?;
        let event = event.or(webhook.events.first().copied());
        let Some((event, target)) = event.zip(target) else {
            return Err(Error::invalid("Webhook events cannot be empty"));
        };
        let body = payload::body(event, &event.example(), self.clock.now());
        let request = match self.signed(&target, &Uuid::new_v4().to_string(), &body) {
            Ok(request) => request,
            Err(Unsendable::Url(why)) => return Ok(Err(Failure::Refused(why))),
            Err(Unsendable::Key) => {
                let why = "its secret was stored under another key: give it its secret again";
                return Ok(Err(Failure::Refused(why.to_owned())));
            }
        };
        Ok(self.sent_now(&request).await)
    }

    /// Checks that messages may go to a URL.
    async fn check_url(&self, url: &str) -> Result<Url> {
        let parsed = rules::parse_url(url, &self.webhooks.config.allowed_schemes)?;
        if let Some(host) = parsed.host() {
            self.webhooks.sender.check(host).await.map_err(Error::Invalid)?;
        }
        Ok(parsed)
    }

    /// A secret as it is stored.
    fn encrypted(&self, secret: Option<&str>) -> Result<Option<String>> {
        let Some(secret) = secret else { return Ok(None) };
        let token = self.webhooks.config.key.encrypt(secret, self.clock.now());
        rules::check_encrypted(&token)?;
        Ok(Some(token))
    }
}

fn check_events(events: &[Event]) -> Result<()> {
    if events.is_empty() {
        return Err(Error::invalid("Webhook events must be a non-empty list of WebhookEvent objects: []."));
    }
    Ok(())
}
